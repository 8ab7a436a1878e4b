"""Laws by which an image becomes better with the number of molecules.

Each gives the logarithm of a value as an offset, the value's own scale, plus a
shape over x, the logarithm of the number of molecules. A shape has an exponent and
a place. The place is said by `share`: of what is gained per molecule at the first
molecules, the part that is no longer gained at x = 0. So 0 is a law of mere
labelling and 1 one that has come to its end.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from live_smlm.core import F64

SHARES = (0.003, 0.01, 0.025, *np.round(np.arange(0.05, 0.96, 0.06), 2).tolist(), 0.97)
_STEPS = 12


class Law(Protocol):
    """One family of curves; arrays are broadcast against each other."""

    @property
    def exponents(self) -> tuple[float, ...]:
        """Those that are thinkable."""

    @property
    def shares(self) -> tuple[float, ...]:
        """Those that are thinkable; each as likely as it has neighbours far."""

    def shape(self, exponent: F64, share: F64, x: F64) -> F64:
        """Logarithm of the value over its scale."""

    def reached(self, exponent: F64, share: F64, shape: F64) -> F64:
        """The x at which the shape has come to a value; infinite where it never does."""

    def left(self, exponent: F64, share: F64, x: F64) -> F64:
        """The part of the first gain per molecule that is still gained at x."""


@dataclass(frozen=True, slots=True)
class Fourier:
    """Resolution where the correlation of two half images falls below a threshold.

    Of a structure with a power spectrum as q^-D, seen with a precision s, a ring
    correlates as N q^-D exp(-4π²s²q²): so ln N = D ln q + 4π²s²q² + constant at the
    threshold. The scale is 2πs. It has no end, but becomes logarithmically slow.
    """

    exponents: tuple[float, ...] = (0.4, 0.6, 0.8, 1.0, 1.3, 1.7, 2.2, 3.0)
    """D."""
    shares: tuple[float, ...] = SHARES

    def shape(self, exponent: F64, share: F64, x: F64) -> F64:
        """See `Law`."""
        total = x + self._start(exponent, share)
        return -_wavenumber(exponent, total)

    def reached(self, exponent: F64, share: F64, shape: F64) -> F64:
        """See `Law`."""
        return np.asarray(np.exp(-2 * shape) - exponent * shape - self._start(exponent, share))

    def left(self, exponent: F64, share: F64, x: F64) -> F64:
        """See `Law`."""
        light = np.exp(-2 * self.shape(exponent, share, x))
        return np.asarray(exponent / (exponent + 2 * light))

    @staticmethod
    def _start(exponent: F64, share: F64) -> F64:
        squared = exponent * share / (2 * (1 - share))
        return np.asarray(exponent * 0.5 * np.log(squared) + squared)


def _wavenumber(exponent: F64, total: F64) -> F64:
    """The v that solves D v + exp(2 v) = total: Newton's steps down a convex function."""
    exponent, total = np.broadcast_arrays(exponent, total)
    above = np.where(total > 1, 0.5 * np.log(np.maximum(total, 1.0)), 0.0)
    v = np.minimum(above, total / exponent)
    for _ in range(_STEPS):
        light = np.exp(2 * v)
        v = v - (exponent * v + light - total) / (exponent + 2 * light)
    return np.asarray(v)


@dataclass(frozen=True, slots=True)
class Power:
    """A part that falls as a power of the number beside one that stays.

    With `norm` 2 they add as squares, as Nyquist's length and the precision do.
    """

    norm: float = 1.0
    exponents: tuple[float, ...] = (0.15, 0.25, 0.35, 0.5, 0.7, 1.0, 1.4)
    shares: tuple[float, ...] = SHARES

    def shape(self, exponent: F64, share: F64, x: F64) -> F64:
        """See `Law`."""
        over = np.log(1 / share - 1) - self.norm * exponent * x
        return np.asarray(np.logaddexp(0, over) / self.norm)

    def reached(self, exponent: F64, share: F64, shape: F64) -> F64:
        """See `Law`."""
        over = np.expm1(self.norm * shape)
        place = np.log(1 / share - 1) - np.log(np.maximum(over, 1e-300))
        return np.where(over > 0, place / (self.norm * exponent), np.inf)

    def left(self, exponent: F64, share: F64, x: F64) -> F64:
        """See `Law`."""
        over = np.log(1 / share - 1) - self.norm * exponent * x
        return np.asarray(1 / (1 + np.exp(-over)))


@dataclass(frozen=True, slots=True)
class Bent:
    """A power of the number whose exponent has become what it is; its scale is that of now.

    For a share the place has the bend: how much steeper it was, per x before.
    """

    exponents: tuple[float, ...]
    """At x = 0, and from then on."""
    shares: tuple[float, ...] = (0.0,)

    def shape(self, exponent: F64, share: F64, x: F64) -> F64:
        """See `Law`."""
        past = 0.5 * share * np.minimum(x, 0.0) ** 2
        return np.asarray(exponent * x - np.sign(exponent) * past)

    def reached(self, exponent: F64, share: F64, shape: F64) -> F64:
        """See `Law`."""
        steep, gained = np.abs(exponent), np.sign(exponent) * shape
        root = np.sqrt(steep**2 - 2 * share * np.minimum(gained, 0.0))
        return np.asarray(2 * gained / (steep + root))

    def left(self, exponent: F64, share: F64, x: F64) -> F64:
        """See `Law`."""
        return np.ones(np.broadcast_shapes(exponent.shape, share.shape, x.shape))
