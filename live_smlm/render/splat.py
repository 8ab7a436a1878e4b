"""Each molecule drawn as a Gaussian of its own precision, summing to one.

Works on arrays only; knows no colours and no screens.
"""

import math

import numpy as np

from live_smlm.core import F32, F64, Localizations, Reconstruction, require
from live_smlm.physics.jit import jit
from live_smlm.physics.psf.profile import profile

_SIGMAS_DRAWN = 3.0
_LEAST_SIGMA_PIXELS = 0.3
"""Below this a Gaussian falls into one pixel anyway."""


def splat(
    molecules: Localizations,
    field_nm: tuple[float, float],
    pixel_nm: float,
    precision_nm: float | None = None,
) -> Reconstruction:
    """Draw molecules over a field of (height, width) nm from the origin.

    Each is as wide as its own mean sigma_x, sigma_y, or as `precision_nm`.
    """
    require(pixel_nm > 0, f"reconstruction pixel is {pixel_nm:g} nm; it must be above 0")
    shape = tuple(max(1, math.ceil(side / pixel_nm)) for side in field_nm)
    image = np.zeros(shape, np.float32)
    sigma = np.maximum(_sigmas_nm(molecules, precision_nm) / pixel_nm, _LEAST_SIGMA_PIXELS)
    _draw(
        molecules.x.astype(np.float64) / pixel_nm,
        molecules.y.astype(np.float64) / pixel_nm,
        sigma,
        image,
    )
    frames = molecules.frame if len(molecules) else np.zeros(1, np.int64)
    return Reconstruction(
        image=image[np.newaxis],
        pixel_size_nm=pixel_nm,
        first_frame=int(frames.min()),
        last_frame=int(frames.max()),
    )


def _sigmas_nm(molecules: Localizations, precision_nm: float | None) -> F64:
    if precision_nm is not None:
        return np.full(len(molecules), precision_nm)
    both = molecules.axis("sigma_x").astype(np.float64) + molecules.axis("sigma_y")
    return np.asarray(both / 2)


@jit
def _draw(x: F64, y: F64, sigma: F64, image: F32) -> None:
    rows, columns = image.shape
    longest = max(rows, columns)
    across, along = np.empty(longest), np.empty(longest)
    unused, unused_too = np.empty(longest), np.empty(longest)
    for m in range(x.size):
        reach = _SIGMAS_DRAWN * sigma[m]
        if not (math.isfinite(x[m]) and math.isfinite(y[m]) and math.isfinite(reach)):
            continue
        left, right = max(0, int(x[m] - reach)), min(columns, int(x[m] + reach) + 1)
        top, bottom = max(0, int(y[m] - reach)), min(rows, int(y[m] + reach) + 1)
        if left >= right or top >= bottom:
            continue
        n, k = right - left, bottom - top
        profile(x[m] - left, sigma[m], across[:n], unused[:n], unused_too[:n])
        profile(y[m] - top, sigma[m], along[:k], unused[:k], unused_too[:k])
        for r in range(k):
            for c in range(n):
                image[top + r, left + c] += along[r] * across[c]
