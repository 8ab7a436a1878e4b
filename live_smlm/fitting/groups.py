"""Refit the molecules of a frame group by group, and drop those that explain nothing.

Between fits, `light` is the sum of all molecules' images in the frame; a
group's own share is taken out while it is fitted, so that its neighbours are
known light.
"""

import math

import numpy as np

from live_smlm.core import F32, F64, I64, Bool
from live_smlm.fitting.group import PER_MOLECULE, fit_group
from live_smlm.fitting.model import draw
from live_smlm.physics.jit import jit

BACKGROUND, CHI2, STEPS, CONVERGED, ERRORS = 4, 5, 6, 7, 8
COLUMNS = 13
"""A molecule's row: x, y (px), photons, z, then the names above; five standard errors last."""
_BEYOND_DOUBT = 8.0
"""Photons over their standard error from which no test is needed."""
_TOLERANCE = 0.02
_FLAT = True
"""A group has a constant background of its own."""


@jit
def refit_groups(
    counts: F64,
    extra: F64,
    light: F64,
    kind: int,
    curve: F64,
    coefficients: F32,
    reach: int,
    depth: F64,
    significance: float,
    most: int,
    members: I64,
    ends: I64,
    molecules: F64,
    alive: Bool,
) -> None:
    """Refit groups in turn; group g is members[ends[g - 1]:ends[g]] of `molecules` (n, COLUMNS).

    A molecule is dropped (`alive`) where the fit without it is less likely by
    less than `significance` in twice the log likelihood. `light` follows.
    """
    first = 0
    for last in ends:
        group = members[first:last].copy()
        first = last
        for m in group:
            add_light(light, kind, curve, coefficients, reach, molecules[m], -1.0)
        group = _fit_and_prune(
            counts, extra, light, kind, curve, coefficients, reach, depth,
            significance, most, group, molecules, alive,
        )  # fmt: skip
        for m in group:
            add_light(light, kind, curve, coefficients, reach, molecules[m], 1.0)


@jit
def add_light(
    light: F64, kind: int, curve: F64, coefficients: F32, reach: int, molecule: F64, sign: float
) -> None:
    """Add a molecule's image to the frame (sign 1), or take it out (-1)."""
    rows, columns = light.shape
    size = 2 * reach + 1
    top, left = math.floor(molecule[1]) - reach, math.floor(molecule[0]) - reach
    image = np.empty((4, size, size))
    draw(kind, curve, coefficients, molecule[0] - left, molecule[1] - top, molecule[3], image)
    for r in range(max(0, -top), min(size, rows - top)):
        for c in range(max(0, -left), min(size, columns - left)):
            light[top + r, left + c] += sign * molecule[2] * image[0, r, c]


@jit
def _fit_and_prune(
    counts: F64,
    extra: F64,
    light: F64,
    kind: int,
    curve: F64,
    coefficients: F32,
    reach: int,
    depth: F64,
    significance: float,
    most: int,
    group: I64,
    molecules: F64,
    alive: Bool,
) -> I64:
    """Fit one group, then without its weakest members in turn; return those that stay."""
    top, bottom, left, right = _region(molecules, group, reach, counts.shape)
    data = (counts[top:bottom, left:right] + extra[top:bottom, left:right]).copy()
    known = (light[top:bottom, left:right] + extra[top:bottom, left:right]).copy()
    pixels = data.size
    theta, error = _gather(molecules, group, left, top), np.empty(PER_MOLECULE * group.size + 1)
    verdict = fit_group(
        data, known, kind, curve, coefficients, reach, depth, _FLAT, _TOLERANCE, most, theta, error
    )
    tested = np.zeros(group.size, np.bool_)
    while True:
        weakest = _weakest(theta, error, tested)
        if weakest < 0:
            break
        fewer, doubt = _without(theta, weakest), np.empty(theta.size - PER_MOLECULE)
        second = fit_group(
            data, known, kind, curve, coefficients, reach, depth, _FLAT, _TOLERANCE, most,
            fewer, doubt,
        )  # fmt: skip
        tested[weakest] = True
        if second[0] - verdict[0] < significance:
            alive[group[weakest]] = False
            keep = np.arange(group.size) != weakest
            group, tested = group[keep], tested[keep]
            theta, error, verdict = fewer, doubt, second
    _scatter(theta, error, verdict, pixels, depth.size > 0, left, top, group, molecules)
    return group


@jit
def _region(
    molecules: F64, group: I64, reach: int, shape: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Rows and columns that hold the group's windows."""
    x, y = molecules[group, 0], molecules[group, 1]
    top = max(math.floor(y.min()) - reach, 0)
    bottom = min(math.floor(y.max()) + reach + 1, shape[0])
    left = max(math.floor(x.min()) - reach, 0)
    right = min(math.floor(x.max()) + reach + 1, shape[1])
    return top, bottom, left, right


@jit
def _gather(molecules: F64, group: I64, left: int, top: int) -> F64:
    theta = np.empty(PER_MOLECULE * group.size + 1)
    for i, m in enumerate(group):
        theta[PER_MOLECULE * i : PER_MOLECULE * (i + 1)] = molecules[m, :PER_MOLECULE]
        theta[PER_MOLECULE * i] -= left
        theta[PER_MOLECULE * i + 1] -= top
    theta[-1] = molecules[group, BACKGROUND].min()
    return theta


@jit
def _scatter(
    theta: F64,
    error: F64,
    verdict: tuple[float, float, int, bool],
    pixels: int,
    deep: bool,  # noqa: FBT001 - compiled functions take flags by position
    left: int,
    top: int,
    group: I64,
    molecules: F64,
) -> None:
    fitted = (PER_MOLECULE if deep else PER_MOLECULE - 1) * group.size + 1
    for i, m in enumerate(group):
        row, j = molecules[m], PER_MOLECULE * i
        row[:PER_MOLECULE] = theta[j : j + PER_MOLECULE]
        row[0] += left
        row[1] += top
        row[BACKGROUND] = theta[-1]
        row[CHI2] = verdict[1] / max(pixels - fitted, 1)
        row[STEPS], row[CONVERGED] = verdict[2], 1.0 if verdict[3] else 0.0
        row[ERRORS : ERRORS + PER_MOLECULE] = error[j : j + PER_MOLECULE]
        row[ERRORS + PER_MOLECULE] = error[-1]


@jit
def _weakest(theta: F64, error: F64, tested: Bool) -> int:
    """The molecule least sure to be there, of those that are in doubt and not yet tested."""
    lowest, weakest = _BEYOND_DOUBT, -1
    for i in range(tested.size):
        ratio = theta[PER_MOLECULE * i + 2] / error[PER_MOLECULE * i + 2]
        if not tested[i] and not ratio >= lowest:
            lowest, weakest = ratio, i
    return weakest


@jit
def _without(theta: F64, left_out: int) -> F64:
    first = PER_MOLECULE * left_out
    out = np.empty(theta.size - PER_MOLECULE)
    out[:first] = theta[:first]
    out[first:] = theta[first + PER_MOLECULE :]
    return out
