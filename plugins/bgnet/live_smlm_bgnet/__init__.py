"""bgnet: a small U-Net says what shines under each molecule beside it, pixel by pixel.

Cut-outs come and go on with their background: fits that follow take its shape
as known, instead of a constant.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from live_smlm.core import EngineContext, EngineSpec, RoiBatch, require
from live_smlm.inference.graph import Run, opened_graph
from live_smlm.inference.model_choice import ModelChoice
from live_smlm.inference.runtime import RuntimeName
from live_smlm_bgnet.scaled import scaled


@dataclass(frozen=True, slots=True, eq=False)
class _Estimate:
    """The function that `BgNet` yields."""

    run: Run
    sizes: tuple[int, int]
    per_photon: np.float32
    """Effective counts."""

    def __call__(self, rois: RoiBatch, /) -> RoiBatch:
        low, high = self.sizes
        require(
            low <= rois.size <= high,
            f"bgnet's model knows cut-outs of {low} to {high} pixels, these have {rois.size}; "
            f"say detect:roi_px=… before it, or train one with bgnet:largest_px={rois.size}",
        )
        given = scaled(rois.photons * self.per_photon)
        told = self.run({"rois": given.images})["background"]
        return replace(rois, background=given.counts(told) / self.per_photon)


@dataclass(frozen=True, slots=True, kw_only=True)
class BgNet:
    """Cut-outs to cut-outs with `background`."""

    model: str = ""
    """A model's folder, a folder of models, or the name of a shipped one; "": one that fits."""
    runtime: RuntimeName = "auto"

    @property
    def spec(self) -> EngineSpec:
        """Cut-outs to cut-outs."""
        return EngineSpec(
            name="bgnet",
            consumes=RoiBatch,
            produces=RoiBatch,
            devices=("cpu", "cuda"),
            envelope=self._choice.envelope(),
        )

    @property
    def _choice(self) -> ModelChoice:
        return ModelChoice(engine="bgnet", package=__name__, named=self.model, runtime=self.runtime)

    def unsupported(self, context: EngineContext) -> str | None:
        """A model for the PSF and the pixels must be there."""
        return self._choice.unsupported(context)

    def envelope_in(self, context: EngineContext) -> Mapping[str, tuple[float, float]]:
        """Of the model that serves there."""
        return self._choice.serving(context).envelope

    def describe(self, context: EngineContext) -> Mapping[str, object]:
        """What would be opened, for records."""
        return self._choice.describe(context)

    @contextmanager
    def open(self, context: EngineContext) -> Iterator[Callable[[RoiBatch], RoiBatch]]:
        """See `core.Engine`."""
        model, camera = self._choice.serving(context), context.camera
        low, high = model.details["sizes_px"]
        per_photon = np.float32(camera.quantum_efficiency / camera.excess_noise)
        with opened_graph(model, "background", context, runtime=self.runtime) as run:
            yield _Estimate(run, (int(low), int(high)), per_photon)
