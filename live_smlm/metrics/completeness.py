"""How much of the structure has been seen: which of its resolution cells were hit often enough.

The field is cut into square cells. Each blink hits one; how often each was hit is counted.
Of the cells on the structure some were never hit, and nobody sees them: their number is
inferred from how many were hit once, twice, ... The hits of the structure's cells
are taken as negative binomial (Poisson with rates that differ from cell to cell),
those of the empty cells as a sparse Poisson rain of false or free molecules, which
makes cells hit once, hardly ever more often. Both are fitted together by likelihood to
the counts of counts; the structure's share of cells with at least `enough` hits is the
completeness. With time all rates grow together: so much for the time that is needed.

A blink is not a molecule: what blinks often completes its cell alone. What can never
blink is not missed.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from scipy.special import betainc, gammaln

from live_smlm.core import F32, F64, I64, AnyArray, require
from live_smlm.physics.jit import jit

ENOUGH = 2
MOST_CELLS = 2**24
_MOST_HITS = 255
_FEWEST_CELLS = 100
"""Hit at least twice; with fewer nothing is said."""
_RAIN = 3.0
"""Standard errors by which a rain must be told to be believed."""
_BINS = 6
"""Numbers of hits that are looked at, at least: more than there are parameters."""
_LOG_MEAN = 7.0
_LOG_SHAPES = (1.0, 4.0)
"""From which the fit with rain begins."""
_LOG_SHAPE = (-2.0, 6.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """How often each cell was hit; counting stops at 255."""

    cell_nm: float
    origin_nm: tuple[float, float]
    """Top and left of the field."""
    hits: AnyArray
    """(rows, columns), uint8."""
    tally: I64
    """How many cells were hit so often, by number of hits."""


@dataclass(frozen=True, slots=True)
class Completeness:
    """What the counts of counts tell."""

    share: float
    """Of the structure's cells, hit at least `enough` times; 0 to 1."""
    low: float
    high: float
    """Of its 90 % interval."""
    cells: float
    """On the structure, those not hit included."""
    seen: int
    """Cells hit at least once, on the structure or not."""
    enough: int
    mean_hits: float
    shape: float
    """Of a structure's cell: mean, and k of the negative binomial; large k: all cells alike."""

    def after(self, factor: float) -> float:
        """The share when there will be `factor` times as many blinks."""
        return _reached(self.mean_hits * factor, self.shape, self.enough)

    def factor_to(self, share: float) -> float:
        """How many times the blinks so far a share takes, counted from the first."""
        require(0 < share < 1, f"share is {share:g}; give between 0 and 1")
        low, high = 0.0, 1.0
        while self.after(high) < share:
            low, high = high, 2 * high
            if high > 1e9:
                return math.inf
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if self.after(middle) < share else (low, middle)
        return high


def start(bounds_nm: tuple[float, float, float, float], cell_nm: float) -> Cells:
    """No hits in a field (top, left, bottom, right); cells become larger for `MOST_CELLS`."""
    require(cell_nm > 0, f"cell_nm is {cell_nm:g}; give above 0")
    top, left, bottom, right = bounds_nm
    least = math.sqrt((bottom - top) * (right - left) / MOST_CELLS)
    cell_nm = max(cell_nm, least)
    shape = math.ceil((bottom - top) / cell_nm), math.ceil((right - left) / cell_nm)
    tally = np.zeros(_MOST_HITS + 1, np.int64)
    tally[0] = shape[0] * shape[1]
    hits = np.zeros(shape, np.uint8)
    return Cells(cell_nm=cell_nm, origin_nm=(top, left), hits=hits, tally=tally)


def fold(cells: Cells, y: F32, x: F32) -> Cells:
    """With more blinks, in place."""
    _hit(y, x, *cells.origin_nm, cells.cell_nm, cells.hits, cells.tally)
    return cells


def estimate(cells: Cells, enough: int = ENOUGH) -> Completeness | None:
    """The completeness, or None where too few cells were hit twice.

    None too where most of the structure may lie in cells that are hardly ever hit: then
    their number has no limit.
    """
    require(enough > 0, f"enough is {enough} hits; give at least 1")
    tally = cells.tally.astype(np.float64)
    if tally[2:].sum() < _FEWEST_CELLS:
        return None
    best, covariance = _fit(tally)
    if best[1] <= _LOG_SHAPE[0]:
        return None
    mean, shape = _mean_and_shape(best)
    share = _reached_by(best, enough)
    slope = np.zeros(len(best))
    for k in range(2):
        step = np.zeros(len(best))
        step[k] = 1e-3
        slope[k] = (_logit(_reached_by(best + step, enough)) - _logit(share)) / 1e-3
    reach = 1.645 * math.sqrt(max(float(slope @ covariance @ slope), 0.0))
    unhit = math.exp(-shape * math.log1p(mean / shape))
    rained = _false(best, tally) if len(best) > 2 else 0.0
    seen = int(tally[1:].sum())
    return Completeness(
        share=share,
        low=_share(_logit(share) - reach),
        high=_share(_logit(share) + reach),
        cells=(seen - rained) / (1 - unhit),
        seen=seen,
        enough=enough,
        mean_hits=mean,
        shape=shape,
    )


