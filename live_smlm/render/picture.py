"""Finished pictures: a scale bar, one beside the other, PNG and TIFF files."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from live_smlm.core import F32, require
from live_smlm.core.files import replacing
from live_smlm.render.colour import Rgb
from live_smlm.render.marks import MARGIN, write
from live_smlm.render.png import encoded
from live_smlm.render.viewport import Viewport

_BAR_ROWS = 4
_BAR_SHARE = 0.25
"""Most of a picture's width that a bar takes when its length is not told."""
_NM_PER_UM = 1e3


def enlarged(image: F32, factor: int) -> F32:
    """Every pixel as a square of factor x factor pixels."""
    return np.asarray(image.repeat(factor, 0).repeat(factor, 1))


def pooled(image: F32, most: int) -> F32:
    """Sums of square blocks of pixels, so that no side is longer than `most`."""
    step = max(1, -(-max(image.shape) // most))
    rows, columns = (-(-n // step) * step for n in image.shape)
    whole = image
    if (rows, columns) != image.shape:
        whole = np.zeros((rows, columns), np.float32)
        whole[: image.shape[0], : image.shape[1]] = image
    bands = whole.reshape(rows // step, step, columns).sum(axis=1)
    return np.asarray(bands.reshape(rows // step, columns // step, step).sum(axis=2))


def fitting_bar_nm(shape: tuple[int, int], pixel_nm: float) -> float | None:
    """A round length (1, 2 or 5 and noughts) for a scale bar; None where none has room."""
    rows, columns = shape
    longest = min(_BAR_SHARE * columns, columns - 2.0 * MARGIN)
    if longest < 2 * _BAR_ROWS or rows < 2 * MARGIN:
        return None
    # A logarithm may round up to the next decade: so a half of it is among the choices.
    decade = 10.0 ** math.floor(math.log10(longest * pixel_nm))
    return max(decade * n for n in (0.5, 1, 2, 5) if decade * n <= longest * pixel_nm)


def with_scale_bar(picture: Rgb, pixel_nm: float, bar_nm: float, said: str = "") -> Rgb:
    """The picture with a white bar of `bar_nm` in its lower right corner, and words above it."""
    length = round(bar_nm / pixel_nm)
    require(
        length + 2 * MARGIN <= picture.shape[1],
        f"scale bar of {bar_nm:g} nm does not fit into the picture; take a shorter one",
    )
    marked = picture.copy()
    marked[-MARGIN - _BAR_ROWS : -MARGIN, -MARGIN - length : -MARGIN] = 255
    if said:
        bottom, right = picture.shape[0] - MARGIN - 2 * _BAR_ROWS, picture.shape[1] - MARGIN
        write(marked, said, bottom=bottom, middle=right - length // 2)
    return marked


def side_by_side(left: Rgb, right: Rgb) -> Rgb:
    """Two pictures of one height with a thin dark-grey line between."""
    line = np.full((left.shape[0], 2, 3), 64, np.uint8)
    return np.concatenate([left, line, right], axis=1)


def save(path: Path, picture: Rgb, pixel_nm: float | None = None) -> None:
    """Write a PNG file, whole or not at all; it tells the size of its pixels where known."""
    with replacing(path) as temporary:
        temporary.write_bytes(encoded(picture, pixel_nm))


def save_tiff(path: Path, image: F32, viewport: Viewport, notes: Mapping[str, Any]) -> None:
    """Write float32 (rows, columns) or (pages, rows, columns), whole or not at all.

    ImageJ reads its scale in µm; pixel, origin and `notes` stand as JSON in its Info.
    """
    per_um = _NM_PER_UM / viewport.pixel_nm
    said = {"pixel_nm": viewport.pixel_nm, "origin_yx_nm": list(viewport.origin_nm), **notes}
    with replacing(path) as temporary:
        tifffile.imwrite(
            temporary,
            image.astype(np.float32),
            imagej=True,
            metadata={"unit": "um", "axes": "CYX"[-image.ndim :], "Info": json.dumps(said)},
            resolution=(per_um, per_um),
        )
