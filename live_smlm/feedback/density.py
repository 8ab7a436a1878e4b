"""Density control: as many active molecules per frame and area as are wanted, by the light.

A fold without clocks or devices: densities go in, values of one property come
out, each with its reason. It looks at a number of frames, finds out by a step
how the density answers, then keeps it with a proportional-integral law
(`pi`); it never asks for more where more light does not help (`density_doubt`).
"""

import math
from dataclasses import replace

from live_smlm.core import require
from live_smlm.feedback import density_doubt, pi
from live_smlm.feedback.density_doubt import Doubt
from live_smlm.feedback.density_settings import DensitySettings
from live_smlm.feedback.density_state import (
    DensityState,
    Mode,
    Stepped,
    fresh,
    light_of,
    said,
    set_to,
    slewed,
    valued,
    within,
)

_MOST_UP, _MOST_DOWN = math.log(2), math.log(4)
"""Of one move: too much light bleaches what cannot come back."""
_DARK = 1 / 30
"""Share of the set point that counts as no molecules."""
_STEADY, _MOST_WAITS = 0.15, 6
"""Two looks that differ less are of a steady state; after so many it is not waited for."""
_SMALL = 0.2
_CALM = 0.7
"""Errors so small are chance mostly: such a share of a move is enough."""
_GLANCE = 0.2
"""Share of a look that is enough to see that there are far too many."""


def start(settings: DensitySettings, value: float | None = None) -> DensityState:
    """Before the first frame; `value` is what the property has, if that is known."""
    require(
        value is None or (math.isfinite(value) and value >= 0),
        f"{settings.property} has the value {value}; set it to 0 or more first",
    )
    return DensityState(settings=settings, value=value)


def step(
    state: DensityState, frames: int, molecules_per_frame_per_um2: float, seconds: float
) -> Stepped:
    """After `frames` more frames, which ended at `seconds`; the value to set now, or None."""
    density = molecules_per_frame_per_um2
    require(frames > 0, f"frames is {frames}; give at least one")
    require(
        math.isfinite(density) and density >= 0,
        f"density is {density} per um2; give a finite number, 0 or more",
    )
    since_s = seconds if state.moved_s is None else state.moved_s
    state = replace(state, decision=None, moved_s=since_s)
    if state.mode is not Mode.AUTOMATIC:
        return state, None
    if (first := within(state)) is not None:
        return set_to(state, first, "the first value", seconds, density)
    new = max(0, frames - state.blind)
    state = replace(
        state,
        blind=max(0, state.blind - frames),
        frames=state.frames + new,
        summed=state.summed + new * density,
    )
    whole = state.settings.every_frames * state.looks
    if not state.frames:
        return state, None
    mean = state.summed / state.frames
    most = state.settings.most_per_um2
    glanced = state.frames >= _GLANCE * whole and not state.settings.dry_run
    if most is not None and mean > most and glanced:
        return _cut(fresh(state), mean, seconds)
    if state.frames < whole:
        return state, None
    return _looked(fresh(state), mean, seconds)


def moved(state: DensityState, in_flight: int) -> DensityState:
    """The last value is set; so many frames were taken before and are still to come."""
    return replace(fresh(state), blind=in_flight)


def stale(state: DensityState, seconds: float) -> Stepped:
    """No density has come for `stale_s`: the safe value, until one comes again."""
    safe = state.settings.safe
    if state.mode is not Mode.AUTOMATIC or state.value == safe:
        return replace(state, decision=None), None
    why = f"no density for {state.settings.stale_s:g} s: the safe value"
    return set_to(fresh(state), safe, why, seconds, None)


def hold(state: DensityState) -> DensityState:
    """Leave the property as it is until `release`."""
    return replace(state, mode=Mode.HELD, decision=None)


def override(state: DensityState, value: float, seconds: float) -> Stepped:
    """Set this by hand, and leave it so until `release`."""
    settings = state.settings
    require(
        settings.lowest <= value <= settings.highest,
        f"{settings.property} by hand is {value:g}; give {settings.lowest:g} to "
        f"{settings.highest:g}",
    )
    return set_to(replace(state, mode=Mode.MANUAL), value, "set by hand", seconds, None)


def release(state: DensityState) -> DensityState:
    """Go on by itself, from the value of now; what was known of the plant stays known."""
    test = () if state.test else state.test
    again = replace(fresh(state), doubt=Doubt(), error=None, test=test, test_step=0.0)
    return replace(again, mode=Mode.AUTOMATIC, decision=None)


def _looked(state: DensityState, mean: float, seconds: float) -> Stepped:
    """After a whole look at this mean density."""
    settings = state.settings
    wanted = settings.set_point_per_um2
    level = _level(settings, mean)
    error = math.log(wanted) - level
    if settings.dry_run:
        return _advised(state, error, mean, seconds), None
    if state.doubt.probe is not None:
        return _judged(state, level, mean, seconds)
    state = replace(state, doubt=density_doubt.watched(state.doubt, level, error))
    if state.test is not None:
        return _tested(state, level, error, mean, seconds)
    before, state = state.error, replace(state, error=error)
    if abs(error) < math.log1p(settings.dead_zone):
        return replace(state, limit=""), None
    by = pi.move(state.plant, error, before) * (_CALM if abs(error) < _SMALL else 1.0)
    return _moved_by(state, by, _why(mean, wanted), mean, seconds)


