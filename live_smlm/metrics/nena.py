"""Precision from the data alone: how far one molecule's localizations in adjacent frames lie apart.

After Endesfelder et al. 2014 (NeNA): distances d of localizations in adjacent frames
follow d/(2s²)·exp(-d²/4s²) where both are one molecule; a linear term corrects for pairs
by chance, or a broad Gaussian for crowded structure where it explains much more. Every
pair up to the longest distance counts, not the nearest only: so those by chance add
exactly linearly. All bins weigh the same in the fit: the peak tells sigma, and tails that no
term describes hardly move it. Of a chunk with many molecules only some pairs of frames
are looked at. Sigma is of one coordinate, of the molecules that are seen twice.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.optimize import least_squares
from scipy.special import expit

from live_smlm.core import F32, F64, I64, require
from live_smlm.physics.jit import jit

BINS = 80
MOST = 1000
"""Molecules of a chunk about which more pairs of frames are not looked at."""
_FEWEST = 100
"""Pairs; with fewer, or half as many of one molecule, nothing is said."""
_CONTRAST = 5.0
"""Pairs of one molecule over the standard error of their number."""
_MUCH = 0.6
"""Squares left by the Gaussian over those left by the linear term, for it to be used."""
_BROAD = 3.0
"""The Gaussian's width is at least so many sigmas: narrower, it would eat the peak."""
_SMOOTH = 5
"""Bins over which counts are averaged to see where they peak."""


def _no_pairs() -> I64:
    return np.zeros(BINS, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """How many pairs lie how far apart."""

    longest_nm: float
    counts: I64 = field(default_factory=_no_pairs)
    """By distance: equal bins up to the longest."""

    def __post_init__(self) -> None:
        require(self.longest_nm > 0, f"longest distance is {self.longest_nm:g} nm; give above 0")

    @property
    def distance_nm(self) -> F64:
        """The bins' middles."""
        width = self.longest_nm / len(self.counts)
        return width * np.arange(0.5, len(self.counts))


@dataclass(frozen=True, slots=True)
class Nena:
    """The precision and its standard error."""

    sigma_nm: float
    error_nm: float
    same: float
    """Share of all pairs that are one molecule's."""


def fold(pairs: Pairs, frame: I64, x: F32, y: F32, most: int = MOST) -> Pairs:
    """The pairs after more localizations, whose frames do not fall.

    Pairs of two frames of different chunks are not seen.
    """
    if len(frame) < 2:
        return pairs
    starts = np.flatnonzero(np.diff(frame, prepend=frame[0] - 1))
    ends = np.append(starts[1:], len(frame))
    every = max(1, -(-len(frame) // most))
    counts = pairs.counts.copy()
    for k in range(0, len(starts) - 1, every):
        if frame[starts[k + 1]] == frame[starts[k]] + 1:
            rows = slice(starts[k], ends[k]), slice(starts[k + 1], ends[k + 1])
            (xa, ya), (xb, yb) = (_by_x(x[row], y[row]) for row in rows)
            _count(xa, ya, xb, yb, pairs.longest_nm, counts)
    return replace(pairs, counts=counts)


def fit(pairs: Pairs) -> Nena | None:
    """The precision, or None where too few pairs are one molecule's."""
    total = float(pairs.counts.sum())
    if total < _FEWEST:
        return None
    chance, crowd = _best(pairs, _by_chance), _best(pairs, _in_a_crowd)
    best = crowd if crowd.squares < _MUCH * chance.squares else chance
    told = best.same > _FEWEST / 2 and best.same > _CONTRAST * best.same_error
    bin_nm = pairs.longest_nm / len(pairs.counts)
    if not told or not bin_nm < best.sigma < pairs.longest_nm / 4:
        return None
    return Nena(best.sigma, best.sigma_error, min(1.0, best.same / total))


@dataclass(frozen=True, slots=True)
class _Fitted:
    sigma: float
    sigma_error: float
    same: float
    same_error: float
    squares: float


_Rest = Callable[[F64, F64, float], F64]
"""Pairs that are not one molecule's, per nm, by parameters, distance and longest distance.

All parameters are free numbers: the logarithms of sigma and of the pairs of one molecule, and
the rest's own.
"""


def _by_chance(p: F64, d: F64, longest: float) -> F64:
    """Linear; its number may come out below zero, by noise."""
    return np.asarray(p[2] * np.exp(p[1]) * 2 * d / longest**2)


def _in_a_crowd(p: F64, d: F64, longest: float) -> F64:
    """Gaussian: of fewer pairs than of one molecule, and broader by `_BROAD` at least."""
    width = (_BROAD + np.exp(p[4])) * np.exp(p[0])
    bell = np.exp(-((d - p[3] * longest) ** 2) / (2 * width**2))
    return np.asarray(expit(p[2]) * np.exp(p[1]) / (math.sqrt(2 * np.pi) * width) * bell)


_STARTS: dict[_Rest, tuple[float, ...]] = {_by_chance: (0.5,), _in_a_crowd: (-0.5, 0.3, 0.5)}


def _best(pairs: Pairs, rest: _Rest) -> _Fitted:
    """Least squares, from where the counts peak."""
    d, n, longest = pairs.distance_nm, pairs.counts.astype(np.float64), pairs.longest_nm
    width, total = longest / len(n), float(n.sum())
    chance = d * n[-len(n) // 4 :].sum() / d[-len(n) // 4 :].sum()
    peak = d[np.argmax(np.convolve(n - chance, np.ones(_SMOOTH), "same")[: len(n) // 2])]
    start = np.array([np.log(peak / math.sqrt(2)), np.log(total / 2), *_STARTS[rest]])

    def residuals(p: F64) -> F64:
        sigma = np.exp(p[0])
        same = np.exp(p[1]) * d / (2 * sigma**2) * np.exp(-(d**2) / (4 * sigma**2))
        return np.asarray(width * (same + rest(p, d, longest)) - n)

    done = least_squares(residuals, start, method="lm", max_nfev=400)
    slopes = done.jac
    inverse = np.linalg.pinv(slopes.T @ slopes)
    noise = slopes.T @ (np.maximum(n, 1)[:, None] * slopes)
    sigma, same = np.exp(done.x[:2])
    errors = np.sqrt(np.diag(inverse @ noise @ inverse)[:2]) * (sigma, same)
    return _Fitted(float(sigma), float(errors[0]), float(same), float(errors[1]), 2 * done.cost)


def _by_x(x: F32, y: F32) -> tuple[F32, F32]:
    order = np.argsort(x)
    return x[order], y[order]


@jit
def _count(xa: F32, ya: F32, xb: F32, yb: F32, longest: float, counts: I64) -> None:
    """Add all pairs of two frames, both sorted by x."""
    low = 0
    for i in range(xa.size):
        while low < xb.size and xb[low] < xa[i] - longest:
            low += 1
        j = low
        while j < xb.size and xb[j] <= xa[i] + longest:
            distance = np.sqrt((xa[i] - xb[j]) ** 2 + (ya[i] - yb[j]) ** 2)
            if distance < longest:
                counts[int(distance / longest * counts.size)] += 1
            j += 1
