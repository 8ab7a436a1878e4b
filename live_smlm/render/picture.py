"""From counts to colours to a PNG file."""

from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from vispy.color import get_colormap
from vispy.io import write_png

from live_smlm.core import F32, require
from live_smlm.core.files import replacing

Rgb: TypeAlias = NDArray[np.uint8]
_SHADES = 256
_BAR_ROWS = 4


def colour(image: F32, colormap: str = "hot", percentile: float = 99.8, gamma: float = 1.0) -> Rgb:
    """(rows, columns, 3) bytes; white is the given percentile of the pixels that are lit."""
    lit = image[image > 0]
    top = float(np.percentile(lit, percentile)) if lit.size else 1.0
    level = np.clip(np.nan_to_num(image) / top, 0, 1) ** gamma
    shades = get_colormap(colormap)[np.linspace(0, 1, _SHADES)].rgb
    table = np.rint(255 * shades).astype(np.uint8)
    return np.asarray(table[np.rint(level * (_SHADES - 1)).astype(np.intp)])


def enlarged(image: F32, factor: int) -> F32:
    """Every pixel as a square of factor x factor pixels."""
    return np.asarray(image.repeat(factor, 0).repeat(factor, 1))


def with_scale_bar(picture: Rgb, pixel_nm: float, bar_nm: float) -> Rgb:
    """The picture with a white bar of `bar_nm` in its lower right corner."""
    length = round(bar_nm / pixel_nm)
    margin = 3 * _BAR_ROWS
    require(
        length + 2 * margin <= picture.shape[1],
        f"scale bar of {bar_nm:g} nm does not fit into the picture; take a shorter one",
    )
    marked = picture.copy()
    marked[-margin - _BAR_ROWS : -margin, -margin - length : -margin] = 255
    return marked


def side_by_side(left: Rgb, right: Rgb) -> Rgb:
    """Two pictures of one height with a thin dark-grey line between."""
    line = np.full((left.shape[0], 2, 3), 64, np.uint8)
    return np.concatenate([left, line, right], axis=1)


def save(path: Path, picture: Rgb) -> None:
    """Write a PNG file, whole or not at all."""
    with replacing(path) as temporary:
        write_png(str(temporary), picture)
