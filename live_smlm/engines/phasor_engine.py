"""The phasor as an engine: positions without iteration, for the highest rates."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from live_smlm.core import EngineContext, EngineSpec, Localizations, RoiBatch
from live_smlm.engines.detect_rois import roi_size
from live_smlm.fitting.phasor_table import PhasorTable, misread_px, phasor_table

_WORST_PX = 0.2
_LEAST_SHARE = 0.6
"""Of the range of z, over which the ratio of the widths must rise or fall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phasor:
    """Position by the phase of each cut-out's first Fourier coefficient, z by their ratio.

    Makes no claim of its precision (no sigma columns), and does not weigh
    pixels by their noise: use `mle` where that matters. Molecules whose
    light comes out negative are dropped.
    """

    @property
    def spec(self) -> EngineSpec:
        """Cut-outs to molecules."""
        return EngineSpec(name="phasor", consumes=RoiBatch, produces=Localizations)

    def unsupported(self, context: EngineContext) -> str | None:
        """A PSF must be known, be one spot, and tell z, if at all, by its two widths."""
        psf, pixel = context.psf, context.camera.pixel_size_nm
        if psf is None:
            return "it needs the PSF to tell light from background; give --psf"
        size = roi_size(psf, context.camera)
        if misread_px(psf, pixel, size) > _WORST_PX:
            return f"the {psf.name} PSF is not one spot, and a phase misplaces it; use mle"
        if psf.z_range_nm is None:
            return None
        table, (low, high) = phasor_table(psf, pixel, size), psf.z_range_nm
        if not table.tells_z or np.ptp(table.z) < _LEAST_SHARE * (high - low):
            return f"the {psf.name} PSF does not tell z by its widths along x and y; use mle"
        return None

    @contextmanager
    def open(self, context: EngineContext) -> Iterator[Callable[[RoiBatch], Localizations]]:
        """See `core.Engine`."""
        pixel = np.float32(context.camera.pixel_size_nm)
        tables: dict[int, PhasorTable] = {}

        def localize(rois: RoiBatch) -> Localizations:
            if rois.size not in tables:
                assert context.psf is not None  # noqa: S101 - unsupported() has said so
                tables[rois.size] = phasor_table(context.psf, float(pixel), rois.size)
            light = rois.photons if rois.background is None else rois.photons - rois.background
            e = tables[rois.size].estimate(light)
            known = 0 if rois.background is None else rois.background.mean(axis=(1, 2))
            found = Localizations(
                frame=rois.frame,
                x=(rois.column + e.x) * pixel,
                y=(rois.row + e.y) * pixel,
                z=e.z,
                photons=e.photons,
                background=e.background + known,
            )
            return rois.passed_on(found, slice(None)).where(e.photons > 0)

        yield localize
