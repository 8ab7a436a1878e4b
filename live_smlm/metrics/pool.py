"""How many molecules are left to blink: their pool runs out exponentially.

The number of blinks by time t is N(t) = M (1 - exp(-k t)), with a second, slower
exponential where it explains much more. Blinks between two looks are Poisson's, so that
for a given k the best M is known, and the likelihood is one of k alone; the share that
is left, exp(-k t), has the interval in which it falls by less than `_DEVIANCE`. Blinks
scatter more than Poisson's where molecules come back or the light flickers: deviances are
divided by the dispersion that the best fit leaves. Nothing is said where a steady rate is
as good as an exhausted pool: in the beginning, and while more light makes up for it.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize, minimize_scalar

from live_smlm.core import F64, require
from live_smlm.metrics.curvature import curvature

MOST_LOOKS = 64
_FEWEST_LOOKS = 8
_FEWEST_BLINKS = 200
_DEVIANCE = 2.71
"""Of a 90 % interval."""
_TELLING = 9.0
"""By which a steady rate must be worse."""
_SECOND = 15.0
"""By which one exponential must be worse than two."""
_MISFIT = 3.0
"""Standard deviations above Poisson's scatter from which two exponentials are tried."""
_EXHAUSTIONS = np.concatenate([[0.0], np.geomspace(0.02, 60, 50)])
"""k t at the last look."""


@dataclass(frozen=True, slots=True)
class Growth:
    """Blinks so far at some moments; when there are many, every other is dropped."""

    seconds: tuple[float, ...] = (0.0,)
    blinks: tuple[float, ...] = (0.0,)
    every_s: float = 0.0
    """Least time between two moments, but for the last."""


@dataclass(frozen=True, slots=True)
class Pool:
    """What is left, and the size and times of the pool."""

    left: float
    low: float
    high: float
    """Of its 90 % interval."""
    blinks: float
    """That will have been in the end."""
    lifetimes_s: tuple[float, ...]
    """1/k; two where two exponentials are needed."""


def fold(growth: Growth, seconds: float, blinks: float) -> Growth:
    """With one more moment."""
    rises = seconds >= growth.seconds[-1] and blinks >= growth.blinks[-1]
    require(rises, f"growth falls at {seconds:g} s, {blinks:g} blinks; fold in order of time")
    times, counts = growth.seconds, growth.blinks
    if seconds == 0:
        return growth
    soon = len(times) > 2 and times[-1] - times[-2] < growth.every_s
    if soon or seconds == times[-1]:
        times, counts = times[:-1], counts[:-1]
    times, counts = (*times, seconds), (*counts, blinks)
    if len(times) <= MOST_LOOKS:
        return replace(growth, seconds=times, blinks=counts)
    span = times[-1] - times[0]
    return Growth(times[::2], counts[::2], every_s=2 * span / MOST_LOOKS)


def fit(growth: Growth) -> Pool | None:
    """The pool, or None where the growth so far cannot tell."""
    time, count = np.array(growth.seconds), np.diff(growth.blinks)
    if len(count) < _FEWEST_LOOKS or count.sum() < _FEWEST_BLINKS:
        return None
    age, seen = time / time[-1], float(count.sum())
    worth = np.array([_deviance(_shares(age, k), count) for k in _EXHAUSTIONS])
    scatter = max(1, len(count) - 2)
    k = _best(age, count, worth)
    one = least = _deviance(_shares(age, k), count)
    second = None
    if least > scatter + _MISFIT * math.sqrt(2 * scatter):
        second = _two(age, count, k)
        least = min(least, second.deviance)
    spread = max(1.0, least / scatter)
    if worth[0] - one < _TELLING * spread:
        return None
    if second is not None and one - second.deviance > _SECOND * spread:
        low, high = second.interval(math.sqrt(_DEVIANCE * spread))
        lifetimes = tuple(float(time[-1] / k) for k in second.exhaustions)
        return Pool(second.left, low, high, seen / (1 - second.left), lifetimes)
    low_k, high_k = _within(age, count, worth, one + _DEVIANCE * spread)
    left = math.exp(-k)
    lifetime = (float(time[-1] / k),)
    return Pool(left, math.exp(-high_k), math.exp(-low_k), seen / (1 - left), lifetime)


