"""Somebody who looks at an engine's answers beside the frames, in the lane, where both are.

What is said travels with the answer, as rows of numbers that mean nothing here. A
witness must not cost anything that matters: it gets a small share of the lane's
time, and one that fails falls silent, while the engine goes on.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from live_smlm.core import F32, EngineContext, FrameBatch, Localizations

Witness: TypeAlias = Callable[[FrameBatch, Localizations], F32]
"""Frames and what was found in them to rows, the same number of columns in each."""
MakeWitness: TypeAlias = Callable[[EngineContext], Witness | None]
"""Opened for one lane; None where there is nothing to look at."""
SHARE = 0.02
"""Of the lane's time that the witness may take."""
AT_ONCE_S = 0.05
"""Which it may take beforehand: a run's beginning is looked at whatever the engine's speed."""


@dataclass(slots=True)
class Heard:
    """One lane's witness, and the time it has taken."""

    witness: Witness | None = None
    failure: str | None = None
    """Why it fell silent; told once."""
    spent_s: float = 0.0
    since_s: float = field(default_factory=time.monotonic)

    def __call__(self, frames: FrameBatch, found: Localizations) -> F32 | None:
        """Its rows, if it has the time."""
        started = time.thread_time()  # that others take the processor is not its fault
        allowed = AT_ONCE_S + SHARE * (time.monotonic() - self.since_s)
        if self.witness is None or self.spent_s > allowed:
            return None
        try:
            return self.witness(frames, found)
        except Exception as error:  # noqa: BLE001 - told with the answer
            self.witness, self.failure = None, f"{type(error).__name__}: {error}"
            return None
        finally:
            self.spent_s += time.thread_time() - started

    def told(self) -> str | None:
        """Why it fell silent, once."""
        failure, self.failure = self.failure, None
        return failure


def opened(make: MakeWitness | None, place: EngineContext) -> Heard:
    """The witness for a lane; one that cannot be made is silent and says why."""
    if make is None:
        return Heard()
    try:
        return Heard(make(place))
    except Exception as error:  # noqa: BLE001 - told with the first answer
        return Heard(failure=f"{type(error).__name__}: {error}")
