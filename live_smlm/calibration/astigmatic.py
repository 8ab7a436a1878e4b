"""From bead stacks to the astigmatic PSF: one defocus curve through all beads' widths.

z grows away from the objective. `z_step_nm` is what z gains from one plane to
the next: positive where later planes show the beads further from the
objective. A stack whose focus moves into the sample shows them ever nearer:
give it a negative step.
"""

from dataclasses import dataclass, replace

import numpy as np

from live_smlm.calibration.beads import Beads, find_beads
from live_smlm.calibration.descent import descend, squares
from live_smlm.calibration.widths import PlaneFits, fit_planes
from live_smlm.core import F64, Bool, CameraModel, RawPixels, require
from live_smlm.physics.psf.gaussian import AstigmaticPSF

_CURVE = ("sx0_nm", "sy0_nm", "gx_nm", "gy_nm", "d_nm", "ax", "bx", "ay", "by")
_SCALE = np.array([100, 100, 100, 100, 100, 0.1, 0.1, 0.1, 0.1])
"""Makes all parameters of order one."""
_ELLIPTIC = 0.2
"""ln(sigma_x / sigma_y) that a fifth of the planes must exceed."""
_STEP = 1e-6
"""For differences."""


@dataclass(frozen=True, slots=True, eq=False)
class AstigmaticCalibration:
    """The PSF and what it was fitted to."""

    psf: AstigmaticPSF
    beads: Beads
    planes: tuple[PlaneFits, ...]
    """By bead."""
    z_nm: F64
    """(beads, planes) on the PSF's scale, each bead's own height taken off."""
    used: Bool
    """(beads, planes) that the curve was fitted to."""

    def residuals(self, half_range_nm: float) -> tuple[F64, F64]:
        """(sigma - curve) / curve of x and y, in the used planes up to so far from z = 0."""
        near = self.used & (np.abs(self.z_nm) <= half_range_nm)
        z = self.z_nm[near]
        sigma_x, sigma_y, _, _ = self.psf.widths(z)
        seen_x = np.array([p.sigma_x_nm for p in self.planes])[near]
        seen_y = np.array([p.sigma_y_nm for p in self.planes])[near]
        return seen_x / sigma_x - 1, seen_y / sigma_y - 1


def calibrate_astigmatic(
    stack: RawPixels,
    camera: CameraModel,
    z_step_nm: float,
    *,
    radius_nm: float = 1000.0,
    half_range_nm: float = 600.0,
    z_first_nm: float | None = None,
) -> AstigmaticCalibration:
    """Find beads, fit their widths, fit one curve over `half_range_nm` to both sides of z = 0.

    z = 0 is where the widths are equal, unless `z_first_nm` gives the first
    plane's z (then for the beads' mean height).
    """
    require(
        z_step_nm != 0 and abs(z_step_nm) < half_range_nm / 5,
        f"z_step_nm is {z_step_nm:g}; give a step well below half_range_nm {half_range_nm:g}",
    )
    beads = find_beads(stack, camera, radius_nm=radius_nm)
    planes = tuple(fit_planes(bead, camera.pixel_size_nm) for bead in beads.needed())
    crossings = np.array([_crossing(p) for p in planes])
    z = z_step_nm * (np.arange(len(stack)) - crossings[:, None])
    used = _usable(planes, z, half_range_nm)
    curve, heights = _fit_curve(planes, z, used)
    psf = _psf(curve, half_range_nm)
    meeting = _equal_widths(psf)
    z = z - heights[:, None] - meeting
    middle = 0.0 if z_first_nm is None else z_first_nm - float(z[:, 0].mean())
    low, high = middle - half_range_nm, middle + half_range_nm
    shift = middle - meeting
    psf = replace(
        psf, gx_nm=psf.gx_nm + shift, gy_nm=psf.gy_nm + shift, z_min_nm=low, z_max_nm=high
    )
    return AstigmaticCalibration(
        psf, beads, planes, z + middle, used & (np.abs(z) <= half_range_nm)
    )