def _level(settings: DensitySettings, mean: float) -> float:
    return math.log(max(mean, _DARK * settings.set_point_per_um2))


def _advised(state: DensityState, error: float, mean: float, seconds: float) -> DensityState:
    """What would be set, were this no dry run; said where it is news."""
    settings = state.settings
    off = abs(error) >= math.log1p(settings.dead_zone)
    light = light_of(state) + (pi.move(state.plant, error, None) if off else 0.0)
    wanted = valued(settings, light)
    known = state.advice
    news = known is None or abs(wanted - known) > settings.dead_zone * (known + wanted)
    if not (off and news):
        return state
    why = _why(mean, settings.set_point_per_um2)
    return replace(said(state, wanted, why, seconds, mean), advice=wanted)


def _tested(
    state: DensityState, level: float, error: float, mean: float, seconds: float
) -> Stepped:
    """The first move is a step out of a steady state, left alone for two looks."""
    levels = (*(state.test or ()), level)
    if state.test_step == 0:
        steady = len(levels) > 1 and abs(levels[-1] - levels[-2]) < _STEADY
        if not steady and len(levels) < _MOST_WAITS:
            return replace(state, test=levels), None
        if abs(error) < math.log1p(state.settings.dead_zone):
            return replace(state, test=(level,)), None
        light = light_of(state)
        state, value = _moved_by(state, error, "a step, to see the answer", mean, seconds)
        done = light_of(state) - light
        return replace(state, test=(level,), test_step=done), value
    if len(levels) == 2:
        return replace(state, test=levels), None
    plant = pi.identified(state.test_step, (levels[0], levels[1], levels[2])) or state.plant
    looks = pi.looks_needed(plant)
    return replace(state, test=None, error=error, looks=looks, plant=plant.longer(looks)), None


def _judged(state: DensityState, level: float, mean: float, seconds: float) -> Stepped:
    """After a look with less light."""
    doubt, verdict = density_doubt.judged(state.doubt, light_of(state), level)
    state = replace(state, doubt=doubt, error=None)
    if verdict == "stay":
        return state, None
    if verdict == "more":
        why = "less light made fewer molecules; back to where it was"
        return _moved_by(state, density_doubt.HALF, why, mean, seconds)
    if light_of(state) <= math.log(state.settings.floor()):
        why = "light has no effect so far; up again"
        free = replace(state, doubt=Doubt())
        return _moved_by(free, (doubt.failed + 1) * density_doubt.HALF, why, mean, seconds, most=9)
    why = "less light made no fewer molecules: too many to be told apart; less"
    return _moved_by(state, -density_doubt.HALF, why, mean, seconds)


def _cut(state: DensityState, mean: float, seconds: float) -> Stepped:
    """There are more than the engine is to be trusted with."""
    settings = state.settings
    by = math.log(settings.set_point_per_um2 / mean)
    why = f"density {mean:.3g} per um2 is above {settings.most_per_um2:g}, which the engine holds"
    test = () if state.test else state.test
    state = replace(state, error=None, test=test, test_step=0.0, doubt=Doubt())
    return _moved_by(state, by, why, mean, seconds)


def _why(mean: float, wanted: float) -> str:
    return f"density {mean:.3g} per um2 is {100 * (mean / wanted - 1):+.0f} % off {wanted:g}"


def _moved_by(
    state: DensityState,
    by: float,
    why: str,
    mean: float,
    seconds: float,
    *,
    most: float = _MOST_UP,
) -> Stepped:
    """Move the light, as far as limits allow; or lower it, where raising has not helped."""
    if by > 0 and state.doubt.suspicious:
        doubt = density_doubt.tried(state.doubt, _level(state.settings, mean))
        state, by = replace(state, doubt=doubt), -density_doubt.HALF
        why = "more light has made no more molecules; less, for a look"
    light = light_of(state)
    wanted = light + min(max(by, -_MOST_DOWN), most)
    held = min(wanted, max(state.doubt.ceiling, light) if by > 0 else math.inf)
    value = slewed(state, valued(state.settings, held), seconds)
    doubt = density_doubt.raised(state.doubt, light_of(replace(state, value=value)) - light)
    if value == state.value:
        return _limited(state, by, why, mean, seconds)
    return set_to(replace(state, doubt=doubt, limit=""), value, why, seconds, mean)


def _limited(state: DensityState, by: float, why: str, mean: float, seconds: float) -> Stepped:
    """No move can be made; said once."""
    settings, value = state.settings, state.value or 0.0
    if by < 0:
        limit = "its lowest"
    elif value >= settings.highest:
        limit = "its highest; the pool may be exhausted"
    else:
        limit = "as much as makes more molecules"
    if limit == state.limit:
        return state, None
    state = replace(state, limit=limit)
    return said(state, value, f"{why}, but it is at {limit}", seconds, mean), None
