"""The loops that put molecules into pixels; arrays only.

Positions and widths are nm. `sums` is (planes, rows, columns) and `amounts`
(molecules, planes): what a molecule adds to each plane in all. One pass thus
fills an image and the moments of a value beside it. A molecule whose place or
width is unknown, or which lies outside, adds nothing.
"""

import math
from functools import cache
from statistics import NormalDist

import numpy as np

from live_smlm.core import F32, F64
from live_smlm.physics.jit import jit

SIGMAS_DRAWN = 3.0
FARTHEST_SIGMAS = 3.7
"""No scattered point falls farther: the outermost of the normal's quantiles."""
LEAST_SIGMA_PIXELS = 0.3
"""Below this a Gaussian falls into one pixel anyway."""

_STEPS = 2048
_QUANTILES = 4096
_INDEX_BITS = np.uint64(_QUANTILES - 1)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S12, _S27, _S30, _S31 = np.uint64(12), np.uint64(27), np.uint64(30), np.uint64(31)


@cache
def cut_normal() -> F64:
    """Share of a Gaussian cut at 3 sigma that lies left of -3 to 3 sigma, in even steps.

    Between two steps a straight line is true to 4e-7.
    """
    normal = NormalDist()
    edges = np.linspace(-SIGMAS_DRAWN, SIGMAS_DRAWN, _STEPS + 1)
    left = np.array([normal.cdf(float(t)) for t in edges])
    return np.asarray((left - left[0]) / (left[-1] - left[0]))


@cache
def normal_quantiles() -> F32:
    """Equally likely values of a standard normal."""
    normal = NormalDist()
    return np.array([normal.inv_cdf((i + 0.5) / _QUANTILES) for i in range(_QUANTILES)], np.float32)


@jit
def count(
    x: F32, y: F32, copies: int, amounts: F32, y0: float, x0: float, pixel: float, sums: F32
) -> None:
    """Each point into the pixel that it lies in, the amount of a molecule shared among its own."""
    planes, rows, columns = sums.shape
    per_nm, part = 1.0 / pixel, 1.0 / copies
    for n in range(x.size):
        across, along = (x[n] - x0) * per_nm, (y[n] - y0) * per_nm
        if 0.0 <= across < columns and 0.0 <= along < rows:
            for p in range(planes):
                sums[p, int(along), int(across)] += part * amounts[n // copies, p]


@jit
def _shares(centre: float, sigma: float, table: F64, share: F32) -> None:
    """What of a cut Gaussian falls into pixels [i, i+1); the whole is one."""
    steps = table.size - 1
    scale = steps / (2.0 * SIGMAS_DRAWN * sigma)
    before = 0.0
    for i in range(share.size + 1):
        at = min(max((i - centre) * scale + 0.5 * steps, 0.0), float(steps))
        k = min(int(at), steps - 1)
        left = table[k] + (at - k) * (table[k + 1] - table[k])
        if i > 0:
            share[i - 1] = left - before
        before = left


@jit
def spread(
    x: F32,
    y: F32,
    sigma_x: F32,
    sigma_y: F32,
    amounts: F32,
    y0: float,
    x0: float,
    pixel: float,
    table: F64,
    sums: F32,
) -> None:
    """Each molecule as a Gaussian cut at 3 sigma that holds all of its amount."""
    planes, rows, columns = sums.shape
    # Two arrays of one short type and a slice that starts at its own zero: so the inner loop
    # runs on as many pixels at once as the processor can.
    across, along = np.empty(columns, np.float32), np.empty(rows, np.float32)
    for m in range(x.size):
        u, v = (x[m] - x0) / pixel, (y[m] - y0) / pixel
        s = max(sigma_x[m] / pixel, LEAST_SIGMA_PIXELS)
        t = max(sigma_y[m] / pixel, LEAST_SIGMA_PIXELS)
        reach_u, reach_v = SIGMAS_DRAWN * s, SIGMAS_DRAWN * t
        if not (math.isfinite(reach_u) and math.isfinite(reach_v)):
            continue
        if not (-reach_u < u < columns + reach_u and -reach_v < v < rows + reach_v):
            continue
        left, right = int(max(0.0, u - reach_u)), int(min(columns - 1.0, u + reach_u)) + 1
        top, bottom = int(max(0.0, v - reach_v)), int(min(rows - 1.0, v + reach_v)) + 1
        n, k = right - left, bottom - top
        _shares(u - left, s, table, across[:n])
        _shares(v - top, t, table, along[:k])
        for p in range(planes):
            amount = amounts[m, p]
            for r in range(k):
                level, line = amount * along[r], sums[p, top + r, left:right]
                for c in range(n):
                    line[c] += level * across[c]


@jit
def _shift(seed: int, number: int, quantiles: F32) -> tuple[float, float]:
    """Two independent normal numbers that depend on the seed and the point's number alone."""
    bits = np.uint64(seed) * _MIX_2 + (np.uint64(number) + np.uint64(1)) * _GOLDEN
    bits = (bits ^ (bits >> _S30)) * _MIX_1
    bits = (bits ^ (bits >> _S27)) * _MIX_2
    bits ^= bits >> _S31
    first, second = bits & _INDEX_BITS, (bits >> _S12) & _INDEX_BITS
    return quantiles[np.int64(first)], quantiles[np.int64(second)]


@jit
def scattered(
    x: F32,
    y: F32,
    sigma_x: F32,
    sigma_y: F32,
    quantiles: F32,
    copies: int,
    seed: int,
    first: int,
) -> tuple[F32, F32]:
    """Each molecule as `copies` points drawn from its Gaussian; NaN where its width is unknown.

    `first` is the number of the first molecule: a molecule of one number and
    seed is scattered alike whatever came with it.
    """
    across, along = np.empty(x.size * copies, np.float32), np.empty(x.size * copies, np.float32)
    for m in range(x.size):
        known = sigma_x[m] >= 0.0 and sigma_y[m] >= 0.0
        for c in range(copies):
            shift_x, shift_y = _shift(seed, (first + m) * copies + c, quantiles)
            across[m * copies + c] = x[m] + shift_x * sigma_x[m] if known else np.nan
            along[m * copies + c] = y[m] + shift_y * sigma_y[m] if known else np.nan
    return across, along
