"""glint: a light network that finds the molecules, and a fit that places them.

The network looks at three frames and says which molecules shine; then each is
fitted by maximum likelihood over all the frames in which it does, with the
exact PSF and camera maps, while its neighbours' light is subtracted. Where the
network knows better than the fit, its word stands.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from live_smlm.core import EngineContext, EngineSpec, FrameBatch, Localizations
from live_smlm.fitting.counts import CountScale, count_scale
from live_smlm.fitting.sequence import SequenceFitter, sequence_fitter
from live_smlm.inference.model_engine import Localizer, ModelEngine, molecules
from live_smlm.inference.runtime import Peaks


@dataclass(frozen=True, slots=True, eq=False)
class Refiner:
    """The function that `Glint` yields."""

    localizer: Localizer
    fitter: SequenceFitter
    scale: CountScale

    def __call__(self, batch: FrameBatch, /) -> Localizations:
        """The molecules of the frames between the halos; `refined` says which the fit moved."""
        before, after = (min(self.fitter.halo, frames) for frames in batch.halo)
        halo = (batch.halo[0] - before, batch.halo[1] - after)
        wide = FrameBatch(batch.pixels, batch.index, batch.time_s, halo)
        peaks = self.localizer.peaks(wide)
        counts = (batch.pixels[wide.core] - self.scale.offset) * self.scale.gain
        core = slice(before, len(counts) - after)
        numbers = batch.index[wide.core]
        fitted = self.fitter.refine(counts, numbers, peaks.frame, peaks.values, core)
        mine = (peaks.frame >= core.start) & (peaks.frame < core.stop)
        kept = Peaks(peaks.frame[mine] - core.start, fitted.molecules, peaks.crowded[core])
        return molecules(
            kept,
            numbers[core],
            self.localizer.bundle.manifest,
            self.localizer.camera,
            refined=fitted.refined.astype(np.uint8),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Glint(ModelEngine):
    """Frames to molecules; the options are those of every network, and of the fit."""

    name: str = field(default="glint", init=False)
    package: str = field(default=__name__, init=False)
    refine: bool = True
    """Fit the network's molecules over the frames in which they shine."""
    reach: int = 1
    """Frames on each side that are fitted together."""
    sweeps: int = 1
    """Passes of the fit, each with the neighbours of the last."""

    @property
    def spec(self) -> EngineSpec:
        """The fit wants the network's molecules in some frames more."""
        spec = self.network_spec()
        wide = self.reach * self.sweeps if self.refine else 0
        return replace(spec, halo=(spec.halo[0] + wide, spec.halo[1] + wide))

    @contextmanager
    def open(self, context: EngineContext) -> Iterator[Callable[[FrameBatch], Localizations]]:
        """See `core.Engine`; yields a `Localizer` or, to refine, a `Refiner`."""
        with self.localizer(context) as localizer:
            if not self.refine:
                yield localizer
                return
            psf = context.psf or localizer.bundle.psf()
            flat = localizer.bundle.manifest.axes == 2
            fitter = sequence_fitter(
                psf, context.camera, reach=self.reach, sweeps=self.sweeps, flat=flat
            )
            fitter.rehearse()
            yield Refiner(localizer, fitter, count_scale(context.camera))