def _best(age: F64, count: F64, worth: F64) -> float:
    """The k of the least deviance, near that of the grid."""
    at = int(np.argmin(worth))
    near = float(_EXHAUSTIONS[max(0, at - 1)]), float(_EXHAUSTIONS[min(len(worth) - 1, at + 1)])
    done = minimize_scalar(
        lambda k: _deviance(_shares(age, k), count), bounds=near, method="bounded"
    )
    return float(done.x)


def _within(age: F64, count: F64, worth: F64, most: float) -> tuple[float, float]:
    """The least and the largest k whose deviance is `most` at most."""
    near = np.flatnonzero(worth <= most)
    near = near if len(near) else np.array([np.argmin(worth)])
    low = float(_EXHAUSTIONS[max(1, near[0] - 1)])
    high = float(_EXHAUSTIONS[min(len(worth) - 1, near[-1] + 1)])
    finer = np.geomspace(low, high, 100)
    kept = finer[[_deviance(_shares(age, k), count) <= most for k in finer]]
    return (float(kept[0]), float(kept[-1])) if len(kept) else (low, high)


def _shares(age: F64, *exhaustions: float, first: float = 1.0) -> F64:
    """Of all blinks seen so far, how many fall between the looks."""
    done = np.zeros(len(age))
    for share, k in zip((first, 1 - first), exhaustions, strict=False):
        done += share * (-np.expm1(-k * age) if k > 0 else age)
    parts = np.diff(done)
    return np.asarray(parts / parts.sum())


def _deviance(share: F64, count: F64) -> float:
    expected = np.maximum(count.sum() * share, 1e-12)
    log = np.where(count > 0, count * np.log(np.maximum(count, 1e-300) / expected), 0.0)
    return float(2 * np.sum(log - count + expected))


@dataclass(frozen=True, slots=True, eq=False)
class _Two:
    """Two exponentials: log k of either and the logit of the first's share of the pool."""

    parameters: F64
    deviance: float
    covariance: F64

    @property
    def exhaustions(self) -> tuple[float, float]:
        return float(np.exp(self.parameters[0])), float(np.exp(self.parameters[1]))

    @property
    def left(self) -> float:
        return _left(self.parameters)

    def interval(self, errors: float) -> tuple[float, float]:
        """So many standard errors to either side, of the logit of what is left."""
        middle, slope = _logit(self.left), np.zeros(3)
        for k in range(3):
            step = np.zeros(3)
            step[k] = 1e-4
            slope[k] = (_logit(_left(self.parameters + step)) - middle) / 1e-4
        reach = errors * math.sqrt(max(float(slope @ self.covariance @ slope), 0.0))
        return _share(middle - reach), _share(middle + reach)


def _two(age: F64, count: F64, k: float) -> _Two:
    def deviance(p: F64) -> float:
        return _deviance(_shares(age, *np.exp(p[:2]), first=_share(float(p[2]))), count)

    start = np.array([np.log(3 * max(k, 0.1)), np.log(0.5 * max(k, 0.1)), 0.0])
    bounds = [(np.log(0.02), np.log(300.0)), (np.log(0.02), np.log(60.0)), (-6.0, 6.0)]
    done = minimize(deviance, start, method="L-BFGS-B", bounds=bounds)
    at = np.asarray(done.x, np.float64)
    # A deviance is twice a log likelihood: its curvature is twice Fisher's information.
    covariance = 2 * np.linalg.pinv(curvature(deviance, at), rcond=1e-6, hermitian=True)
    return _Two(at, deviance(at), np.asarray(covariance, np.float64))


def _left(p: F64) -> float:
    first = _share(float(p[2]))
    return float(first * np.exp(-np.exp(p[0])) + (1 - first) * np.exp(-np.exp(p[1])))


def _share(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))


def _logit(share: float) -> float:
    inside = min(max(share, 1e-12), 1 - 1e-12)
    return float(np.log(inside / (1 - inside)))
