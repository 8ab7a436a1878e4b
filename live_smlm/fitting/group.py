"""Maximum likelihood of several overlapping molecules at once, with any PSF of `model`.

Levenberg-Marquardt on Fisher's matrix in double precision, one group after
the other: the slow and sure counterpart of `lanes`. Data are counts as in
`counts`, the camera's extra variance included; `known` is that variance
and all other light that reaches the group's pixels.
"""

import math

import numpy as np

from live_smlm.core import F32, F64, I64
from live_smlm.fitting.cholesky import factorise, invert_diagonal, substitute
from live_smlm.fitting.model import draw
from live_smlm.physics.jit import jit

PER_MOLECULE = 4
"""x, y (px), photons, z (nm)."""
_LOWEST_PHOTONS = 1e-3
_LOWEST_BACKGROUND = 1e-2
_TRIES = 8
_PHOTON_STEP = 0.6
_PIXEL_STEP = 0.7
_DEPTH_STEP = 0.1
"""Longest step in z, as a share of its range."""


@jit
def fit_group(
    data: F64,
    known: F64,
    kind: int,
    curve: F64,
    coefficients: F32,
    reach: int,
    depth: F64,
    flat: bool,  # noqa: FBT001 - compiled functions take flags by position
    tolerance: float,
    most: int,
    theta: F64,
    error: F64,
) -> tuple[float, float, int, bool]:
    """Fit molecules to a patch (rows, columns); return -2 log L, chi², steps, converged.

    `theta` holds four parameters per molecule, then the background: start
    values that become the estimates; `error` receives their standard errors.
    Each molecule is drawn in a window of 2 `reach` + 1 pixels around its start. `depth` is the
    range of z, empty for a PSF that says nothing about z; `flat` says that the
    background is fitted.
    """
    size, pixels = theta.size, data.size
    slopes, trial_slopes = np.zeros((size, pixels)), np.zeros((size, pixels))
    model, trial_model = np.empty(pixels), np.empty(pixels)
    information, damped = np.empty((size, size)), np.empty((size, size))
    gradient, step, trial = np.empty(size), np.empty(size), np.empty(size)
    counts, base = data.ravel(), known.ravel()
    shape = data.shape
    windows = _windows(theta, reach, shape)
    _expect(shape, base, kind, curve, coefficients, windows, theta, slopes, model)
    value = _surprise(counts, model)
    damping, converged, steps = 0.0, False, 0
    while steps < most and not converged:
        steps += 1
        _normal_equations(counts, model, slopes, information, gradient)
        _freeze(information, gradient, depth.size == 0, not flat)
        better = False
        for _ in range(_TRIES):
            _damped_step(information, gradient, damping, damped, step)
            _limit(theta, step, shape, depth, trial)
            _expect(
                shape, base, kind, curve, coefficients, windows, trial, trial_slopes, trial_model
            )
            trial_value = _surprise(counts, trial_model)
            better = trial_value <= value + 1e-9 * abs(value)
            if better:
                break
            damping = max(8.0 * damping, 0.1)
        if not better:
            break
        length = _take(information, trial, theta)
        slopes, trial_slopes = trial_slopes, slopes
        model, trial_model = trial_model, model
        value = trial_value
        # A step that damping alone made short says nothing.
        converged = length < tolerance * tolerance and damping < 1.0
        damping = 0.25 * damping if damping > 0.02 else 0.0
    _normal_equations(counts, model, slopes, information, gradient)
    _freeze(information, gradient, depth.size == 0, not flat)
    factorise(information)
    invert_diagonal(information, error)
    return value, _chi2(counts, model), steps, converged


@jit
def _damped_step(information: F64, gradient: F64, damping: float, damped: F64, step: F64) -> None:
    damped[:] = information
    for a in range(gradient.size):
        damped[a, a] *= 1.0 + damping
    factorise(damped)
    substitute(damped, gradient, step)


@jit
def _take(information: F64, trial: F64, theta: F64) -> float:
    """Move to `trial`; return the square of the step in standard errors."""
    taken, length = trial - theta, 0.0
    for a in range(theta.size):
        for b in range(theta.size):
            length += information[a, b] * taken[a] * taken[b]
        theta[a] = trial[a]
    return length


@jit
def _chi2(counts: F64, model: F64) -> float:
    total = 0.0
    for p in range(model.size):
        total += (counts[p] - model[p]) ** 2 / model[p]
    return total


