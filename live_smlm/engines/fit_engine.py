"""Maximum likelihood as an engine: cut-outs in, molecules with their standard errors out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from live_smlm.core import EngineContext, EngineSpec, Localizations, RoiBatch, require
from live_smlm.fitting.model import fit_model
from live_smlm.fitting.rois import RoiFitter, roi_fitter
from live_smlm.physics.psf.gaussian import GaussianPSF
from live_smlm.physics.psf.spline import SplinePSF


@dataclass(slots=True, eq=False)
class RoiFit:
    """The function that `MaximumLikelihood` yields."""

    fitter: RoiFitter
    dropped: int = 0
    """Fits so far that failed, ran away from their peak or to a limit of z; not in the answers."""

    def __call__(self, rois: RoiBatch, /) -> Localizations:
        """One molecule per cut-out."""
        share = np.float32(self.fitter.scale.per_photon)
        light = None if rois.background is None else rois.background * share
        fitted = self.fitter.fit(
            rois.photons * share, rois.row, rois.column, light, flat=light is None
        )
        good = self.fitter.good(fitted, rois.row, rois.column, rois.size)
        found = self.fitter.localizations(
            fitted, good, rois.frame, rois.row, rois.column, rois.size, light
        )
        self.dropped += len(rois) - len(found)
        return rois.passed_on(found, good)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaximumLikelihood:
    """One molecule per cut-out, by Fisher scoring under the camera's noise.

    Standard errors are the Cramer-Rao bound at the estimate. Extra columns:
    `chi2` (Pearson's, per degree of freedom: 1 where the model is right) and
    `iterations`. Fits that fail, that run away to a brighter neighbour or that
    stop at a limit of z are dropped and counted (`RoiFit.dropped`).
    A background that comes with the cut-outs is taken as known.
    """

    free_sigma: bool = False
    """Fit the width too (column `psf_sigma_nm`); a round Gaussian PSF only."""
    max_iterations: int = 50

    def __post_init__(self) -> None:
        require(
            1 <= self.max_iterations <= 10_000,
            f"mle max_iterations is {self.max_iterations}; give 1 to 10000, often 50",
        )

    @property
    def spec(self) -> EngineSpec:
        """Cut-outs to molecules."""
        return EngineSpec(name="mle", consumes=RoiBatch, produces=Localizations)

    def unsupported(self, context: EngineContext) -> str | None:
        """A PSF must be known; a free width is a round Gaussian's."""
        return reason_not_to_fit(context, free_sigma=self.free_sigma)

    @contextmanager
    def open(self, context: EngineContext) -> Iterator[Callable[[RoiBatch], Localizations]]:
        """See `core.Engine`; yields a `RoiFit`."""
        yield RoiFit(open_fitter(context, self.max_iterations, free_sigma=self.free_sigma))


def reason_not_to_fit(context: EngineContext, *, free_sigma: bool) -> str | None:
    """Why no fit is possible here, if so."""
    psf = context.psf
    if psf is None:
        return "it needs the PSF to fit; give --psf"
    if free_sigma and not isinstance(psf, GaussianPSF):
        return f"free_sigma is for a gaussian PSF, not {psf.name}; leave it out"
    if isinstance(psf, SplinePSF):
        return psf.unfit(context.camera.pixel_size_nm)
    return None


def open_fitter(context: EngineContext, max_iterations: int, *, free_sigma: bool) -> RoiFitter:
    """The fitter for a context in which a fit is possible."""
    reason = reason_not_to_fit(context, free_sigma=free_sigma)
    require(reason is None and context.psf is not None, f"maximum likelihood: {reason}")
    model = fit_model(context.psf, context.camera.pixel_size_nm)  # type: ignore[arg-type] # require
    return roi_fitter(model, context.camera, max_iterations, free_sigma=free_sigma)
