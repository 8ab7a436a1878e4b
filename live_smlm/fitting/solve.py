"""Sixteen systems of five normal equations at once, by Cholesky's factors."""

import math

import numpy as np

from live_smlm.core import F32
from live_smlm.fitting.axis import LANES
from live_smlm.physics.jit import jit

DIAGONAL = (0, 2, 5, 9, 14)
"""Where the diagonal stands in the packed lower triangle."""

_W = LANES
_ONE = np.float32(1)
_SINGULAR = np.float32(1e-6)


@jit
def solve(m: F32, out: F32) -> None:
    """Solve M step = g; fill `out` with the 5 steps, then the 5 diagonal elements of M's inverse.

    `m` holds M's lower triangle packed by rows (15), then g (5), each with a
    lane per system. A pivot that vanishes is kept above a millionth of its
    diagonal element, so that a singular system gives a short finite step.
    """
    for n in range(_W):
        i0 = _root(m[n], m[n])
        l10 = m[_W + n] * i0
        i1 = _root(m[2 * _W + n] - l10 * l10, m[2 * _W + n])
        l20 = m[3 * _W + n] * i0
        l21 = (m[4 * _W + n] - l20 * l10) * i1
        i2 = _root(m[5 * _W + n] - l20 * l20 - l21 * l21, m[5 * _W + n])
        l30 = m[6 * _W + n] * i0
        l31 = (m[7 * _W + n] - l30 * l10) * i1
        l32 = (m[8 * _W + n] - l30 * l20 - l31 * l21) * i2
        i3 = _root(m[9 * _W + n] - l30 * l30 - l31 * l31 - l32 * l32, m[9 * _W + n])
        l40 = m[10 * _W + n] * i0
        l41 = (m[11 * _W + n] - l40 * l10) * i1
        l42 = (m[12 * _W + n] - l40 * l20 - l41 * l21) * i2
        l43 = (m[13 * _W + n] - l40 * l30 - l41 * l31 - l42 * l32) * i3
        rest = m[14 * _W + n] - l40 * l40 - l41 * l41 - l42 * l42 - l43 * l43
        i4 = _root(rest, m[14 * _W + n])

        y0 = m[15 * _W + n] * i0
        y1 = (m[16 * _W + n] - l10 * y0) * i1
        y2 = (m[17 * _W + n] - l20 * y0 - l21 * y1) * i2
        y3 = (m[18 * _W + n] - l30 * y0 - l31 * y1 - l32 * y2) * i3
        y4 = (m[19 * _W + n] - l40 * y0 - l41 * y1 - l42 * y2 - l43 * y3) * i4

        n10 = -l10 * i0 * i1
        n21 = -l21 * i1 * i2
        n32 = -l32 * i2 * i3
        n43 = -l43 * i3 * i4
        n20 = -(l20 * i0 + l21 * n10) * i2
        n31 = -(l31 * i1 + l32 * n21) * i3
        n42 = -(l42 * i2 + l43 * n32) * i4
        n30 = -(l30 * i0 + l31 * n10 + l32 * n20) * i3
        n41 = -(l41 * i1 + l42 * n21 + l43 * n31) * i4
        n40 = -(l40 * i0 + l41 * n10 + l42 * n20 + l43 * n30) * i4

        out[n] = i0 * y0 + n10 * y1 + n20 * y2 + n30 * y3 + n40 * y4
        out[_W + n] = i1 * y1 + n21 * y2 + n31 * y3 + n41 * y4
        out[2 * _W + n] = i2 * y2 + n32 * y3 + n42 * y4
        out[3 * _W + n] = i3 * y3 + n43 * y4
        out[4 * _W + n] = i4 * y4
        out[5 * _W + n] = i0 * i0 + n10 * n10 + n20 * n20 + n30 * n30 + n40 * n40
        out[6 * _W + n] = i1 * i1 + n21 * n21 + n31 * n31 + n41 * n41
        out[7 * _W + n] = i2 * i2 + n32 * n32 + n42 * n42
        out[8 * _W + n] = i3 * i3 + n43 * n43
        out[9 * _W + n] = i4 * i4


@jit
def _root(pivot: np.float32, diagonal: np.float32) -> np.float32:
    """One over the root of a pivot."""
    return _ONE / math.sqrt(max(pivot, _SINGULAR * diagonal))
