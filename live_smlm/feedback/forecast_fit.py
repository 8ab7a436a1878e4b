"""Which laws agree with what was measured, and how well: as a crowd of curves.

Every law, exponent and place is weighed by the measured values, so that the crowd
is as wide as the measurement is poor. Alone knows how the errors of values that
were each measured on everything so far hang together: what is wrong at N molecules
is forgotten only when a good part more has come. Their size is learned from the
scatter, from a guess onwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from live_smlm.core import F64
from live_smlm.feedback.forecast_curves import Law

CROWD = 200
"""Curves."""
_MEMORY = 0.7
"""Errors are alike within so much of ln N."""
_LOCAL = 2.0
"""A law is as doubtful as once again the error that far away in ln N."""
_NODES = (-1.96, -1.3, -0.84, -0.5, -0.25, 0.0, 0.25, 0.5, 0.84, 1.3, 1.96)


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Values over ln N, oldest first."""

    x: F64
    y: F64
    """Logarithms."""
    error: F64
    """Standard errors of y, more or less."""
    trust: float
    """In the errors' size: as if so many values had confirmed it."""
    fresh: float = 0.3
    """The part of an error's square that is new with each value."""
    bias: float = 0.02
    """Standard error that all values share, and no scatter shows."""


@dataclass(frozen=True, slots=True)
class Floor:
    """What is known of the scale beforehand, as a logarithm: at least about `low`."""

    low: float
    soft: float = 0.15
    """Sigma of how far below it might be after all."""
    reach: float = 0.7
    """Above, it becomes less likely by e on so much."""

    def log_weight(self, scale: F64) -> F64:
        """Relative."""
        above = scale - self.low
        return np.asarray(np.where(above > 0, -above / self.reach, -0.5 * (above / self.soft) ** 2))


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """Curves, each as likely as any other."""

    origin: float
    """The ln N at which x is 0."""
    laws: tuple[Law, ...]
    law: F64
    exponent: F64
    share: F64
    scale: F64

    def at(self, x: F64) -> F64:
        """(curves, …) the logarithm of the value of each at ln N (per curve, or one)."""
        return self._by_law("shape", x - self.origin) + self.scale

    def left(self, x: F64) -> F64:
        """What is still gained per molecule at ln N, of what was at first."""
        return self._by_law("left", x - self.origin)

    def reached(self, y: float) -> F64:
        """(curves,) the ln N at which each has come to a value."""
        return self._by_law("reached", y - self.scale) + self.origin

    def _by_law(self, what: str, given: F64) -> F64:
        given = np.broadcast_to(given, self.scale.shape)
        answer = np.empty(self.scale.shape)
        for number, law in enumerate(self.laws):
            own = self.law == number
            answer[own] = getattr(law, what)(self.exponent[own], self.share[own], given[own])
        return answer


def fitted(measured: Measured, laws: Sequence[tuple[Law, Floor]]) -> Crowd:
    """The curves that agree with the values."""
    origin = float(measured.x[-1])
    x = measured.x - origin
    half = np.linalg.inv(np.linalg.cholesky(_covariance(x, measured)))
    parts = [
        _weighed(law, floor, number, (x, half @ measured.y, half), measured)
        for number, (law, floor) in enumerate(laws)
    ]
    table, weight = (np.concatenate(columns, axis=-1) for columns in zip(*parts, strict=True))
    return Crowd(origin, tuple(law for law, _ in laws), *drawn(table, weight, CROWD))


def _covariance(x: F64, measured: Measured) -> F64:
    """Of the logarithms' errors."""
    far = np.abs(x[:, None] - x[None, :])
    alike = (1 - measured.fresh) * np.exp(-far / _MEMORY) + measured.fresh * np.eye(len(x))
    wide = measured.error * (1 - x / _LOCAL)
    return np.asarray(alike * wide[:, None] * wide[None, :])


def _weighed(
    law: Law, floor: Floor, number: int, seen: tuple[F64, F64, F64], measured: Measured
) -> tuple[F64, F64]:
    """(law, exponent, share, scale) of every curve thought of, and its log weight."""
    x, y, half = seen
    trust = measured.trust
    exponent, share = (
        np.ravel(grid) for grid in np.meshgrid(law.exponents, law.shares, indexing="ij")
    )
    shape = law.shape(exponent[:, None], share[:, None], x[None, :]) @ half.T
    ones = half.sum(axis=1)
    rest = y - shape
    know = float(ones @ ones)
    best = rest @ ones / know
    misfit = np.sum((rest - best[:, None] * ones) ** 2, axis=1)
    wide = np.sqrt((trust + misfit) / (trust + len(x) - 1) / know + measured.bias**2)
    scale = best[:, None] + wide[:, None] * np.array(_NODES)
    weight = (
        -0.5 * (trust + len(x) - 1) * np.log(trust + misfit)[:, None]
        - 0.5 * np.array(_NODES) ** 2
        + np.log(_parts(_NODES))
        + floor.log_weight(scale)
        + np.log(np.tile(_parts(law.shares), len(law.exponents)) / len(law.exponents))[:, None]
    )
    columns = (np.full(scale.shape, float(number)), exponent[:, None], share[:, None], scale)
    return np.stack([np.broadcast_to(c, scale.shape).ravel() for c in columns]), weight.ravel()


def _parts(nodes: Sequence[float]) -> F64:
    """The share of the whole that each of some rising nodes stands for."""
    apart = np.gradient(nodes) if len(nodes) > 1 else np.ones(1)
    return np.asarray(apart / apart.sum())


def drawn(table: F64, weight: F64, count: int) -> F64:
    """Columns of a table, each as often as its log weight says: evenly, without chance."""
    total = np.cumsum(np.exp(weight - weight.max()))
    return table[:, np.searchsorted(total, (np.arange(count) + 0.5) / count * total[-1])]
