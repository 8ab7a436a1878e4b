"""smnet: a residual network reads place, depth, light and aberrations off each cut-out.

For shaped PSFs, where a fit would need the PSF exactly. With a model that
tells aberrations, the molecules of a call agree on them first: they are the
objective's, so many molecules know them better than one.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np

from live_smlm.core import (
    F32,
    CameraModel,
    EngineContext,
    EngineSpec,
    Localizations,
    RoiBatch,
    require,
)
from live_smlm.inference.graph import Run, opened_graph
from live_smlm.inference.model import Model
from live_smlm.inference.model_choice import ModelChoice
from live_smlm.inference.runtime import RuntimeName
from live_smlm_smnet.shared import BACKGROUND, DEPTH_NM, PHOTONS, REACH_PX, agreed, scaled, window

_SLACK_PX = 0.5
"""Beyond the places of the training, at which an answer is none."""
_LOOK, _PLACE, _WHOLE = "look", "place", "molecules"


@dataclass(frozen=True, slots=True, eq=False)
class _Reader:
    """The function that `SmNet` yields."""

    graphs: Mapping[str, Run]
    model: Model
    camera: CameraModel
    share: bool

    def __call__(self, rois: RoiBatch, /) -> Localizations:
        camera, size = self.camera, int(self.model.details["roi_px"])
        require(
            rois.size >= size or not len(rois),
            f"smnet's model {self.model.name!r} looks at {size} pixels, these cut-outs have "
            f"{rois.size}; say detect:roi_px={size}+smnet",
        )
        per_photon = np.float32(camera.quantum_efficiency / camera.excess_noise)
        seen = window(rois.photons * per_photon, size)
        images, brightest = scaled(seen.counts)
        values, more = self._values(images)
        x, y, photons, background, z = values.T
        pixel = np.float32(camera.pixel_size_nm)
        found = Localizations(
            frame=rois.frame,
            x=((rois.column + seen.column + size / 2 + x) * pixel).astype(np.float32),
            y=((rois.row + seen.row + size / 2 + y) * pixel).astype(np.float32),
            z=z * np.float32(DEPTH_NM),
            photons=photons * np.float32(PHOTONS) * brightest / per_photon,
            background=background * np.float32(BACKGROUND) * brightest / per_photon,
            extra=more,
        )
        return rois.passed_on(found, slice(None)).where(self._sound(found, values))

    def _values(self, images: F32) -> tuple[F32, dict[str, F32]]:
        """By `lesson.NAMES`, and the aberrations as columns."""
        modes = self.model.details["modes"]
        if not modes:
            return self.graphs[_WHOLE]({"rois": images})["values"], {}
        looked = self.graphs[_LOOK]({"rois": images})
        known, width = looked["aberrations"], looked["width"]
        if self.share and len(known):
            told = agreed(known, width, float(self.model.details["usual_rad"]))
            known, width = (np.broadcast_to(v.astype(np.float32), known.shape) for v in told)
        given = {"features": looked["features"], "aberrations": known, "width": width}
        names = [f"zernike_{mode}_rad" for mode in modes]
        columns = {name: known[:, i].copy() for i, name in enumerate(names)}
        return self.graphs[_PLACE](given)["values"], columns

    def _sound(
        self, found: Localizations, values: F32
    ) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Answers that lie where answers may lie."""
        low, high = self.model.details["reach_nm"]
        rows, columns = self.camera.shape
        pixel = self.camera.pixel_size_nm
        z, photons = found.axis("z"), found.axis("photons")
        sound = np.isfinite(values).all(axis=1) & (photons > 0) & (z > low) & (z < high)
        sound &= np.abs(values[:, :2]).max(axis=1) <= REACH_PX + _SLACK_PX
        sound &= (found.x >= 0) & (found.x <= columns * pixel)
        return np.asarray(sound & (found.y >= 0) & (found.y <= rows * pixel))


@dataclass(frozen=True, slots=True, kw_only=True)
class SmNet:
    """Cut-outs to molecules; makes no claim of its precision (no sigma columns).

    Extra columns, where the model tells them: `zernike_N_rad` by Noll's index.
    """

    share: bool = True
    """Let the molecules of a call agree on the aberrations; else each goes by its own."""
    model: str = ""
    """A model's folder, a folder of models, or the name of a shipped one; "": one that fits."""
    runtime: RuntimeName = "auto"

    @property
    def spec(self) -> EngineSpec:
        """Cut-outs to molecules."""
        return EngineSpec(
            name="smnet",
            consumes=RoiBatch,
            produces=Localizations,
            devices=("cpu", "cuda"),
            envelope=self._choice.envelope(),
        )

    @property
    def _choice(self) -> ModelChoice:
        return ModelChoice(engine="smnet", package=__name__, named=self.model, runtime=self.runtime)

    def unsupported(self, context: EngineContext) -> str | None:
        """A model for the PSF and the pixels must be there, and room for what it looks at."""
        reason = self._choice.unsupported(context)
        if reason is not None:
            return reason
        size = int(self._choice.serving(context).details["roi_px"])
        seen = [stop - first for first, stop in context.camera.view]
        if min(seen) < size:
            return f"frames of {seen[0]}x{seen[1]} do not hold the {size} pixels that it looks at"
        return None

    def envelope_in(self, context: EngineContext) -> Mapping[str, tuple[float, float]]:
        """Of the model that serves there."""
        return self._choice.serving(context).envelope

    def describe(self, context: EngineContext) -> Mapping[str, object]:
        """What would be opened, for records."""
        modes = list(self._choice.serving(context).details["modes"])
        return {**self._choice.describe(context), "modes": modes, "share": self.share}

    @contextmanager
    def open(self, context: EngineContext) -> Iterator[Callable[[RoiBatch], Localizations]]:
        """See `core.Engine`."""
        model = self._choice.serving(context)
        names = (_LOOK, _PLACE) if model.details["modes"] else (_WHOLE,)
        with ExitStack() as stack:
            graphs = {
                name: stack.enter_context(opened_graph(model, name, context, runtime=self.runtime))
                for name in names
            }
            yield _Reader(graphs, model, context.camera, self.share)
