"""Detection and maximum likelihood in one engine: the default, and every network's yardstick."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from live_smlm.core import EngineContext, EngineSpec, FrameBatch, Localizations, require
from live_smlm.engines.detect_engine import Detect
from live_smlm.engines.detect_filter import SpotFilter
from live_smlm.engines.detect_rois import candidates, cut
from live_smlm.engines.fit_engine import MaximumLikelihood, open_fitter
from live_smlm.engines.joint_frame import JointFitter
from live_smlm.fitting.model import SPLINE
from live_smlm.fitting.rois import RoiFitter

_FAR_LIGHT = 1.5
"""Extents of a spline within which light that is left would look like further molecules."""


@dataclass(slots=True, eq=False)
class FrameFit:
    """The function that `GaussMle` yields."""

    spots: SpotFilter
    fitter: RoiFitter
    size: int
    joint: JointFitter | None = None
    dropped: int = 0
    """Fits so far that failed, ran away from their peak or to a limit of z; not in the answers."""

    def __call__(self, batch: FrameBatch, /) -> Localizations:
        """The molecules of the frames between the halos."""
        if self.joint is not None:
            core = batch.core
            found, failed = self.joint.localizations(list(batch.pixels[core]), batch.index[core])
            self.dropped += failed
            return found
        at = candidates(batch, self.spots, self.size)
        counts = cut(batch.pixels, at, self.size, self.spots.scale)
        fitted = self.fitter.fit(counts, at.row, at.column)
        good = self.fitter.good(fitted, at.row, at.column, self.size)
        found = self.fitter.localizations(
            fitted, good, batch.index[at.place], at.row, at.column, self.size
        )
        self.dropped += len(at.place) - len(found)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussMle:
    """Frames to molecules: `detect` and `mle` without the way between them.

    Serves every PSF that the fits know. With `joint`, molecules that overlap
    are fitted together: each round looks for more in what the molecules found
    so far leave unexplained, refits neighbours in one fit, and drops those
    whose removal costs less than `threshold` squared in twice the log
    likelihood. With a round PSF that takes some 6 times as long at 0.1
    molecules per µm² and 25 times at 1 per µm²; with an astigmatic one, 8 and 65 times.
    """

    threshold: float = 4.5
    """Standard errors; see `Detect`."""
    roi_px: int = 0
    """Side of the cut-outs; 0: as wide as the PSF asks."""
    free_sigma: bool = False
    """Fit the width too; see `MaximumLikelihood`."""
    max_iterations: int = 50
    joint: bool = False
    joint_rounds: int = 4
    """How often at most the rest is searched, the frame itself included."""

    def __post_init__(self) -> None:
        self._detect()
        MaximumLikelihood(free_sigma=self.free_sigma, max_iterations=self.max_iterations)
        require(
            1 <= self.joint_rounds <= 100,
            f"gauss-mle joint_rounds is {self.joint_rounds}; give 1 to 100, often 4",
        )
        require(
            not (self.joint and self.free_sigma),
            "gauss-mle joint and free_sigma exclude each other; fit the width without joint",
        )

    def _detect(self) -> Detect:
        return Detect(threshold=self.threshold, roi_px=self.roi_px)

    @property
    def spec(self) -> EngineSpec:
        """Frames to molecules."""
        return EngineSpec(name="gauss-mle", consumes=FrameBatch, produces=Localizations)

    def unsupported(self, context: EngineContext) -> str | None:
        """What either half cannot do."""
        fit = MaximumLikelihood(free_sigma=self.free_sigma)
        return fit.unsupported(context) or self._detect().unsupported(context)

    @contextmanager
    def open(self, context: EngineContext) -> Iterator[Callable[[FrameBatch], Localizations]]:
        """See `core.Engine`; yields a `FrameFit`."""
        detect = self._detect()
        spots, size = detect.filter(context), detect.size(context)
        fitter = open_fitter(context, self.max_iterations, free_sigma=self.free_sigma)
        joint = None
        if self.joint:
            sigma = detect.sigma_px(context)
            extent = fitter.model.psf.extent_nm / context.camera.pixel_size_nm
            far = _FAR_LIGHT if fitter.model.kind == SPLINE else 1.0
            reach = max(size // 2, int(far * extent))
            joint = JointFitter(
                spots, fitter, size, reach, sigma, self.joint_rounds, self.threshold
            )
        yield FrameFit(spots, fitter, size, joint)
