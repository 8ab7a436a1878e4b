"""Sixteen Gaussian fits side by side: Fisher scoring where each fit is one lane of a register.

Knows the algebra of a pixel-integrated Gaussian and nothing of cameras: data
are counts that scatter like Poisson's around `photons * share + background +
extra`, where `extra` is the known variance of the readout, added to data and
model alike. Every buffer has the lane as its last axis and every inner loop
runs over lanes, so that the compiler turns it into vector instructions; a
lane whose fit has ended takes the next one at once.

Per row of pixels the sums over columns are taken first (the model is a
product), which leaves 14 multiply-adds per pixel for five parameters:
x, y, photons, background and a fifth: the width or z.
"""

import math

import numpy as np

from live_smlm.core import F32
from live_smlm.fitting.axis import LANES, axis_profile
from live_smlm.fitting.solve import DIAGONAL, solve
from live_smlm.physics.jit import jit

ROUND, WIDTH, DEPTH = 0, 1, 2
"""What the fifth parameter is: nothing, the width in pixels, z in nm."""
PARAMETERS, PHOTONS = 5, 2
CHI2, ITERATIONS, CONVERGED = 10, 11, 12
RESULTS = 13
"""Columns of a result: five parameters, their five standard errors, then the names above."""

_W = LANES
_ROW_SUMS = 15
_MOMENTS = 21
_ONE = np.float32(1)
_HALF = np.float32(0.5)
_TWO = np.float32(2)
_DAMPED_FROM = np.float32(10)
_PHOTON_STEP = np.float32(0.6)
"""Longest relative change of the photons in one step."""


@jit
def fit_lanes(
    data: F32,
    extra: F32,
    start: F32,
    kind: int,
    curve: F32,
    limits: F32,
    free: F32,
    tolerance: np.float32,
    most: np.float32,
    out: F32,
) -> None:
    """Fit n cut-outs (n, k, k) from `start` (n, 5); fill `out` (n, RESULTS).

    `curve` holds sx0, sy0 (px), gx, gy, d (nm), ax, bx, ay, by; only its first two
    count where z is not fitted. `limits` holds each parameter's lowest and highest
    value and longest step; `free` is 1 for parameters that are fitted, 0 for those
    kept at their start. A fit has converged when a step is shorter than
    `tolerance` standard errors; it is given up after `most` steps.
    """
    n, k, _ = data.shape
    pixels, theta = np.zeros(2 * k * k * _W, np.float32), np.ones(PARAMETERS * _W, np.float32)
    x_axis, y_axis = np.zeros(9 * k * _W, np.float32), np.zeros(3 * k * _W, np.float32)
    moments, solved = np.zeros(_MOMENTS * _W, np.float32), np.zeros(10 * _W, np.float32)
    widths, sums = np.ones(4 * _W, np.float32), np.zeros(_ROW_SUMS * _W, np.float32)
    count, length = np.zeros(_W, np.float32), np.zeros(_W, np.float32)
    owner = np.full(_W, -1)
    following, working = 0, 0
    while True:
        for lane in range(_W):
            if owner[lane] < 0 and following < n:
                _load(data, extra, start, following, lane, pixels, theta, count)
                owner[lane] = following
                following += 1
                working += 1
        if working == 0:
            return
        _widths(theta, kind, curve, widths)
        axis_profile(theta[:_W], widths[:_W], widths[_W : 2 * _W], k, y_axis)
        _columns(y_axis, k, x_axis)
        axis_profile(theta[_W : 2 * _W], widths[2 * _W : 3 * _W], widths[3 * _W :], k, y_axis)
        moments[:] = 0
        for row in range(k):
            _row_sums(row, k, pixels, x_axis, y_axis, theta, sums)
            _row_moments(y_axis[3 * row * _W : 3 * (row + 1) * _W], theta, sums, moments)
        _fix(free, moments)
        solve(moments, solved)
        _advance(theta, solved, moments, limits, free, count, length)
        for lane in range(_W):
            converged = length[lane] < tolerance * tolerance
            if owner[lane] >= 0 and (converged or count[lane] >= most):
                _store(lane, theta, solved, moments, count, converged, out[owner[lane]])
                owner[lane] = -1
                working -= 1


