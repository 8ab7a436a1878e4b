"""What a drawn image is made of: pixels, mirrored aberrations, light, and the bound."""

import numpy as np

from live_smlm.core import F32, F64, I64
from live_smlm.physics.psf.zernike import order
from live_smlm_smnet.network import VALUES

SHIFT_PX = 1
"""By which cut-outs are shifted at most."""


def line(size: int, shift: I64, flip: I64) -> I64:
    """(n, size) pixels of the stock along one axis: shifted, then mirrored where `flip` is -1."""
    at = np.arange(size)
    start = (SHIFT_PX + shift)[:, None]
    return np.asarray(start + np.where(flip[:, None] > 0, at, size - 1 - at))


def mirrored_sign(mode: int, axis: str) -> int:
    """What mirroring along an axis makes of a Zernike polynomial's strength."""
    _, m = order(mode)
    cosine = m >= 0
    if axis == "y":
        return 1 if cosine else -1
    return 1 if (m % 2 == 0) == cosine else -1


def bound_of(images: F32, photons: F64, variance: F64, pixel_nm: float) -> F64:
    """(n, 5) roots of the diagonal of the inverse of Fisher's information."""
    light, by_x, by_y, by_z = images.astype(np.float64)
    bright = photons[:, None, None]
    slopes = [bright * by_x * pixel_nm, bright * by_y * pixel_nm, light, np.ones_like(light)]
    stack = np.stack([*slopes, bright * by_z], axis=1).reshape(len(photons), VALUES, -1)
    weighted = stack / variance.reshape(len(photons), 1, -1)
    information = weighted @ stack.transpose(0, 2, 1)
    return np.asarray(np.sqrt(np.einsum("nii->ni", np.linalg.inv(information))))


def between(rng: np.random.Generator, count: int, limits: tuple[float, float]) -> F64:
    """So many values, each order of magnitude as likely."""
    low, high = np.log(limits)
    return np.asarray(np.exp(rng.uniform(low, high, count)))
