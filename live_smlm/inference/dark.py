"""Where nothing glows: a cheap test that no molecule hides in a tile.

Light of a molecule is sought at two sizes, 3x3 and 7x7 pixels, as the excess
over the 15x15 around it. In effective counts the variance is the mean plus
what the camera adds, so the excess has a known standard error. A tile is
lit when any frame's excess is above `LEAST_SNR` in it or near it. Structure
in the background lights tiles too: then time is lost, never a molecule.
"""

import numpy as np

from live_smlm.core import F32, F64, Bool
from live_smlm.physics.jit import jit

LEAST_SNR = 3.5
"""Standard errors; see `lit_tiles`."""
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
    sums = np.zeros((rows + 1, columns + 1))
    noise = np.zeros((rows + 1, columns + 1))
    _integrate(extra, noise)
    for frame in counts:
        _integrate(frame, sums)
        _light(sums, noise, LEAST_SNR**2, grid, lit)
    return lit


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
def _mean(sums: F64, row: int, column: int, reach: int) -> tuple[float, int]:
    """Mean of the box around a pixel, cut at the border, and its pixels."""
    rows, columns = sums.shape[0] - 1, sums.shape[1] - 1
    top, bottom = max(0, row - reach), min(rows, row + reach + 1)
    left, right = max(0, column - reach), min(columns, column + reach + 1)
    n = (bottom - top) * (right - left)
    total = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    return total / n, n


@jit
def _light(sums: F64, noise: F64, least: float, grid: int, lit: Bool) -> None:
    """Light the tiles near every pixel whose excess squared is `least` of its variance or more."""
    rows, columns = sums.shape[0] - 1, sums.shape[1] - 1
    for r in range(rows):
        for c in range(columns):
            if _all_lit(lit, r, c, grid):
                continue
            around, n_around = _mean(sums, r, c, _AROUND)
            own, _ = _mean(noise, r, c, _AROUND)
            variance = max(around, 0.0) + own
            for reach in _BOXES:
                inner, n = _mean(sums, r, c, reach)
                excess = inner - around
                if excess > 0 and excess * excess >= least * variance * (1 / n - 1 / n_around):
                    _mark(lit, r, c, grid)
                    break


@jit
def _all_lit(lit: Bool, row: int, column: int, grid: int) -> bool:
    """Whether a pixel can light nothing more."""
    tall, wide = lit.shape
    for r in range(max(0, row - NEAR_PX) // grid, min(tall - 1, (row + NEAR_PX) // grid) + 1):
        first = max(0, column - NEAR_PX) // grid
        for c in range(first, min(wide - 1, (column + NEAR_PX) // grid) + 1):
            if not lit[r, c]:
                return False
    return True


@jit
def _mark(lit: Bool, row: int, column: int, grid: int) -> None:
    tall, wide = lit.shape
    for r in range(max(0, row - NEAR_PX) // grid, min(tall - 1, (row + NEAR_PX) // grid) + 1):
        first = max(0, column - NEAR_PX) // grid
        for c in range(first, min(wide - 1, (column + NEAR_PX) // grid) + 1):
            lit[r, c] = True
