"""Random numbers inside numba kernels: uniform, normal, Poisson, gamma.

Every function draws from `state`, one 64-bit word that it moves on (splitmix64:
Steele, Lea, Flood 2014). One word per frame makes a frame's noise independent
of the frames around it, so that frames are the same however they are batched.
"""

import math
from functools import cache
from typing import Any

import numpy as np

from live_smlm.core import F64, AnyArray
from live_smlm.physics.jit import jit

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S8, _S11, _S27 = np.uint64(8), np.uint64(11), np.uint64(27)
_S30, _S31 = np.uint64(30), np.uint64(31)
_LAYERS = 256
_LOW_BYTE = np.uint64(_LAYERS - 1)
_UNIT = 2.0**-53
_TAIL_START = 3.6541528853610088
_LAYER_AREA = 0.00492867323399
"""Where the tail begins and each layer's area, for 256 layers of exp(-x²/2)."""
_TABLE_MEAN_MAX = 64
_TABLE_STEPS = 8
"""Poisson means 0, 1/8, 2/8 ... below 64 have a row in the table of aliases."""
_COLUMNS = 256
_THRESHOLD_ONE = 2.0**56
_ALWAYS = np.uint64(0xFFFFFFFFFFFFFF00)
_LONGEST_REST = 16
"""More is beyond 53 bits of probability when the mean is below 1/8."""


def _ziggurat_edges() -> F64:
    """Right edges of the layers from the base up; the first is the base with its tail."""
    edges = np.empty(_LAYERS + 1)
    height = math.exp(-0.5 * _TAIL_START**2)
    edges[0] = _LAYER_AREA / height
    edges[1] = _TAIL_START
    for i in range(2, _LAYERS):
        height += _LAYER_AREA / edges[i - 1]
        edges[i] = math.sqrt(-2.0 * math.log(height))
    edges[_LAYERS] = 0.0
    return edges


_EDGES = _ziggurat_edges()
_INNER = _EDGES[1:] / _EDGES[:-1]
_HEIGHTS = np.exp(-0.5 * _EDGES**2)


@jit
def _bits(state: AnyArray) -> Any:
    """The next 64 random bits."""
    s = state[0] + _STEP
    state[0] = s
    s = (s ^ (s >> _S30)) * _MIX_1
    s = (s ^ (s >> _S27)) * _MIX_2
    return s ^ (s >> _S31)


@jit
def uniform(state: AnyArray) -> float:
    """Uniform in [0, 1), 53 bits."""
    return float(np.int64(_bits(state) >> _S11) * _UNIT)


@jit
def normal(state: AnyArray) -> float:
    """Standard normal, by the ziggurat (Marsaglia, Tsang 2000)."""
    while True:
        bits = _bits(state)
        layer = np.int64(bits & _LOW_BYTE)
        u = 2.0 * (np.int64(bits >> _S11) * _UNIT) - 1.0
        x = u * _EDGES[layer]
        if abs(u) < _INNER[layer]:
            return float(x)
        if layer == 0:
            return math.copysign(_tail(state), u)
        low, high = _HEIGHTS[layer], _HEIGHTS[layer + 1]
        if low + uniform(state) * (high - low) < math.exp(-0.5 * x * x):
            return float(x)


@jit
def _tail(state: AnyArray) -> float:
    """|x| of a normal beyond the last layer (Marsaglia 1964)."""
    while True:
        x = -math.log(1.0 - uniform(state)) / _TAIL_START
        y = -math.log(1.0 - uniform(state))
        if y + y > x * x:
            return _TAIL_START + x


@cache
def poisson_table() -> AnyArray:
    """What `poisson` needs as `table`: built once per process, in milliseconds."""
    table = np.empty((_TABLE_MEAN_MAX * _TABLE_STEPS, _COLUMNS), np.uint64)
    _fill_table(table)
    return table


@jit
def _fill_table(table: AnyArray) -> None:
    share = np.empty(_COLUMNS)
    for row in range(table.shape[0]):
        mean = row / _TABLE_STEPS
        share[0] = math.exp(-mean)
        for k in range(1, _COLUMNS):
            share[k] = share[k - 1] * mean / k
        _alias(share, table[row])


@jit
def _alias(share: F64, out: AnyArray) -> None:
    """Walker's aliases (Vose 1991): 56 bits of threshold, then 8 bits of alias, per column."""
    n = share.size
    poor, rich = np.empty(n, np.int64), np.empty(n, np.int64)
    poor_count = rich_count = 0
    scaled = share * n
    for k in range(n):
        out[k] = _ALWAYS | np.uint64(k)
        if scaled[k] < 1.0:
            poor[poor_count] = k
            poor_count += 1
        else:
            rich[rich_count] = k
            rich_count += 1
    while poor_count > 0 and rich_count > 0:
        poor_count -= 1
        low, high = poor[poor_count], rich[rich_count - 1]
        threshold = np.uint64(np.int64(scaled[low] * _THRESHOLD_ONE))
        out[low] = (threshold << _S8) | np.uint64(high)
        scaled[high] -= 1.0 - scaled[low]
        if scaled[high] < 1.0:
            rich_count -= 1
            poor[poor_count] = high
            poor_count += 1


@jit
def poisson(mean: float, table: AnyArray, state: AnyArray) -> float:
    """A Poisson count (a float that is whole); `mean` is not negative.

    The sum of a count whose mean is the next lower table row's, and one of the rest.
    """
    if mean >= _TABLE_MEAN_MAX:
        return _poisson_by_rejection(mean, state)
    row = np.int64(mean * _TABLE_STEPS)
    bits = _bits(state)
    column = bits & _LOW_BYTE
    entry = table[row, np.int64(column)]
    k = np.int64(column if (bits >> _S8) < (entry >> _S8) else entry & _LOW_BYTE)
    rest = mean - row / _TABLE_STEPS
    u = uniform(state)
    if u >= 1.0 - rest:
        share = math.exp(-rest)
        j = 0
        while u >= share and j < _LONGEST_REST:
            u -= share
            j += 1
            share *= rest / j
        k += j
    return float(k)


@jit
def _poisson_by_rejection(mean: float, state: AnyArray) -> float:
    """Algorithm PTRS (Hoermann 1993); its constants hold for means of 10 and more."""
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    accept_at_once = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u = uniform(state) - 0.5
        v = uniform(state)
        edge = 0.5 - abs(u)
        k = np.floor((2.0 * a / edge + b) * u + mean + 0.43)
        if edge >= 0.07 and v <= accept_at_once:
            return float(k)
        if k < 0 or (edge < 0.013 and v > edge):
            continue
        inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
        hat = math.log(v * inverse_alpha / (a / (edge * edge) + b))
        if hat <= k * math.log(mean) - mean - math.lgamma(k + 1.0):
            return float(k)


@jit
def gamma(shape: float, state: AnyArray) -> float:
    """Gamma of scale 1 and shape of 1 or more (Marsaglia, Tsang 2000)."""
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        x = normal(state)
        t = 1.0 + c * x
        if t <= 0.0:
            continue
        v = t * t * t
        u = 1.0 - uniform(state)
        if u < 1.0 - 0.0331 * x**4 or math.log(u) < 0.5 * x * x + d * (1.0 - v + math.log(v)):
            return d * v
