"""Bead stacks whose truth is known, to try a calibration on."""

from dataclasses import dataclass

import numpy as np

from live_smlm.core import F64, PSF, CameraModel, RawPixels, require

_OFFSET_ADU = 100


@dataclass(frozen=True, slots=True, eq=False)
class BeadStack:
    """The stack, its camera (1 electron per count, offset 100) and where the beads are."""

    stack: RawPixels
    camera: CameraModel
    x_nm: F64
    y_nm: F64
    height_nm: F64
    """What each bead adds to the plane's z."""
    photons: F64
    """Per plane."""


def bead_stack(
    psf: PSF,
    z_nm: F64,
    *,
    beads: int = 4,
    photons: float = 20000.0,
    background: float = 10.0,
    pixel_size_nm: float = 100.0,
    pitch: int = 48,
    height_range_nm: float = 60.0,
    seed: int = 1,
) -> BeadStack:
    """Beads about `pitch` pixels apart, one plane at each z, Poisson noise.

    Brightness varies by 30 %, heights by `height_range_nm` to both sides.
    """
    require(beads > 0, f"a bead stack of {beads} beads was asked for; give 1 or more")
    rng = np.random.default_rng(seed)
    per_row = int(np.ceil(np.sqrt(beads)))
    shape = (pitch * -(-beads // per_row), pitch * per_row)
    expected = np.full((len(z_nm), *shape), background)
    row, column = (np.array(corner) * pitch for corner in np.divmod(np.arange(beads), per_row))
    x, y = (pitch / 2 + rng.uniform(-2, 2, (2, beads))) * pixel_size_nm
    height = rng.uniform(-height_range_nm, height_range_nm, beads)
    light = photons * rng.uniform(0.7, 1.3, beads)
    flat = np.ones(len(z_nm))
    for i in range(beads):
        at = (x[i] * flat, y[i] * flat, z_nm + height[i])
        image = psf.images(*at, (pitch, pitch), pixel_size_nm).value
        window = np.s_[:, row[i] : row[i] + pitch, column[i] : column[i] + pitch]
        expected[window] += light[i] * image
    counts = np.clip(rng.poisson(np.maximum(expected, 0)) + _OFFSET_ADU, 0, 2**16 - 1)
    camera = CameraModel(shape=shape, pixel_size_nm=pixel_size_nm, offset_adu=float(_OFFSET_ADU))
    corner_x, corner_y = column * pixel_size_nm, row * pixel_size_nm
    return BeadStack(counts.astype(np.uint16), camera, x + corner_x, y + corner_y, height, light)