@jit
def _load(
    data: F32, extra: F32, start: F32, i: int, lane: int, pixels: F32, theta: F32, count: F32
) -> None:
    """Put fit `i` into a lane."""
    k = data.shape[1]
    for r in range(k):
        for c in range(k):
            p = 2 * (r * k + c) * _W + lane
            pixels[p] = data[i, r, c]
            pixels[p + _W] = extra[i, r, c]
    for j in range(PARAMETERS):
        theta[j * _W + lane] = start[i, j]
    count[lane] = 0


@jit
def _widths(theta: F32, kind: int, curve: F32, widths: F32) -> None:
    """Fill sigma_x, its derivative by the fifth parameter, sigma_y, its derivative."""
    if kind == DEPTH:
        _defocus(theta, curve[0], curve[2], curve[4], curve[5], curve[6], widths[: 2 * _W])
        _defocus(theta, curve[1], curve[3], curve[4], curve[7], curve[8], widths[2 * _W :])
        return
    for lane in range(_W):
        free = kind == WIDTH
        widths[lane] = theta[4 * _W + lane] if free else curve[0]
        widths[_W + lane] = _ONE if free else np.float32(0)
        widths[2 * _W + lane] = theta[4 * _W + lane] if free else curve[1]
        widths[3 * _W + lane] = _ONE if free else np.float32(0)


@jit
def _defocus(
    theta: F32, s0: np.float32, g: np.float32, d: np.float32, a: np.float32, b: np.float32, out: F32
) -> None:
    """Fill the width at z and its derivative by z."""
    for lane in range(_W):
        u = (theta[4 * _W + lane] - g) / d
        square = _ONE + u * u * (_ONE + u * (a + b * u))
        root = math.sqrt(max(square, np.float32(0.01)))
        out[lane] = s0 * root
        slope = u * (_TWO + u * (np.float32(3) * a + np.float32(4) * b * u))
        out[_W + lane] = s0 * slope / (_TWO * d * root)


@jit
def _columns(axis: F32, k: int, out: F32) -> None:
    """Products of one column's share e, and its derivatives d by x and w by the fifth."""
    for c in range(k):
        a = axis[3 * c * _W : 3 * (c + 1) * _W]
        q = out[9 * c * _W : 9 * (c + 1) * _W]
        for lane in range(_W):
            e, d, w = a[lane], a[_W + lane], a[2 * _W + lane]
            q[lane], q[_W + lane], q[2 * _W + lane] = e, d, w
            q[3 * _W + lane], q[4 * _W + lane], q[5 * _W + lane] = e * e, e * d, d * d
            q[6 * _W + lane], q[7 * _W + lane], q[8 * _W + lane] = e * w, d * w, w * w


@jit
def _row_sums(row: int, k: int, pixels: F32, x_axis: F32, y_axis: F32, theta: F32, s: F32) -> None:
    """Sum over columns: weighted products (0 to 9), residuals times shares (10 to 13), chi²."""
    s[:] = 0
    y = y_axis[3 * row * _W : (3 * row + 1) * _W]
    for c in range(k):
        p = pixels[2 * (row * k + c) * _W : 2 * (row * k + c + 1) * _W]
        q = x_axis[9 * c * _W : 9 * (c + 1) * _W]
        for lane in range(_W):
            e = q[lane]
            signal = theta[2 * _W + lane] * y[lane] * e
            weight = _ONE / (signal + theta[3 * _W + lane] + p[_W + lane])
            excess = p[lane] - signal - theta[3 * _W + lane] - p[_W + lane]
            residual = excess * weight
            s[lane] += weight
            s[_W + lane] += weight * e
            s[2 * _W + lane] += weight * q[_W + lane]
            s[3 * _W + lane] += weight * q[2 * _W + lane]
            s[4 * _W + lane] += weight * q[3 * _W + lane]
            s[5 * _W + lane] += weight * q[4 * _W + lane]
            s[6 * _W + lane] += weight * q[5 * _W + lane]
            s[7 * _W + lane] += weight * q[6 * _W + lane]
            s[8 * _W + lane] += weight * q[7 * _W + lane]
            s[9 * _W + lane] += weight * q[8 * _W + lane]
            s[10 * _W + lane] += residual
            s[11 * _W + lane] += residual * e
            s[12 * _W + lane] += residual * q[_W + lane]
            s[13 * _W + lane] += residual * q[2 * _W + lane]
            s[14 * _W + lane] += excess * residual


