"""One axis of a pixel-integrated Gaussian for sixteen fits at once; lengths in pixels.

The counterpart of `physics.psf.profile` for the inner loop of fits: single
precision, with polynomials instead of library calls, which the compiler turns
into vector instructions. The share of a pixel is right to 2e-7.
"""

import math

import numpy as np

from live_smlm.core import F32
from live_smlm.physics.jit import jit

LANES = 16
"""Single-precision numbers in the widest register of current processors."""

_W = LANES
_ONE, _HALF = np.float32(1), np.float32(0.5)
_NORM = np.float32(1 / math.sqrt(2 * math.pi))
_LOG2_E = np.float32(math.log2(math.e))
_LOWEST = np.float32(-100)
_E1, _E2, _E3 = np.float32(0.693147182), np.float32(0.240226462), np.float32(0.0555032962)
_E4, _E5, _E6 = np.float32(0.00961882342), np.float32(0.00133998715), np.float32(0.000153533)
_P = np.float32(0.3275911 * math.sqrt(0.5))
_A1, _A2, _A3 = np.float32(0.254829592), np.float32(-0.284496736), np.float32(1.421413741)
_A4, _A5 = np.float32(-1.453152027), np.float32(1.061405429)


@jit
def axis_profile(centre: F32, sigma: F32, slope: F32, k: int, out: F32) -> None:
    """Fill per pixel the light's share, its derivative by centre, and by sigma times `slope`.

    `out` is (k, 3, LANES), flat.
    """
    below, bell = np.empty(_W, np.float32), np.empty(_W, np.float32)
    lever = np.empty(_W, np.float32)
    for edge in range(k + 1):
        position = np.float32(edge)
        o = out[3 * max(edge - 1, 0) * _W : 3 * (max(edge - 1, 0) + 1) * _W]
        for lane in range(_W):
            inverse = _ONE / sigma[lane]
            u = (position - centre[lane]) * inverse
            g = exp2(max(-_HALF * _LOG2_E * u * u, _LOWEST))
            t = _ONE / (_ONE + _P * abs(u))
            tail = _HALF * g * t * (_A1 + t * (_A2 + t * (_A3 + t * (_A4 + t * _A5))))
            share = tail if u < 0 else _ONE - tail
            g *= _NORM * inverse
            o[lane] = share - below[lane]
            o[_W + lane] = bell[lane] - g
            o[2 * _W + lane] = (lever[lane] - u * g) * slope[lane]
            below[lane], bell[lane], lever[lane] = share, g, u * g


@jit
def line_profile(
    centre: np.float32, sigma: np.float32, slope: np.float32, k: int, out: F32
) -> None:
    """The same for one fit whose k + 1 edges stand side by side; `out` is (3, more than k)."""
    inverse = _ONE / sigma
    share, bell, lever = out[0], out[1], out[2]
    for edge in range(k + 1):
        u = (np.float32(edge) - centre) * inverse
        g = exp2(max(-_HALF * _LOG2_E * u * u, _LOWEST))
        t = _ONE / (_ONE + _P * abs(u))
        tail = _HALF * g * t * (_A1 + t * (_A2 + t * (_A3 + t * (_A4 + t * _A5))))
        share[edge] = tail if u < 0 else _ONE - tail
        g *= _NORM * inverse
        bell[edge] = g
        lever[edge] = u * g
    for pixel in range(k):
        share[pixel] = share[pixel + 1] - share[pixel]
        bell[pixel] -= bell[pixel + 1]
        lever[pixel] = (lever[pixel] - lever[pixel + 1]) * slope


@jit
def exp2(y: np.float32) -> np.float32:
    """2 to the power y for -126 < y < 127, to 2e-7 of its value."""
    whole: np.float32 = np.floor(y + _HALF)
    p = y - whole
    power = np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)
    series = _E1 + p * (_E2 + p * (_E3 + p * (_E4 + p * (_E5 + p * _E6))))
    out: np.float32 = power * (_ONE + p * series)
    return out