def _fit(tally: F64) -> tuple[F64, F64]:
    """Log mean, log shape, perhaps the logit of the rain's share of the cells hit; covariance."""
    last = max(int(np.flatnonzero(tally)[-1]), _BINS)
    n, seen = np.arange(1, last + 1), tally[1 : last + 1]

    def residuals(p: F64) -> F64:
        """Whose squares add up to twice the log likelihood, but for a constant."""
        chance = _structure(p, n)
        if len(p) > 2:
            rain = _share(float(p[2]))
            chance = (1 - rain) * chance + rain * _rain(p, n, tally)
        expected = np.maximum(seen.sum() * chance, 1e-12)
        log = np.where(seen > 0, seen * np.log(np.maximum(seen, 1) / expected), 0.0)
        deviance = np.maximum(2 * (log - seen + expected), 0.0)
        return np.asarray(np.sign(seen - expected) * np.sqrt(deviance))

    mean = float(np.sum(n * seen) / seen.sum())
    plain = least_squares(residuals, [math.log(mean), 0.5], method="lm", max_nfev=200)
    often = float(np.sum(n[1:] * seen[1:]) / seen[1:].sum())
    rainy = min(
        (
            least_squares(residuals, [math.log(often), shape, 0.0], method="lm", max_nfev=200)
            for shape in _LOG_SHAPES
        ),
        key=lambda one: float(one.cost),
    )
    best = rainy if 2 * (plain.cost - rainy.cost) > _RAIN**2 else plain
    information = best.jac.T @ best.jac
    return np.asarray(best.x), np.asarray(np.linalg.pinv(information, rcond=1e-9, hermitian=True))


def _structure(p: F64, n: AnyArray) -> F64:
    """Probability of n hits of a cell of the structure that was hit."""
    mean, shape = _mean_and_shape(p)
    log_unhit = -shape * math.log1p(mean / shape)
    ways = gammaln(n + shape) - gammaln(n + 1) - math.lgamma(shape)
    log = ways + log_unhit + n * math.log(mean / (shape + mean))
    return np.asarray(np.exp(log) / -math.expm1(log_unhit))


def _rain(p: F64, n: AnyArray, tally: F64) -> F64:
    """The same of a cell off the structure: so sparse that its rate follows from the cells hit."""
    rate = max(_false(p, tally) / float(tally.sum()), 1e-12)
    log = n * math.log(rate) - rate - gammaln(n + 1)
    return np.asarray(np.exp(log) / -math.expm1(-rate))


def _false(p: F64, tally: F64) -> float:
    """Cells hit off the structure."""
    return _share(float(p[2])) * float(tally[1:].sum())


def _reached(mean: float, shape: float, enough: int) -> float:
    return float(betainc(enough, shape, mean / (shape + mean)))


def _mean_and_shape(p: F64) -> tuple[float, float]:
    low, high = _LOG_SHAPE
    return math.exp(min(max(p[0], -_LOG_MEAN), _LOG_MEAN)), math.exp(min(max(p[1], low), high))


def _reached_by(p: F64, enough: int) -> float:
    return _reached(*_mean_and_shape(p), enough)


def _share(logit: float) -> float:
    return 1 / (1 + math.exp(-min(max(logit, -30.0), 30.0)))


def _logit(share: float) -> float:
    inside = min(max(share, 1e-9), 1 - 1e-9)
    return math.log(inside / (1 - inside))


@jit
def _hit(y: F32, x: F32, top: float, left: float, cell: float, hits: AnyArray, tally: I64) -> None:
    for k in range(y.size):
        row, column = int(np.floor((y[k] - top) / cell)), int(np.floor((x[k] - left) / cell))
        if 0 <= row < hits.shape[0] and 0 <= column < hits.shape[1]:
            before = hits[row, column]
            if before < tally.size - 1:
                hits[row, column] = before + 1
                tally[before] -= 1
                tally[before + 1] += 1
