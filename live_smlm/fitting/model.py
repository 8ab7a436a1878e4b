"""Which PSFs the fits know, as plain numbers that compiled kernels take.

A PSF that is neither Gaussian nor a spline is sampled to a spline first.
"""

import math
from dataclasses import dataclass

import numpy as np

from live_smlm.core import F32, F64, PSF, AnyArray
from live_smlm.fitting.lanes import DEPTH, ROUND
from live_smlm.physics.jit import jit
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.physics.psf.profile import profile
from live_smlm.physics.psf.sampling import sample
from live_smlm.physics.psf.spline import SplinePSF, patch

SPLINE = 3
"""A kind beside those of `lanes`."""
_Z_STEP_NM = 50.0


@dataclass(frozen=True, slots=True, eq=False)
class FitModel:
    """One PSF on one camera's pixels."""

    kind: int
    curve: F64
    """Gaussians: sx0, sy0 (px), gx, gy, d (nm), ax, bx, ay, by. Splines: z0, z step (nm)."""
    coefficients: F32
    """(planes, rows, columns) of a spline; empty for Gaussians."""
    z_range: tuple[float, float] | None
    psf: PSF


def fit_model(psf: PSF, pixel_size_nm: float) -> FitModel:
    """The model of a PSF for pixels of this size."""
    none = np.zeros((0, 0, 0), np.float32)
    if isinstance(psf, GaussianPSF):
        s = psf.sigma_nm / pixel_size_nm
        return FitModel(ROUND, np.array([s, s, 0, 0, 1, 0, 0, 0, 0]), none, None, psf)
    if isinstance(psf, AstigmaticPSF):
        widths = [psf.sx0_nm / pixel_size_nm, psf.sy0_nm / pixel_size_nm]
        bends = [psf.gx_nm, psf.gy_nm, psf.d_nm, psf.ax, psf.bx, psf.ay, psf.by]
        return FitModel(DEPTH, np.array([*widths, *bends]), none, psf.z_range_nm, psf)
    spline = psf if isinstance(psf, SplinePSF) else _sampled(psf, pixel_size_nm)
    curve = np.array([spline.z0_nm, spline.z_step_nm])
    return FitModel(SPLINE, curve, spline.coefficients, spline.z_range_nm, spline)


def _sampled(psf: PSF, pixel_size_nm: float) -> SplinePSF:
    """A spline with enough planes, however short the PSF's range of z."""
    low, high = psf.z_range_nm or (0.0, 0.0)
    return sample(psf, pixel_size_nm, min(_Z_STEP_NM, (high - low) / 4))


@jit
def draw(
    kind: int, curve: F64, coefficients: F32, x: float, y: float, z: float, out: AnyArray
) -> None:
    """Fill `out` (4, rows, columns): value, d_x and d_y per pixel, d_z per nm.

    x and y are pixels from the patch's outer corner.
    """
    if kind == SPLINE:
        patch(coefficients, x, y, (z - curve[0]) / curve[1], out)
        out[3] /= curve[1]
        return
    sx, ux, sy, uy = curve[0], 0.0, curve[1], 0.0
    if kind == DEPTH:
        sx, ux = width_at(z, curve[0], curve[2], curve[4], curve[5], curve[6])
        sy, uy = width_at(z, curve[1], curve[3], curve[4], curve[7], curve[8])
    _, rows, columns = out.shape
    along_x, along_y = np.empty((3, columns)), np.empty((3, rows))
    profile(x, sx, along_x[0], along_x[1], along_x[2])
    profile(y, sy, along_y[0], along_y[1], along_y[2])
    for r in range(rows):
        e, d, w = along_y[0, r], along_y[1, r], along_y[2, r] * uy
        for c in range(columns):
            out[0, r, c] = e * along_x[0, c]
            out[1, r, c] = e * along_x[1, c]
            out[2, r, c] = d * along_x[0, c]
            out[3, r, c] = e * along_x[2, c] * ux + w * along_x[0, c]


@jit
def width_at(z: float, s0: float, g: float, d: float, a: float, b: float) -> tuple[float, float]:
    """Width at z and its derivative by z."""
    u = (z - g) / d
    root = math.sqrt(max(1.0 + u * u * (1.0 + u * (a + b * u)), 0.01))
    return s0 * root, s0 * u * (2.0 + u * (3.0 * a + 4.0 * b * u)) / (2.0 * d * root)
