"""How much wider than its PSF a fitted molecule looks, without fitting a width.

The score test: beside the fit's own parameters stands one more, a scale of the
whole image about the molecule. Its derivative follows from those by x and y, so
every PSF of `model` has it. What of the residual lies along that derivative, once
the fitted parameters' share is taken out, is the relative change of the width, to
first order; the information along it is the change's standard error.
"""

import math

import numpy as np

from live_smlm.core import F32, F64, AnyArray
from live_smlm.fitting.cholesky import factorise, substitute
from live_smlm.fitting.model import draw
from live_smlm.physics.jit import jit

WIDTH, WIDTH_ERROR, POWER = 0, 1, 2
SCORES = 3
"""Columns of a score; power is the light's square over its variance, a mean over the pixels."""
_DARKEST = 1e-2
_MOST = 5


@jit
def score_widths(
    data: F32,
    known: F32,
    kind: int,
    curve: F64,
    coefficients: F32,
    fitted: F32,
    deep: bool,  # noqa: FBT001 - compiled functions take flags by position
    out: F64,
) -> None:
    """Fill `out` (n, SCORES) for cut-outs (n, k, k) that `fitted` (n, 5 or more) describes.

    Data and known light are those of the fit, the camera's extra variance included;
    `fitted` holds x, y, photons, background, z as `fit_lanes` leaves them. `deep`
    says that z was fitted.
    """
    n, k, _ = data.shape
    size = _MOST if deep else _MOST - 1
    image, slope = np.empty((4, k, k)), np.empty(_MOST)
    for i in range(n):
        x, y, photons, z = fitted[i, 0], fitted[i, 1], fitted[i, 2], fitted[i, 4]
        draw(kind, curve, coefficients, x, y, z, image)
        matrix, shared = np.zeros((size, size)), np.zeros(size)
        left, taken = np.zeros(size), np.zeros(size)
        information, score, power = 0.0, 0.0, 0.0
        for r in range(k):
            for c in range(k):
                light = photons * image[0, r, c]
                mean = max(light + fitted[i, 3] + known[i, r, c], _DARKEST)
                residual = data[i, r, c] - mean
                _slopes(image, r, c, photons, slope)
                wider = (c + 0.5 - x) * slope[0] + (r + 0.5 - y) * slope[1] - 2.0 * light
                for a in range(size):
                    shared[a] += slope[a] * wider / mean
                    left[a] += slope[a] * residual / mean
                    for b in range(a + 1):
                        matrix[a, b] += slope[a] * slope[b] / mean
                information += wider * wider / mean
                score += wider * residual / mean
                power += light * light / mean
        factorise(matrix)
        substitute(matrix, shared, taken)
        for a in range(size):
            information -= taken[a] * shared[a]
            score -= taken[a] * left[a]
        out[i, WIDTH] = score / information
        out[i, WIDTH_ERROR] = 1.0 / math.sqrt(information)
        out[i, POWER] = power / (k * k)


@jit
def _slopes(image: AnyArray, r: int, c: int, photons: float, slope: F64) -> None:
    """Derivatives of one pixel by x, y, photons, background, z."""
    slope[0] = photons * image[1, r, c]
    slope[1] = photons * image[2, r, c]
    slope[2] = image[0, r, c]
    slope[3] = 1.0
    slope[4] = photons * image[3, r, c]
