"""How wide a PSF is: the square that holds a molecule's light for practical purposes."""

import numpy as np

from live_smlm.core import PSF

_LIGHT = 0.9
"""Diffraction sends the rest too far and too thinly to be worth fitting."""


def half_width(psf: PSF, pixel_size_nm: float, limit_nm: float) -> float:
    """Half-width in nm that holds 90 % of the light that falls within `limit_nm`.

    In the middle and two thirds into either side of the z range.
    """
    low, high = psf.z_range_nm or (0.0, 0.0)
    z = (low + high) / 2 + np.array([-1.0, 0.0, 1.0]) * (high - low) / 3
    radius = max(1, int(limit_nm / pixel_size_nm))
    side = 2 * radius + 1
    middle = np.full(len(z), side / 2 * pixel_size_nm)
    value = psf.images(middle, middle, z, (side, side), pixel_size_nm).value
    total = value.sum(axis=(1, 2))
    for r in range(1, radius):
        inner = np.s_[radius - r : radius + r + 1]
        if np.all(value[:, inner, inner].sum(axis=(1, 2)) >= _LIGHT * total):
            return (r + 0.5) * pixel_size_nm
    return min(limit_nm, (radius + 0.5) * pixel_size_nm)
