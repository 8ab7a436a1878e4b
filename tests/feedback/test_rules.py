import json
from collections.abc import Iterable

import pytest

from live_smlm.core import Checkpoint, History, Order, Stop, Will, read_order
from live_smlm.feedback.rules import (
    FIELD,
    Decision,
    StopSettings,
    StopState,
    start,
    step,
    stop_settings,
)

EVERY, SECONDS = 100, 0.02


def histories(values: Iterable[dict[str, float]]) -> list[History]:
    """What is known after each checkpoint."""
    whole = tuple(
        Checkpoint(EVERY * (i + 1), EVERY * (i + 1) * SECONDS, v) for i, v in enumerate(values)
    )
    return [whole[: i + 1] for i in range(len(whole))]


def falling(pool: Iterable[float]) -> list[History]:
    return histories({"pool_left": value} for value in pool)


def sharpening(count: int = 40) -> list[History]:
    """frc falls from 120 to 30 nm as the root of the molecules, without any scatter."""
    return histories(
        {"frc_nm": 3e3 / (600 * (i + 1)) ** 0.5, "molecules": 600.0 * (i + 1), "nena_nm": 2.0}
        for i in range(count)
    )


def run(
    settings: StopSettings, seen: list[History], orders: dict[int, str] | None = None
) -> tuple[Stop | None, list[Decision]]:
    state, decisions = start(settings), []
    for number, history in enumerate(seen):
        text = (orders or {}).get(number)
        state, stop, decision = step(
            state, {FIELD: history}, None if text is None else read_order(text)
        )
        decisions.append(decision)
        if stop is not None:
            return stop, decisions
    return None, decisions


def settings(text: str, *, dry_run: bool = False) -> StopSettings:
    return stop_settings(text, least_frames=200, in_a_row=2, dry_run=dry_run)


def test_a_measured_value_must_hold_in_a_row() -> None:
    stop, decisions = run(settings("pool < 10 %"), falling([0.5, 0.09, 0.2, 0.08, 0.07, 0.06]))
    assert stop is not None
    assert stop.frame == 5 * EVERY
    assert [d.judged[0].row for d in decisions] == [0, 1, 0, 1, 2]
    assert "2 of 2 checks" in stop.reason
    assert "0.07" in stop.reason


def test_nothing_measured_stops_before_the_least_number_of_frames() -> None:
    late = stop_settings("pool < 10 %", least_frames=400, in_a_row=1)
    stop, _ = run(late, falling([0.01] * 6))
    assert stop is not None
    assert stop.frame == 400


def test_what_is_certain_stops_at_once() -> None:
    for text in ("time > 2 s", "frames > 100", "molecules > 600"):
        stop, _ = run(stop_settings(text), sharpening(5))
        assert stop is not None, text
        assert stop.frame == EVERY or text.startswith("molecules")


def test_counts_are_compared_as_they_are() -> None:
    stop, decisions = run(settings("molecules > 3k"), sharpening(9))
    assert stop is not None
    assert stop.frame == 5 * EVERY
    assert decisions[-1].judged[0].value == 3000


def test_a_resolution_stops_where_it_is_reached_and_says_when_it_will() -> None:
    stop, decisions = run(settings("frc < 40 nm"), sharpening())
    assert stop is not None
    reached = (3e3 / 40) ** 2 / 6
    assert abs(stop.frame - reached) < 2 * EVERY
    judged = decisions[5].judged[0]
    assert judged.frames is not None
    assert judged.frames.low < reached < judged.frames.high
    assert judged.value is not None
    assert abs(judged.value - 50) < 2


def test_an_unknown_value_never_stops_and_says_so() -> None:
    stop, decisions = run(settings("frc < 1000 nm or pool < 99 %"), histories([{}] * 6))
    assert stop is None
    assert [j.why for j in decisions[-1].judged] == [
        "frc_nm is known of 0 checkpoints yet; 4 are needed",
        "pool_left is not known yet",
    ]


