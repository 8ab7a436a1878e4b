"""A PSF held as cubic B-spline coefficients of a volume of camera pixels.

One lateral voxel is one camera pixel, so the samples are pixel integrals and
a molecule's image is the spline at points one voxel apart: all pixels of a
patch share their fractional offsets, and three one-dimensional contractions
(z, then y, then x) of four taps each make the image and its derivatives. The
molecule sits in the lateral middle of the volume. Beyond the lateral edges
the light is 0, reached smoothly; beyond the first and last plane the image
stays that of the end.
"""

import numpy as np

from live_smlm.core import F32, AnyArray
from live_smlm.physics.jit import jit

_FAR = 1e6
"""Pixels beyond which nothing is seen, and integers would overflow further on."""


@jit
def patch(coefficients: F32, x: float, y: float, z: float, out: AnyArray) -> None:
    """Fill `out` (4, rows, columns) with value, d_x, d_y (per pixel) and d_z (per voxel).

    x and y are the molecule's position in pixels from the outer corner of the
    patch, z in voxels from the first plane; `coefficients` is (nz >= 4, ny, nx).
    Computed in the precision of `out`.
    """
    nz, ny, nx = coefficients.shape
    rows, columns = out.shape[1], out.shape[2]
    if not (abs(x) < _FAR and abs(y) < _FAR and abs(z) < _FAR):
        out[:] = 0 * (x + y + z)
        return
    left, fx = _split(0.5 * nx - x)
    top, fy = _split(0.5 * ny - y)
    plane = np.empty((2, rows + 3, columns + 3), out.dtype)
    weights = np.empty((6, 4), out.dtype)
    _weigh(fx, weights[0], weights[1])
    _weigh(fy, weights[2], weights[3])
    first = _weigh_plane(z, nz, weights[4], weights[5])
    _contract_z(coefficients, first, top - 1, left - 1, weights, plane)
    _contract_lateral(plane, weights, out)


@jit
def _split(u: float) -> tuple[int, float]:
    whole = np.floor(u)
    return int(whole), u - whole


@jit
def _weigh(f: float, value: AnyArray, slope: AnyArray) -> None:
    """Cubic B-spline at the four knots around a point `f` beyond the second, and d/df."""
    g = 1.0 - f
    value[0] = g * g * g / 6.0
    value[1] = (4.0 + f * f * (3.0 * f - 6.0)) / 6.0
    value[2] = (4.0 + g * g * (3.0 * g - 6.0)) / 6.0
    value[3] = f * f * f / 6.0
    slope[0] = -0.5 * g * g
    slope[1] = 0.5 * f * (3.0 * f - 4.0)
    slope[2] = -0.5 * g * (3.0 * g - 4.0)
    slope[3] = 0.5 * f * f


@jit
def _weigh_plane(z: float, nz: int, value: AnyArray, slope: AnyArray) -> int:
    """The weights of four planes and the number of the first; the spline ends not-a-knot.

    In the first and last voxel the knot beyond the volume continues the fourth
    difference at 0, so that it too falls on the volume's own four planes.
    """
    inside = min(max(z, 0.0), nz - 1.0)
    k = min(int(inside), nz - 2)
    _weigh(inside - k, value, slope)
    for w in (value, slope):
        if k == 0:
            w0, w1, w2, w3 = w[0], w[1], w[2], w[3]
            w[0], w[1], w[2], w[3] = w1 + 4 * w0, w2 - 6 * w0, w3 + 4 * w0, -w0
        elif k == nz - 2:
            w0, w1, w2, w3 = w[0], w[1], w[2], w[3]
            w[0], w[1], w[2], w[3] = -w3, w0 + 4 * w3, w1 - 6 * w3, w2 + 4 * w3
    if inside != z:
        slope[:] = 0
    return min(max(k - 1, 0), nz - 4)


@jit
def _contract_z(
    c: F32, first: int, top: int, left: int, weights: AnyArray, plane: AnyArray
) -> None:
    """`plane` is the volume at z and its slope there, from voxel (top, left); 0 outside."""
    _, ny, nx = c.shape
    _, rows, columns = plane.shape
    a0, a1, a2, a3 = weights[4]
    b0, b1, b2, b3 = weights[5]
    start, stop = max(0, -left), min(columns, nx - left)
    for r in range(rows):
        y = top + r
        if y < 0 or y >= ny or stop <= start:
            plane[:, r] = 0
            continue
        plane[:, r, :start] = 0
        plane[:, r, stop:] = 0
        for i in range(start, stop):
            x = left + i
            c0, c1, c2, c3 = (
                c[first, y, x],
                c[first + 1, y, x],
                c[first + 2, y, x],
                c[first + 3, y, x],
            )
            plane[0, r, i] = a0 * c0 + a1 * c1 + a2 * c2 + a3 * c3
            plane[1, r, i] = b0 * c0 + b1 * c1 + b2 * c2 + b3 * c3


@jit
def _contract_lateral(plane: AnyArray, weights: AnyArray, out: AnyArray) -> None:
    """A molecule that moves by +x moves the volume's point by -x: hence the signs."""
    _, rows, columns = out.shape
    x0, x1, x2, x3 = weights[0]
    u0, u1, u2, u3 = weights[1]
    y0, y1, y2, y3 = weights[2]
    v0, v1, v2, v3 = weights[3]
    line = np.empty((3, columns + 3), out.dtype)
    for r in range(rows):
        for i in range(columns + 3):
            p0, p1, p2, p3 = (
                plane[0, r, i],
                plane[0, r + 1, i],
                plane[0, r + 2, i],
                plane[0, r + 3, i],
            )
            line[0, i] = y0 * p0 + y1 * p1 + y2 * p2 + y3 * p3
            line[1, i] = v0 * p0 + v1 * p1 + v2 * p2 + v3 * p3
            q0, q1, q2, q3 = (
                plane[1, r, i],
                plane[1, r + 1, i],
                plane[1, r + 2, i],
                plane[1, r + 3, i],
            )
            line[2, i] = y0 * q0 + y1 * q1 + y2 * q2 + y3 * q3
        for i in range(columns):
            s0, s1, s2, s3 = line[0, i], line[0, i + 1], line[0, i + 2], line[0, i + 3]
            out[0, r, i] = x0 * s0 + x1 * s1 + x2 * s2 + x3 * s3
            out[1, r, i] = -(u0 * s0 + u1 * s1 + u2 * s2 + u3 * s3)
            out[2, r, i] = -(
                x0 * line[1, i] + x1 * line[1, i + 1] + x2 * line[1, i + 2] + x3 * line[1, i + 3]
            )
            out[3, r, i] = (
                x0 * line[2, i] + x1 * line[2, i + 1] + x2 * line[2, i + 2] + x3 * line[2, i + 3]
            )
