"""Deep-STORM as an engine: each frame becomes a fine picture, and the pictures are added up.

The network itself lies in `network`, which only training imports.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from live_smlm.core import (
    F32,
    I64,
    CameraModel,
    EngineContext,
    EngineSpec,
    FrameBatch,
    Localizations,
    Reconstruction,
    concatenate,
    empty,
    require,
)
from live_smlm.fitting.counts import count_scale
from live_smlm.inference.graph import Run, opened_graph
from live_smlm.inference.model import Model
from live_smlm.inference.model_choice import ModelChoice
from live_smlm.inference.runtime import RuntimeName
from live_smlm.inference.tiles import Window, padded, windows
from live_smlm_deepstorm.peaks import peaks

MARGIN_PX = 16
"""Half-width of what a fine pixel sees, camera pixels, on the coarsest grid."""
_SIDE_PX = 256
"""Of the windows in which larger frames go through the network."""
_MOST_BLUR_PX = 8.0
_FAINT = 0.004
"""Molecules per fine pixel; the middle of a molecule's spike has a tenth or more."""
_AT_ONCE_PX = 2**20
_MOST_AT_ONCE = 16
"""Fine pixels, and frames, that go through it together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepStorm:
    """Frames to increments of a picture: molecules per pixel of a grid 4 or 8 times as fine."""

    model: str = ""
    """A model's folder, or the name of a shipped one; "": any shipped."""
    peaks: bool = False
    """Whether molecules are read out of each frame's picture."""
    least: float = 0.0
    """Molecules that a spot must hold to be read out; 0: as the model says."""
    blur_px: float = 1.0
    """Fine pixels by which the picture is blurred, as in the loss; 0: bare, as published."""
    runtime: RuntimeName = "auto"

    def __post_init__(self) -> None:
        require(0 <= self.least < 1, f"deepstorm least is {self.least:g}; give 0 to below 1")
        require(
            0 <= self.blur_px <= _MOST_BLUR_PX,
            f"deepstorm blur_px is {self.blur_px:g}; give 0 to {_MOST_BLUR_PX:g}",
        )

    @property
    def spec(self) -> EngineSpec:
        """Frames, each by itself, to a picture."""
        return EngineSpec(
            name="deepstorm",
            consumes=FrameBatch,
            produces=Reconstruction,
            devices=("cpu", "cuda"),
            envelope=self._choice.envelope(),
        )

    @property
    def _choice(self) -> ModelChoice:
        return ModelChoice(
            engine="deepstorm", package=__name__, named=self.model, runtime=self.runtime
        )

    def unsupported(self, context: EngineContext) -> str | None:
        """A model that does not fit, a device that is not there."""
        return self._choice.unsupported(context)

    def describe(self, context: EngineContext) -> Mapping[str, object]:
        """What would be opened, for records."""
        model = self._choice.serving(context)
        told = {**self._choice.describe(context), "up": int(model.details["up"])}
        return {**told, "least": self.least or model.details["least"]} if self.peaks else told

    @contextmanager
    def open(self, context: EngineContext) -> Iterator[Callable[[FrameBatch], Reconstruction]]:
        """See `core.Engine`."""
        model = self._choice.serving(context)
        up = int(model.details["up"])
        at_once = _at_once(context.camera, up)
        with opened_graph(model, "picture", context, runtime=self.runtime, at_once=at_once) as run:
            yield _Painter(run, context.camera, up, self._reading(model), self.blur_px)

    def _reading(self, model: Model) -> "_Reading | None":
        if not self.peaks:
            return None
        least = self.least or float(model.details["least"])
        return _Reading(least, float(model.details["sigma_nm"]))


def _at_once(camera: CameraModel, up: int) -> int:
    """How many frames go through the network together."""
    rows, columns = camera.shape
    return max(1, min(_MOST_AT_ONCE, _AT_ONCE_PX // (rows * columns * up**2)))


@dataclass(frozen=True, slots=True)
class _Reading:
    """How molecules are read out."""

    least: float
    sigma_nm: float


class _Painter:
    """The function that `DeepStorm` yields."""

    def __init__(
        self, run: Run, camera: CameraModel, up: int, reading: _Reading | None, blur_px: float
    ) -> None:
        self._run, self._camera, self._up = run, camera, up
        self._reading, self._blur_px = reading, blur_px
        self._counts_per_photon = np.float32(count_scale(camera).per_photon)
        rows, columns = camera.shape
        # The coarsest grid is 8 fine pixels wide.
        self._grid = max(1, 8 // up)
        whole = padded(np.zeros((0, rows, columns), np.float32), self._grid).shape[1:]
        self._windows = windows((whole[0], whole[1]), self._grid, MARGIN_PX, _SIDE_PX)
        self._shape = rows * up, columns * up

    def __call__(self, frames: FrameBatch, /) -> Reconstruction:
        index = frames.index[frames.core]
        pixels = frames.pixels[frames.core]
        image = np.zeros(self._shape, np.float32)
        found: list[Localizations] = []
        step = _at_once(self._camera, self._up)
        for first in range(0, len(pixels), step):
            part = slice(first, first + step)
            pictures = self._pictures(pixels[part])
            image += pictures.sum(0)
            found += self._molecules(pictures, index[part])
        if self._blur_px > 0:
            image = gaussian_filter(image, self._blur_px, mode="nearest")
        return Reconstruction(
            image=image[None],
            pixel_size_nm=self._camera.pixel_size_nm / self._up,
            first_frame=int(index[0]) if len(index) else 0,
            last_frame=int(index[-1]) if len(index) else 0,
            channels=("molecules",),
            molecules=(concatenate(found) if found else empty()) if self._reading else None,
        )

    def _molecules(self, pictures: F32, frame: I64) -> list[Localizations]:
        """One table, or none where they are not read out."""
        reading, pixel_nm = self._reading, self._camera.pixel_size_nm
        if reading is None:
            return []
        return [peaks(pictures, frame, self._up, pixel_nm, reading.least, reading.sigma_nm)]

    def _pictures(self, pixels: np.ndarray[tuple[int, ...], np.dtype[np.integer]]) -> F32:
        """(n, rows, columns) molecules per fine pixel."""
        counts = self._camera.photons(pixels) * self._counts_per_photon
        counts = padded(counts, self._grid)
        rows, columns = self._shape
        if len(self._windows) == 1:
            pictures = self._run({"frames": counts})["picture"]
        else:
            shape = (len(pixels), *(self._up * side for side in counts.shape[1:]))
            pictures = np.empty(shape, np.float32)
            for window in self._windows:
                given = {"frames": window.cut(counts)}
                _put(self._run(given)["picture"], window, pictures, self._up)
        # Faint haze is no molecule, and would add up over thousands of frames.
        return np.where(pictures < _FAINT, np.float32(0), pictures)[:, :rows, :columns]


def _put(answer: F32, window: Window, pictures: F32, up: int) -> None:
    """Write what a window owns, of its answer, to where it lies."""
    spans = []
    for (first, last), (low, high) in (
        (window.rows, window.owned_rows),
        (window.columns, window.owned_columns),
    ):
        begin, end = int(max(first, low)), int(min(last, high))
        spans.append((slice(up * (begin - first), up * (end - first)), slice(up * begin, up * end)))
    (from_rows, to_rows), (from_columns, to_columns) = spans
    pictures[..., to_rows, to_columns] = answer[..., from_rows, from_columns]
