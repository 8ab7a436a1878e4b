"""All that density control knows at a moment, and what its property may be set to."""

import math
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from live_smlm.feedback.density_doubt import Doubt
from live_smlm.feedback.density_settings import Decision, DensitySettings
from live_smlm.feedback.pi import Plant


class Mode(Enum):
    """Who decides."""

    AUTOMATIC = "automatic"
    HELD = "held"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class DensityState:
    """All that the control knows; a snapshot."""

    settings: DensitySettings
    mode: Mode = Mode.AUTOMATIC
    value: float | None = None
    """Of the property, as far as known."""
    decision: Decision | None = None
    """What the last call decided, if it did."""
    plant: Plant = Plant()  # noqa: RUF009 - frozen
    doubt: Doubt = Doubt()  # noqa: RUF009 - frozen
    looks: int = 1
    """How many times `every_frames` make a look."""
    test: tuple[float, ...] | None = ()
    """Levels seen around the first step; None once it was judged."""
    test_step: float = 0.0
    error: float | None = None
    """Of the last look, in logarithms."""
    moved_s: float | None = None
    blind: int = 0
    """Frames to come that were taken before the last move."""
    frames: int = 0
    """Of the look that goes on, and their sum of densities."""
    summed: float = 0.0
    limit: str = ""
    """What keeps the value from going on, if anything does; said once."""
    advice: float | None = None
    """The value that a dry run would have set last."""

    @property
    def is_tuned(self) -> bool:
        """Whether the answer to a step is known."""
        return self.test is None


Stepped: TypeAlias = tuple[DensityState, float | None]


def fresh(state: DensityState) -> DensityState:
    """With no frame of the next look seen yet."""
    return replace(state, frames=0, summed=0.0)


def within(state: DensityState) -> float | None:
    """A value within the limits, where there is none now."""
    settings = state.settings
    if state.value is None:
        return None if settings.dry_run else settings.floor()
    if settings.dry_run or settings.lowest <= state.value <= settings.highest:
        return None
    return settings.lowest if state.value < settings.lowest else settings.highest


def light_of(state: DensityState) -> float:
    """The logarithm of the value."""
    return math.log(max(state.value or 0.0, state.settings.floor()))


def valued(settings: DensitySettings, light: float) -> float:
    """The value that makes this light, within the limits."""
    value = float(f"{math.exp(light):.6g}")
    return settings.lowest if value <= settings.floor() else min(value, settings.highest)


def slewed(state: DensityState, value: float, seconds: float) -> float:
    """As near to the value as the slew rate allows by now."""
    rate, old = state.settings.slew_per_s, state.value
    if rate is None or old is None or state.moved_s is None:
        return value
    reach = rate * max(0.0, seconds - state.moved_s)
    return min(max(value, old - reach), old + reach)


def set_to(
    state: DensityState, value: float, why: str, seconds: float, mean: float | None
) -> Stepped:
    """Set the property, and say so; in a dry run, say so."""
    state = said(state, value, why, seconds, mean)
    if state.settings.dry_run:
        return state, None
    return replace(state, value=value, moved_s=seconds), value


def said(
    state: DensityState, value: float, why: str, seconds: float, mean: float | None
) -> DensityState:
    """With the decision to set the property to this value."""
    settings = state.settings
    decision = Decision(
        property=settings.property,
        before=state.value,
        after=value,
        why=why,
        seconds=seconds,
        per_um2=mean,
        set_point_per_um2=settings.set_point_per_um2,
        applied=not settings.dry_run,
    )
    return replace(state, decision=decision)
