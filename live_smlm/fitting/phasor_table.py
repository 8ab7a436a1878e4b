"""What the phasor's sizes say of photons, background and z, for one PSF and cut-out size.

Molecules away from the middle of their pixel, or with neighbours, are judged
by this same table: it is an estimate, good enough to start a fit.
"""

from dataclasses import dataclass

import numpy as np

from live_smlm.core import F32, F64, PSF
from live_smlm.fitting.phasor_kernel import (
    COLUMNS,
    MAGNITUDE_X,
    MAGNITUDE_Y,
    MEAN,
    X,
    Y,
    magnitudes,
    phasors,
)

_PLANES = 121
_LEAST_RATIO = 0.2
"""Least change of the logarithm of the ratio over the range of z that tells z."""


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """By molecule: px from the cut-out's corner, nm, and light in the unit of the data."""

    x: F32
    y: F32
    z: F32 | None
    photons: F32
    background: F32


@dataclass(frozen=True, slots=True, eq=False)
class PhasorTable:
    """Sizes by z, of one photon; the ratio rises with the row."""

    z: F64
    ratio: F64
    size: F64
    mean: F64

    @property
    def tells_z(self) -> bool:
        """Whether the ratio of the sizes says where a molecule is."""
        return len(self.z) > 1 and bool(np.ptp(self.ratio) >= _LEAST_RATIO)

    def estimate(self, data: F32) -> Estimates:
        """Positions and light of the molecules in the cut-outs (n, k, k)."""
        p = np.empty((len(data), COLUMNS), np.float32)
        phasors(data, p)
        mx, my = (np.maximum(p[:, j], 1e-6) for j in (MAGNITUDE_X, MAGNITUDE_Y))
        z = np.full(len(data), self.z[len(self.z) // 2])
        if self.tells_z:
            z = np.interp(np.log(mx / my), self.ratio, self.z)
        order = np.argsort(self.z)
        size = np.interp(z, self.z[order], self.size[order])
        mean = np.interp(z, self.z[order], self.mean[order])
        photons = (mx + my) / size
        return Estimates(
            p[:, X],
            p[:, Y],
            z.astype(np.float32) if self.tells_z else None,
            photons.astype(np.float32),
            (p[:, MEAN] - photons * mean).astype(np.float32),
        )


def phasor_table(psf: PSF, pixel_size_nm: float, k: int) -> PhasorTable:
    """The table of a PSF in cut-outs of k pixels."""
    low, high = psf.z_range_nm or (0.0, 0.0)
    z = np.linspace(low, high, _PLANES if high > low else 1)
    middle = np.full(len(z), 0.5 * k * pixel_size_nm)
    mx, my, mean = magnitudes(psf.images(middle, middle, z, (k, k), pixel_size_nm).value).T
    ratio = np.log(np.maximum(mx, 1e-6) / np.maximum(my, 1e-6))
    part = _monotonic(ratio)
    if len(z) > 1 and ratio[part][0] > ratio[part][-1]:
        part = slice(part.stop - 1, part.start - 1 if part.start else None, -1)
    return PhasorTable(z[part], ratio[part], (mx + my)[part], mean[part])


def misread_px(psf: PSF, pixel_size_nm: float, k: int) -> float:
    """By how much the phase misplaces a molecule 0.4 pixels off the middle, at its worst z."""
    low, high = psf.z_range_nm or (0.0, 0.0)
    z = np.linspace(low, high, 9) * (2 / 3)
    at = 0.5 * k + 0.4
    place = np.full(len(z), at * pixel_size_nm)
    image = psf.images(place, place, z, (k, k), pixel_size_nm).value
    out = np.empty((len(z), COLUMNS), np.float32)
    phasors(np.ascontiguousarray(image, np.float32), out)
    return float(np.max(np.abs(out[:, [X, Y]] - at)))


def _monotonic(values: F64) -> slice:
    """The longest run around the middle that only rises or only falls."""
    middle = len(values) // 2
    sign = np.sign(np.diff(values))
    if not len(sign):
        return slice(0, len(values))
    same = sign == sign[middle]
    first, last = middle, middle
    while first > 0 and same[first - 1]:
        first -= 1
    while last + 1 < len(same) and same[last + 1]:
        last += 1
    return slice(first, last + 2)
