"""The devices of a Micro-Manager core: properties, exposure, stage.

Every call is short, so that who pops frames through the same bridge need not
wait; whoever moves a stage asks until it stands. Safe from several threads as
far as the core is.
"""

import math
from typing import Any

from live_smlm.core import require
from live_smlm.core.actuator import EXPOSURE
from live_smlm.core.errors import InputError
from live_smlm.sources import mm_errors


class CoreDevices:
    """What can be asked of the devices by name, and set."""

    def __init__(self, core: Any) -> None:
        self._core = core
        self._devices = words(core.get_loaded_devices())

    def unsettable(self, name: str) -> str | None:
        """Why it cannot be set; see `core.Actuator`."""
        try:
            if name == EXPOSURE:
                self.exposure()
                return None
            device, part = self._split(name)
            self._check_property(device, part)
        except InputError as error:
            return str(error)
        if self._core.is_property_read_only(device, part):
            return f"device {device!r} tells {part} and does not let it be set; name another"
        return None

    def set(self, name: str, value: str | float) -> None:
        """See `core.Actuator`; while streaming too, where the device allows it."""
        if name == EXPOSURE:
            self.set_exposure(_number(name, value))
            return
        device, part = self._split(name)
        text = f"{value:.15g}" if isinstance(value, float) else str(value)
        try:
            self._core.set_property(device, part, text)
        except Exception as error:
            self._check_property(device, part)
            allowed = words(self._core.get_allowed_property_values(device, part))
            limits = self._limits(device, part)
            raise mm_errors.value_refused(device, part, value, allowed, limits, error) from error

    def get(self, name: str) -> str:
        """The value, as Micro-Manager writes it."""
        if name == EXPOSURE:
            return f"{self.exposure():g}"
        device, part = self._split(name)
        try:
            return str(self._core.get_property(device, part))
        except Exception as error:
            self._check_property(device, part)
            raise mm_errors.refused(f"reading {name}", error) from error

    def set_exposure(self, milliseconds: float) -> None:
        """For the next frames; a camera that cannot while streaming refuses."""
        require(
            math.isfinite(milliseconds) and milliseconds > 0,
            f"exposure is {milliseconds} ms; give a number above 0",
        )
        try:
            self._core.set_exposure(float(milliseconds))
        except Exception as error:
            raise mm_errors.refused(f"exposure of {milliseconds:g} ms", error) from error

    def exposure(self) -> float:
        """In milliseconds."""
        return float(self._core.get_exposure())

    def send_stage(self, x_um: float, y_um: float) -> None:
        """Let the XY stage go there; it has not arrived yet."""
        stage = self._stage()
        try:
            self._core.set_xy_position(stage, float(x_um), float(y_um))
        except Exception as error:
            raise mm_errors.refused(f"moving the stage to {x_um:g}, {y_um:g} um", error) from error

    def stage_stands(self) -> bool:
        """Whether the XY stage has ended its move."""
        return not self._core.device_busy(self._stage())

    def stage_position(self) -> tuple[float, float]:
        """Of the XY stage, um."""
        stage = self._stage()
        try:
            x, y = self._core.get_x_position(stage), self._core.get_y_position(stage)
        except Exception as error:
            raise mm_errors.refused("the position of the stage", error) from error
        return float(x) + 0.0, float(y) + 0.0  # no -0

    def _stage(self) -> str:
        stage = str(self._core.get_xy_stage_device())
        require(bool(stage), "Micro-Manager has no XY stage; name one in its configuration (Core)")
        return stage

    def _split(self, name: str) -> tuple[str, str]:
        """Device and property; either may hold dots of its own."""
        fits = [device for device in self._devices if name.startswith(f"{device}.")]
        if not fits:
            raise mm_errors.unknown_device(name, self._devices)
        device = max(fits, key=len)
        return device, name[len(device) + 1 :]

    def _limits(self, device: str, part: str) -> tuple[float, float] | None:
        core = self._core
        if not core.has_property_limits(device, part):
            return None
        lower = core.get_property_lower_limit(device, part)
        return float(lower), float(core.get_property_upper_limit(device, part))

    def _check_property(self, device: str, part: str) -> None:
        known = words(self._core.get_device_property_names(device))
        if part not in known:
            raise mm_errors.unknown_property(device, part, known)


def words(vector: Any) -> list[str]:
    """A list of Micro-Manager's as one of Python's; the Java bridge gives an object."""
    if hasattr(vector, "size") and hasattr(vector, "get"):
        return [str(vector.get(k)) for k in range(vector.size())]
    return [str(word) for word in vector]


def _number(name: str, value: str | float) -> float:
    try:
        return float(value)
    except ValueError:
        raise InputError(f"{name} is {value!r}; give a number") from None
