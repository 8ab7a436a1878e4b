"""A molecule's image in a window of pixels, and sums over the window's pixels.

The pixels of a window lie in one line, so that the compiler turns the sums
over them into vector instructions; all in single precision.
"""

import math
from typing import NamedTuple

import numpy as np

from live_smlm.core import F32, F64, I64
from live_smlm.fitting.axis import line_profile
from live_smlm.fitting.lanes import DEPTH
from live_smlm.fitting.model import SPLINE, draw, width_at
from live_smlm.physics.jit import jit

X, Y, Z, PHOTONS, BACKGROUND = 0, 1, 2, 3, 4
"""Columns of a molecule's state: px, px, nm, counts, counts per pixel."""
SUMS = 21
LOWEST = np.float32(1e-2)
"""Counts per pixel below which no model goes."""
_ZERO, _ONE = np.float32(0), np.float32(1)
_SIGMAS = 2.5
"""Half a window in widths of the PSF: wider ones hold more of the neighbours than of the light."""


class Optics(NamedTuple):
    """A `FitModel` as compiled code takes it."""

    kind: int
    curve: F64
    coefficients: F32
    half: int
    """Pixels on each side of a molecule that its light reaches."""
    depth: F64
    """(2,) the range of z; empty for a PSF that says nothing about z."""


class Window(NamedTuple):
    """A part of a frame."""

    top: int
    left: int
    rows: int
    columns: int


class Scratch(NamedTuple):
    """Room for one fit; allocated once."""

    data: F32
    """(frames, pixels)"""
    known: F32
    """(frames, pixels) what is expected there beside the molecule and its background."""
    image: F32
    """(4, pixels)"""
    other: F32
    """(4, pixels) of a neighbour."""
    levers: F32
    """(3, pixels) what a count more in a pixel adds to the score of x, y and z."""
    axes: F32
    sums: F32
    """(frames, SUMS)"""


def scratch(optics: Optics, frames: int) -> Scratch:
    """Room for fits over as many frames."""
    side = 2 * optics.half + 1
    shapes = [(frames, side * side)] * 2 + [(4, side * side)] * 2 + [(3, side * side)]
    arrays = [np.zeros(shape, np.float32) for shape in [*shapes, (6, side + 1), (frames, SUMS)]]
    return Scratch(*arrays)


@jit
def window_around(optics: Optics, x: float, y: float, z: float, shape: tuple[int, int]) -> Window:
    """The pixels that say something about a molecule; none where it is far outside the frame."""
    across, down = optics.half, optics.half
    if optics.kind != SPLINE:
        sx, _, sy, _ = _widths(optics, z)
        across = min(int(math.ceil(_SIGMAS * sx)), across)  # noqa: RUF046 - numba's is a float
        down = min(int(math.ceil(_SIGMAS * sy)), down)  # noqa: RUF046
    return _clipped(x, y, across, down, shape)


@jit
def _clipped(x: float, y: float, across: int, down: int, shape: tuple[int, int]) -> Window:
    column, row = int(math.floor(x)), int(math.floor(y))  # noqa: RUF046 - numba's is a float
    top, left = max(row - down, 0), max(column - across, 0)
    bottom, right = min(row + down + 1, shape[0]), min(column + across + 1, shape[1])
    return Window(top, left, max(bottom - top, 0), max(right - left, 0))


@jit
def _widths(optics: Optics, z: float) -> tuple[float, float, float, float]:
    """Width along x, its derivative by z; the same along y."""
    c = optics.curve
    if optics.kind != DEPTH:
        return c[0], 0.0, c[1], 0.0
    sx, ux = width_at(z, c[0], c[2], c[4], c[5], c[6])
    sy, uy = width_at(z, c[1], c[3], c[4], c[7], c[8])
    return sx, ux, sy, uy


