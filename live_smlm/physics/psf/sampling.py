"""From a volume of camera pixels, measured or computed, to a `SplinePSF`.

Lateral interpolation is exact at the samples, with no light beyond the edges;
along z it is exact too, or a least-squares spline with fewer knots than planes.
"""

import numpy as np

from live_smlm.core import F32, F64, PSF, require
from live_smlm.physics.psf.spline import SplinePSF, plane_weights


def interpolate(
    volume: F32 | F64, *, pixel_size_nm: float, z_step_nm: float, z0_nm: float
) -> SplinePSF:
    """The spline through every sample of `volume` (planes, rows, columns).

    The samples are shares of the molecule's photons in pixels; the molecule is in the middle.
    """
    return _from_volume(volume, 1, pixel_size_nm, z_step_nm, z0_nm)


def smooth_along_z(
    volume: F32 | F64, planes_per_knot: int, *, pixel_size_nm: float, z_step_nm: float, z0_nm: float
) -> SplinePSF:
    """As `interpolate`, with one knot per so many planes, fitted by least squares.

    The last planes are left out where they do not fill a knot's interval.
    """
    require(
        planes_per_knot >= 1,
        f"planes_per_knot is {planes_per_knot}; give 1 (no smoothing) or more",
    )
    return _from_volume(volume, planes_per_knot, pixel_size_nm, z_step_nm, z0_nm)


def sample(
    psf: PSF,
    pixel_size_nm: float,
    z_step_nm: float = 50.0,
    *,
    z_range_nm: tuple[float, float] | None = None,
    half_width_nm: float | None = None,
) -> SplinePSF:
    """A spline of any PSF that knows z: quick to evaluate, as exact as the sampling allows.

    The step is shortened so that it divides the range; by default the range is
    the PSF's own and the half-width 1.5 times its extent.
    """
    low, high = z_range_nm or psf.z_range_nm or (0.0, 0.0)
    require(
        low < high,
        f"{psf.name} PSF cannot be sampled from z {low:g} to {high:g} nm; give a range of z",
    )
    require(
        0 < z_step_nm <= (high - low) / 3,
        f"z_step_nm is {z_step_nm:g}; give at most a third of the range of {high - low:g} nm",
    )
    planes = int(np.ceil((high - low) / z_step_nm - 1e-9)) + 1
    z = np.linspace(low, high, planes)
    radius = int(np.ceil((half_width_nm or 1.5 * psf.extent_nm) / pixel_size_nm))
    side = 2 * radius + 1
    middle = np.full(planes, side / 2 * pixel_size_nm)
    volume = psf.images(middle, middle, z, (side, side), pixel_size_nm).value
    step = (high - low) / (planes - 1)
    return interpolate(volume, pixel_size_nm=pixel_size_nm, z_step_nm=step, z0_nm=low)


def _from_volume(
    volume: F32 | F64, planes_per_knot: int, pixel_size_nm: float, z_step_nm: float, z0_nm: float
) -> SplinePSF:
    require(
        volume.ndim == 3 and min(volume.shape, default=0) >= 4,
        f"PSF volume has shape {volume.shape}; give (planes, rows, columns), 4 or more of each",
    )
    knots = (len(volume) - 1) // planes_per_knot + 1
    require(
        knots >= 4,
        f"{len(volume)} planes make {knots} knots of {planes_per_knot} planes; 4 are needed",
    )
    planes = (knots - 1) * planes_per_knot + 1
    used = np.asarray(volume[:planes], np.float64)
    along_z = np.linalg.pinv(plane_weights(np.arange(planes) / planes_per_knot, knots))
    _, ny, nx = volume.shape
    c = np.einsum("kp,pyx->kyx", along_z, used)
    c = np.einsum("ij,kjx->kix", _inverse(ny), c)
    c = np.einsum("ij,kyj->kyi", _inverse(nx), c)
    return SplinePSF(
        coefficients=c.astype(np.float32),
        pixel_size_nm=pixel_size_nm,
        z_step_nm=z_step_nm * planes_per_knot,
        z0_nm=z0_nm,
    )


def _inverse(n: int) -> F64:
    """From samples to the coefficients of the spline through them that are 0 beyond the ends."""
    samples = (4 * np.eye(n) + np.eye(n, k=1) + np.eye(n, k=-1)) / 6
    return np.asarray(np.linalg.inv(samples), np.float64)
