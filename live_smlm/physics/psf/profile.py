"""One axis of a pixel-integrated Gaussian, with derivatives; lengths in pixels.

A 2D Gaussian is the product of two such profiles: so simulation, fits and
bounds need erf and exp once per pixel edge, not once per pixel.
"""

import math

from live_smlm.core.arrays import AnyArray
from live_smlm.physics.jit import jit

_SQRT_HALF = math.sqrt(0.5)
_NORM = 1.0 / math.sqrt(2.0 * math.pi)


@jit
def profile(
    centre: float, sigma: float, share: AnyArray, d_centre: AnyArray, d_sigma: AnyArray
) -> None:
    """Fill the light's share in pixels [i, i+1) and its derivatives by centre and sigma."""
    t = -centre / sigma
    left = math.erf(_SQRT_HALF * t)
    g_left = _NORM * math.exp(-0.5 * t * t)
    for i in range(share.size):
        u = (i + 1 - centre) / sigma
        right = math.erf(_SQRT_HALF * u)
        g_right = _NORM * math.exp(-0.5 * u * u)
        share[i] = 0.5 * (right - left)
        d_centre[i] = (g_left - g_right) / sigma
        d_sigma[i] = (t * g_left - u * g_right) / sigma
        t, left, g_left = u, right, g_right
