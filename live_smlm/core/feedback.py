"""When to stop, and the hand on the microscope."""

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


class Actuator(Protocol):
    """The handle feedback holds on the microscope."""

    def stop(self, why: Stop) -> None:
        """Ask the acquisition to end; idempotent, returns at once."""

    def set(self, name: str, value: float) -> None:
        """Set a device property (a laser, the exposure); returns at once."""
