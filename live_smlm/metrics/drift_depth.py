"""The loops of the axial drift, and those that find blocks in all axes: arrays only.

Depths are kept in cells twice as wide as those of the plane: weights, weighted sums and
weighted squares. A molecule tells the drift by how much it lies above the mean of its
cell, and tells less the more the depths in that cell scatter.
"""

import math

import numpy as np

from live_smlm.core import F32, F64, I64
from live_smlm.metrics.drift_kernels import climb, deposit
from live_smlm.physics.jit import jit

COARSE = 2
"""Cells of the plane per cell of the depths, along an edge."""
_LAYER_NM = 25.0
"""Scatter of depths within a cell that is expected before it has been seen."""
_LEAST_MASS = 1e-6
"""Weight, 1/nm², below which a cell is empty but for rounding."""
_HUBER = 2.0
_TURNS = 4
_FEWEST = 3


@jit
def layer(
    planes: F32, x: F64, y: F64, z: F64, weight: F64, dx: float, dy: float, dz: float, amount: float
) -> None:
    """Add depths to the cells; x and y in cells of the plane, z in nm."""
    _, rows, columns = planes.shape
    for n in range(z.size):
        i = math.floor((y[n] - dy) / COARSE + 0.5)
        j = math.floor((x[n] - dx) / COARSE + 0.5)
        if 0 <= i < rows and 0 <= j < columns:
            at, w = z[n] - dz, amount * weight[n]
            planes[0, i, j] += w
            planes[1, i, j] += w * at
            planes[2, i, j] += w * at * at


@jit
def _gaps(
    planes: F32, x: F64, y: F64, z: F64, weight: F64, dx: float, dy: float, gap: F64, var: F64
) -> int:
    """Heights above the mean of a molecule's cell with their variances, where it is known."""
    _, rows, columns = planes.shape
    seen = 0
    for n in range(z.size):
        i = math.floor((y[n] - dy) / COARSE + 0.5)
        j = math.floor((x[n] - dx) / COARSE + 0.5)
        if 0 <= i < rows and 0 <= j < columns and planes[0, i, j] > _LEAST_MASS:
            mass, own = planes[0, i, j], 1.0 / weight[n]
            mean = planes[1, i, j] / mass
            scatter = max(planes[2, i, j] / mass - mean * mean, 0.0)
            count = mass * own
            within = (count * scatter + own + _LAYER_NM * _LAYER_NM) / (count + 1.0)
            gap[seen], var[seen] = z[n] - mean, within * (1.0 + 1.0 / count)
            seen += 1
    return seen


@jit
def _height(planes: F32, x: F64, y: F64, z: F64, weight: F64, out: F64) -> None:
    """Robust mean (Huber) of the heights at the displacement out[:2], and its variance."""
    gaps, variances = np.empty(z.size), np.empty(z.size)
    seen = _gaps(planes, x, y, z, weight, out[0], out[1], gaps, variances)
    out[5], out[6] = 0.0, math.inf
    if seen < _FEWEST:
        return
    at, error = float(np.median(gaps[:seen])), 0.0
    for _ in range(_TURNS):
        whole, pulled, error = 0.0, 0.0, 0.0
        for n in range(seen):
            off, var = gaps[n] - at, variances[n]
            share = min(1.0, _HUBER * math.sqrt(var) / max(abs(off), 1e-9)) / var
            whole += share
            pulled += share * off
            error += share * share * max(off * off, 0.25 * var)
        at += pulled / whole
        error /= whole * whole
    out[5], out[6] = at, error


@jit
def locate(
    plane: F32,
    layers: F32,
    floor: float,
    gain: float,
    x: F64,
    y: F64,
    z: F64,
    weight: F64,
    start: F64,
    pull: float,
    out: F64,
    sums: F64,
) -> None:
    """See `climb`; out[5] and out[6] become the axial displacement and its variance."""
    climb(plane, floor, gain, x, y, start, pull, out, sums)
    out[6] = math.inf
    if z.size > 0:
        _height(layers, x, y, z, weight, out)


@jit
def locate_each(
    plane: F32,
    layers: F32,
    floor: float,
    gain: float,
    x: F64,
    y: F64,
    z: F64,
    weight: F64,
    edges: I64,
    amount: float,
    pull: float,
    out: F64,
) -> None:
    """Each block, which is in the planes `amount` times, against all the others."""
    start, sums = np.zeros(2), np.zeros(11)
    for k in range(edges.size - 1):
        low, high = edges[k], edges[k + 1]
        top = min(high, z.size)
        bx, by, bz, bw = (
            x[low:high],
            y[low:high],
            z[min(low, top) : top],
            weight[min(low, top) : top],
        )
        out[k, :] = 0.0
        out[k, 6] = math.inf
        if high == low:
            continue
        deposit(plane, bx, by, 0.0, 0.0, -amount)
        layer(layers, bx, by, bz, bw, 0.0, 0.0, 0.0, -amount)
        locate(plane, layers, floor, gain, bx, by, bz, bw, start, pull, out[k], sums)
        deposit(plane, bx, by, 0.0, 0.0, amount)
        layer(layers, bx, by, bz, bw, 0.0, 0.0, 0.0, amount)
