"""Fits of single molecules in cut-outs, whatever the PSF: start values, bounds, verdicts."""

from dataclasses import dataclass

import numpy as np

from live_smlm.core import F32, F64, I32, I64, Bool, CameraModel, Localizations
from live_smlm.core.side import Span
from live_smlm.fitting.counts import CountScale, count_scale
from live_smlm.fitting.cutouts import cut_map
from live_smlm.fitting.lanes import (
    CHI2,
    CONVERGED,
    DEPTH,
    ITERATIONS,
    PARAMETERS,
    RESULTS,
    ROUND,
    WIDTH,
    fit_lanes,
)
from live_smlm.fitting.model import SPLINE, FitModel
from live_smlm.fitting.phasor_table import PhasorTable, phasor_table
from live_smlm.fitting.spline import fit_splines
from live_smlm.fitting.width import effective_sigma

_TOLERANCE = 0.02
"""Standard errors: a shorter step would change nothing that can be measured."""
_PLANE_NM = 120.0
_MARGIN_PX = 1.0
"""How far outside of its cut-out a fit may look for a molecule before it is given up."""
_BRIGHTEST = 1e9
_DARKEST = 1e-2
"""Counts per pixel below which a known background would leave a pixel without variance."""
_WANDER_SIGMAS = 2.0
_WANDER_PX = 1.5
"""How far from its peak a molecule may be, in widths of the PSF and at least in pixels."""
_Z_MARGIN = 1e-3
"""Share of the range of z at its ends where a fit has stopped rather than come to rest."""


