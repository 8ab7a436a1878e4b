"""Which detections of neighbouring frames are one molecule, and who lies near whom.

Two detections are linked when each is the likeliest partner of the other and
their distance is likelier for one molecule than for a stranger that happens
to lie there: with d² their distance in standard errors and `volume` the root
of the determinant of its covariance, if

    0.5 exp(-d²/2) / ((2 pi)^(k/2) volume) > density of the detections.
"""

import math
from typing import NamedTuple

import numpy as np

from live_smlm.core import F64, I64
from live_smlm.physics.jit import jit

_CELL = 8
_FAR_PX = 4.0
"""No network errs by more and still helps to find the molecule again."""
_STAYS = 0.5
"""Chance that a molecule is seen again in the next frame; not critical."""
_LONGEST = 16.0
"""Square of the distance in standard errors beyond which nothing is linked."""


class Cells(NamedTuple):
    """Molecules by frame and cell: a chain from `first` (frame, row, column) through `after`."""

    first: I64
    after: I64


@jit
def cells(x: F64, y: F64, place: I64, frames: int, rows: int, columns: int) -> Cells:
    """Sort molecules at x, y (px) into cells."""
    first = np.full((frames, rows // _CELL + 1, columns // _CELL + 1), -1)
    after = np.full(len(x), -1)
    for i in range(len(x) - 1, -1, -1):
        r, c = _cell(y[i], first.shape[1]), _cell(x[i], first.shape[2])
        after[i] = first[place[i], r, c]
        first[place[i], r, c] = i
    return Cells(first, after)


@jit
def _cell(at: float, count: int) -> int:
    return min(max(int(at) // _CELL, 0), count - 1)


@jit
def near(found: Cells, place: int, top: float, bottom: float, left: float, right: float) -> I64:
    """Molecules of a frame in the cells that a rectangle (px) touches."""
    rows, columns = found.first.shape[1:]
    span = (_cell(top, rows), _cell(bottom, rows), _cell(left, columns), _cell(right, columns))
    out = np.empty(0, np.int64)
    for fill in range(2):
        size = 0
        for r in range(span[0], span[1] + 1):
            for c in range(span[2], span[3] + 1):
                i = found.first[place, r, c]
                while i >= 0:
                    if fill == 1:
                        out[size] = i
                    size += 1
                    i = found.after[i]
        if fill == 0:
            out = np.empty(size, np.int64)
    return out


@jit
def chances(counts: I64, area: float, depth: F64) -> F64:
    """Per frame, with `counts` detections on `area` px², what a link may cost.

    d² + log(determinant) of a link must stay below.
    """
    axes = 3 if depth.size else 2
    volume = area * (depth[1] - depth[0]) if depth.size else area
    out = np.empty(counts.size)
    for t in range(counts.size):
        density = max(counts[t], 1) / volume
        out[t] = 2.0 * math.log(_STAYS / density) - axes * math.log(2.0 * math.pi)
    return out


@jit
def links(
    position: F64, variance: F64, place: I64, follows: I64, found: Cells, cost: F64, reach: int
) -> I64:
    """(m, 2 reach) the rows of the same molecule in frames before and after, nearest first.

    `position` and `variance` (m, 2 or 3) are x, y and perhaps z; `follows` is 1 for
    frames that come right after the one before; -1 where there is no row.
    """
    m = len(position)
    partner = np.full((m, 2), -1)
    for i in range(m):
        for side in range(2):
            there = place[i] + 2 * side - 1
            if 0 <= there < follows.size and follows[max(there, place[i])] == 1:
                partner[i, side] = _likeliest(position, variance, i, there, found, cost[place[i]])
    out = np.full((m, 2 * reach), -1)
    for i in range(m):
        for side in range(2):
            row = i
            for k in range(reach):
                other = partner[row, side]
                if other < 0 or partner[other, 1 - side] != row:
                    break
                out[i, side * reach + k] = other
                row = other
    return out


@jit
def _likeliest(position: F64, variance: F64, i: int, there: int, found: Cells, limit: float) -> int:
    x, y = position[i, 0], position[i, 1]
    best, lowest = -1, limit
    for j in near(found, there, y - _FAR_PX, y + _FAR_PX, x - _FAR_PX, x + _FAR_PX):
        apart, size = 0.0, 0.0
        for axis in range(position.shape[1]):
            v = variance[i, axis] + variance[j, axis]
            apart += (position[i, axis] - position[j, axis]) ** 2 / v
            size += math.log(v)
        if apart < _LONGEST and apart + size < lowest:
            lowest, best = apart + size, j
    return best
