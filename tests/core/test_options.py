"""Options are read strictly: nothing is guessed, nothing dropped."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from live_smlm.core import InputError
from live_smlm.core.options import build, parse


@dataclass(frozen=True, slots=True)
class Knobs:
    sigma_nm: float
    rounds: int = 3
    joint: bool = False
    where: Path | None = None
    label: str = "x"
    made: list[int] = field(default_factory=list, init=False)


def test_text_becomes_typed_options() -> None:
    kind, given = parse("mle:sigma_nm=1.3e2,rounds=5,joint=true,where=a/b.npy", "engine")
    knobs = build(Knobs, given, "engine 'mle'")
    assert kind == "mle"
    assert knobs == Knobs(130.0, 5, joint=True, where=Path("a/b.npy"))


def test_values_from_toml_are_taken_as_they_are() -> None:
    assert build(Knobs, {"sigma_nm": 130, "joint": False}, "x") == Knobs(130.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "engine is empty"),
        ("mle:joint", "'joint' is not key=value"),
        ("mle:joint=", "'joint=' is not key=value"),
        ("mle:rounds=1,rounds=2", "says 'rounds' twice"),
        ("mle:rounds=1, rounds =2", "says 'rounds' twice"),
        ("mle:rounds= ,joint=1", "'rounds= ' is not key=value"),
        ("mle:=2", "'=2' is not key=value"),
        ("mle:jont=true", "no option 'jont'; it has joint, label, rounds, sigma_nm, where"),
        ("mle:made=1", "no option 'made'"),
        ("mle:rounds=2", "needs sigma_nm"),
        ("mle:sigma_nm=wide", "option sigma_nm is 'wide'; give a number"),
        ("mle:sigma_nm=1,rounds=2.5", "option rounds is '2.5'; give a whole number"),
        ("mle:sigma_nm=1,joint=maybe", "option joint is 'maybe'; say true or false"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(Knobs, parse(text, "engine")[1], "engine 'mle'")


def test_a_truth_value_is_no_number() -> None:
    with pytest.raises(InputError, match="whole number"):
        build(Knobs, {"sigma_nm": 1, "rounds": True}, "x")


@pytest.mark.parametrize("value", [math.inf, math.nan, 10**400])
def test_a_number_beyond_counting_is_refused(value: float) -> None:
    with pytest.raises(InputError, match=r"option rounds is .*; give a whole number"):
        build(Knobs, {"sigma_nm": 1, "rounds": value}, "x")


@dataclass(frozen=True, slots=True)
class Tables:
    by_name: Mapping[str, float] = field(default_factory=dict)
    places: Sequence[int] = ()
    way: Literal["up", "down"] = "up"
    either: str | Sequence[int] | None = None


def test_what_text_cannot_be_turned_into_is_taken_ready_made() -> None:
    given = {"by_name": {"a": 1.0}, "places": [1], "way": "down", "either": [1, 2]}
    assert build(Tables, given, "x") == Tables({"a": 1.0}, [1], "down", [1, 2])
    assert build(Tables, {"either": "1x2"}, "x").either == "1x2"


@pytest.mark.parametrize(
    ("name", "cure"),
    [("by_name", "a Mapping"), ("places", "a Sequence"), ("way", "one of up, down")],
)
def test_text_in_place_of_a_table_is_refused(name: str, cure: str) -> None:
    with pytest.raises(InputError, match=f"option {name} is 'a:1'; give {cure}"):
        build(Tables, {name: "a:1"}, "x")
