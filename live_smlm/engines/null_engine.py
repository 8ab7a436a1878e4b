"""An engine that finds nothing: what is left is the cost of the pipeline itself."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from live_smlm.core import EngineContext, EngineSpec, FrameBatch, Localizations, empty


@dataclass(frozen=True, slots=True)
class Null:
    """Frames to no molecules."""

    spec: ClassVar[EngineSpec] = EngineSpec(
        name="null", consumes=FrameBatch, produces=Localizations
    )

    def unsupported(self, context: EngineContext) -> str | None:
        """Anything goes."""
        del context
        return None

    @contextmanager
    def open(self, context: EngineContext) -> Iterator[Callable[[FrameBatch], Localizations]]:
        """Nothing to load."""
        del context
        yield lambda _: empty()
