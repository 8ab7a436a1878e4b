"""Where frames come from."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from live_smlm.core.camera import CameraModel
from live_smlm.core.errors import require
from live_smlm.core.frames import FrameBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """Known before the first frame."""

    name: str
    """For records and screens: the file, the device, or "simulated"."""
    camera: CameraModel
    frame_interval_s: float | None = None
    """None where it is not known, as in most recorded files."""
    expected_frames: int | None = None
    """None: until told to stop."""
    simulated: bool = False

    def __post_init__(self) -> None:
        require(
            self.expected_frames is None or self.expected_frames > 0,
            f"source {self.name!r} has {self.expected_frames} frames; give at least one",
        )


class FrameSource(Protocol):
    """A stream of frames with a lifetime."""

    @property
    def info(self) -> StreamInfo:
        """What will be streamed."""

    def open(self) -> AbstractContextManager[Iterator[FrameBatch]]:
        """Start acquiring; iterate until the acquisition ends; stop on exit.

        Batches carry no halo; their frames come in order, each once.
        """
