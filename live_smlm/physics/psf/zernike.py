"""Zernike polynomials on the unit disc, by Noll's index, each of unit rms."""

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from live_smlm.core import F64, InputError, require

HIGHEST = 66
"""All of radial order 10."""


def order(noll: int) -> tuple[int, int]:
    """Radial order n and azimuthal order m; m > 0 is a cosine (even index), m < 0 a sine (odd)."""
    require(
        1 <= noll <= HIGHEST,
        f"Zernike index is {noll}; give Noll's index, 1 (piston) to {HIGHEST}",
    )
    n = 0
    while (n + 1) * (n + 2) // 2 < noll:
        n += 1
    rank = noll - n * (n + 1) // 2 - 1
    m = n % 2 + 2 * ((rank + (n + 1) % 2) // 2)
    return n, m if noll % 2 == 0 else -m


def zernike(noll: int, rho: F64, phi: F64) -> F64:
    """The polynomial at polar coordinates; mean square 1 over the disc."""
    n, m = order(noll)
    radial = np.zeros_like(rho)
    for k in range((n - abs(m)) // 2 + 1):
        divisor = (
            math.factorial(k)
            * math.factorial((n + abs(m)) // 2 - k)
            * math.factorial((n - abs(m)) // 2 - k)
        )
        radial += (-1) ** k * math.factorial(n - k) / divisor * rho ** (n - 2 * k)
    if m == 0:
        return math.sqrt(n + 1) * radial
    angular = np.cos(m * phi) if m > 0 else np.sin(-m * phi)
    return math.sqrt(2 * (n + 1)) * radial * angular


def coefficients(given: object) -> Mapping[int, float]:
    """Amplitudes (rad rms) by index, from a table or from text as `5:0.3/11:-0.2`."""
    pairs: list[tuple[object, object]]
    if isinstance(given, Mapping):
        pairs = list(given.items())
    else:
        pairs = [item.partition(":")[::2] for item in str(given).split("/") if item]
    found = {}
    for index, amplitude in pairs:
        try:
            noll, value = int(str(index)), float(str(amplitude))
        except ValueError:
            raise InputError(
                f"Zernike term {index}:{amplitude} is not index:rad; write e.g. 5:0.3/11:-0.2"
            ) from None
        require(abs(value) <= 100, f"Zernike {noll} is {value:g} rad; give 100 rad rms at most")
        order(noll)
        found[noll] = value
    return MappingProxyType(dict(sorted(found.items())))
