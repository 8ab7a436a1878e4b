"""How wide a PSF of any kind is: one number for filters and for limits of fits."""

import math

import numpy as np

from live_smlm.core import PSF

_HALF_LIGHT = math.sqrt(2 * math.log(2))
"""Radius in sigmas that holds half of a Gaussian's light."""


def effective_sigma(psf: PSF, pixel_size_nm: float) -> float:
    """Sigma (px) of the Gaussian with the same half-light radius, averaged over the range of z."""
    half = max(3, math.ceil(1.5 * psf.extent_nm / pixel_size_nm))
    side = 2 * half + 1
    low, high = psf.z_range_nm or (0.0, 0.0)
    z = (low + high) / 2 + np.linspace(-1, 1, 9) * (high - low) / 3
    middle = np.full(len(z), side * pixel_size_nm / 2)
    image = psf.images(middle, middle, z, (side, side), pixel_size_nm).value.mean(axis=0)
    y, x = np.indices(image.shape) - half
    radius = np.hypot(x, y).ravel()
    order = np.argsort(radius, kind="stable")
    light = np.cumsum(image.ravel()[order])
    return (
        float(np.interp(light[-1] / 2, light - image.ravel()[order] / 2, radius[order]))
        / _HALF_LIGHT
    )