@jit
def _windows(theta: F64, reach: int, shape: tuple[int, int]) -> I64:
    """Per molecule the rows and columns (first, beyond) it is drawn in, as it starts.

    They stay during a fit: a window that followed its molecule would make the model jump.
    """
    windows = np.empty((theta.size // PER_MOLECULE, 4), np.int64)
    for m in range(len(windows)):
        for axis in range(2):
            first = math.floor(theta[m * PER_MOLECULE + 1 - axis]) - reach
            windows[m, 2 * axis] = min(max(first, 0), shape[axis] - 1)
            windows[m, 2 * axis + 1] = max(min(first + 2 * reach + 1, shape[axis]), 1)
    return windows


@jit
def _expect(
    shape: tuple[int, int],
    base: F64,
    kind: int,
    curve: F64,
    coefficients: F32,
    windows: I64,
    theta: F64,
    slopes: F64,
    model: F64,
) -> None:
    """Fill the expected counts per pixel and their derivatives by every parameter."""
    last = theta.size - 1
    model[:] = base + theta[last]
    slopes[:last] = 0.0
    slopes[last] = 1.0
    for m in range(len(windows)):
        j = m * PER_MOLECULE
        x, y, photons, z = theta[j], theta[j + 1], theta[j + 2], theta[j + 3]
        top, bottom, left, right = windows[m]
        image = np.empty((4, bottom - top, right - left))
        draw(kind, curve, coefficients, x - left, y - top, z, image)
        for r in range(bottom - top):
            start = (top + r) * shape[1] + left
            for c in range(right - left):
                p = start + c
                model[p] += photons * image[0, r, c]
                slopes[j, p] = photons * image[1, r, c]
                slopes[j + 1, p] = photons * image[2, r, c]
                slopes[j + 2, p] = image[0, r, c]
                slopes[j + 3, p] = photons * image[3, r, c]
    for p in range(model.size):
        # A spline may undershoot below darkness; a model must not.
        model[p] = max(model[p], _LOWEST_BACKGROUND)


@jit
def _surprise(counts: F64, model: F64) -> float:
    """-2 log likelihood, apart from what the data alone decide."""
    total = 0.0
    for p in range(model.size):
        total += model[p] - counts[p] * math.log(model[p])
    return 2.0 * total


@jit
def _normal_equations(
    counts: F64, model: F64, slopes: F64, information: F64, gradient: F64
) -> None:
    size, pixels = slopes.shape
    weight, residual = np.empty(pixels), np.empty(pixels)
    for p in range(pixels):
        weight[p] = 1.0 / model[p]
        residual[p] = counts[p] * weight[p] - 1.0
    scaled = np.empty(pixels)
    for a in range(size):
        total = 0.0
        for p in range(pixels):
            scaled[p] = slopes[a, p] * weight[p]
            total += slopes[a, p] * residual[p]
        gradient[a] = total
        for b in range(a + 1):
            total = 0.0
            for p in range(pixels):
                total += scaled[p] * slopes[b, p]
            information[a, b] = total
            information[b, a] = total


@jit
def _freeze(information: F64, gradient: F64, no_depth: bool, no_background: bool) -> None:  # noqa: FBT001 - numba takes flags by position
    """Take parameters that are not fitted out of the equations."""
    last = gradient.size - 1
    for a in range(last + 1):
        if (a == last and no_background) or (a < last and a % PER_MOLECULE == 3 and no_depth):
            information[a, :] = 0.0
            information[:, a] = 0.0
            information[a, a] = 1.0
            gradient[a] = 0.0


@jit
def _limit(theta: F64, step: F64, shape: tuple[int, int], depth: F64, trial: F64) -> None:
    """Take a step as far as is safe: within the patch, the range of z, and above darkness."""
    last = theta.size - 1
    for a in range(last):
        part = a % PER_MOLECULE
        if part == 2:
            reach = _PHOTON_STEP * theta[a] + 10.0
            low, high = _LOWEST_PHOTONS, math.inf
        elif part == 3:
            reach = _DEPTH_STEP * (depth[1] - depth[0]) if depth.size else 0.0
            low, high = (depth[0], depth[1]) if depth.size else (theta[a], theta[a])
        else:
            reach, low, high = _PIXEL_STEP, -1.0, shape[1 - part] + 1.0
        trial[a] = min(max(theta[a] + min(max(step[a], -reach), reach), low), high)
    trial[last] = max(
        theta[last] + step[last], _LOWEST_BACKGROUND if step[last] != 0 else theta[last]
    )
