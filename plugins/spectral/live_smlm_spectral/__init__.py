"""spectral: a small network names the dye of each molecule by its whole emission spectrum.

The camera sees every molecule twice: in the image, and spread out in its side
channel. Cut-outs come and go on with two columns more, `channel` and
`dye_probability`; whoever fits the molecules passes them on.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from live_smlm.core import F32, EngineContext, EngineSpec, RoiBatch, SideChannel, require
from live_smlm.fitting.width import effective_sigma
from live_smlm.inference.graph import Run, opened_graph
from live_smlm.inference.model import Model
from live_smlm.inference.model_choice import ModelChoice
from live_smlm.inference.runtime import RuntimeName
from live_smlm_spectral.spectrum import Grid, Spectra, spectra

UNSURE = -1
_LEAST_SEEN = 0.9
"""Share of the wavelengths without which no dye is named."""
_STEP_TOLERANCE = 0.2


def grid_of(details: Mapping[str, Any]) -> Grid:
    """The wavelengths that a model wants."""
    said = details["grid"]
    return Grid(**{**said, "light_nm": tuple(said["light_nm"])})


def given(found: Spectra) -> F32:
    """(n, count + 2) what the network looks at: the spectrum, and how well it is known."""
    light = np.log10(np.maximum(found.light, 1))
    level = np.log10(np.maximum(found.background, 0.1))
    return np.column_stack([found.shape, light, level]).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Namer:
    """The function that `Spectral` yields."""

    run: Run
    side: SideChannel
    grid: Grid
    sigma_px: float
    sure: float

    def __call__(self, rois: RoiBatch, /) -> RoiBatch:
        found = spectra(rois, self.side, self.grid, self.sigma_px)
        probability = self.run({"spectra": given(found)})["probability"]
        best = probability.max(axis=1, initial=0)
        named = probability.argmax(axis=1).astype(np.int16)
        told = (best >= self.sure) & (found.seen >= _LEAST_SEEN) & (found.light > 0)
        return rois.with_columns(
            channel=np.where(told, named, np.int16(UNSURE)),
            dye_probability=best.astype(np.float32),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectral:
    """Cut-outs with a side channel to the same with columns `channel` and `dye_probability`."""

    sure: float = 0.8
    """Probability from which a dye is named; below, `channel` is -1."""
    model: str = ""
    """A model's folder, or the name of a shipped one; "": any shipped."""
    runtime: RuntimeName = "auto"

    def __post_init__(self) -> None:
        require(0 <= self.sure < 1, f"spectral sure is {self.sure:g}; give 0 to below 1")

    @property
    def spec(self) -> EngineSpec:
        """Cut-outs to cut-outs."""
        return EngineSpec(
            name="spectral",
            consumes=RoiBatch,
            produces=RoiBatch,
            devices=("cpu", "cuda"),
            envelope=self._choice.envelope(),
        )

    @property
    def _choice(self) -> ModelChoice:
        return ModelChoice(
            engine="spectral", package=__name__, named=self.model, runtime=self.runtime
        )

    def unsupported(self, context: EngineContext) -> str | None:
        """A side channel that is dispersed about as in the training must be there."""
        side = context.camera.side
        if side is None or side.middle_nm is None:
            return (
                "it names dyes by what a dispersed side channel shows; say where that is: "
                "--camera …,side_rows=…,side_columns=…,side_shift_px=…,side_size=…,"
                "side_middle_nm=…,side_nm_per_px=…"
            )
        return self._choice.unsupported(context) or _misfit(side, self._choice.serving(context))

    def describe(self, context: EngineContext) -> Mapping[str, object]:
        """What would be opened, for records."""
        dyes = self._choice.serving(context).details["dyes"]
        return {**self._choice.describe(context), "sure": self.sure, "dyes": list(dyes)}

    @contextmanager
    def open(self, context: EngineContext) -> Iterator[Callable[[RoiBatch], RoiBatch]]:
        """See `core.Engine`."""
        reason = self.unsupported(context)
        require(reason is None, f"engine 'spectral': {reason}")
        model, side = self._choice.serving(context), context.camera.side
        assert side is not None  # noqa: S101 - unsupported() has said so
        sigma = float(model.details["sigma_nm"]) / context.camera.pixel_size_nm
        if context.psf is not None:
            sigma = effective_sigma(context.psf, context.camera.pixel_size_nm)
        with opened_graph(model, "dye", context, runtime=self.runtime) as run:
            yield _Namer(run, side, grid_of(model.details), sigma, self.sure)


def _misfit(side: SideChannel, model: Model) -> str | None:
    """Why a model cannot read such spectra."""
    assert side.nm_per_px is not None  # noqa: S101 - who calls has looked
    grid, trained = grid_of(model.details), float(model.details["nm_per_px"])
    step = abs(side.nm_per_px)
    if abs(step / trained - 1) > _STEP_TOLERANCE:
        return (
            f"model {model.name!r} was trained with {trained:g} nm per pixel, the side channel has "
            f"{step:g}; train one with `live-smlm train spectral:nm_per_px={step:g} …`"
        )
    covered, wanted = step * side.width, grid.step_nm * (grid.count - 1)
    if covered < wanted:
        return (
            f"the side channel's {side.width} columns cover {covered:g} nm, model {model.name!r} "
            f"looks at {wanted:g}; widen side_size"
        )
    return None
