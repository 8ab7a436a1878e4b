"""Means over seeds and sets, and the gates of the flagship."""

from math import inf, isnan, sqrt

import pytest

from live_smlm.evaluate.comparison import Comparison, Gate, Row, mean
from live_smlm.evaluate.standard import Values

HIGH, LOW, PULSE = "2d/high/mid/scmos", "2d/low/mid/scmos", "2d/pulse/mid/scmos"


def rows(engine: str, set_name: str, *values: Values, seconds: float = 1.0) -> list[Row]:
    return [
        Row(engine=engine, set_name=set_name, seed=k, frames=100, seconds=seconds, values=v)
        for k, v in enumerate(values)
    ]


def efficiencies(engine: str, set_name: str, *values: float | None) -> list[Row]:
    return rows(engine, set_name, *({"efficiency": v} for v in values))


def gate(told: Comparison, name: str) -> Gate:
    (one,) = (g for g in told.gates() if g.name.startswith(name))
    return one


def test_a_mean_knows_its_error() -> None:
    told = mean([1.0, 2.0, 3.0])
    assert told is not None
    assert told.value == 2
    assert told.standard_error == pytest.approx(1 / sqrt(3))
    single = mean([5.0])
    assert single is not None
    assert isnan(single.standard_error)
    assert mean([]) is None
    assert mean([1.0, None]) is None


def test_overall_takes_its_error_from_the_seeds_not_the_sets() -> None:
    two = [
        *efficiencies("a", "2d/low/mid/scmos", 40.0, 42.0),
        *efficiencies("a", "2d/low/high/scmos", 80.0, 82.0),
    ]
    told = Comparison(two, {"a": None}).overall("a", ("2d", "low"), "efficiency")
    assert told is not None
    assert told.value == 61
    assert told.standard_error == pytest.approx(1.0)


def test_speeds_are_over_the_baseline_of_the_run() -> None:
    both = [*rows("gauss-mle", LOW, {}, {}, seconds=2.0), *rows("glint:threshold=0.5", LOW, {})]
    slow = rows("gauss-mle:joint=true", LOW, {}, seconds=40.0)
    engines = dict.fromkeys(["gauss-mle:joint=true", "gauss-mle", "glint:threshold=0.5"])
    told = Comparison([*slow, *both], engines)
    assert told.speed("gauss-mle", [LOW]) == 50
    assert told.relative_speed("glint:threshold=0.5", [LOW]) == 2
    assert told.relative_speed("glint:threshold=0.5", [HIGH]) is None


def test_a_rival_may_be_ahead_within_the_error_bars_only() -> None:
    rival = efficiencies("decode", LOW, 69.0, 71.0)
    behind = Comparison(
        [*efficiencies("glint", LOW, 68.0, 70.0), *rival], {"glint": 1, "decode": 1}
    )
    assert not gate(behind, "efficiency at least that of decode").missed
    far = Comparison([*efficiencies("glint", LOW, 66.0, 68.0), *rival], {"glint": 1, "decode": 1})
    assert gate(far, "efficiency at least that of decode").missed == (LOW,)
    # Errors of 1 each: the bar is their hypotenuse.
    assert gate(far, "efficiency at least that of decode").least[1] == pytest.approx(sqrt(2) - 3)


def test_a_set_that_only_the_rival_serves_is_missed() -> None:
    told = Comparison(
        [*efficiencies("glint", LOW, 70.0), *efficiencies("decode", HIGH, -20.0)],
        {"glint": 1, "decode": 1},
    )
    assert gate(told, "efficiency at least that of decode").margins == {HIGH: -inf}


def test_the_baseline_must_be_far_behind_at_high_density() -> None:
    told = Comparison(
        [
            *efficiencies("glint", HIGH, 50.0, 52.0),
            *efficiencies("gauss-mle", HIGH, 36.5, 36.5),
            *efficiencies("glint", LOW, 70.0, 70.0),
            *efficiencies("gauss-mle", LOW, 70.0, 70.0),
        ],
        {"gauss-mle": None, "glint": None},
    )
    lead = gate(told, "efficiency at least 15 above gauss-mle")
    assert lead.margins == {HIGH: -0.5}


def test_limits_of_isolated_molecules_pulls_and_arithmetic() -> None:
    values: Values = {"x": 1.1, "y": 1.2, "pull x": 0.95, "pull y": 1.15}
    standard: Values = {"pull_std_x": 1.05, "pull_std_y": None}
    told = Comparison(
        [*rows("glint", PULSE, values), *rows("glint", LOW, standard)], {"glint": 70_000}
    )
    missed = {g.name for g in told.gates() if g.missed}
    assert missed == {
        "std/CRLB y of isolated molecules at most 1.15",
        "pull std y of isolated molecules within 0.9 to 1.1",
        "pull std y within 0.9 to 1.1",
        "multiply-adds per pixel at most 60000",
    }
    assert gate(told, "pull std y within").margins == {LOW: -inf}
    assert not any("z" in g.name for g in told.gates() if g.name.startswith("std/CRLB"))


def test_without_the_flagship_nothing_is_asked() -> None:
    assert Comparison(efficiencies("decode", LOW, 1.0), {"decode": 1}).gates() == []
