"""How long until a rule holds: of each condition, and of rules made of several."""

import math

import pytest

from live_smlm.feedback.forecast import Span
from live_smlm.feedback.rules import Decision, Judged
from live_smlm.feedback.rules_text import read_rule
from live_smlm.session.left import time_left

FRC = Judged(condition="frc < 60 nm", name="frc_nm", goal=60.0, frames=Span(1100, 1500, 3000))
TIME = Judged(condition="time > 40 s", name="seconds", goal=40.0)
FRAMES = Judged(condition="frames > 1200", name="frame", goal=1200.0)
POOL = Judged(condition="pool < 5 %", name="pool_left", goal=0.05)
NEVER = Judged(
    condition="completeness > 90 %",
    name="completeness",
    goal=0.9,
    frames=Span(math.inf, math.inf, math.inf),
)
MET = Judged(condition="molecules > 10", name="molecules", goal=10, met=True, fulfilled=True)


def left(rule: str, *judged: Judged) -> tuple[float, ...] | None:
    decision = Decision(
        frame=1000,
        seconds=20.0,
        rule=rule,
        fulfilled=False,
        stops=False,
        because="",
        judged=(FRC, TIME, FRAMES, POOL, NEVER, MET, *judged),
    )
    span = time_left(read_rule(rule), decision)
    return None if span is None else (span.low, span.value, span.high)


@pytest.mark.parametrize(
    ("rule", "seconds"),
    [
        ("frc < 60 nm", (2, 10, 40)),
        ("time > 40 s", (20, 20, 20)),
        ("frames > 1200", (4, 4, 4)),
        ("pool < 5 %", None),
        ("completeness > 90 %", (math.inf,) * 3),
        ("frc < 60 nm or time > 40 s", (2, 10, 20)),
        ("frc < 60 nm and time > 40 s", (20, 20, 40)),
        ("frc < 60 nm and molecules > 10", (2, 10, 40)),
        ("molecules > 10 or frc < 60 nm", (0, 0, 0)),
        ("frc < 60 nm or pool < 5 %", (2, 10, 40)),
        ("frc < 60 nm and pool < 5 %", None),
        ("(frc < 60 nm or completeness > 90 %) and frames > 1200", (4, 10, 40)),
        ("frc < 60 nm in every roi", None),
    ],
)
def test_rules_of_several_conditions(rule: str, seconds: tuple[float, ...] | None) -> None:
    assert left(rule) == (None if seconds is None else pytest.approx(seconds))


def test_every_region_is_waited_for() -> None:
    regions = [
        Judged(condition="frc < 60 nm", name="frc_nm", goal=60.0, region=name, frames=frames)
        for name, frames in (("a", Span(1000, 1100, 1200)), ("b", Span(1050, 1050, 1050)))
    ]
    assert left("frc < 60 nm in every roi", *regions) == pytest.approx((1, 2, 4))
