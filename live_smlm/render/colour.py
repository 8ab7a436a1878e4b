"""From sums per pixel to colours: brightness from counts, hue from a value where asked for.

The maps rise evenly in lightness, so they are read alike by colour-blind
people and in print. viridis, magma and inferno are by Nathaniel Smith,
Stefan van der Walt and Eric Firing (CC0); each is kept as 33 even steps.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from live_smlm.core import F32, F64, require

Rgb: TypeAlias = NDArray[np.uint8]
SHADES = 256
_LEAST_SHADE = 0.25
"""Where colour tells a value, the map's darkest part is left out: black tells that nothing is."""
_USUAL_SHARE = 1.0
"""Percent of the lit pixels whose values may lie outside the colours at either end."""

_STEPS = {
    "grays": "000000 ffffff",
    "hot": "000000 ff0000 ffff00 ffffff",
    "viridis": "440154 470d60 48186a 482374 472d7b 453681 424086 3f4989 3b528b 375a8d 33638d"
    " 2f6a8e 2c728e 297a8e 26818e 23898e 21908c 1f988b 1f9f88 21a685 28ae80 31b57b 3ebc74"
    " 4cc26c 5dc963 6ece58 82d34c 96d83f abdc32 c0df24 d5e21a eae51a fde725",
    "magma": "000004 030311 0a0822 130d33 1d1146 28115a 36106a 430f76 50127c 5d177f 691c81"
    " 762181 822681 8f2a81 9c2e7f a9327d b63779 c33b75 cf4170 db486a e65163 ee5c5e f5695c"
    " f9785d fb8761 fd9668 fea571 feb47b fec387 fed194 fde0a2 fceeb0 fcfdbf",
    "inferno": "000004 040312 0b0724 150b37 210c4a 2e0a5a 3c0965 4a0c6b 57106d 63146e 70196e"
    " 7d1e6d 89226a 962766 a32b61 af315c bb3755 c63e4d d14644 db4f3b e35932 eb6528 f1711e"
    " f67f14 f98d0a fb9c06 fcab0f fbba1f f9ca32 f5d949 f2e865 f3f586 fcffa4",
    "cold": "000000 0033a0 30a8ff ffffff",
    "duo": "000000 0068c8 7090c0 f0a860 ffe880",
}
COLORMAPS = tuple(_STEPS)


def shades(colormap: str) -> Rgb:
    """(256, 3) bytes from the darkest to the brightest."""
    known = ", ".join(COLORMAPS)
    require(colormap in _STEPS, f"colour map {colormap!r} is unknown; use {known}")
    steps = np.array([list(bytes.fromhex(step)) for step in _STEPS[colormap].split()])
    places = np.linspace(0, SHADES - 1, len(steps))
    channels = [np.interp(np.arange(SHADES), places, channel) for channel in steps.T]
    return np.asarray(np.rint(np.stack(channels, axis=1)).astype(np.uint8))


def value_shades(colormap: str) -> Rgb:
    """(256, 3) bytes from the least to the largest value, none of them black."""
    chosen = np.linspace(_LEAST_SHADE * (SHADES - 1), SHADES - 1, SHADES)
    return np.asarray(shades(colormap)[np.rint(chosen).astype(np.intp)])


def brightness(image: F32, percentile: float = 99.8, gamma: float = 1.0) -> F64:
    """0 to 1 per pixel; 1 is the given percentile of the pixels that are lit."""
    require(0 <= percentile <= 100, f"percentile is {percentile:g}; give 0 to 100")
    require(0 < gamma < np.inf, f"gamma is {gamma:g}; it must be above 0")
    lit = image[image > 0]
    top = float(np.percentile(lit, percentile)) if lit.size else 1.0
    return np.asarray(np.clip(np.nan_to_num(image) / top, 0, 1).astype(np.float64) ** gamma)


def colour(image: F32, colormap: str = "hot", percentile: float = 99.8, gamma: float = 1.0) -> Rgb:
    """(rows, columns, 3) bytes: counts alone, through a colour map."""
    level = brightness(image, percentile, gamma)
    return np.asarray(shades(colormap)[_shade(level)])


def usual_range(values: F32) -> tuple[float, float]:
    """What all but a few pixels' values lie between; NaN are no values."""
    known = values[np.isfinite(values)]
    require(known.size > 0, "no molecule has the value to colour by; choose another")
    low, high = np.percentile(known, [_USUAL_SHARE, 100 - _USUAL_SHARE])
    return float(low), float(high)


def colour_by_value(
    image: F32,
    values: F32,
    value_range: tuple[float, float],
    colormap: str = "viridis",
    percentile: float = 99.8,
    gamma: float = 1.0,
) -> Rgb:
    """(rows, columns, 3) bytes: counts as brightness, values as colours; NaN is black.

    Values beyond the range have its end's colour; a range of one value has the middle one.
    """
    low, high = value_range
    require(low <= high, f"colour range {low:g} to {high:g} runs backwards; swap its ends")
    known = np.isfinite(values)
    position = np.full(values.shape, 0.5)
    if high > low:
        position = np.clip((np.where(known, values, low) - low) / (high - low), 0, 1)
    hue = value_shades(colormap)[_shade(position)]
    level = np.where(known, brightness(image, percentile, gamma), 0)
    return np.rint(level[..., np.newaxis] * hue).astype(np.uint8)


def _shade(level: F64) -> NDArray[np.intp]:
    return np.rint(level * (SHADES - 1)).astype(np.intp)
