"""ANNA-PALM as an engine: from the molecules so far, what the structure will look like.

What it draws is a prediction, beside it the error that it expects of itself.
The networks lie in `network`, which only training imports.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from live_smlm.core import F32, EngineContext, EngineSpec, Reconstruction, require
from live_smlm.inference.graph import Run, opened_graph
from live_smlm.inference.model_choice import ModelChoice
from live_smlm.inference.runtime import RuntimeName
from live_smlm.inference.tiles import Window, windows

CHANNELS = ("prediction", "error")
_PIXEL_NM = 20.0
"""Where no model says another."""
_PIXEL_TOLERANCE = 0.02
_SIDE_PX = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnaPalm:
    """Counts per pixel to a predicted picture, in filaments, and the error expected of it."""

    model: str = ""
    """A model's folder, or the name of a shipped one; "": any shipped."""
    runtime: RuntimeName = "auto"

    @property
    def spec(self) -> EngineSpec:
        """A picture to a picture, of pixels as the first model wants them."""
        return EngineSpec(
            name="annapalm",
            consumes=Reconstruction,
            produces=Reconstruction,
            devices=("cpu", "cuda"),
            pixel_size_nm=self._pixel_nm(),
            envelope=self._choice.envelope(),
        )

    @property
    def _choice(self) -> ModelChoice:
        return ModelChoice(
            engine="annapalm", package=__name__, named=self.model, runtime=self.runtime
        )

    def _pixel_nm(self) -> float:
        models = self._choice.models()
        return float(models[0].details["pixel_nm"]) if models else _PIXEL_NM

    def unsupported(self, context: EngineContext) -> str | None:
        """A model or a device that is not there; cameras and PSFs do not matter."""
        return self._choice.unsupported(context)

    def describe(self, context: EngineContext) -> Mapping[str, object]:
        """What would be opened, for records."""
        return self._choice.describe(context)

    @contextmanager
    def open(self, context: EngineContext) -> Iterator[Callable[[Reconstruction], Reconstruction]]:
        """See `core.Engine`."""
        model = self._choice.serving(context)
        with opened_graph(model, "picture", context, runtime=self.runtime) as run:
            details = model.details
            yield _Predictor(
                run, float(details["pixel_nm"]), int(details["stride"]), int(details["margin_px"])
            )


@dataclass(frozen=True, slots=True)
class _Predictor:
    """The function that `AnnaPalm` yields."""

    run: Run
    pixel_nm: float
    stride: int
    margin_px: int

    def __call__(self, seen: Reconstruction, /) -> Reconstruction:
        require(
            abs(seen.pixel_size_nm / self.pixel_nm - 1) <= _PIXEL_TOLERANCE,
            f"annapalm was given pixels of {seen.pixel_size_nm:g} nm and has learnt "
            f"{self.pixel_nm:g} nm; draw the molecules at that",
        )
        counts = np.maximum(seen.image.sum(0, dtype=np.float32), 0)
        return Reconstruction(
            image=self._pictures(counts),
            pixel_size_nm=seen.pixel_size_nm,
            origin_nm=seen.origin_nm,
            first_frame=seen.first_frame,
            last_frame=seen.last_frame,
            predicted=True,
            channels=CHANNELS,
        )

    def _pictures(self, counts: F32) -> F32:
        """(2, rows, columns): beyond the picture's sides nothing is seen; windows overlap."""
        rows, columns = counts.shape
        whole = np.pad(counts, [(0, -side % self.stride) for side in counts.shape])
        pictures = np.zeros((len(CHANNELS), *whole.shape), np.float32)
        shape = whole.shape[0], whole.shape[1]
        for window in windows(shape, self.stride, self.margin_px, _SIDE_PX):
            given = window.cut(whole)[None, None]
            _put(self.run({"counts": given})["pictures"][0], window, pictures)
        return np.ascontiguousarray(pictures[:, :rows, :columns])


def _put(answer: F32, window: Window, pictures: F32) -> None:
    """Write what a window owns, of its answer, to where it lies."""
    (rows, own_rows), (columns, own_columns) = (
        _owned(window.rows, window.owned_rows),
        _owned(window.columns, window.owned_columns),
    )
    pictures[:, own_rows, own_columns] = answer[:, rows, columns]


def _owned(span: tuple[int, int], owned: tuple[float, float]) -> tuple[slice, slice]:
    """The owned part of a span: within it, and within the whole."""
    first, last = int(max(span[0], owned[0])), int(min(span[1], owned[1]))
    return slice(first - span[0], last - span[0]), slice(first, last)
