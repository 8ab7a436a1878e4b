"""The first Fourier coefficient of a cut-out along each axis: its phase is the position."""

import math

import numpy as np

from live_smlm.core import F32, F64
from live_smlm.physics.jit import jit

X, Y, MAGNITUDE_X, MAGNITUDE_Y, MEAN = 0, 1, 2, 3, 4
COLUMNS = 5


@jit
def phasors(data: F32, out: F32) -> None:
    """Fill (n, COLUMNS): x, y in pixels from the corner, the coefficients' size, the mean pixel.

    A constant background does not enter the coefficients.
    """
    n, k, _ = data.shape
    turn = 2 * math.pi / k
    wave = np.empty((2, k), np.float32)
    for c in range(k):
        wave[0, c] = math.cos(turn * (c - 0.5 * (k - 1)))
        wave[1, c] = math.sin(turn * (c - 0.5 * (k - 1)))
    line = np.empty(k, np.float32)
    for i in range(n):
        line[:] = 0
        down = np.float32(0)
        across = np.float32(0)
        total = np.float32(0)
        for r in range(k):
            row = np.float32(0)
            for c in range(k):
                value = data[i, r, c]
                row += value
                line[c] += value
            down += row * wave[0, r]
            across += row * wave[1, r]
            total += row
        out[i, Y] = 0.5 * k + math.atan2(across, down) / turn
        out[i, MAGNITUDE_Y] = math.hypot(across, down)
        down, across = np.float32(0), np.float32(0)
        for c in range(k):
            down += line[c] * wave[0, c]
            across += line[c] * wave[1, c]
        out[i, X] = 0.5 * k + math.atan2(across, down) / turn
        out[i, MAGNITUDE_X] = math.hypot(across, down)
        out[i, MEAN] = total / (k * k)


def magnitudes(image: F64) -> F64:
    """(n, 3): the sizes of the coefficients of images of one photon, and their mean pixel."""
    out = np.empty((len(image), COLUMNS), np.float32)
    phasors(np.ascontiguousarray(image, np.float32), out)
    return out[:, [MAGNITUDE_X, MAGNITUDE_Y, MEAN]].astype(np.float64)
