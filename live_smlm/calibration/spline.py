"""From a bead stack to a spline PSF: all beads, aligned and averaged.

Along z the average is smoothed to knots some 75 nm apart, which a PSF does
not notice (0.1 % of its peak for a double helix) and noise does. See
`astigmatic` for the sign of the z step.
"""

from dataclasses import dataclass

import numpy as np

from live_smlm.calibration.align import Aligned, align
from live_smlm.calibration.beads import Beads, find_beads
from live_smlm.core import F64, CameraModel, RawPixels, require
from live_smlm.physics.psf.sampling import smooth_along_z
from live_smlm.physics.psf.spline import SplinePSF

_KNOT_NM = 75.0


@dataclass(frozen=True, slots=True, eq=False)
class SplineCalibration:
    """The PSF and the beads in it."""

    psf: SplinePSF
    beads: Beads
    x_nm: F64
    """Of each bead in the stack."""
    y_nm: F64
    z_nm: F64
    """Of each bead over their mean height."""
    photons: F64
    """Of each bead and plane, within the patch."""


def calibrate_spline(
    stack: RawPixels,
    camera: CameraModel,
    z_step_nm: float,
    *,
    radius_nm: float = 1500.0,
    z_first_nm: float | None = None,
) -> SplineCalibration:
    """Find beads, align and average them within a square of half-width `radius_nm`.

    z = 0 is where the image is sharpest (the largest sum of squares), unless
    `z_first_nm` gives the first plane's z for the beads' mean height. The
    light within the square in the sharpest plane is 1.
    """
    require(
        0 < abs(z_step_nm) <= 200,
        f"z_step_nm is {z_step_nm:g}; give 200 nm or less (50 or less is better), and not 0",
    )
    planes, step = len(stack), abs(z_step_nm)
    knot = max(1, round(_KNOT_NM / step))
    require(
        planes >= 8 * knot,
        f"bead stack has {planes} planes of {step:g} nm; take {8 * knot} or more",
    )
    if z_step_nm < 0:
        stack = stack[::-1]
        z_first_nm = None if z_first_nm is None else z_first_nm + (planes - 1) * z_step_nm
    beads = find_beads(stack, camera, radius_nm=radius_nm)
    aligned = align(beads.needed(), knot)
    psf, light = _psf(aligned, knot, step, camera.pixel_size_nm, z_first_nm)
    places = aligned.places
    corners = np.array([(b.column, b.row) for b in beads.found])
    within = np.array([(p.x, p.y) for p in places])
    x, y = ((corners + within) * camera.pixel_size_nm).T
    z = np.array([p.height for p in places]) * step
    return SplineCalibration(psf, beads, x, y, z, np.array([p.photons for p in places]) * light)


def _psf(
    aligned: Aligned, knot: int, step: float, pixel: float, z_first_nm: float | None
) -> tuple[SplinePSF, float]:
    """The PSF, and the light its sharpest plane had before it was made 1."""
    known = {"pixel_size_nm": pixel, "z_step_nm": step}
    raw = smooth_along_z(aligned.volume, knot, z0_nm=aligned.first_plane * step, **known)
    sharp, light = _sharpest(raw)
    zero = sharp if z_first_nm is None else -z_first_nm
    psf = SplinePSF(
        coefficients=raw.coefficients / np.float32(light),
        pixel_size_nm=pixel,
        z_step_nm=raw.z_step_nm,
        z0_nm=raw.z0_nm - zero,
    )
    return psf, light


def _sharpest(psf: SplinePSF) -> tuple[float, float]:
    """Where (z in nm) the sum of squares is largest, and the light there."""
    low, high = psf.z_range_nm or (0.0, 0.0)
    z = np.linspace(low, high, 201)
    _, rows, columns = psf.coefficients.shape
    pixel = psf.pixel_size_nm
    x, y = np.full(201, columns / 2 * pixel), np.full(201, rows / 2 * pixel)
    value = psf.images(x, y, z, (rows, columns), pixel).value
    best = int(np.sum(value**2, axis=(1, 2)).argmax())
    return float(z[best]), float(value[best].sum())