def test_and_needs_both_and_or_needs_one() -> None:
    seen = falling([0.05] * 8)
    both, _ = run(settings("pool < 10 % and time > 12 s"), seen)
    one, _ = run(settings("pool < 10 % or time > 12 s"), seen)
    assert both is not None
    assert one is not None
    assert (one.frame, both.frame) == (300, 600)


def test_a_plateau_stops_when_hardly_anything_would_be_gained() -> None:
    stop, _ = run(settings("frc gain < 2 nm in 10 s"), sharpening(60))
    assert stop is not None
    # d frc / d frame = -frc / (2 frame): 2 nm in 500 frames
    gain = [3e3 / (6 * f) ** 0.5 - 3e3 / (6 * (f + 500)) ** 0.5 for f in (0.8, 1.25)]
    assert gain[0] > 2
    at = stop.frame
    exact = 3e3 / (6 * at) ** 0.5 - 3e3 / (6 * (at + 500)) ** 0.5
    assert 1 < exact < 2.2


def regions(*frc: float) -> dict[str, History]:
    whole = {f"roi {i}": falling([value] * 4)[-1] for i, value in enumerate(frc)}
    return {FIELD: falling([0.9] * 4)[-1], **whole}


def test_every_region_must_have_come_to_the_goal() -> None:
    def fulfilled(text: str, given: dict[str, History]) -> bool:
        state = start(stop_settings(text, least_frames=0, in_a_row=1))
        return step(state, given)[2].fulfilled

    assert fulfilled("pool < 10 % in every roi", regions(0.05, 0.02))
    assert not fulfilled("pool < 10 % in every roi", regions(0.05, 0.2))
    assert not fulfilled("pool < 10 % in every roi", regions())
    assert fulfilled("(pool < 10 % and frames > 100) in every roi", regions(0.05))
    empty = {**regions(0.05), "roi new": ()}
    assert not fulfilled("pool < 10 % in every roi", empty)


def test_the_operator_holds_and_releases() -> None:
    stop, decisions = run(settings("pool < 10 %"), falling([0.05] * 9), {1: "hold", 6: "release"})
    assert stop is not None
    assert stop.frame == 700
    assert decisions[4].fulfilled
    assert not decisions[4].stops
    assert decisions[4].because.startswith("on hold; pool < 10 %")


@pytest.mark.parametrize("order", ["extend 400 frames", "extend 8 s"])
def test_the_operator_extends(order: str) -> None:
    stop, decisions = run(settings("pool < 10 %"), falling([0.05] * 9), {1: order})
    assert stop is not None
    assert stop.frame == 600
    assert decisions[4].because.startswith("extended to ")


def test_the_operator_stops_even_a_dry_run() -> None:
    dry = settings("pool < 10 %", dry_run=True)
    stop, decisions = run(dry, falling([0.05] * 9), {7: "stop"})
    assert stop == Stop("the operator said stop", 800)
    assert decisions[3].because.startswith("dry run, would stop; ")


def test_the_same_checkpoint_counts_once() -> None:
    history = falling([0.5, 0.05])[-1]
    state: StopState = start(settings("pool < 10 %"))
    for _ in range(5):
        state, stop, decision = step(state, {FIELD: history}, Order(Will.RELEASE))
        assert stop is None
        assert decision.judged[0].row == 1


def test_there_is_one_stop() -> None:
    state = start(stop_settings("frames > 100"))
    first, second = (falling([0.5] * n)[-1] for n in (1, 2))
    state, stop, _ = step(state, {FIELD: first})
    assert stop is not None
    state, stop, decision = step(state, {FIELD: second})
    assert stop is None
    assert decision.fulfilled


def test_a_decision_is_plain_values() -> None:
    _, decisions = run(settings("frc < 40 nm or pool < 5 %"), sharpening(10))
    told = json.loads(json.dumps(decisions[-1].plain(), allow_nan=False))
    assert told["rule"] == "frc < 40 nm or pool < 5 %"
    assert told["frame"] == 1000
    frc, pool = told["judged"]
    assert set(frc) >= {"value", "low", "high", "goal", "row", "needed", "frames", "chance"}
    assert frc["goal"] == 40
    assert "value" not in pool
