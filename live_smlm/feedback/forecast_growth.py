"""How many molecules there will be in so many frames, and when there will be none left.

The rate at which they come falls exponentially while a pool runs out, or stays.
Recent frames count more, since somebody may have turned the laser.
"""

from dataclasses import dataclass

import numpy as np

from live_smlm.core import F64
from live_smlm.feedback.forecast_fit import drawn

_BLOCKS = 24
_FALLS = np.concatenate([[0.0], np.geomspace(0.03, 12.0, 32)])
"""By how much the rate's logarithm may fall in as many frames as there were."""
_NODES = np.array([-1.28, -0.52, 0.0, 0.52, 1.28])
_SPREAD, _TRUST = 0.1, 3.0
"""Of a block's rate beyond chance, as if so many blocks had confirmed it."""
_STRIDE = 61
"""Coprime to how many futures there are: their order means nothing."""
MOST = 100.0
"""Where no end of the pool is in sight: so many times the molecules there are."""


@dataclass(frozen=True, slots=True, eq=False)
class Growth:
    """Futures of a count, each as likely as any other."""

    frame: F64
    count: F64
    """The past."""
    rate: F64
    """(futures,) molecules per frame now."""
    fall: F64
    """(futures,) by which the rate's logarithm falls per frame."""

    def at(self, frame: float) -> F64:
        """(futures,) the count after so many frames."""
        if frame <= self.frame[-1]:
            return np.full(len(self.rate), np.interp(frame, self.frame, self.count))
        ahead = frame - self.frame[-1]
        fall = np.maximum(self.fall, 1e-12)
        return np.asarray(self.count[-1] - self.rate * np.expm1(-fall * ahead) / fall)

    def end(self) -> F64:
        """(futures,) the count when all is used up."""
        most = MOST * self.count[-1]
        with np.errstate(divide="ignore"):
            return np.asarray(np.minimum(self.count[-1] + self.rate / self.fall, most))

    def frames(self, count: F64) -> F64:
        """The frame at which each future has so many (one number each); infinite where never."""
        past = np.interp(count, self.count, self.frame)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            needed = (count - self.count[-1]) / self.rate
            fall = np.maximum(self.fall, 1e-12)
            left = 1 - fall * needed
            ahead = np.where(left > 0, -np.log(left) / fall, np.inf)
        return np.where(count <= self.count[-1], past, self.frame[-1] + ahead)


def growth(frame: F64, count: F64, futures: int) -> Growth:
    """So many futures of a count that rose so; needs two values at least."""
    frames = np.concatenate([[0.0], frame])
    counts = np.concatenate([[0.0], np.maximum.accumulate(count)])
    knots = np.linspace(0.0, frames[-1], min(_BLOCKS, len(frame)) + 1)
    gained = np.diff(np.interp(knots, frames, counts))
    middle = (knots[1:] + knots[:-1]) / 2 - frames[-1]
    rates = np.maximum(gained, 0.5) / np.diff(knots)
    table, weight = _weighed(middle / frames[-1], rates, gained)
    rate, fall = drawn(table, weight, futures)[:, _STRIDE * np.arange(futures) % futures]
    return Growth(frames, counts, rate, fall / frames[-1])


def _weighed(ago: F64, rate: F64, gained: F64) -> tuple[F64, F64]:
    """(rate now, its fall) of every future thought of, and its log weight.

    The rates are those at times ago, the start being at -1.
    """
    y = np.log(rate)
    error2 = (_SPREAD**2 + 1 / np.maximum(gained, 1.0)) * (1 - 2 * ago) ** 2
    know = 1 / error2
    rest = y + _FALLS[:, None] * ago
    best = rest @ know / know.sum()
    misfit = (rest - best[:, None]) ** 2 @ know
    trust = _TRUST + len(y) - 1
    wide = np.sqrt((_TRUST + misfit) / trust / know.sum())
    now = best[:, None] + wide[:, None] * _NODES
    prior = np.full(len(_FALLS), 0.5 / (len(_FALLS) - 1))
    prior[0] = 0.5
    weight = np.log(prior) - 0.5 * trust * np.log(_TRUST + misfit)
    table = np.stack([np.exp(now), np.broadcast_to(_FALLS[:, None], now.shape)])
    return table.reshape(2, -1), weight.repeat(len(_NODES))
