"""The loops of the drift estimate: arrays only.

A plane counts molecules in square cells, each shared among the four nearest nodes. It
is read through a cubic B-spline, which blurs by 0.58 cells and has two derivatives. What
a molecule is worth at a place is the logarithm of `floor + gain * plane`: 0 where the
plane is as dense as on average, `log(floor)` where nothing is.
"""

import math

import numpy as np

from live_smlm.core import F32, F64
from live_smlm.physics.jit import jit

_TURNS = 8
"""Steps of the climb at most; four do as a rule."""
_LONGEST = 1.0
"""Cells per step."""
_REACHED = 0.005
"""Cells below which a step ends the climb."""


@jit
def deposit(plane: F32, x: F64, y: F64, dx: float, dy: float, amount: float) -> None:
    """Add molecules to the plane; all lengths in cells from the plane's first node."""
    rows, columns = plane.shape
    for n in range(x.size):
        across, along = x[n] - dx, y[n] - dy
        if 0.0 <= across < columns - 1 and 0.0 <= along < rows - 1:
            i, j = int(along), int(across)
            v, u = along - i, across - j
            plane[i, j] += amount * (1.0 - v) * (1.0 - u)
            plane[i, j + 1] += amount * (1.0 - v) * u
            plane[i + 1, j] += amount * v * (1.0 - u)
            plane[i + 1, j + 1] += amount * v * u


@jit
def _spline(t: float, value: F64, slope: F64, bend: F64) -> None:
    """Weights of the four nodes around a place `t` past the second, and their derivatives."""
    s = 1.0 - t
    value[0], value[3] = s * s * s / 6.0, t * t * t / 6.0
    value[1] = 2.0 / 3.0 - t * t + 0.5 * t * t * t
    value[2] = 2.0 / 3.0 - s * s + 0.5 * s * s * s
    slope[0], slope[3] = -0.5 * s * s, 0.5 * t * t
    slope[1] = -2.0 * t + 1.5 * t * t
    slope[2] = 2.0 * s - 1.5 * s * s
    bend[0], bend[3] = s, t
    bend[1], bend[2] = -2.0 + 3.0 * t, -2.0 + 3.0 * s


@jit
def worth(plane: F32, floor: float, gain: float, x: F64, y: F64, d: F64, out: F64) -> None:
    """What each molecule is worth at a displacement (dx, dy)."""
    rows, columns = plane.shape
    value, slope, bend = np.zeros((2, 4)), np.zeros(4), np.zeros(4)
    for n in range(x.size):
        across, along = x[n] - d[0], y[n] - d[1]
        here = 0.0
        if 1.0 <= across < columns - 2 and 1.0 <= along < rows - 2:
            i, j = int(along), int(across)
            _spline(along - i, value[0], slope, bend)
            _spline(across - j, value[1], slope, bend)
            for a in range(4):
                for b in range(4):
                    here += value[0, a] * value[1, b] * plane[i + a - 1, j + b - 1]
        out[n] = math.log(floor + gain * max(here, 0.0))


@jit
def _sums(plane: F32, floor: float, gain: float, x: F64, y: F64, d: F64, sums: F64) -> None:
    """Sums over molecules: worth, gradient (2), minus the Hessian (xx, xy, yy), outer products
    of the gradients (xx, xy, yy), worth squared, share that the floor explains."""  # noqa: D205, D209
    rows, columns = plane.shape
    value, slope, bend = np.zeros((2, 4)), np.zeros((2, 4)), np.zeros((2, 4))
    sums[:] = 0.0
    outside = math.log(floor)
    for n in range(x.size):
        across, along = x[n] - d[0], y[n] - d[1]
        if not (1.0 <= across < columns - 2 and 1.0 <= along < rows - 2):
            sums[0] += outside
            sums[9] += outside * outside
            sums[10] += 1.0
            continue
        i, j = int(along), int(across)
        _spline(along - i, value[0], slope[0], bend[0])
        _spline(across - j, value[1], slope[1], bend[1])
        s = sx = sy = sxx = sxy = syy = 0.0
        for a in range(4):
            r = rx = rxx = 0.0
            for b in range(4):
                p = plane[i + a - 1, j + b - 1]
                r += value[1, b] * p
                rx += slope[1, b] * p
                rxx += bend[1, b] * p
            s += value[0, a] * r
            sx += value[0, a] * rx
            sy += slope[0, a] * r
            sxx += value[0, a] * rxx
            sxy += slope[0, a] * rx
            syy += bend[0, a] * r
        whole = floor + gain * max(s, 0.0)
        k = gain / whole
        gx, gy, w = -k * sx, -k * sy, math.log(whole)
        sums[0] += w
        sums[1] += gx
        sums[2] += gy
        sums[3] += gx * gx - k * sxx
        sums[4] += gx * gy - k * sxy
        sums[5] += gy * gy - k * syy
        sums[6] += gx * gx
        sums[7] += gx * gy
        sums[8] += gy * gy
        sums[9] += w * w
        sums[10] += floor / whole


