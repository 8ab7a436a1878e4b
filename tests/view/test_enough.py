"""Whether it is enough, in words: each state of a rule, and what is not known."""

from typing import Any

import pytest

from live_smlm.testing.told_quality import DECISION, QUALITY
from live_smlm.testing.told_run import STATE
from live_smlm.view import enough, news
from live_smlm.view.news import Grade, News


def of(quality: dict[str, Any] | None, **changes: Any) -> News:
    more = {} if quality is None else {"quality": quality}
    return news.with_state(news.joining("a-run"), {**STATE, **more, **changes}, 0.0)


def test_the_verdict_says_how_long_it_takes() -> None:
    said = enough.verdict(of(QUALITY))
    assert (said.line, said.more) == ("Going on", "enough in about 16 s (10 s to 20 s)")
    slow = {"low": 400.0, "value": 900.0, "high": None}
    assert enough.verdict(of(QUALITY | {"left_s": slow})).more == (
        "enough in about 15 min (7 min to never)"
    )
    never = dict.fromkeys(("low", "value", "high"))
    assert (
        "only when the molecules are used up"
        in enough.verdict(of(QUALITY | {"left_s": never})).more
    )
    assert enough.verdict(of(QUALITY | {"left_s": None})).more == "enough not known yet"


@pytest.mark.parametrize(
    ("changes", "line", "grade"),
    [
        ({"kind": "on hold", "held": True}, "On hold", Grade.CAUTION),
        ({"kind": "extended", "until_frame": 1500.0}, "Extended to frame 1,500", Grade.CAUTION),
        ({"kind": "extended", "until_s": 80.0}, "Extended to 80 s", Grade.CAUTION),
        ({"kind": "would stop", "dry_run": True}, "Would stop", Grade.GOOD),
        ({"kind": "enough"}, "Enough", Grade.GOOD),
        ({"kind": "stop"}, "Enough", Grade.GOOD),
        ({"kind": None, "decision": None, "left_s": None}, "Going on", Grade.NEUTRAL),
        ({"rule": None, "kind": None, "decision": None}, "No rule", Grade.NEUTRAL),
    ],
)
def test_each_state_of_a_rule_has_its_line(
    changes: dict[str, Any], line: str, grade: Grade
) -> None:
    said = enough.verdict(of(QUALITY | changes))
    assert (said.line, said.grade) == (line, grade)
    assert enough.held(of(QUALITY | changes)) is (line.startswith(("On hold", "Extended")))


def test_a_run_that_has_ended_or_was_not_judged_says_so() -> None:
    ended = {"finished": {"finish": "completed", "reason": "time"}}
    assert enough.verdict(of(QUALITY, **ended)).line == "Ended before it was enough"
    assert enough.verdict(of(QUALITY | {"kind": "stop"}, **ended)).line == "Enough"
    assert enough.verdict(of(None, **ended)).more == "it was not judged"
    assert enough.verdict(of(None)).more == "no look at it has been taken yet"
    assert enough.targets(of(None)) == ()
    assert enough.rule_words(of(None)) == ""


def test_each_target_is_told_with_its_outlook() -> None:
    frc, time, completeness = enough.targets(of(QUALITY))
    assert (frc.title, frc.value, frc.interval) == ("frc < 60 nm", "71.2 nm", "68.4 nm to 74.9 nm")
    assert frc.checks == "0 of 3 checks"
    assert frc.share == pytest.approx(60 / 71.2)
    assert frc.outlook == (
        "goal in 16 s (10 s to 28 s); 42 nm in the end (38 nm to 47 nm); limited by density"
    )
    assert (time.value, time.share, time.checks) == ("20 s", 0.5, "")
    assert (completeness.value, completeness.share) == ("61 %", None)
    assert completeness.outlook == "95 % in the end (90 % to 99 %); limited by pool"


def judged(**changes: Any) -> dict[str, Any]:
    first, *_ = DECISION["judged"]
    return QUALITY | {"decision": DECISION | {"judged": [first | changes]}}


@pytest.mark.parametrize(
    ("changes", "value", "outlook"),
    [
        ({"value": None, "low": None, "why": "frc_nm is new"}, "not known yet", "frc_nm is new"),
        ({"met": True, "row": 1, "value": 59.0}, "59 nm", "reached, to be confirmed"),
        ({"met": True, "row": 5, "fulfilled": True, "value": 59.0}, "59 nm", "reached"),
        ({"frames": dict.fromkeys(("low", "value", "high"))}, "71.2 nm", "not to be expected"),
    ],
)
def test_a_condition_in_each_of_its_states(
    changes: dict[str, Any], value: str, outlook: str
) -> None:
    target, *_ = enough.targets(of(judged(**changes)))
    assert target.value == value
    assert target.outlook.startswith(outlook)
    assert target.reached is bool(changes.get("fulfilled"))
    assert target.checks == f"{min(changes.get('row', 0), 3)} of 3 checks"


def test_regions_have_rows_of_their_own() -> None:
    values = {"frc_nm": 64.2, "completeness": None, "molecules": 1234.0}
    told = QUALITY | {"regions": {"cell": values, "tip": values}}
    told["decision"] = DECISION | {"judged": [DECISION["judged"][0] | {"region": "tip"}]}
    titles = {target.title: target for target in enough.targets(of(told))}
    assert list(titles) == ["frc < 60 nm in tip", "frc", "completeness", "frc in cell"]
    assert titles["frc in cell"].outlook == "completeness not known yet; molecules 1,234"
    assert "in the end" not in titles["frc < 60 nm in tip"].outlook  # that is the field's


def test_a_gain_is_told_in_its_own_unit() -> None:
    gain = {"condition": "frc gain < 5 % in 60 s", "value": 0.08, "low": 0.06, "high": 0.1}
    target, *_ = enough.targets(of(judged(**gain, goal=0.05, frames=None)))
    assert (target.value, target.interval) == ("8 %", "6 % to 10 %")
    assert target.share == pytest.approx(0.625)


def test_drift_is_told_with_its_error_or_as_unknown() -> None:
    assert enough.drift_words(of(QUALITY)) == "drift x -31 ± 1.2, y +12 ± 1.4 nm"
    assert enough.drift_words(of(QUALITY | {"drift": {}})) == "drift is not known"
    lost = QUALITY | {"drift": QUALITY["drift"] | {"lost": True}}
    assert enough.drift_words(of(lost)).endswith("the sample is lost at the moment")
