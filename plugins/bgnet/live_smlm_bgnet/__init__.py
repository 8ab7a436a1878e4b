"""bgnet: a small U-Net says what shines under each molecule beside it, pixel by pixel.

Cut-outs come and go on with their background: fits that follow take its shape
as known, instead of a constant.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import uniform_filter

from live_smlm.core import F32, EngineContext, EngineSpec, RoiBatch, require
from live_smlm.inference.graph import Run, opened_graph
from live_smlm.inference.model_choice import ModelChoice
from live_smlm.inference.runtime import RuntimeName
from live_smlm_bgnet.scaled import scaled

_PLACE_PX = 5


@dataclass(frozen=True, slots=True, eq=False)
class _Estimate:
    """The function that `BgNet` yields."""

    run: Run
    sizes: tuple[int, int]
    per_photon: np.float32
    """Effective counts."""
    least: float

    def __call__(self, rois: RoiBatch, /) -> RoiBatch:
        low, high = self.sizes
        require(
            low <= rois.size <= high or not len(rois),
            f"bgnet's model knows cut-outs of {low} to {high} pixels, these have {rois.size}; "
            f"say detect:roi_px=… before it, or train one with bgnet:largest_px={rois.size}",
        )
        counts = rois.photons * self.per_photon
        given = scaled(counts)
        background = given.counts(self.run({"rois": given.images})["background"])
        there = replace(rois, background=background / self.per_photon)
        return there.where(significance(counts, background) >= self.least) if self.least else there


def significance(counts: F32, background: F32) -> F32:
    """(n,) by how many standard errors the brightest place rises above the background.

    A place is as large as a molecule, `_PLACE_PX` each way.
    """
    size = (1, _PLACE_PX, _PLACE_PX)
    light = uniform_filter(counts - background, size, mode="constant") * _PLACE_PX**2
    noise = uniform_filter(np.maximum(counts, 0), size, mode="constant") * _PLACE_PX**2
    return np.asarray((light / np.sqrt(noise + 1)).max(axis=(1, 2), initial=0), np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class BgNet:
    """Cut-outs to cut-outs with `background`; those that hold nothing else are left out.

    A detector takes bright structure for molecules; who knows the structure knows better.
    """

    least: float = 6.0
    """Standard errors by which something must rise above the background; 0: all stay."""
    model: str = ""
    """A model's folder, a folder of models, or the name of a shipped one; "": one that fits."""
    runtime: RuntimeName = "auto"

    def __post_init__(self) -> None:
        require(0 <= self.least < np.inf, f"bgnet least is {self.least:g}; give 0 or more")

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
            yield _Estimate(run, (int(low), int(high)), per_photon, self.least)
