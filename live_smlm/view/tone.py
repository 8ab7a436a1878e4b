"""From what a picture holds to how bright it is shown.

Brightness is molecules per µm², so that it stays when one zooms.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from live_smlm.core import F32, require
from live_smlm.render.colour import Rgb

_MOST_LOOKED_AT = 100_000
"""Pixels that percentiles are taken from."""
MOST_GAMMA = 5.0
LEVELS = 1024
_FEW = 0.01
"""Share of the molecules whose values may lie outside the colours at either end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tone:
    """How counts become brightness."""

    percentile: float = 99.5
    """Of the lit pixels that are seen; the brightest shade is there."""
    fixed: tuple[float, float] | None = None
    """Molecules per µm² of the darkest and the brightest shade, when set by hand."""
    gamma: float = 0.7

    def __post_init__(self) -> None:
        require(
            50 <= self.percentile <= 100,
            f"contrast percentile is {self.percentile:g}; give 50 to 100",
        )
        require(
            self.fixed is None or 0 <= self.fixed[0] < self.fixed[1] < np.inf,
            f"contrast runs from {self.fixed}; its top must be above its bottom, both 0 or more",
        )
        require(
            1 / MOST_GAMMA <= self.gamma <= MOST_GAMMA,
            f"gamma is {self.gamma:g}; give {1 / MOST_GAMMA:g} to {MOST_GAMMA:g}",
        )


@dataclass(frozen=True, slots=True, eq=False)
class Shading:
    """How sums become colours at this moment."""

    shades: Rgb
    limits: tuple[float, float]
    """Molecules per µm² of the darkest and the brightest shade."""
    gamma: float
    value_limits: tuple[float, float] | None = None
    """Values of the first and the last colour; None: colours tell counts."""


def density(pixel_nm: float) -> float:
    """What a molecule in one pixel makes, in molecules per µm²."""
    return 1e6 / pixel_nm**2


def limits(image: F32, pixel_nm: float, tone: Tone) -> tuple[float, float]:
    """Molecules per µm² of the darkest and the brightest shade for this picture."""
    if tone.fixed is not None:
        return tone.fixed
    seen = thinned(image)
    lit = seen[seen > 0]
    top = float(np.percentile(lit, tone.percentile)) if lit.size else 1.0
    return 0.0, top * density(pixel_nm)


def value_limits(values: F32, image: F32) -> tuple[float, float] | None:
    """What the values of all but a few molecules lie between; None where none is known."""
    seen, weights = thinned(values), thinned(image)
    known = np.isfinite(seen) & (weights > 0)
    if not known.any():
        return None
    order = np.argsort(seen[known])
    rising, share = seen[known][order], np.cumsum(weights[known][order], dtype=np.float64)
    low, high = rising[np.searchsorted(share, share[-1] * np.array([_FEW, 1 - _FEW]))]
    return (float(low), float(high)) if high > low else (float(low) - 0.5, float(low) + 0.5)


def thinned(image: F32) -> F32:
    """Pixels evenly over the picture, few enough to be sorted between two drawings."""
    step = max(1, int(np.ceil(np.sqrt(image.size / _MOST_LOOKED_AT))))
    return image[::step, ::step]


def table(shading: Shading) -> NDArray[np.uint8]:
    """(LEVELS, 4) bytes: colour and brightness by level; powers are not taken in every pixel.

    Where colours tell a value they do not know gamma; brightness always does.
    """
    level = np.linspace(0, 1, LEVELS)
    bright = level**shading.gamma
    along = bright if shading.value_limits is None else level
    colours = shading.shades[np.rint(along * (len(shading.shades) - 1)).astype(np.intp)]
    return np.column_stack([colours, np.rint(255 * bright).astype(np.uint8)])


def coloured(image: F32, values: F32 | None, pixel_nm: float, shading: Shading) -> Rgb:
    """(rows, columns, 3) bytes: a picture as it is seen on the screen."""
    shades = table(shading)
    light = shades[_level(image * density(pixel_nm), shading.limits)]
    if values is None or shading.value_limits is None:
        return np.ascontiguousarray(light[..., :3])
    hue = shades[_level(np.nan_to_num(values), shading.value_limits), :3]
    share = light[..., 3:].astype(np.float32) / 255
    return np.asarray(np.rint(hue * share).astype(np.uint8))


def shade_numbers(image: F32, pixel_nm: float, shading: Shading) -> NDArray[np.uint8]:
    """(rows, columns) bytes: which of the shades each pixel has, where colours tell counts."""
    last = len(shading.shades) - 1
    bright = np.linspace(0, 1, LEVELS) ** shading.gamma
    numbers = np.rint(bright * last).astype(np.uint8)
    return np.asarray(numbers[_level(image * density(pixel_nm), shading.limits)])


def _level(values: F32, limits: tuple[float, float]) -> NDArray[np.intp]:
    share = (values - limits[0]) / (limits[1] - limits[0])
    return np.asarray(np.rint(np.clip(share, 0, 1) * (LEVELS - 1)).astype(np.intp))
