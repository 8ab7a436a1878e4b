"""Where frames come from."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

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
    can_wait: bool = False
    """Whether frames wait where they are until asked for, as in a file; a camera's do not."""

    def __post_init__(self) -> None:
        require(
            self.expected_frames is None or self.expected_frames > 0,
            f"source {self.name!r} has {self.expected_frames} frames; give at least one",
        )


class SourceFault(RuntimeError):  # noqa: N818 - it tells how an acquisition ended
    """The acquisition ended for a reason outside the program: a camera, a cable, a server.

    A source raises it after the last frame that could still be had, in one line.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """How a running acquisition stands."""

    frames: int = 0
    """Handed out since the last `open`."""
    lost: int = 0
    """Missing in the camera's own numbers."""
    fill: float = 0.0
    """Share of the camera's buffer that waits to be read, 0 to 1."""
    overflowed: bool = False
    """Whether that buffer was full, so that the camera stopped."""


class FrameSource(Protocol):
    """A stream of frames with a lifetime."""

    @property
    def info(self) -> StreamInfo:
        """What will be streamed."""

    def open(self) -> AbstractContextManager[Iterator[FrameBatch]]:
        """Start acquiring; iterate until the acquisition ends; stop on exit.

        Batches carry no halo; their frames come in order, each once.
        """


@runtime_checkable
class LiveSource(FrameSource, Protocol):
    """A frame source that others watch and stop while it streams, from any thread."""

    def stop(self) -> None:
        """End the acquisition: what it has already taken still comes; returns at once."""

    def status(self) -> SourceStatus:
        """How it stands now."""