@jit
def draw_window(
    optics: Optics, x: float, y: float, z: float, w: Window, axes: F32, image: F32
) -> None:
    """Fill `image` (4, pixels): value, d_x, d_y (per px) and d_z (per nm) of one photon."""
    pixels = w.rows * w.columns
    x, y = x - w.left, y - w.top
    if optics.kind == SPLINE:
        patch = np.empty((4, w.rows, w.columns), np.float32)
        draw(optics.kind, optics.curve, optics.coefficients, x, y, z, patch)
        image[:, :pixels] = patch.reshape(4, pixels)
        return
    sx, ux, sy, uy = _widths(optics, z)
    line_profile(np.float32(x), np.float32(sx), np.float32(ux), w.columns, axes[:3])
    line_profile(np.float32(y), np.float32(sy), np.float32(uy), w.rows, axes[3:])
    for r in range(w.rows):
        e, d, v = axes[3, r], axes[4, r], axes[5, r]
        first = r * w.columns
        for c in range(w.columns):
            image[0, first + c] = e * axes[0, c]
            image[1, first + c] = e * axes[1, c]
            image[2, first + c] = d * axes[0, c]
            image[3, first + c] = e * axes[2, c] + v * axes[0, c]


@jit
def shine(light: F32, optics: Optics, state: F64, place: I64, room: Scratch) -> None:
    """Add the light of all molecules to their frames of `light` (n, rows, columns)."""
    for i in range(len(state)):
        x, y, z = state[i, X], state[i, Y], state[i, Z]
        w = _clipped(x, y, optics.half, optics.half, light.shape[1:])
        draw_window(optics, x, y, z, w, room.axes, room.image)
        n, frame = np.float32(state[i, PHOTONS]), light[place[i]]
        for r in range(w.rows):
            for c in range(w.columns):
                frame[w.top + r, w.left + c] += n * room.image[0, r * w.columns + c]


@jit
def weigh(
    data: F32, known: F32, image: F32, photons: np.float32, background: np.float32, pixels: int,
    m: F32,
) -> None:  # fmt: skip
    """Fill `m` with sums over pixels of weighted products, for normal equations.

    Of weights times 1; e, ee; a, ae, aa; b, be, ba, bb; g, ge, ga, gb, gg; of
    residuals times 1, e, a, b, g; chi². Where e, a, b, g are the value and its slopes.
    """
    s0, s1, s2, s3, s4, s5, s6 = _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO
    s7, s8, s9, s10, s11, s12, s13 = _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO
    s14, s15, s16, s17, s18, s19, s20 = _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO
    for p in range(pixels):
        e, a, b, g = image[0, p], image[1, p], image[2, p], image[3, p]
        expected = max(known[p] + background + photons * e, LOWEST)
        w = _ONE / expected
        excess = data[p] - expected
        r = excess * w
        wa, wb, wg = w * a, w * b, w * g
        s0 += w
        s1 += w * e
        s2 += w * e * e
        s3 += wa
        s4 += wa * e
        s5 += wa * a
        s6 += wb
        s7 += wb * e
        s8 += wb * a
        s9 += wb * b
        s10 += wg
        s11 += wg * e
        s12 += wg * a
        s13 += wg * b
        s14 += wg * g
        s15 += r
        s16 += r * e
        s17 += r * a
        s18 += r * b
        s19 += r * g
        s20 += excess * r
    m[0], m[1], m[2], m[3], m[4], m[5], m[6] = s0, s1, s2, s3, s4, s5, s6
    m[7], m[8], m[9], m[10], m[11], m[12], m[13] = s7, s8, s9, s10, s11, s12, s13
    m[14], m[15], m[16], m[17], m[18], m[19], m[20] = s14, s15, s16, s17, s18, s19, s20


@jit
def overlap(levers: F32, image: F32, pixels: int, out: F64) -> None:
    """Fill `out` (3, 4): sums of products of the levers with value, d_x, d_y, d_z."""
    a0, a1, a2, a3 = _ZERO, _ZERO, _ZERO, _ZERO
    b0, b1, b2, b3 = _ZERO, _ZERO, _ZERO, _ZERO
    c0, c1, c2, c3 = _ZERO, _ZERO, _ZERO, _ZERO
    for p in range(pixels):
        x, y, z = levers[0, p], levers[1, p], levers[2, p]
        e, a, b, g = image[0, p], image[1, p], image[2, p], image[3, p]
        a0 += x * e
        a1 += x * a
        a2 += x * b
        a3 += x * g
        b0 += y * e
        b1 += y * a
        b2 += y * b
        b3 += y * g
        c0 += z * e
        c1 += z * a
        c2 += z * b
        c3 += z * g
    out[0, 0], out[0, 1], out[0, 2], out[0, 3] = a0, a1, a2, a3
    out[1, 0], out[1, 1], out[1, 2], out[1, 3] = b0, b1, b2, b3
    out[2, 0], out[2, 1], out[2, 2], out[2, 3] = c0, c1, c2, c3
