"""Which frames stand around a frame: context in time, across gaps and at the ends of a movie."""

from collections.abc import Iterator

import numpy as np

from live_smlm.core import I64


def gapless(index: I64, core: slice, halo: tuple[int, int]) -> Iterator[I64]:
    """Places of frames, context included, for each run of core frames without a gap.

    Where the context is missing (at either end of a movie, beside a lost
    frame), the nearest frame of the run stands in for it.
    """
    before, after = halo
    breaks = np.flatnonzero(np.diff(index) != 1) + 1
    starts, stops = np.r_[0, breaks], np.r_[breaks, len(index)]
    for start, stop in zip(starts, stops, strict=True):
        first, last = max(core.start, start), min(core.stop, stop)
        if first < last:
            yield np.clip(np.arange(first - before, last + after), start, stop - 1)
