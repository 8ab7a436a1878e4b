"""A second opinion on an engine's molecules: a few isolated ones, fitted again from the frames.

What comes back are plain numbers per molecule: by how much engine and fit differ,
what error each claims, how well the PSF describes the light and how much wider than
the PSF it is. What they mean together is `metrics.trust`'s business. The sample
depends on the molecules and their frames' numbers alone.
"""

from dataclasses import dataclass

import numpy as np

from live_smlm.core import (
    F32,
    F64,
    I32,
    I64,
    AnyArray,
    CameraModel,
    EngineContext,
    FrameBatch,
    Localizations,
    RawPixels,
    from_columns,
    require,
)
from live_smlm.fitting.cutouts import cut_frames, cut_map
from live_smlm.fitting.model import fit_model
from live_smlm.fitting.rois import RoiFitter, roi_fitter
from live_smlm.fitting.width_score import POWER, SCORES, WIDTH, WIDTH_ERROR, score_widths
from live_smlm.physics.jit import jit
from live_smlm.physics.psf.extent import half_width
from live_smlm.physics.psf.spline import SplinePSF

COLUMNS = (
    *("gap_x", "gap_y", "gap_z"),
    *("engine_sigma_x", "engine_sigma_y", "engine_sigma_z"),
    *("fit_sigma_x", "fit_sigma_y", "fit_sigma_z"),
    *("width", "width_error", "chi2", "power"),
    *("photons", "background", "z"),
)
"""Of a row: engine minus fit and both standard errors (nm); the relative excess of the width
and its standard error; chi² per degree of freedom and the light's mean square over its
variance; the fit's photons, photons per pixel and z (nm). NaN is what is not known."""
MOLECULES = 8
"""Most that are looked at in one chunk."""
_STEPS = 30
_LOOKED_AT = 128
"""Most molecules asked whether they are isolated."""
_GUARD = 0.75
"""Share of the PSF's half-width that is kept free around a cut-out."""
_THERE = 3.0
"""Standard errors of its photons from which a molecule is there."""
_FAR = 1.5
"""Extents of a PSF within which all of its light is."""


def unshadowed(context: EngineContext) -> str | None:
    """Why nothing can be fitted here, if so."""
    if context.psf is None:
        return "no PSF: nothing to compare with"
    if isinstance(context.psf, SplinePSF):
        reason = context.psf.unfit(context.camera.pixel_size_nm)
        if reason is not None:
            return reason
    if _size(context) > min(context.camera.shape):
        return "the frames are smaller than the PSF: nothing to compare with"
    return None


