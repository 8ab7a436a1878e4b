"""Which blinks are of molecules that were seen before, and how many molecules that leaves.

A molecule comes back at its own place, within the precision of both blinks, and soon
against the length of a run; two molecules of one spot come at times that do not know of
each other. So of all pairs of blinks that lie close, those of different molecules are as
many at each lag as two blinks of any places are, up to one factor: that of the long lags,
the upper half. What is more than that at shorter lags is molecules that come back (the
pair correlation of Sengupta et al. 2011, told from the structure's own by time and not by
shape, so that clusters, rings and lines are not taken for them). The excess is taken as a
share that falls with the lag; among pairs of a lag, those of one molecule lie as far apart
as their errors let them, with a factor for what errors claim too little and drift leaves.

A molecule that comes on within reach of one that just went off is linked with it, and lost:
how often, at most, follows from the pairs by chance. That is part of the error.

Two counts follow. One takes the pairs of a blink as independent of each other: right where
it has one, too many returns where it has several. The other takes the returns of a
molecule as geometrically distributed (it bleaches with the same chance each time): B blinks
with P pairs of one molecule are B²/(B + P) molecules. Their mean is told, half of what they
differ by is part of the error.

Not told are returns after dark times as long as half the run, or of less than a `_LEAST`
part of the pairs by chance: where either is so, molecules are too many, beyond the
error. Where they come back for ever (as in PAINT), there are as many as visits.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

from live_smlm.core import F32, F64, I64
from live_smlm.physics.jit import jit

_FARTHEST = 10.0
"""Squared distance of a pair over the variance of one coordinate of it, at most."""
_LEAST = 0.04
"""Excess over pairs by chance, below which it is none: rates differ, drift blurs."""
_SURE = 3.0
"""Standard errors of an excess over pairs by chance, below which it is none."""
_EDGES = np.unique(np.round(2 ** np.arange(0, 40, 0.5)).astype(np.int64))
"""Lags in frames, in half octaves."""
_TELLING = 1.0
"""Excess from which the pairs tell how far apart those of one molecule are."""
_BINS = 20
"""Of squared distances over their variance."""
_POWERS = (0.1, 4.0)
"""Of chances, between which one is found by which they agree with a count."""
_WIDEST = 3.0
"""Factor of a variance, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Appearances:
    """How often molecules were seen."""

    again: F32
    """Chance of each blink to be of a molecule that was seen before."""
    molecules: float
    """Blinks less those that are returns."""
    lost: float
    """Beside them, at most: taken for a neighbour that had just gone off."""
    error: float
    """Standard error of that number."""
    lag: I64
    """In frames, from which each bin of lags goes to the next."""
    excess: F64
    """Pairs of one molecule over those by chance, by lag."""

    @property
    def mean(self) -> float:
        """Blinks of one molecule so far."""
        return len(self.again) / self.molecules if self.molecules > 0 else math.inf


def appearances(place: F32, sigma: F32, frame: I64, blind_frames: int = 0) -> Appearances:
    """Of blinks at (y, x), with their errors, that began in these frames.

    So many frames long a molecule that comes on beside one that went off is taken for it.
    """
    order = np.argsort(place[:, 1], kind="stable")
    y, x, variance, began = place[order, 0], place[order, 1], sigma[order] ** 2, frame[order]
    lag = _EDGES[: int(np.searchsorted(_EDGES, np.ptp(frame) if len(frame) else 0, "right")) + 1]
    seen = np.zeros((len(lag) - 1, _BINS))
    reach = float(np.sqrt(2 * _FARTHEST * variance.max(initial=0.0)))
    _count(y, x, variance, began, reach, lag, seen)
    excess, expected, level = _excess(seen.sum(axis=1), _by_chance(np.sort(frame), lag))
    more = excess[:, None] * _alike(seen, excess, expected)
    alone = np.ones(len(frame), np.float32)
    _returns(y, x, variance, began, reach, lag, more / (1 + more), alone)
    blinks, pairs = float(len(frame)), float(np.sum(excess * expected))
    least = max(float(alone.sum()), 1.0)
    most = blinks**2 / max(blinks + pairs, 1.0)
    counted = (least + most) / 2
    lost = min(float(expected[lag[1:] <= blind_frames + 1].sum()), counted / 2)
    again = np.empty(len(frame), np.float32)
    again[order] = 1 - _scaled(alone, counted)
    unsure, doubt = float(np.sum(again * (1 - again))), level * float(expected[excess > 0].sum())
    error = math.hypot(math.sqrt(unsure), min(doubt, counted), (most - least) / 2, lost)
    return Appearances(again, counted, lost, error, lag, excess)


