"""The hand that feedback holds on the microscope: devices, their safe state, the stage."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

EXPOSURE = "exposure"
"""The name of the camera's exposure, in milliseconds; other names are `Device.Property`."""


@runtime_checkable
class Actuator(Protocol):
    """Turns what can be turned while frames stream; from any thread."""

    def unsettable(self, name: str) -> str | None:
        """Why `name` cannot be set here, in words; None if it can."""

    def set(self, name: str, value: str | float) -> None:
        """Set it; returns as soon as the device has taken it. `InputError` if it does not."""

    def get(self, name: str) -> str:
        """Its value, as the device writes it."""


@runtime_checkable
class Safeguard(Protocol):
    """Brings devices into a safe state, whatever happens."""

    def guarded(self, safe: Mapping[str, float]) -> AbstractContextManager[None]:
        """On exit these names get these values; also should this process be killed meanwhile.

        One at a time. `SourceFault` on exit where it is not certain that they did.
        """


@runtime_checkable
class Stage(Protocol):
    """Moves the sample; from any thread, while frames stream too."""

    def move(self, x_um: float, y_um: float) -> None:
        """Go there; returns once the stage has settled. `InputError` if it cannot."""

    def position(self) -> tuple[float, float]:
        """Where it is, x and y in um. `InputError` if there is no stage."""


def unsettable(source: object, name: str) -> str | None:
    """Why a source cannot set `name`, in words; None if it can, safely."""
    if isinstance(source, Actuator) and isinstance(source, Safeguard):
        return source.unsettable(name)
    return f"{name} cannot be set: these frames come without devices; use a microscope, or demo:"
