"""Small systems of a molecule that shines in several frames.

Shared by the frames are x, y and z; each frame has photons and a background
of its own, so Fisher's matrix is an arrow: the light is eliminated frame by
frame in closed form, and what is left is three by three.
"""

import math

import numpy as np

from live_smlm.core import F32, F64
from live_smlm.physics.jit import jit

AXES = 3
SLOPES = (3, 6, 10)
"""Where the sums of d_x, d_y and d_z begin in `sequence_window.sums`."""
_SINGULAR = 1e-9


@jit
def light_matrix(m: F32) -> tuple[float, float, float, float]:
    """Information on photons, on both, on background of one frame, and the determinant."""
    nn, nb, bb = float(m[2]), float(m[1]), float(m[0])
    return nn, nb, bb, max(nn * bb - nb * nb, 1e-12 * nn * bb + 1e-300)


@jit
def imitation(m: F32, photons: float, axis: int) -> tuple[float, float]:
    """Photons and background per unit of a shift along `axis` that imitate it best."""
    nn, nb, bb, determinant = light_matrix(m)
    shared, flat = photons * m[SLOPES[axis] + 1], photons * m[SLOPES[axis]]
    return (bb * shared - nb * flat) / determinant, (nn * flat - nb * shared) / determinant


@jit
def add_frame(m: F32, photons: float, h: F64, s: F64) -> None:
    """Add one frame's information on x, y, z to `h`'s lower triangle and its score to `s`."""
    for i in range(AXES):
        kn, kb = imitation(m, photons, i)
        s[i] += photons * m[17 + i] - kn * m[16] - kb * m[15]
        for j in range(i + 1):
            o = SLOPES[j]
            cross = kn * m[o + 1] + kb * m[o]
            h[i, j] += photons * photons * m[SLOPES[i] + 2 + j] - photons * cross


@jit
def light_step(m: F32, photons: float, move: F64) -> tuple[float, float]:
    """By how much photons and background of a frame change when x, y, z change by `move`."""
    nn, nb, bb, determinant = light_matrix(m)
    rn, rb = float(m[16]), float(m[15])
    for i in range(AXES):
        rn -= photons * m[SLOPES[i] + 1] * move[i]
        rb -= photons * m[SLOPES[i]] * move[i]
    return (bb * rn - nb * rb) / determinant, (nn * rb - nb * rn) / determinant


@jit
def without_depth(h: F64, s: F64) -> None:
    """Take z out of the equations."""
    h[2, 0], h[2, 1], h[2, 2], s[2] = 0.0, 0.0, 1.0, 0.0


@jit
def solve(h: F64, s: F64, out: F64) -> None:
    """Solve by Cholesky's factor of the lower triangle; a vanishing pivot is kept above 0."""
    l00 = math.sqrt(max(h[0, 0], 1e-300))
    l10, l20 = h[1, 0] / l00, h[2, 0] / l00
    l11 = math.sqrt(max(h[1, 1] - l10 * l10, _SINGULAR * h[1, 1] + 1e-300))
    l21 = (h[2, 1] - l20 * l10) / l11
    l22 = math.sqrt(max(h[2, 2] - l20 * l20 - l21 * l21, _SINGULAR * h[2, 2] + 1e-300))
    y0 = s[0] / l00
    y1 = (s[1] - l10 * y0) / l11
    y2 = (s[2] - l20 * y0 - l21 * y1) / l22
    out[2] = y2 / l22
    out[1] = (y1 - l21 * out[2]) / l11
    out[0] = (y0 - l10 * out[1] - l20 * out[2]) / l00


@jit
def invert(h: F64, out: F64) -> None:
    """Fill `out` (3, 3) with the whole inverse."""
    unit, column = np.zeros(AXES), np.empty(AXES)
    for i in range(AXES):
        unit[:] = 0.0
        unit[i] = 1.0
        solve(h, unit, column)
        out[:, i] = column


@jit
def sandwich(b: F64, c: F64, q: F64) -> None:
    """Add b c b' to `q`, which may be b."""
    half, added = np.zeros((AXES, AXES)), np.zeros((AXES, AXES))
    for i in range(AXES):
        for k in range(AXES):
            for m in range(AXES):
                half[i, m] += b[i, k] * c[k, m]
    for i in range(AXES):
        for j in range(AXES):
            for m in range(AXES):
                added[i, j] += half[i, m] * b[j, m]
    for i in range(AXES):
        for j in range(AXES):
            q[i, j] += added[i, j]


@jit
def quadratic(c: F64, v: F64) -> float:
    """V' c v."""
    total = 0.0
    for i in range(AXES):
        for j in range(AXES):
            total += v[i] * c[i, j] * v[j]
    return total


@jit
def determinant(c: F64, axes: int) -> float:
    """Of the first two or of all three rows and columns of a symmetric matrix."""
    minor: float = c[0, 0] * c[1, 1] - c[0, 1] ** 2
    if axes == 2:
        return max(minor, 1e-300)
    x = c[1, 2] * c[0, 1] - c[1, 1] * c[0, 2]
    y = c[0, 0] * c[1, 2] - c[0, 1] * c[0, 2]
    whole: float = c[2, 2] * minor - c[1, 2] * y + c[0, 2] * x
    return max(whole, 1e-300)
