"""The words of stop rules: what can be asked of an acquisition, and how it is said.

Alone knows which word means which value of a checkpoint, its units, and on which
side of a limit it is good.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from live_smlm.core import require
from live_smlm.core.feedback import SECONDS

_NM: Mapping[str, float] = MappingProxyType({"nm": 1.0, "um": 1000.0, "µm": 1000.0})
_SHARE: Mapping[str, float] = MappingProxyType({"%": 0.01})
_COUNT: Mapping[str, float] = MappingProxyType({"": 1.0, "k": 1e3, "M": 1e6})
_TIME: Mapping[str, float] = MappingProxyType(SECONDS)


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something a rule may ask for."""

    word: str
    name: str
    """Of the value in a checkpoint; `frame` and `seconds` are its own."""
    units: Mapping[str, float]
    """What one of each is in the value's own unit; the first is shown."""
    falls: bool
    """Whether less is enough."""
    certain: bool = False
    """Whether it is simply known, so that one look is enough."""

    @property
    def sign(self) -> str:
        """How it is compared."""
        return "<" if self.falls else ">"

    def told(self, value: float) -> str:
        """A value with its unit."""
        unit, factor = next(iter(self.units.items()))
        shown = f"{value / factor:.4g}" if abs(value) < 1e4 * factor else f"{value / factor:.0f}"
        return f"{shown} {unit}".strip()


QUANTITIES: Mapping[str, Quantity] = MappingProxyType(
    {
        quantity.word: quantity
        for quantity in (
            Quantity("frc", "frc_nm", _NM, falls=True),
            Quantity("halfbit", "frc_halfbit_nm", _NM, falls=True),
            Quantity("resolution", "resolution_nm", _NM, falls=True),
            Quantity("nyquist", "nyquist_nm", _NM, falls=True),
            Quantity("completeness", "completeness", _SHARE, falls=False),
            Quantity("molecules", "molecules", _COUNT, falls=False, certain=True),
            Quantity("blinks", "blinks", _COUNT, falls=False, certain=True),
            Quantity("pool", "pool_left", _SHARE, falls=True),
            Quantity("drift", "drift_nm", _NM, falls=False),
            Quantity("time", "seconds", _TIME, falls=False, certain=True),
            Quantity("frames", "frame", _COUNT, falls=False, certain=True),
        )
    }
)
"""By word."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A quantity has come to a goal."""

    quantity: Quantity
    goal: float

    def __post_init__(self) -> None:
        most = 1.0 if self.quantity.units is _SHARE else float("inf")
        require(
            0 < self.goal < float("inf") and self.goal <= most,
            f"{self.quantity.word} has the goal {self.quantity.told(self.goal)}; "
            f"give above 0{' and up to 100 %' if most == 1 else ''}",
        )

    def __str__(self) -> str:
        quantity = self.quantity
        return f"{quantity.word} {quantity.sign} {quantity.told(self.goal)}"


@dataclass(frozen=True, slots=True)
class Gain:
    """A quantity will hardly become better in the time to come."""

    quantity: Quantity
    least: float
    """Going on is worth while for so much; of the present value where `relative`."""
    seconds: float
    relative: bool

    def __post_init__(self) -> None:
        word = self.quantity.word
        require(
            not self.quantity.certain and word not in {"pool", "drift"},
            f"{word} has no gain that could be forecast; say it of frc, resolution or completeness",
        )
        require(
            0 < self.least < float("inf") and 0 < self.seconds < float("inf"),
            f"{word} gain has the limit {self.least:g} in {self.seconds:g} s; give both above 0",
        )

    def __str__(self) -> str:
        least = f"{100 * self.least:.4g} %" if self.relative else self.quantity.told(self.least)
        return f"{self.quantity.word} gain < {least} in {self.seconds:.4g} s"


Condition: TypeAlias = Limit | Gain


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    parts: "tuple[Rule, ...]"

    def __str__(self) -> str:
        return " and ".join(f"({p})" if isinstance(p, Either) else str(p) for p in self.parts)


@dataclass(frozen=True, slots=True)
class Either:
    """At least one part holds."""

    parts: "tuple[Rule, ...]"

    def __str__(self) -> str:
        return " or ".join(f"({p})" if isinstance(p, All) else str(p) for p in self.parts)


@dataclass(frozen=True, slots=True)
class EveryRoi:
    """A rule holds in each region that the operator drew; never where there is none."""

    rule: "Rule"

    def __str__(self) -> str:
        several = isinstance(self.rule, (All, Either))
        return f"{f'({self.rule})' if several else self.rule} in every roi"


Rule: TypeAlias = Limit | Gain | All | Either | EveryRoi
