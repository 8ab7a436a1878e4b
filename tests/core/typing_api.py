"""Type-checked, never run: the engine protocol as a type checker sees it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import assert_type

from live_smlm.core import (
    Engine,
    EngineContext,
    EngineSpec,
    FrameBatch,
    Localizations,
    Reconstruction,
    RoiBatch,
)
from live_smlm.engines.detect_engine import Detect
from live_smlm.engines.fit_engine import MaximumLikelihood
from live_smlm.engines.gauss_mle import GaussMle


class Restorer:
    """An engine of the third kind, made here."""

    spec = EngineSpec(name="restorer", consumes=Reconstruction, produces=Reconstruction)

    def unsupported(self, context: EngineContext) -> str | None:
        return None if context.device == "cpu" else "made for the CPU"

    @contextmanager
    def open(self, context: EngineContext) -> Iterator[Callable[[Reconstruction], Reconstruction]]:
        del context
        yield lambda sparse: sparse


frame_wise: Engine[FrameBatch, Localizations] = GaussMle()
detector: Engine[FrameBatch, RoiBatch] = Detect()
roi_wise: Engine[RoiBatch, Localizations] = MaximumLikelihood()
restorer: Engine[Reconstruction, Reconstruction] = Restorer()


def lifetime(context: EngineContext, frames: FrameBatch) -> None:
    with frame_wise.open(context) as localize:
        assert_type(localize(frames), Localizations)


wrong_input: Engine[RoiBatch, Localizations] = GaussMle()  # type: ignore[assignment]
wrong_output: Engine[FrameBatch, Localizations] = Detect()  # type: ignore[assignment]
no_engine: Engine[FrameBatch, Localizations] = object()  # type: ignore[assignment]
