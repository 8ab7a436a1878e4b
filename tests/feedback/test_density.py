"""Density control against plants that blink, bleach and crowd."""

import json
import math
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from live_smlm.core import F64, InputError
from live_smlm.feedback import density
from live_smlm.feedback.density_settings import DensitySettings
from live_smlm.feedback.density_state import DensityState, Mode

CHUNK = 5
"""Frames between two calls."""
FRAME_S = 0.02


@dataclass
class Plant:
    """Molecules that light wakes and that stay on for a while, in a field of 300 um2."""

    per_volt: float = 0.1
    """Density in balance per volt, while the pool is full."""
    on_frames: float = 5.0
    offset: float = 0.0
    """Density without light."""
    crowd: float = math.inf
    """Density at which an engine finds a share of 1 / e."""
    pool_frames: float = math.inf
    """The pool falls to 1 / e in so many frames."""
    area_um2: float = 300.0
    pool: float = 1.0
    on: int = 0
    """Molecules that are on."""
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(3))

    def frames(self, volts: float) -> float:
        """The density that is found in the next frames."""
        found = []
        for _ in range(CHUNK):
            self.pool *= math.exp(-1 / self.pool_frames)
            balance = self.pool * (self.per_volt * volts + self.offset) * self.area_um2
            gone = self.rng.binomial(self.on, -math.expm1(-1 / self.on_frames))
            self.on += int(self.rng.poisson(balance * -math.expm1(-1 / self.on_frames))) - int(gone)
            there = self.on / self.area_um2
            found.append(there * math.exp(-there / self.crowd))
        return float(np.mean(found))


@dataclass
class Trace:
    """What happened, chunk by chunk."""

    state: DensityState
    density: list[float] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    why: list[str] = field(default_factory=list)

    def smooth(self, frames: int) -> F64:
        """Running mean over so many frames."""
        n = frames // CHUNK
        return np.convolve(self.density, np.full(n, 1 / n), "valid")


def settings(**changed: object) -> DensitySettings:
    told: dict[str, object] = {"set_point_per_um2": 0.3, "highest": 10.0}
    return DensitySettings(**{**told, **changed})  # type: ignore[arg-type] # the fields' own types


