"""The hand that feedback holds on the microscope."""

from typing import Protocol


class Actuator(Protocol):
    """Sets what can be turned while frames stream."""

    def set(self, name: str, value: float) -> None:
        """Set a device property (a laser, the exposure); returns at once."""
