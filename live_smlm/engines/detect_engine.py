"""The spot detector as an engine: frames in, cut-outs around candidates out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from live_smlm.core import EngineContext, EngineSpec, FrameBatch, RoiBatch, require
from live_smlm.engines.detect_filter import SpotFilter, spot_filter
from live_smlm.engines.detect_rois import candidates, cut, cut_side, roi_size
from live_smlm.fitting.width import effective_sigma


@dataclass(frozen=True, slots=True, kw_only=True)
class Detect:
    """Local maxima that rise above the noise of their own surroundings.

    The frame is smoothed with a Gaussian as wide as the PSF; what is left
    above the local mean is measured in its standard errors, with each pixel's
    own read noise: a noisy pixel is not a molecule. Where the camera has a side
    channel, molecules are looked for outside of it, and cut out there too.
    """

    threshold: float = 4.5
    """Standard errors; 4.5 lets through about one false spot per million pixels."""
    roi_px: int = 0
    """Side of the cut-outs; 0: as wide as the PSF asks."""
    sigma_nm: float = 0.0
    """Width of the smoothing; 0: as wide as the PSF."""

    def __post_init__(self) -> None:
        require(
            2 <= self.threshold <= 1000,
            f"detect threshold is {self.threshold:g}; give 2 to 1000 standard errors, often 4 to 6",
        )
        require(
            self.roi_px == 0 or (self.roi_px >= 5 and self.roi_px % 2 == 1),
            f"detect roi_px is {self.roi_px}; give an odd number from 5 on, or 0 to ask the PSF",
        )
        require(
            0 <= self.sigma_nm < np.inf,
            f"detect sigma_nm is {self.sigma_nm:g}; give nm, or 0 to ask the PSF",
        )

    @property
    def spec(self) -> EngineSpec:
        """Frames to cut-outs."""
        return EngineSpec(name="detect", consumes=FrameBatch, produces=RoiBatch)

    def unsupported(self, context: EngineContext) -> str | None:
        """The PSF must be known unless both sizes are given; the cut-outs must fit."""
        if context.psf is None and not (self.roi_px and self.sigma_nm):
            return "it needs the PSF to know how wide spots are; give --psf"
        size = self.size(context)
        shape = [stop - first for first, stop in context.camera.view]
        if size > min(shape):
            return f"frames of {shape[0]}x{shape[1]} do not hold cut-outs of {size} pixels"
        return None

    def size(self, context: EngineContext) -> int:
        """Pixels along a cut-out."""
        if self.roi_px or context.psf is None:
            return self.roi_px
        return roi_size(context.psf, context.camera)

    def filter(self, context: EngineContext) -> SpotFilter:
        """The filter for this camera and PSF."""
        return spot_filter(context.camera, self.sigma_px(context), self.threshold)

    def sigma_px(self, context: EngineContext) -> float:
        """Width of the smoothing."""
        pixel = context.camera.pixel_size_nm
        if self.sigma_nm or context.psf is None:
            return self.sigma_nm / pixel
        return effective_sigma(context.psf, pixel)

    @contextmanager
    def open(self, context: EngineContext) -> Iterator[Callable[[FrameBatch], RoiBatch]]:
        """See `core.Engine`."""
        spots, size = self.filter(context), self.size(context)

        def detect(batch: FrameBatch) -> RoiBatch:
            at = candidates(batch, spots, size)
            photons = cut(batch.pixels, at, size, spots.scale)
            photons /= np.float32(spots.scale.per_photon)
            side = cut_side(batch.pixels, at, size, context.camera)
            return RoiBatch(photons, batch.index[at.place], at.row, at.column, side=side)

        yield detect