def run(trace: Trace, plant: Plant, frames: int, in_flight: int = 0) -> Trace:
    """Go on for so many frames; a value acts on those taken after it was set."""
    late = [trace.value[-1] if trace.value else trace.state.value or 0.0] * (in_flight // CHUNK)
    value = trace.value[-1] if trace.value else trace.state.value or 0.0
    for _ in range(frames // CHUNK):
        late.append(value)
        seen = plant.frames(late.pop(0))
        seconds = len(trace.density) * CHUNK * FRAME_S
        trace.state, wanted = density.step(trace.state, CHUNK, seen, seconds)
        if trace.state.decision is not None:
            trace.why.append(str(trace.state.decision))
        if wanted is not None:
            value = wanted
            trace.state = density.moved(trace.state, in_flight)
        trace.density.append(seen)
        trace.value.append(value)
    return trace


def settled(trace: Trace, wanted: float = 0.3) -> int:
    """Frames until the density stays within 15 %, a mean over 100 frames."""
    off = np.flatnonzero(np.abs(trace.smooth(100) / wanted - 1) > 0.15)
    return CHUNK * (int(off[-1]) + 1) if len(off) else 0


@pytest.mark.parametrize("on_frames", [1.0, 5.0, 20.0, 60.0])
@pytest.mark.parametrize("in_flight", [0, 60])
def test_it_reaches_the_set_point_and_stays(on_frames: float, in_flight: int) -> None:
    trace = Trace(density.start(settings(), 1.0))
    run(trace, Plant(on_frames=on_frames, area_um2=3000.0), 3000, in_flight)
    assert settled(trace) < 1200
    assert trace.state.is_tuned
    assert trace.value[-1] == pytest.approx(3.0, rel=0.2)


@pytest.mark.parametrize("change", [0.5, 2.0])
def test_a_change_of_the_pool_is_made_good_within_300_frames(change: float) -> None:
    plant = Plant(area_um2=1000.0)
    trace = run(Trace(density.start(settings(), 1.0)), plant, 1500)
    plant.pool *= change
    after = run(Trace(replace(trace.state), value=trace.value[-1:]), plant, 1500)
    assert settled(after) <= 300
    # It goes over to the new value, without going to and fro about it.
    moves = np.diff([v for v, w in zip(after.value, after.value[1:], strict=False) if v != w])
    turns = np.count_nonzero(np.diff(np.sign(moves[np.abs(moves) > 0.1 * after.value[-1]])))
    assert turns <= 1


def test_bleaching_is_followed_until_the_light_is_at_its_highest() -> None:
    plant = Plant(pool_frames=2500)
    trace = run(Trace(density.start(settings(), 1.0)), plant, 3000)
    late = trace.smooth(200)[len(trace.density) // 4 :]
    assert np.abs(late / 0.3 - 1).max() < 0.2
    run(trace, plant, 6000)
    assert trace.value[-1] == 10.0
    assert any("its highest; the pool may be exhausted" in why for why in trace.why)
    assert len(trace.why) < 200


@pytest.mark.parametrize("crowd", [1.0, 0.6])
def test_it_does_not_run_away_where_the_engine_is_lost_in_the_crowd(crowd: float) -> None:
    """At best 1 / e of the crowd's density is found: less than is asked for."""
    plant = Plant(crowd=crowd, per_volt=0.5)
    trace = run(Trace(density.start(settings(set_point_per_um2=0.6), 0.4)), plant, 4000)
    # The light at which most is found is `crowd` / `per_volt`; at most 2.5 of it in the end.
    assert np.median(trace.value[len(trace.value) // 2 :]) < 2.5 * crowd / 0.5
    assert any("too many to be told apart" in why for why in trace.why)


def test_a_sample_that_shines_by_itself_is_no_crowd() -> None:
    plant = Plant(offset=0.15)
    trace = run(Trace(density.start(settings(), 0.1)), plant, 4000)
    assert np.mean(trace.density[-200:]) == pytest.approx(0.3, rel=0.1)


def test_light_goes_to_its_lowest_where_there_is_too_much_by_itself() -> None:
    trace = run(Trace(density.start(settings(), 2.0)), Plant(offset=0.8), 1500)
    assert trace.value[-1] == 0.0
    assert any("at its lowest" in why for why in trace.why)


def test_too_much_for_the_engine_is_cut_before_the_look_is_over() -> None:
    plant = Plant(on_frames=2.0)
    trace = Trace(density.start(settings(most_per_um2=0.5, every_frames=100), 10.0))
    run(trace, plant, 40)
    assert trace.value[-1] < 5.0
    assert "above 0.5, which the engine holds" in trace.why[0]


def test_slew_and_limits_are_kept() -> None:
    said = settings(slew_per_s=0.5, lowest=0.5, highest=2.0)
    trace = run(Trace(density.start(said, 0.5)), Plant(), 3000)
    value = np.array(trace.value)
    assert value.min() >= 0.5
    assert value.max() == 2.0
    changes = np.flatnonzero(np.diff(value))
    took = np.diff(np.concatenate([[0], changes])) * CHUNK * FRAME_S
    assert (np.abs(np.diff(value)[changes]) <= 0.5 * took + 0.5 * CHUNK * FRAME_S).all()


def test_a_value_outside_of_the_limits_is_brought_inside_first() -> None:
    state, value = density.step(density.start(settings(highest=2.0), 5.0), CHUNK, 0.1, 0.0)
    assert value == 2.0
    assert state.decision is not None
    assert state.decision.why == "the first value"
    _, value = density.step(density.start(settings()), CHUNK, 0.1, 0.0)
    assert value == 0.1, "an unknown value is set to the least light"


def test_little_noise_moves_nothing() -> None:
    state = density.start(settings(), 3.0)
    for k in range(400):
        state, value = density.step(state, CHUNK, 0.3 + 0.01 * (-1) ** k, k * 0.1)
        assert value is None


def test_a_dry_run_says_what_it_would_do_and_does_nothing() -> None:
    trace = run(Trace(density.start(settings(dry_run=True), 1.0)), Plant(), 1000)
    assert set(trace.value) == {1.0}
    assert trace.why
    assert trace.why[0].startswith("would be: Laser.Voltage from 1 to 2.")
    assert len(trace.why) < 20
    decision = None
    state = trace.state
    while decision is None:
        state, _ = density.step(state, CHUNK, 1.0, 100.0)
        decision = state.decision
    assert not decision.applied


def test_who_holds_it_or_sets_it_by_hand_is_obeyed() -> None:
    state = density.hold(density.start(settings(), 1.0))
    assert state.mode is Mode.HELD
    for _ in range(20):
        state, value = density.step(state, CHUNK, 0.01, 1.0)
        assert value is None
    state, value = density.override(state, 4.0, 2.0)
    assert value == 4.0
    assert state.mode is Mode.MANUAL
    assert state.decision is not None
    assert (state.decision.before, state.decision.after) == (1.0, 4.0)
    with pytest.raises(InputError, match=r"Laser\.Voltage by hand is 11; give 0 to 10"):
        density.override(state, 11.0, 2.0)
    trace = run(Trace(density.release(state)), Plant(), 2000)
    assert np.mean(trace.density[-100:]) == pytest.approx(0.3, rel=0.15)


def test_a_decision_is_plain_values() -> None:
    state, _ = density.override(density.start(settings(), 1.0), 4.0, 2.0)
    assert state.decision is not None
    told = json.loads(json.dumps(state.decision.as_dict()))
    assert told == {
        "property": "Laser.Voltage",
        "before": 1.0,
        "after": 4.0,
        "why": "set by hand",
        "seconds": 2.0,
        "per_um2": None,
        "set_point_per_um2": 0.3,
        "applied": True,
    }


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"highest": 0.0}, "highest is 0; give a finite number above 0"),
        ({"lowest": 10.0}, "lowest is 10; give 0 to below highest"),
        ({"safe": math.nan}, "safe is nan"),
        ({"dead_zone": 1.0}, "dead_zone is 1; give 0 to below 1"),
        ({"slew_per_s": 0.0}, "slew_per_s is 0; give a finite number above 0"),
        ({"most_per_um2": 0.2}, "set_point_per_um2 is 0.3 but the engine holds up to 0.2"),
    ],
)
def test_settings_that_cannot_be_are_refused(changed: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        settings(**changed)


def test_densities_that_cannot_be_are_refused() -> None:
    state = density.start(settings(), 1.0)
    with pytest.raises(InputError, match="density is nan per um2"):
        density.step(state, CHUNK, math.nan, 1.0)
    with pytest.raises(InputError, match="frames is 0"):
        density.step(state, 0, 1.0, 1.0)
