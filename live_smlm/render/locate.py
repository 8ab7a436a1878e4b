"""The loops that find rows by place."""

import math

import numpy as np
from numpy.typing import NDArray

from live_smlm.core import F32, F64, I64, AnyArray, Bool
from live_smlm.physics.jit import jit

ACROSS, DOWN = 128, 127
"""Cells of the torus; behind them one row's worth for the wide ones."""
WIDE_CELL = ACROSS * DOWN


@jit
def _around(place: float, cell_nm: float, around: int) -> int:
    """Which of so many cells in a circle; a place that is nowhere is in the first."""
    if not math.isfinite(place):
        return 0
    whole = math.floor(place / cell_nm)
    # Compiled code may multiply by the cell's reciprocal, which misses a cell's very edge.
    if whole * cell_nm > place:
        whole -= 1
    elif (whole + 1) * cell_nm <= place:
        whole += 1
    return min(max(int(whole - around * math.floor(whole / around)), 0), around - 1)


@jit
def cells(x: F32, y: F32, wide: Bool, cell_nm: float) -> NDArray[np.uint16]:
    """The cell of each row; a row that lies nowhere is anywhere."""
    found = np.empty(x.size, np.uint16)
    for m in range(x.size):
        row, column = _around(y[m], cell_nm, DOWN), _around(x[m], cell_nm, ACROSS)
        found[m] = WIDE_CELL if wide[m] else row * ACROSS + column
    return found


@jit
def locate(
    x: F32,
    y: F32,
    frame: AnyArray,
    begins: I64,
    ends: I64,
    wide_from: int,
    wide: Bool,
    knots: F64,
    drift_x: F64,
    drift_y: F64,
    y0: float,
    x0: float,
    y1: float,
    x1: float,
    rows: I64,
    across: F32,
    along: F32,
) -> int:
    """Which rows of some runs lie in a rectangle once drift is taken off, and where; how many.

    Wide molecules are found wherever they lie.
    Drift is straight between its knots, and that of the nearest knot beyond them.
    """
    n, last = 0, knots.size - 1
    for run in range(begins.size):
        for m in range(begins[run], ends[run]):
            k = 0
            if last > 0:
                before = int(np.searchsorted(knots, float(frame[m]), "right")) - 1
                k = min(max(before, 0), last - 1)
            dx, dy = drift_x[k], drift_y[k]
            if last > 0:
                part = (frame[m] - knots[k]) / (knots[k + 1] - knots[k])
                part = min(max(part, 0.0), 1.0)
                dx += part * (drift_x[k + 1] - dx)
                dy += part * (drift_y[k + 1] - dy)
            u, v = np.float32(x[m] - dx), np.float32(y[m] - dy)
            lies_in = x0 <= u < x1 and y0 <= v < y1
            if lies_in or m >= wide_from or (wide.size > 0 and wide[m]):
                rows[n], across[n], along[n] = m, u, v
                n += 1
    return n