def _by_chance(frame: I64, lag: I64) -> F64:
    """Pairs of any places, by lag; the frames rise."""
    if len(frame) == 0:
        return np.zeros(len(lag) - 1)
    first = np.arange(1, len(frame) + 1)
    nearer = [float(np.sum(np.searchsorted(frame, frame + edge) - first)) for edge in lag]
    return np.diff(nearer)


def _excess(seen: F64, chance: F64) -> tuple[F64, F64, float]:
    """By lag: pairs of one molecule over those by chance, and these; their relative error."""
    if chance.sum() == 0:
        return np.zeros(len(seen)), np.ones(len(seen)), 0.0
    late = np.cumsum(chance) > chance.sum() / 2
    known = float(seen[late].sum())
    expected = np.maximum((known + 0.5) * chance / chance[late].sum(), 1e-12)
    ratio = isotonic_regression(seen / expected, weights=expected, increasing=False).x
    level = 1 / math.sqrt(known + 1)
    _, block = np.unique(ratio, return_inverse=True)
    whole = np.bincount(block, expected)[block]
    doubt = np.hypot(np.sqrt(whole + 1) / whole, level)
    told = ~late & (ratio > 1 + np.maximum(_LEAST, _SURE * doubt))
    return np.where(told, ratio - 1, 0.0), expected, level


def _alike(seen: F64, excess: F64, expected: F64) -> F64:
    """By distance: how much more often pairs of one molecule have it than others."""
    late = seen[excess == 0].sum(axis=0) + 1
    other = late / late.sum()
    soon = excess >= _TELLING
    same = np.maximum(seen[soon].sum(axis=0) - expected[soon].sum() * other, 0.0)
    edge = _FARTHEST * np.arange(_BINS + 1) / _BINS
    middle = (edge[1:] + edge[:-1]) / 2
    factor = float(same @ middle / 2 / same.sum()) if same.sum() > 0 else 1.0
    width = 2 * min(max(factor, 1 / _WIDEST), _WIDEST)
    own = -np.diff(np.exp(-edge / width)) / -math.expm1(-_FARTHEST / width)
    return np.asarray(own / other)


def _scaled(alone: F32, molecules: float) -> F32:
    """Powers of the chances, so that they add up to so many molecules."""
    low, high = _POWERS
    for _ in range(12):
        power = math.sqrt(low * high)
        low, high = (power, high) if float(np.sum(alone**power)) > molecules else (low, power)
    return np.asarray(alone**high)


@jit
def _bins(d2: float, variance: float, apart: int, lag: I64) -> tuple[int, int]:
    """Of the lag and of the distance; the first is -1 where they are no pair."""
    far = int(d2 / variance * (_BINS / _FARTHEST))
    if far >= _BINS or apart == 0:
        return -1, 0
    return int(np.searchsorted(lag, apart, side="right")) - 1, far


@jit
def _count(y: F32, x: F32, variance: F32, began: I64, reach: float, lag: I64, seen: F64) -> None:
    """Add all pairs to their bins; places rise along x."""
    for i in range(x.size):
        j = i + 1
        while j < x.size and x[j] - x[i] < reach:
            d2 = (x[j] - x[i]) ** 2 + (y[j] - y[i]) ** 2
            apart = abs(began[j] - began[i])
            row, far = _bins(d2, variance[i] + variance[j], apart, lag)
            if row >= 0:
                seen[row, far] += 1
            j += 1


@jit
def _returns(
    y: F32, x: F32, variance: F32, began: I64, reach: float, lag: I64, share: F64, alone: F32
) -> None:  # fmt: skip
    """Multiply for the later of each pair the chance that it is not the earlier's."""
    for i in range(x.size):
        j = i + 1
        while j < x.size and x[j] - x[i] < reach:
            d2 = (x[j] - x[i]) ** 2 + (y[j] - y[i]) ** 2
            apart = abs(began[j] - began[i])
            row, far = _bins(d2, variance[i] + variance[j], apart, lag)
            if row >= 0:
                alone[j if began[j] > began[i] else i] *= 1 - share[row, far]
            j += 1