@dataclass(frozen=True, slots=True, eq=False)
class RoiFitter:
    """Maximum likelihood in cut-outs of one camera, in counts."""

    model: FitModel
    camera: CameraModel
    scale: CountScale
    kind: int
    most: int
    tables: dict[int, PhasorTable]
    wander_px: float
    """A fit further from its peak has run away to a neighbour."""

    def fit(
        self, counts: F32, row: I32, column: I32, light: F32 | None = None, *, flat: bool = True
    ) -> F32:
        """Results of `fit_lanes` for cut-outs (n, k, k) of counts at these corners.

        `light` is what is known to shine there beside the molecule, in counts per
        pixel; `flat` says that a constant is fitted on top of it.
        """
        n, k, _ = counts.shape
        out = np.zeros((n, RESULTS), np.float32)
        extra = cut_map(self.scale.extra, row, column, k)
        known = extra if light is None else extra + light
        start = self.start(counts if light is None else counts - light)
        if not flat:
            start[:, 3] = 0
            lift = np.maximum(np.float32(_DARKEST) - known, 0)
            counts, known = counts + lift, known + lift
        if self.kind == SPLINE:
            model, planes = self.model, self._planes()
            kind, curve, coefficients = model.kind, model.curve, model.coefficients
            fit_splines(
                counts + extra, known, start, kind, curve, coefficients, planes, flat,
                _TOLERANCE, self.most, out,
            )  # fmt: skip
            return out
        free = np.array([1, 1, 1, flat, self.kind != ROUND], np.float32)
        tolerance, most = np.float32(_TOLERANCE), np.float32(self.most)
        widths, limits = self.model.curve.astype(np.float32), self._limits(k)
        fit_lanes(
            counts + extra, known, start, self.kind, widths, limits, free, tolerance, most, out
        )
        return out

    def start(self, counts: F32) -> F32:
        """Start values (n, 5) of `fit_lanes`, from the phasors."""
        k = counts.shape[1]
        if k not in self.tables:
            pixel = self.camera.pixel_size_nm
            self.tables[k] = phasor_table(self.model.psf, pixel, k)
        e = self.tables[k].estimate(counts)
        fifth = e.z if self.kind == DEPTH and e.z is not None else None
        if fifth is None:
            middle = np.mean(self.model.z_range) if self.model.z_range else self.model.curve[0]
            fifth = np.full(len(counts), middle, np.float32)
        photons, background = np.maximum(e.photons, 10), np.maximum(e.background, 0.1)
        start = np.stack([e.x, e.y, photons, background, fifth], axis=1)
        return np.ascontiguousarray(start, np.float32)

    def _planes(self) -> F64:
        low, high = self.model.z_range or (0.0, 0.0)
        return np.linspace(low, high, max(2, round((high - low) / _PLANE_NM) + 1))

    def _limits(self, k: int) -> F32:
        width = float(self.model.curve[0])
        fifth = [0.3, 0.5 * k, 0.25 * width]
        if self.kind == DEPTH and self.model.z_range is not None:
            low, high = self.model.z_range
            fifth = [low, high, 0.1 * (high - low)]
        place = [-_MARGIN_PX, k + _MARGIN_PX, 0.5 * width]
        light = [[1e-3, _BRIGHTEST, 10.0], [1e-2, _BRIGHTEST, _BRIGHTEST]]
        return np.array([place, place, *light, fifth], np.float32)

    def localizations(
        self,
        fitted: F32,
        good: Bool,
        frame: I64,
        row: I32,
        column: I32,
        k: int,
        light: F32 | None = None,
    ) -> Localizations:
        """The molecules of the fits that are `good`."""
        pixel, share = np.float32(self.camera.pixel_size_nm), np.float32(self.scale.per_photon)
        f, e = fitted[good, :PARAMETERS].T, fitted[good, PARAMETERS : 2 * PARAMETERS].T
        parameters = 4 + (self.kind != ROUND) - (light is not None)
        background, doubt = f[3] / share, e[3] / share
        if light is not None:
            background, doubt = light[good].mean(axis=(1, 2)) / share, np.zeros_like(doubt)
        extra = {
            "chi2": fitted[good, CHI2] / (k * k - parameters),
            "iterations": fitted[good, ITERATIONS].astype(np.int16),
        }
        if self.kind == WIDTH:
            extra |= {"psf_sigma_nm": f[4] * pixel, "sigma_psf_sigma_nm": e[4] * pixel}
        deep = self.kind in (DEPTH, SPLINE)
        return Localizations(
            frame=frame[good],
            x=((column[good] + f[0]) * pixel).astype(np.float32),
            y=((row[good] + f[1]) * pixel).astype(np.float32),
            z=f[4] if deep else None,
            photons=f[2] / share,
            background=background,
            sigma_x=e[0] * pixel,
            sigma_y=e[1] * pixel,
            sigma_z=e[4] if deep else None,
            sigma_photons=e[2] / share,
            sigma_background=doubt if light is None else None,
            extra=extra,
        )

    def good(self, fitted: F32, row: I32, column: I32, k: int) -> Bool:
        """The fits that succeeded: converged, near their peak, within z, with finite errors."""
        x, y = fitted[:, 0], fitted[:, 1]
        down, across = self.camera.view
        inside = (x >= 0) & (x <= k) & (y >= 0) & (y <= k)
        strayed = np.hypot(_strayed(x, column, across, k), _strayed(y, row, down, k))
        good = (fitted[:, CONVERGED] > 0) & inside & np.isfinite(fitted).all(axis=1)
        good &= strayed <= self.wander_px
        if self.kind in (DEPTH, SPLINE):
            good &= within_depth(fitted[:, 4], self.model.z_range)
        return np.asarray(good)


def within_depth(z: F32 | F64, z_range: tuple[float, float] | None) -> Bool:
    """Where z has come to rest inside of its range, if it has one."""
    if z_range is None:
        return np.ones(len(z), np.bool_)
    low, high = z_range
    margin = _Z_MARGIN * (high - low)
    return np.asarray((z > low + margin) & (z < high - margin))


def _strayed(place: F32, corner: I32, span: Span, k: int) -> F32:
    """Pixels along one axis from the peak: the middle, or beyond it where an edge moved the cut."""
    low = np.where(corner <= span[0], 0.5, 0.5 * k)
    high = np.where(corner >= span[1] - k, k - 0.5, 0.5 * k)
    return np.asarray(np.maximum(np.maximum(low - place, place - high), 0), np.float32)


def roi_fitter(model: FitModel, camera: CameraModel, most: int, *, free_sigma: bool) -> RoiFitter:
    """A fitter for one PSF on one camera, which gives up after `most` steps."""
    kind = WIDTH if free_sigma else model.kind
    wander = np.inf
    if kind != SPLINE:
        width = effective_sigma(model.psf, camera.pixel_size_nm)
        wander = max(_WANDER_SIGMAS * width, _WANDER_PX)
    return RoiFitter(model, camera, count_scale(camera), kind, most, {}, wander)