@jit
def climb(
    plane: F32,
    floor: float,
    gain: float,
    x: F64,
    y: F64,
    start: F64,
    pull: float,
    out: F64,
    sums: F64,
) -> None:
    """The displacement near `start` at which the molecules lie best on the plane.

    `pull`: one over the variance, cells², by which the start is believed. `out`: dx, dy,
    then the information xx, xy, yy that the molecules alone give. `sums` at the end.
    """
    d = start.copy()
    trial = np.zeros(2)
    best = np.zeros(11)
    _sums(plane, floor, gain, x, y, d, best)
    value = best[0]
    for _ in range(_TURNS):
        hxx, hxy, hyy = best[3], best[4], best[5]
        if hxx <= 0.0 or hyy <= 0.0 or hxx * hyy - hxy * hxy <= 0.25 * hxx * hyy:
            hxx, hxy, hyy = best[6], best[7], best[8]
        axx, ayy = hxx + pull, hyy + pull
        gx = best[1] - pull * (d[0] - start[0])
        gy = best[2] - pull * (d[1] - start[1])
        det = axx * ayy - hxy * hxy
        step_x, step_y = (ayy * gx - hxy * gy) / det, (axx * gy - hxy * gx) / det
        length = math.sqrt(step_x * step_x + step_y * step_y)
        share = min(1.0, _LONGEST / max(length, 1e-12))
        gained = False
        for _ in range(4):
            trial[0], trial[1] = d[0] + share * step_x, d[1] + share * step_y
            _sums(plane, floor, gain, x, y, trial, sums)
            away = (trial[0] - start[0]) ** 2 + (trial[1] - start[1]) ** 2
            now = sums[0] - 0.5 * pull * away
            if now > value:
                gained = True
                break
            share *= 0.4
        if not gained:
            break
        value = now
        d[:] = trial
        best[:] = sums
        if share * length < _REACHED:
            break
    hxx, hxy, hyy = best[3], best[4], best[5]
    if hxx <= 0.0 or hyy <= 0.0 or hxx * hyy - hxy * hxy <= 0.25 * hxx * hyy:
        hxx, hxy, hyy = best[6], best[7], best[8]
    out[0], out[1], out[2], out[3], out[4] = d[0], d[1], hxx, hxy, hyy
    sums[:] = best


@jit
def scan(
    plane: F32, floor: float, gain: float, x: F64, y: F64, start: F64, reach: int, found: F64
) -> None:
    """Worth of all molecules at displacements of whole cells, up to `reach` each way."""
    rows, columns = plane.shape
    found[:] = 0.0
    nowhere = math.log(floor)
    for n in range(x.size):
        i, j = round(y[n] - start[1]), round(x[n] - start[0])
        for a in range(-reach, reach + 1):
            for b in range(-reach, reach + 1):
                r, c = i - a, j - b
                w = nowhere
                if 0 <= r < rows and 0 <= c < columns and plane[r, c] > 0.0:
                    w = math.log(floor + gain * plane[r, c])
                found[a + reach, b + reach] += w
