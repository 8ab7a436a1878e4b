"""Refine a network's molecules by maximum likelihood over the frames in which they shine.

Each detection is linked to those of the frames before and after that are
likely the same molecule, and fitted with one place and a light per frame,
while the light of all other detections is subtracted. Fit and network are then
weighed against each other (`sequence_verdict`); where the network is worth
more, its row stays as it was.
"""

import math
from dataclasses import dataclass

import numpy as np

from live_smlm.core import F32, F64, I64, PSF, Bool, CameraModel, require
from live_smlm.fitting.counts import count_scale
from live_smlm.fitting.fields import FIELDS
from live_smlm.fitting.model import FitModel, fit_model
from live_smlm.fitting.rois import within_depth
from live_smlm.fitting.sequence_fit import Molecules, Movie
from live_smlm.fitting.sequence_link import cells, chances, links
from live_smlm.fitting.sequence_sweep import Fits, no_fits, sweep
from live_smlm.fitting.sequence_verdict import Verdict, judge
from live_smlm.fitting.sequence_window import Optics, X, Y, Z, scratch, shine

_STATE = slice(FIELDS.index("x"), FIELDS.index("background") + 1)
_SIGMAS = slice(FIELDS.index("sigma_x"), FIELDS.index("sigma_photons") + 1)
_ROOM_PX = 2
"""Light is drawn further than the PSF's extent, so that fits do not see where it ends."""
_LEAST_SIGMA = 1e-3
"""px, nm, counts: a network that claims less is not believed."""


@dataclass(frozen=True, slots=True, eq=False)
class Refined:
    """The molecules of the core frames, in the order in which they were given."""

    molecules: F32
    """(k, 10) by `FIELDS`"""
    refined: Bool
    """Rows that changed."""
    chi2: F32
    """Of the fit, per degree of freedom; 0 where there was none."""


