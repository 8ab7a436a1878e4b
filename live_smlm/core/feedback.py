"""When to stop, and what the operator has to say about it."""

import re
from dataclasses import dataclass
from enum import Enum

from live_smlm.core.errors import InputError, require


@dataclass(frozen=True, slots=True)
class Stop:
    """A decision to stop, in words the operator can check."""

    reason: str
    frame: int


class Will(Enum):
    """What an operator may want of a stop rule."""

    HOLD = "hold"
    """Do not stop, whatever the rule says, until released."""
    EXTEND = "extend"
    """Do not stop for so much longer; then as the rule says."""
    RELEASE = "release"
    """Neither held nor extended any more."""
    STOP = "stop"
    """Now."""


@dataclass(frozen=True, slots=True)
class Order:
    """The operator overrules a stop rule."""

    will: Will
    frames: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        said = [v for v in (self.frames, self.seconds) if v is not None]
        if self.will is Will.EXTEND:
            require(
                len(said) == 1 and 0 < said[0] < float("inf"),
                f"extend says {self.frames} frames and {self.seconds} seconds; "
                "give one of them, above 0",
            )
        else:
            require(not said, f"order {self.will.value!r} says for how long; only extend may")


_EXTENT = re.compile(r"extend\s+(\S+?)\s*(frames|s|min|h)$")
SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}


def read_order(text: str) -> Order:
    """`hold`, `release`, `stop`, `extend 500 frames` or `extend 30 s` (min, h)."""
    told = text.strip().lower()
    if told in {"hold", "release", "stop"}:
        return Order(Will(told))
    match = _EXTENT.match(told)
    cure = "say hold, release, stop, 'extend 500 frames' or 'extend 2 min'"
    require(match is not None, f"order {text!r} is unknown; {cure}")
    amount, unit = match.groups() if match else ("", "")
    try:
        if unit == "frames":
            return Order(Will.EXTEND, frames=int(amount))
        return Order(Will.EXTEND, seconds=float(amount) * SECONDS[unit])
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"order {text!r} has the number {amount!r}; {cure}") from None
