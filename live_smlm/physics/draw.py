"""Adding molecules to expected images; each is drawn within its extent only."""

import numpy as np

from live_smlm.core import F32, F64, I64, PSF
from live_smlm.physics.jit import jit

_PATCH_PIXELS_AT_ONCE = 500_000
"""Bounds the memory of one call to the PSF: some 16 MiB of values and derivatives."""


def draw(
    images: F32, psf: PSF, pixel_size_nm: float, image: I64, position: F64, photons: F64
) -> None:
    """Add molecules to `images` (n, rows, columns), expected photons per pixel, in place.

    `image` (m,) says which image each molecule is in, `position` (m, 3) is x, y, z
    in nm from the image's outer corner; molecules may lie outside of it.
    """
    side = int(np.ceil(2 * psf.extent_nm / pixel_size_nm)) + 1
    corner = np.rint(position[:, :2] / pixel_size_nm - 0.5 * side).astype(np.int64)
    local = position[:, :2] - corner * pixel_size_nm
    block = max(1, _PATCH_PIXELS_AT_ONCE // side**2)
    for start in range(0, len(photons), block):
        part = np.s_[start : start + block]
        patches = psf.images(
            local[part, 0], local[part, 1], position[part, 2], (side, side), pixel_size_nm
        )
        _add(images, image[part], corner[part], photons[part], patches.value)


@jit
def _add(images: F32, image: I64, corner: I64, photons: F64, patches: F64) -> None:
    _, rows, columns = images.shape
    _, height, width = patches.shape
    for m in range(len(photons)):
        column, row = corner[m, 0], corner[m, 1]
        for r in range(max(0, -row), min(height, rows - row)):
            for c in range(max(0, -column), min(width, columns - column)):
                images[image[m], row + r, column + c] += photons[m] * patches[m, r, c]