@dataclass(frozen=True, slots=True, eq=False)
class SequenceFitter:
    """For one PSF on one camera; holds no state, so lanes may share it."""

    model: FitModel
    extra: F32
    """(rows, columns) variance beyond the light's, in effective counts."""
    half: int
    """Pixels on each side of a molecule that its light reaches."""
    reach: int = 1
    """Frames on each side that are fitted together with a detection's own."""
    sweeps: int = 2
    flat: bool = False
    """Whether z stays as it is given, though the PSF knows it."""

    def __post_init__(self) -> None:
        require(1 <= self.reach <= 8, f"refine reach is {self.reach}; give 1 to 8 frames, often 1")
        require(
            1 <= self.sweeps <= 10, f"refine sweeps is {self.sweeps}; give 1 to 10 passes, often 2"
        )

    @property
    def halo(self) -> int:
        """Frames before and after the core on which its molecules depend."""
        return self.reach * self.sweeps

    @property
    def axes(self) -> int:
        """3, or 2 where z is not asked for or the PSF says nothing about it."""
        return 2 if self._depth is None else 3

    @property
    def _depth(self) -> tuple[float, float] | None:
        return None if self.flat else self.model.z_range

    def refine(
        self, counts: F32, index: I64, place: I64, molecules: F32, core: slice | None = None
    ) -> Refined:
        """Refine the molecules of the frames `core` of n frames (all of them by default).

        `counts` (n, rows, columns) are effective counts, `index` (n,) the camera's
        numbers: nothing is linked over a gap. `molecules` (m, 10) by `FIELDS` are
        those of all n frames, the i-th in frame `place[i]`, which rises. With `halo`
        frames (or all there are) on each side, the answer does not depend on the cut.
        """
        self._check(counts, index, place, molecules)
        first, last, _ = (core or slice(None)).indices(len(counts))
        kept = slice(*np.searchsorted(place, [first, last]))
        out = molecules.astype(np.float32)
        if kept.start >= kept.stop:
            return Refined(out[kept], np.zeros(0, np.bool_), np.zeros(0, np.float32))
        belief = self._passes(counts, index, place, molecules, (first, last))
        better = belief.refined
        out[better, _STATE] = belief.state[better]
        out[better, _SIGMAS] = np.sqrt(np.einsum("nii->ni", belief.doubt)[better])
        chi2 = np.where(better, belief.chi2, 0).astype(np.float32)
        return Refined(out[kept], better[kept], chi2[kept])

    def rehearse(self) -> None:
        """Refine one molecule in the dark, so that nothing is left to be compiled later."""
        shape = self.extra.shape
        one, first = np.ones((1, len(FIELDS)), np.float32), np.zeros(1, np.int64)
        one[0, _STATE] = shape[1] / 2, shape[0] / 2, 0.0, 100.0, 1.0
        self.refine(np.zeros((1, *shape), np.float32), first, first, one)

    def _passes(
        self, counts: F32, index: I64, place: I64, molecules: F32, core: tuple[int, int]
    ) -> "_Belief":
        belief = network = _believed(molecules)
        # Else read-only or strided arrays would each have the kernels compiled anew.
        counts = np.require(counts, np.float32, ["C", "W"])
        place = np.require(place, np.int64, ["C", "W"])
        optics, (rows, columns) = self._optics(), counts.shape[1:]
        room, fits = scratch(optics, 2 * self.reach + 1), no_fits(len(place))
        # So are columns: those of a single row would be contiguous as they are, others not.
        x, y = (np.ascontiguousarray(network.state[:, axis]) for axis in (X, Y))
        found = cells(x, y, place, len(counts), rows, columns)
        many = np.bincount(place, minlength=len(counts))
        cost = chances(many, float(rows * columns), optics.depth)
        variance = np.einsum("nii->ni", network.doubt)[:, : self.axes].copy()
        position = network.state[:, : self.axes].copy()
        follows = np.concatenate([[0], np.diff(index) == 1]).astype(np.int64)
        linked = links(position, variance, place, follows, found, cost, self.reach)
        for after in reversed(range(self.sweeps)):
            wide = after * self.reach
            ends = np.searchsorted(place, [core[0] - wide, core[1] + wide])
            light = np.zeros(counts.shape, np.float32)
            shine(light, optics, belief.state, place, room)
            sweep(
                Movie(counts, self.extra, light),
                Molecules(belief.state, belief.doubt, place, linked),
                optics, found, np.arange(*ends), cost, room, fits,
            )  # fmt: skip
            verdict = judge(fits, network.state, network.doubt, self.axes)
            belief = self._updated(network, fits, verdict)
        return belief

    def _updated(self, network: "_Belief", fits: Fits, verdict: Verdict) -> "_Belief":
        """The fits where they are trusted, the network elsewhere."""
        better = verdict.trusted & within_depth(fits.state[:, Z], self._depth)
        state = np.where(better[:, None], verdict.value, network.state)
        doubt = np.where(better[:, None, None], verdict.covariance, network.doubt)
        return _Belief(state, doubt, better, verdict.chi2)

    def _optics(self) -> Optics:
        model, depth = self.model, np.array(self._depth or (), np.float64)
        # A copy: a spline's own is read-only, see `_passes`.
        return Optics(model.kind, model.curve, model.coefficients.copy(), self.half, depth)

    def _check(self, counts: F32, index: I64, place: I64, molecules: F32) -> None:
        n = len(counts)
        require(
            counts.shape == (n, *self.extra.shape),
            f"frames to refine are {counts.shape}; the camera's are {self.extra.shape}",
        )
        require(len(index) == n, f"{n} frames to refine have {len(index)} numbers; give one each")
        require(
            molecules.shape == (len(place), len(FIELDS)),
            f"{len(place)} molecules to refine have values {molecules.shape}; "
            f"give {len(FIELDS)} for each",
        )
        rising = bool(np.all(np.diff(place) >= 0)) and (
            len(place) == 0 or (place[0] >= 0 and place[-1] < n)
        )
        require(rising, f"molecules to refine are not in the order of the {n} frames; sort them")


@dataclass(frozen=True, slots=True, eq=False)
class _Belief:
    """What is known of all molecules between two passes."""

    state: F64
    doubt: F64
    refined: Bool
    chi2: F64


def _believed(molecules: F32) -> _Belief:
    """What the network says."""
    m = len(molecules)
    doubt = np.zeros((m, 4, 4))
    claimed = np.maximum(molecules[:, _SIGMAS], _LEAST_SIGMA).astype(np.float64)
    np.einsum("nii->ni", doubt)[:] = claimed**2
    state = np.ascontiguousarray(molecules[:, _STATE], np.float64)
    return _Belief(state, doubt, np.zeros(m, np.bool_), np.zeros(m))


def sequence_fitter(
    psf: PSF, camera: CameraModel, *, reach: int = 1, sweeps: int = 2, flat: bool = False
) -> SequenceFitter:
    """A fitter for a PSF that fits the camera's pixels."""
    model = fit_model(psf, camera.pixel_size_nm)
    half = math.ceil(psf.extent_nm / camera.pixel_size_nm) + _ROOM_PX
    extra = np.array(count_scale(camera).extra)
    return SequenceFitter(model, extra, half, reach, sweeps, flat)
