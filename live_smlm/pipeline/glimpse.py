"""A look at the camera's newest frame with the molecules found in it, now and then.

It costs a small share of one thread's time, and waits for nothing: where a frame's
slot has been given to another meanwhile, there is no look this time.
"""

import time
from dataclasses import dataclass

import numpy as np

from live_smlm.core import AnyArray
from live_smlm.pipeline.dispatcher import Dispatcher
from live_smlm.pipeline.outcomes import Localized
from live_smlm.transport.ring import FrameRing
from live_smlm.transport.viewing import LiveFrame

PERIOD_S = 0.2
SHARE = 0.02
"""Of the caller's time."""
MOST_PIXELS = 1 << 20
"""A camera that has more is binned."""


@dataclass(slots=True)
class Glimpse:
    """Used from one thread; the ring may be written to by another."""

    dispatcher: Dispatcher
    ring: FrameRing
    pixel_size_nm: float
    _next_s: float = 0.0

    def look(self, localized: Localized) -> LiveFrame | None:
        """The last of these frames, if it is time for it and it is still there."""
        started = time.monotonic()
        if started < self._next_s or not len(localized.index):
            return None
        binning = binning_for(self.ring.plan.shape)
        pixels = self._pixels(localized.first + localized.count - 1, binning)
        now = time.monotonic()
        self._next_s = max(started + PERIOD_S, now + (now - started) / SHARE)
        if pixels is None:
            return None
        number = int(localized.index[-1])
        return LiveFrame(
            number=number,
            pixels=pixels,
            binning=binning,
            pixel_size_nm=self.pixel_size_nm * binning,
            molecules=localized.molecules.where(localized.molecules.frame == number),
        )

    def _pixels(self, number: int, binning: int) -> AnyArray | None:
        if not self._held(number):
            return None
        pixels = binned(self.ring.read(number, 1)[0], binning)
        return pixels if self._held(number) else None

    def _held(self, number: int) -> bool:
        """Whether the frame is in its slot: the one that is being written now is in another."""
        return self.dispatcher.captured - number < self.ring.plan.slots


def binning_for(shape: tuple[int, int]) -> int:
    """The least that leaves a picture of few enough pixels."""
    binning = 1
    while (shape[0] // binning) * (shape[1] // binning) > MOST_PIXELS:
        binning += 1
    return binning


def binned(frame: AnyArray, binning: int) -> AnyArray:
    """A copy of means over binning x binning pixels, uint16; what is left at the ends is cut."""
    if binning == 1:
        return np.array(frame, np.uint16)
    rows, columns = (side // binning for side in frame.shape)
    total = np.zeros((rows, columns), np.uint32)
    for row in range(binning):
        for column in range(binning):
            part = frame[row::binning, column::binning]
            total += part[:rows, :columns]
    return (total // binning**2).astype(np.uint16)
