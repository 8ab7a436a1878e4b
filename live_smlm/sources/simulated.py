"""A camera that is not there: frames of a simulator, as fast as possible or at a rate."""

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from live_smlm.core import FrameBatch, Localizations, StreamInfo, require
from live_smlm.physics.simulator import Simulator

_BATCH_SECONDS = 0.02


class SimulatedSource:
    """A frame source whose truth is known; every `open` gives the same frames.

    With `rate_hz`, a batch is handed out when its last frame would have been
    read; a reader that is late finds the frames it missed waiting. `keep_truth`:
    the truth of a stream without end fills the memory, so it can be left out.
    """

    def __init__(
        self,
        simulator: Simulator,
        frames: int,
        rate_hz: float | None = None,
        *,
        keep_truth: bool = True,
    ) -> None:
        require(
            rate_hz is None or (bool(np.isfinite(rate_hz)) and rate_hz > 0),
            f"rate_hz is {rate_hz}; give frames per second above 0, or none",
        )
        interval = simulator.frame_interval_s if rate_hz is None else 1 / rate_hz
        self._simulator = replace(simulator, frame_interval_s=interval)
        self._frames, self._rate_hz = frames, rate_hz
        self._keep_truth = keep_truth
        self._truth: list[Localizations] = []
        self._info = StreamInfo(
            name="simulated",
            camera=simulator.camera,
            frame_interval_s=interval,
            expected_frames=frames,
            simulated=True,
            can_wait=rate_hz is None,
        )

    @property
    def info(self) -> StreamInfo:
        """What will be streamed."""
        return self._info

    @property
    def truth(self) -> list[Localizations]:
        """The truth about the batches handed out since the last `open`, in their order.

        Batches without molecules add nothing.
        """
        return self._truth

    @contextmanager
    def open(self) -> Iterator[Iterator[FrameBatch]]:
        """Start at frame 0; see `core.FrameSource`."""
        self._truth = []
        frames = self._stream()
        try:
            yield frames
        finally:
            frames.close()

    def _stream(self) -> Generator[FrameBatch]:
        started = time.monotonic()
        for batch, truth in self._simulator.stream(self._frames, self._batch_frames()):
            if self._rate_hz is not None:
                due = started + (int(batch.index[-1]) + 1) / self._rate_hz
                time.sleep(max(0.0, due - time.monotonic()))
            if self._keep_truth and len(truth):
                self._truth.append(truth)
            yield batch

    def _batch_frames(self) -> int:
        if self._rate_hz is None:
            return self._simulator.batch_frames
        live = max(1, round(_BATCH_SECONDS * self._rate_hz))
        return min(live, self._simulator.batch_frames)
