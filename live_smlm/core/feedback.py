"""When to stop."""

from dataclasses import dataclass
from typing import Protocol

from live_smlm.core.metric import History


@dataclass(frozen=True, slots=True)
class Stop:
    """A decision to stop, in words the operator can check."""

    reason: str
    frame: int


class StopRule(Protocol):
    """A pure function of the metrics' history."""

    def __call__(self, history: History, /) -> Stop | None:
        """The decision, or None to go on."""
