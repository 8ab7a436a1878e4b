"""The light of dyes by wavelength: what a prism or a grating spreads out.

Shapes are those of far-red dyes as published: steep on the blue side, slow on
the red one, with a shoulder. Widths are rounded; no dye's measured curve is here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.special import ndtr

from live_smlm.core import F64, InputError, require
from live_smlm.physics.field import check_number

_REACH_SIGMAS = 3.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Dye:
    """A kind of molecule by its emission."""

    name: str
    peak_nm: float
    blue_nm: float = 12.0
    """Width (sigma) of the peak's blue side; `red_nm` of its red one."""
    red_nm: float = 20.0
    shoulder: float = 0.18
    """Share of the light in a shoulder beyond the peak."""
    shoulder_nm: float = 55.0
    """From the peak; as wide as `shoulder_sigma_nm`."""
    shoulder_sigma_nm: float = 22.0
    spread_nm: float = 3.0
    """Sigma by which whole spectra differ from molecule to molecule."""

    def __post_init__(self) -> None:
        for name in ("peak_nm", "blue_nm", "red_nm", "shoulder_sigma_nm"):
            check_number(f"dye {self.name!r} {name}", getattr(self, name), above=0)
        check_number(f"dye {self.name!r} spread_nm", self.spread_nm, at_least=0)
        require(
            0 <= self.shoulder < 1,
            f"dye {self.name!r} shoulder is {self.shoulder:g}; give a share from 0 to below 1",
        )

    def below(self, wavelength_nm: F64) -> F64:
        """Share of the light below these wavelengths."""
        u = wavelength_nm - self.peak_nm
        left = self.blue_nm / (self.blue_nm + self.red_nm)
        blue = 2 * left * ndtr(np.minimum(u, 0) / self.blue_nm)
        red = 2 * (1 - left) * (ndtr(np.maximum(u, 0) / self.red_nm) - 0.5)
        side = ndtr((u - self.shoulder_nm) / self.shoulder_sigma_nm)
        return np.asarray((1 - self.shoulder) * (blue + red) + self.shoulder * side)

    @property
    def reach_nm(self) -> tuple[float, float]:
        """Wavelengths between which practically all of its light lies."""
        red = max(self.red_nm, self.shoulder_nm / _REACH_SIGMAS + self.shoulder_sigma_nm)
        slack = _REACH_SIGMAS * self.spread_nm
        low = self.peak_nm - _REACH_SIGMAS * self.blue_nm - slack
        return low, self.peak_nm + _REACH_SIGMAS * red + slack


DYES: Mapping[str, Dye] = MappingProxyType(
    {
        dye.name: dye
        for dye in (
            Dye(name="af647", peak_nm=668.0),
            Dye(name="cf660c", peak_nm=685.0),
            Dye(name="cf680", peak_nm=698.0),
        )
    }
)
"""Dyes by name; peaks as their makers give them."""
TWO = "af647/cf660c"
_WORDS = MappingProxyType({"two": TWO})


def dyes(text: str) -> tuple[Dye, ...]:
    """Dyes from `af647/cf660c`, or from `two`."""
    names = _WORDS.get(text, text).split("/")
    for name in names:
        if name not in DYES:
            raise InputError(
                f"dye {name!r} is unknown; give names with / between them, of {', '.join(DYES)}, "
                "or two"
            )
    require(len(set(names)) == len(names), f"dyes {text!r} names one twice; name each once")
    return tuple(DYES[name] for name in names)
