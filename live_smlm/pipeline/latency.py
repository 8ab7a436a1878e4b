"""Latencies by logarithmic bins: any number of frames in a few hundred counters."""

from dataclasses import dataclass, field

import numpy as np

from live_smlm.core import F64, I64

_LOWEST_S = 1e-4
_PER_DECADE = 40
_DECADES = 7


@dataclass(slots=True)
class Latencies:
    """A histogram from 0.1 ms to 1000 s; a percentile is right within 3 %."""

    counts: I64 = field(default_factory=lambda: np.zeros(_PER_DECADE * _DECADES, np.int64))

    def add(self, seconds: F64) -> None:
        """Count these latencies."""
        at = np.log10(np.maximum(seconds, _LOWEST_S) / _LOWEST_S) * _PER_DECADE
        bins = np.minimum(at.astype(np.int64), len(self.counts) - 1)
        np.add.at(self.counts, bins, 1)

    def percentile_ms(self, percent: float) -> float | None:
        """The latency that so many percent of the frames do not exceed; None without frames."""
        total = int(self.counts.sum())
        if not total:
            return None
        place = int(np.searchsorted(np.cumsum(self.counts), percent / 100 * total))
        return float(1000 * _LOWEST_S * 10 ** ((place + 1) / _PER_DECADE))
