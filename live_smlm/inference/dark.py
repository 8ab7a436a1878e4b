"""Where nothing glows: a cheap test that no molecule hides in a tile.

Light of a molecule is sought at two sizes, 3x3 and 7x7 pixels, as the excess
over the 15x15 around it. In effective counts the variance is the mean plus
what the camera adds, so the excess has a known standard error. A tile is
lit when any frame's excess is above `LEAST_SNR` in it or near it. Structure
in the background lights tiles too: then time is lost, never a molecule.

What a network finds below that, alone in the dark of all frames looked at
together, is left out: mostly noise.
"""

import numpy as np

from live_smlm.core import F32, F64, Bool
from live_smlm.physics.jit import jit

LEAST_SNR = 5.0
"""Standard errors; of noise alone, one tile in thirty is lit by ten frames."""
NEAR_PX = 4
"""A molecule may be found so far from where its light is highest."""
_BOXES = (1, 3)
"""Half-widths of the boxes in which light is sought."""
_AROUND = 7
"""Half-width of what lies around."""


def lit_tiles(counts: F32, extra: F32, grid: int) -> Bool:
    """(rows, columns) in tiles: where at least one of the frames may hold a molecule.

    `counts` are (n, rows, columns) padded frames in effective counts, `extra`
    the camera's own variance per pixel, padded alike.
    """
    rows, columns = counts.shape[1:]
    lit = np.zeros((rows // grid, columns // grid), np.bool_)
    sums, noise = np.zeros((2, rows + 2 * _AROUND + 1, columns + 2 * _AROUND + 1))
    _integrate(_framed(extra), noise)
    for frame in counts:
        if not lit.all():
            _integrate(_framed(frame), sums)
            _look(sums, noise, LEAST_SNR**2, grid, lit)
    return lit


def _framed(image: F32) -> F32:
    """With so much around it that no box is cut at the border."""
    return np.pad(image, _AROUND, mode="reflect")


@jit
def _integrate(image: F32, sums: F64) -> None:
    """Sums over everything above and left."""
    rows, columns = image.shape
    for r in range(rows):
        line = 0.0
        for c in range(columns):
            line += image[r, c]
            sums[r + 1, c + 1] = sums[r, c + 1] + line


@jit
def _look(sums: F64, noise: F64, least: float, grid: int, lit: Bool) -> None:
    """Light the tiles with a glowing pixel in them or near them."""
    tall, wide = lit.shape
    for i in range(tall):
        top, bottom = max(0, i * grid - NEAR_PX), min(tall * grid, (i + 1) * grid + NEAR_PX)
        for j in range(wide):
            left, right = max(0, j * grid - NEAR_PX), min(wide * grid, (j + 1) * grid + NEAR_PX)
            for row in range(top, bottom):
                if lit[i, j]:
                    break
                lit[i, j] = _glows(sums, noise, least, row, left, right)


@jit
def _glows(sums: F64, noise: F64, least: float, row: int, left: int, right: int) -> bool:
    """Whether the excess squared of a pixel of a line is `least` times its variance or more."""
    n_around = (2 * _AROUND + 1) ** 2
    most = -1.0
    for column in range(left, right):
        mean = _sum(sums, row, column, _AROUND) / n_around
        variance = least * (max(mean, 0.0) + _sum(noise, row, column, _AROUND) / n_around)
        for reach in _BOXES:
            n = (2 * reach + 1) ** 2
            excess = max(_sum(sums, row, column, reach) - n * mean, 0.0)
            most = max(most, excess * excess - variance * n * (n_around - n) / n_around)
    return most >= 0


@jit
def _sum(sums: F64, row: int, column: int, reach: int) -> float:
    """Of the box around a pixel."""
    top, left = row + _AROUND - reach, column + _AROUND - reach
    bottom, right = row + _AROUND + reach + 1, column + _AROUND + reach + 1
    return float(sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left])