@jit
def _row_moments(y: F32, theta: F32, s: F32, m: F32) -> None:
    """Add a row to the Fisher matrix (0 to 14, packed by rows), the gradient (15 to 19), chi²."""
    for lane in range(_W):
        photons, share = theta[2 * _W + lane], y[lane]
        a, b, v = photons * share, photons * y[_W + lane], photons * y[2 * _W + lane]
        w0, we, wd, ww = s[lane], s[_W + lane], s[2 * _W + lane], s[3 * _W + lane]
        ee, ed, dd = s[4 * _W + lane], s[5 * _W + lane], s[6 * _W + lane]
        ew, dw, sq = s[7 * _W + lane], s[8 * _W + lane], s[9 * _W + lane]
        m[lane] += a * a * dd
        m[_W + lane] += a * b * ed
        m[2 * _W + lane] += b * b * ee
        m[3 * _W + lane] += a * share * ed
        m[4 * _W + lane] += b * share * ee
        m[5 * _W + lane] += share * share * ee
        m[6 * _W + lane] += a * wd
        m[7 * _W + lane] += b * we
        m[8 * _W + lane] += share * we
        m[9 * _W + lane] += w0
        fifth = a * ew + v * ee
        m[10 * _W + lane] += a * (a * dw + v * ed)
        m[11 * _W + lane] += b * fifth
        m[12 * _W + lane] += share * fifth
        m[13 * _W + lane] += a * ww + v * we
        m[14 * _W + lane] += a * a * sq + v * (a * ew + fifth)
        m[15 * _W + lane] += a * s[12 * _W + lane]
        m[16 * _W + lane] += b * s[11 * _W + lane]
        m[17 * _W + lane] += share * s[11 * _W + lane]
        m[18 * _W + lane] += s[10 * _W + lane]
        m[19 * _W + lane] += a * s[13 * _W + lane] + v * s[11 * _W + lane]
        m[20 * _W + lane] += s[14 * _W + lane]


@jit
def _fix(free: F32, m: F32) -> None:
    """Take parameters that are not fitted out of the equations."""
    for j in range(PARAMETERS):
        if free[j] > 0:
            continue
        for i in range(PARAMETERS):
            low, high = min(i, j), max(i, j)
            entry = high * (high + 1) // 2 + low
            m[entry * _W : (entry + 1) * _W] = _ONE if i == j else np.float32(0)
        m[(15 + j) * _W : (16 + j) * _W] = 0


@jit
def _advance(
    theta: F32, step: F32, m: F32, limits: F32, free: F32, count: F32, length: F32
) -> None:
    """Take the step as far as the limits allow; `length` is its square in standard errors.

    Late steps are halved: a fit that swings about its maximum so comes to rest.
    """
    length[:] = 0
    for lane in range(_W):
        count[lane] += _ONE
    for j in range(PARAMETERS):
        low, high, longest = limits[j, 0], limits[j, 1], limits[j, 2]
        share = _PHOTON_STEP if j == PHOTONS else np.float32(0)
        t, d = theta[j * _W : (j + 1) * _W], step[j * _W : (j + 1) * _W]
        information = m[DIAGONAL[j] * _W : (DIAGONAL[j] + 1) * _W]
        if free[j] == 0:
            continue
        for lane in range(_W):
            reach = longest + share * t[lane]
            wanted = d[lane] * (_HALF if count[lane] > _DAMPED_FROM else _ONE)
            moved = min(max(t[lane] + min(max(wanted, -reach), reach), low), high)
            taken = moved - t[lane]
            length[lane] += taken * taken * information[lane]
            t[lane] = moved


@jit
def _store(
    lane: int,
    theta: F32,
    solved: F32,
    m: F32,
    count: F32,
    converged: bool,  # noqa: FBT001 - compiled functions take flags by position
    out: F32,
) -> None:
    """Write one fit's results."""
    for j in range(PARAMETERS):
        out[j] = theta[j * _W + lane]
        out[PARAMETERS + j] = math.sqrt(solved[(PARAMETERS + j) * _W + lane])
    out[CHI2] = m[20 * _W + lane]
    out[ITERATIONS] = count[lane]
    out[CONVERGED] = _ONE if converged else np.float32(0)