def _usable(planes: tuple[PlaneFits, ...], z: F64, half_range_nm: float) -> Bool:
    used = np.array([p.good for p in planes]) & (np.abs(z) <= half_range_nm)
    fewest = int(used.sum(axis=1).min())
    require(
        fewest >= 10,
        f"a bead has only {fewest} planes with a good fit within {half_range_nm:g} nm of focus; "
        "take more planes or a larger radius_nm",
    )
    return used


def _psf(curve: F64, half_range_nm: float) -> AstigmaticPSF:
    values = dict(zip(_CURVE, (float(v) for v in curve), strict=True))
    return AstigmaticPSF(**values, z_min_nm=-half_range_nm, z_max_nm=half_range_nm)


def _crossing(planes: PlaneFits) -> float:
    """The plane, in fractions, where the widths are equal and the spot is smallest."""
    ratio = np.where(planes.good, np.log(planes.sigma_x_nm / planes.sigma_y_nm), np.nan)
    size = planes.sigma_x_nm * planes.sigma_y_nm
    change = np.flatnonzero(ratio[:-1] * ratio[1:] <= 0)
    require(
        len(change) > 0 and float(np.nanpercentile(np.abs(ratio), 80)) > _ELLIPTIC,
        "a bead's two widths never cross; this stack is not astigmatic, or focus is not in it",
    )
    i = int(change[np.argmin(size[change])])
    span = ratio[i] - ratio[i + 1]
    return float(i + (ratio[i] / span if span else 0.0))


def _equal_widths(psf: AstigmaticPSF) -> float:
    """The z nearest to the range's middle where the curves meet."""
    low, high = psf.z_min_nm, psf.z_max_nm
    z = np.linspace(low, high, 4001)
    sigma_x, sigma_y, _, _ = psf.widths(z)
    meeting = z[:-1][np.diff(np.sign(sigma_x - sigma_y)) != 0]
    require(len(meeting) > 0, "the fitted widths never meet; give z_first_nm to set z")
    return float(meeting[np.argmin(np.abs(meeting - (low + high) / 2))])


def _fit_curve(planes: tuple[PlaneFits, ...], z: F64, used: Bool) -> tuple[F64, F64]:
    """The curve's parameters and each bead's offset (their mean 0), by relative least squares."""
    bead, at = np.nonzero(used)[0], z[used]
    seen_x = np.array([p.sigma_x_nm for p in planes])[used]
    seen_y = np.array([p.sigma_y_nm for p in planes])[used]

    def model(theta: F64) -> tuple[F64, F64] | None:
        steps = [theta, *(theta + step for step in _STEP * np.eye(len(theta)))]
        curves = [_log_widths(t[: len(_CURVE)], at - _heights(t)[bead]) for t in steps]
        known = [c for c in curves if c is not None]
        if len(known) < len(curves):
            return None
        return known[0], (np.array(known[1:]) - known[0]) / _STEP

    start = np.zeros(len(_CURVE) + len(planes) - 1)
    start[:5] = [seen_x.min(), seen_y.min(), at[seen_x.argmin()], at[seen_y.argmin()], 400.0]
    start[:5] /= _SCALE[:5]
    measured = np.log(np.concatenate([seen_x, seen_y]))
    fitted = descend(model, start, measured, squares, tolerance=1e-9, limit=200)
    require(fitted.converged, "the widths follow no astigmatic curve; look at the beads")
    return fitted.parameters[: len(_CURVE)] * _SCALE, _heights(fitted.parameters)


def _heights(theta: F64) -> F64:
    """Of the beads in nm; they add up to 0."""
    free = theta[len(_CURVE) :] * _SCALE[0]
    return np.append(free, -free.sum())


def _log_widths(scaled: F64, z: F64) -> F64 | None:
    """Of all sigma_x, then all sigma_y; None where a curve has no root."""
    sx0, sy0, gx, gy, d, ax, bx, ay, by = scaled * _SCALE
    u, v = (z - gx) / d, (z - gy) / d
    square_x = 1 + u**2 + ax * u**3 + bx * u**4
    square_y = 1 + v**2 + ay * v**3 + by * v**4
    if min(sx0, sy0, d) <= 0 or min(square_x.min(), square_y.min()) <= 0.05:
        return None
    return np.concatenate([np.log(sx0) + np.log(square_x) / 2, np.log(sy0) + np.log(square_y) / 2])
