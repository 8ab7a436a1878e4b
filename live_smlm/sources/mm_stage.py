"""Moves of an XY stage, from the order to the moment it stands.

Asks again and again rather than wait in the core, so that frames go on coming
through the same bridge. Some stages say that they have arrived before they
rest, so the place must also be the same at two looks.
"""

import math
import time
from typing import Any, Protocol

from live_smlm.core import InputError, require

PATIENCE_S = 60.0
"""For the longest way."""
_LOOK_S = 0.01
_RESTS_UM = 0.02


class Call(Protocol):
    """Asks the devices by the name of a method of `CoreDevices`."""

    def __call__(self, name: str, /, *values: Any) -> Any: ...  # noqa: D102


def move(call: Call, x_um: float, y_um: float) -> None:
    """Send the stage there; returns once it rests. `InputError` if it does not get there."""
    require(
        math.isfinite(x_um) and math.isfinite(y_um),
        f"stage is to go to {x_um}, {y_um} um; give finite numbers",
    )
    call("send_stage", x_um, y_um)
    deadline = time.monotonic() + PATIENCE_S
    last = (math.inf, math.inf)
    while True:
        if call("stage_stands"):
            place = call("stage_position")
            if math.dist(place, last) <= _RESTS_UM:
                return
            last = place
        if time.monotonic() > deadline:
            raise InputError(
                f"stage has not come to {x_um:g}, {y_um:g} um within {PATIENCE_S:g} s; see whether "
                "something is in its way"
            )
        time.sleep(_LOOK_S)
