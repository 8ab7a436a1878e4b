"""What of a value follows a law, by the value's name, and how well it is known.

Resolution by correlation does so itself, if not below what the precision allows.
Resolution by Nyquist is the spacing of molecules, which falls as a power of their number,
joined with the precision, which stays. Completeness is a number of hits, which rises as a
power.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Protocol

import numpy as np

from live_smlm.core import F64, Checkpoint, History
from live_smlm.feedback.forecast_curves import Bent, Fourier, Law, Power
from live_smlm.feedback.forecast_fit import Crowd, Floor, Measured

RESOLUTIONS = frozenset({"frc_nm", "frc_halfbit_nm", "resolution_nm", "nyquist_nm"})
WIDTH = 2 * math.sqrt(2 * math.log(2))
"""Full width at half maximum over the standard deviation."""
_ANYWHERE = Floor(0.0, soft=50.0, reach=50.0)
_FULL = 1 - 1e-6
_LEAST_D = 1.0
_CHANCES = tuple(NormalDist().inv_cdf((k + 0.5) / 41) for k in range(41))
"""As likely as each other, in standard deviations."""
_PLANE, _OLD, _DOUBT = 2.0, 0.5, 0.08
"""Dimension of any structure below the precision; how much of the measured one is left in
what is to come; doubt of an exponent."""
_BENDS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
_RISING = Bent(tuple(np.round(np.arange(0.3, 2.55, 0.05), 2).tolist()))
_FRC_ERROR, _LEAST_ERROR, _SPACING_ERROR, _HITS_ERROR = 0.04, 0.01, 0.02, 0.01
"""Relative: of a correlation's resolution that tells none, and at least; of the others."""
_SPACING_BIAS = 0.04
"""Relative: of all spacings of a run alike, as of a sample's own."""
_TRUST, _TRUST_TOLD = 3.0, 8.0


class Reading(Protocol):
    """A value, and the logarithm of what follows a law."""

    @property
    def laws(self) -> Sequence[tuple[Law, Floor]]:
        """That may hold."""

    def measured(self, history: History, x: F64) -> Measured:
        """The logarithms over x."""

    def log(self, goal: float) -> float:
        """Where the value is at a goal; infinite where it cannot be."""

    def value(self, log: F64) -> F64:
        """The other way round."""

    def helped(self, crowd: Crowd, x: F64) -> float:
        """How much of what more molecules gave at first they still give."""


def reading(name: str, last: Checkpoint) -> Reading:
    """How a value is to be read, given what the last checkpoint knows."""
    precision = precision_nm(last)
    if name == "completeness":
        return _Hits()
    if name == "nyquist_nm":
        return _Spacing(name, 0.0, last.values.get("fractal_dimension", _LEAST_D))
    if name == "resolution_nm":
        nyquist, whole = last.values.get("nyquist_nm", 0.0), last.values[name]
        exact = 0 < nyquist < whole
        rest = math.sqrt(whole**2 - nyquist**2) if exact else WIDTH * (precision or 0.0)
        dimension = last.values.get("fractal_dimension", _LEAST_D)
        return _Spacing(name, min(rest, _FULL * whole), dimension)
    return _Correlation(name, precision)


def precision_nm(last: Checkpoint) -> float | None:
    """As measured, or as claimed."""
    known = last.values.get("nena_nm", last.values.get("precision_nm", math.nan))
    return known if 0 < known < math.inf else None


@dataclass(frozen=True, slots=True)
class _Correlation:
    name: str
    precision_nm: float | None

    @property
    def laws(self) -> Sequence[tuple[Law, Floor]]:
        if self.precision_nm is None:
            return [(Fourier(), _ANYWHERE), (Power(), _ANYWHERE)]
        scale, width = (math.log(k * self.precision_nm) for k in (2 * math.pi, WIDTH))
        return [(Fourier(), Floor(scale)), (Power(), Floor(width))]

    def measured(self, history: History, x: F64) -> Measured:
        value = _column(history, self.name)
        told = _column(history, f"{self.name.removesuffix('_nm')}_error_nm") / value
        if np.isfinite(told).all():
            return Measured(x, np.log(value), np.maximum(told, _LEAST_ERROR), _TRUST_TOLD)
        return Measured(x, np.log(value), np.full(len(x), _FRC_ERROR), _TRUST)

    def log(self, goal: float) -> float:
        return math.log(goal)

    def value(self, log: F64) -> F64:
        return np.asarray(np.exp(log))

    def helped(self, crowd: Crowd, x: F64) -> float:
        return float(np.median(crowd.left(x)))


@dataclass(frozen=True, slots=True)
class _Spacing:
    """The exponent is 1 over the dimension, which goes towards that of a plane."""

    name: str
    rest_nm: float
    """What stays however many molecules there are."""
    dimension: float
    """Of the structure at the scale of the spacing."""

    @property
    def laws(self) -> Sequence[tuple[Law, Floor]]:
        middle = _OLD / self.dimension + (1 - _OLD) / _PLANE
        return [(Bent(tuple(-middle - _DOUBT * k for k in _CHANCES), _BENDS), _ANYWHERE)]

    def measured(self, history: History, x: F64) -> Measured:
        whole = _column(history, self.name)
        spacing = np.sqrt(np.maximum(whole**2 - self.rest_nm**2, 1e-6 * whole**2))
        if self.rest_nm:
            told = _column(history, "nyquist_nm")
            spacing = np.where(np.isfinite(told), told, spacing)
        return Measured(
            x, np.log(spacing), np.full(len(x), _SPACING_ERROR), _TRUST, 0.7, _SPACING_BIAS
        )

    def log(self, goal: float) -> float:
        return 0.5 * math.log(goal**2 - self.rest_nm**2) if goal > self.rest_nm else -math.inf

    def value(self, log: F64) -> F64:
        return np.asarray(np.hypot(self.rest_nm, np.exp(log)))

    def helped(self, crowd: Crowd, x: F64) -> float:
        log = crowd.at(x)
        return float(np.median((np.exp(log) / self.value(log)) ** 2))


@dataclass(frozen=True, slots=True)
class _Hits:
    @property
    def laws(self) -> Sequence[tuple[Law, Floor]]:
        return [(_RISING, _ANYWHERE)]

    def measured(self, history: History, x: F64) -> Measured:
        hits = -np.log1p(-np.minimum(_column(history, "completeness"), _FULL))
        return Measured(x, np.log(hits), np.full(len(x), _HITS_ERROR), _TRUST)

    def log(self, goal: float) -> float:
        return math.log(-math.log1p(-min(goal, _FULL)))

    def value(self, log: F64) -> F64:
        return np.asarray(-np.expm1(-np.exp(log)))

    def helped(self, crowd: Crowd, x: F64) -> float:  # noqa: ARG002 - precision is no matter
        return 1.0


def _column(history: History, name: str) -> F64:
    return np.array([c.values.get(name, math.nan) for c in history])