def open_shadow(context: EngineContext) -> "Shadow | None":
    """The shadow of any engine in this place, compiled; None where nothing can be fitted."""
    if unshadowed(context) is not None or context.psf is None:
        return None
    pixel_nm = context.camera.pixel_size_nm
    model = fit_model(context.psf, pixel_nm)
    fitter = roi_fitter(model, context.camera, _STEPS, free_sigma=False)
    size = _size(context)
    reach_nm = (size / 2 + _GUARD * (size // 2)) * pixel_nm
    shadow = Shadow(fitter, size, reach_nm)
    shadow(*_trial(context.camera))
    return shadow


def column(rows: F32, name: str) -> F32:
    """One column of what a shadow says."""
    return rows[:, COLUMNS.index(name)]


@dataclass(frozen=True, slots=True, eq=False)
class Shadow:
    """Rows (n, `COLUMNS`) about up to `MOLECULES` of a chunk; all NaN where a fit finds none."""

    fitter: RoiFitter
    size: int
    reach_nm: float
    """Half side of the square in which an isolated molecule is alone."""

    def __call__(self, frames: FrameBatch, molecules: Localizations, /) -> F32:
        """Look at a few of an engine's molecules in the frames it found them in."""
        chosen = self.sample(molecules)
        place = _places(frames.index, molecules.frame[chosen])
        rows, columns = self.fitter.camera.shape
        row, left = (
            self._corners(molecules.y[chosen], rows),
            self._corners(molecules.x[chosen], columns),
        )
        out = np.full((len(chosen), len(COLUMNS)), np.nan, np.float32)
        if not len(chosen):
            return out
        counts = cut_frames(frames.pixels, place, row, left, self.size, self.fitter.scale)
        fitted, scores = self.fit(counts, row, left)
        found = self._confirmed(fitted, row, left)
        kept = found.frame
        self._compare(molecules.where(chosen[kept]), found, kept, out)
        out[kept, COLUMNS.index("chi2")] = found.extra["chi2"]
        for name, score in (("width", WIDTH), ("width_error", WIDTH_ERROR), ("power", POWER)):
            out[kept, COLUMNS.index(name)] = scores[kept, score]
        return out

    def _confirmed(self, fitted: F32, row: I32, left: I32) -> Localizations:
        """Fits that succeeded and found light; their place among the cut-outs as their frame."""
        place = np.arange(len(fitted))
        good = self.fitter.good(fitted, row, left, self.size)
        found = self.fitter.localizations(fitted, good, place, row, left, self.size)
        return found.where(found.axis("photons") > _THERE * found.axis("sigma_photons"))

    def _corners(self, middle_nm: F32, length: int) -> I32:
        """First pixels of the cut-outs along one axis."""
        first = (middle_nm / self.fitter.camera.pixel_size_nm).astype(np.int32) - self.size // 2
        return np.clip(first, 0, length - self.size)

    def sample(self, molecules: Localizations) -> I64:
        """Rows of molecules that are alone, chosen by hashes of their frames' numbers."""
        order = np.argsort(_hashes(molecules.frame), kind="stable")[:_LOOKED_AT]
        pixel_nm = self.fitter.camera.pixel_size_nm
        down, across = self.fitter.camera.view
        edge = (self.size // 2) * pixel_nm
        bounds = np.array([*across, *down]) * pixel_nm + np.array([edge, -edge, edge, -edge])
        chosen = np.empty(MOLECULES, np.int64)
        found = _alone(
            molecules.frame, molecules.x, molecules.y, order, bounds, self.reach_nm, chosen
        )
        return np.sort(chosen[:found])

    def fit(self, counts: F32, row: I32, left: I32) -> tuple[F32, F64]:
        """Results of `fit_lanes`, and of `score_widths`."""
        model = self.fitter.model
        fitted = self.fitter.fit(counts, row, left)
        extra = cut_map(self.fitter.scale.extra, row, left, self.size)
        scores = np.zeros((len(counts), SCORES))
        score_widths(
            counts + extra,
            extra,
            model.kind,
            model.curve,
            model.coefficients,
            fitted,
            model.z_range is not None,
            scores,
        )
        return fitted, scores

    @staticmethod
    def _compare(engine: Localizations, fit: Localizations, kept: I64, out: F32) -> None:
        """Engine beside fit; what either does not say stays NaN."""
        for axis in "xyz":
            ours, theirs = getattr(engine, axis), getattr(fit, axis)
            if ours is not None and theirs is not None:
                out[kept, COLUMNS.index(f"gap_{axis}")] = ours - theirs
            for who, said in (("engine", engine), ("fit", fit)):
                sigma = getattr(said, f"sigma_{axis}")
                if sigma is not None:
                    out[kept, COLUMNS.index(f"{who}_sigma_{axis}")] = sigma
        for name in ("photons", "background", "z"):
            said_of_it = getattr(fit, name)
            if said_of_it is not None:
                out[kept, COLUMNS.index(name)] = said_of_it


def _size(context: EngineContext) -> int:
    """Side of the cut-outs: nine tenths of the light, so that many molecules are isolated."""
    psf, pixel_nm = context.psf, context.camera.pixel_size_nm
    if psf is None:
        return 1
    half = half_width(psf, pixel_nm, _FAR * psf.extent_nm)
    return 2 * max(2, int(half / pixel_nm)) + 1


def _trial(camera: CameraModel) -> tuple[FrameBatch, Localizations]:
    """A dark frame and a molecule in its middle: what is compiled late is so before frame 0."""
    shape, small = (1, *camera.shape), camera.bits <= 8
    pixels: RawPixels = np.zeros(shape, np.uint8) if small else np.zeros(shape, np.uint16)
    middle_nm = [np.array([side * camera.pixel_size_nm / 2]) for side in camera.shape]
    one = from_columns({"frame": [0], "x": middle_nm[1], "y": middle_nm[0]})
    return FrameBatch(pixels, np.zeros(1, np.int64), np.zeros(1)), one


def _places(index: I64, frame: I64) -> I64:
    """Where these frames lie in a batch; refuses those of other batches."""
    place = np.minimum(np.searchsorted(index, frame), len(index) - 1)
    strange = frame[index[place] != frame]
    require(not len(strange), f"the engine found molecules in frames {strange}, not given to it")
    return place


def _hashes(frame: I64) -> AnyArray:
    """A number per molecule that its frame and its rank in the chunk decide."""
    mixed = frame.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed += np.arange(len(frame), dtype=np.uint64) * np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(32)))


@jit
def _alone(frame: I64, x: F32, y: F32, order: I64, bounds: F64, reach: float, chosen: I64) -> int:
    """Fill `chosen` with the first of `order` within bounds and without a neighbour; how many."""
    found = 0
    for i in order:
        if not (bounds[0] <= x[i] <= bounds[1] and bounds[2] <= y[i] <= bounds[3]):
            continue
        alone = True
        for j in range(len(frame)):
            near = abs(x[j] - x[i]) < reach and abs(y[j] - y[i]) < reach
            if near and frame[j] == frame[i] and j != i:
                alone = False
                break
        if alone:
            chosen[found] = i
            found += 1
            if found == chosen.size:
                break
    return found
