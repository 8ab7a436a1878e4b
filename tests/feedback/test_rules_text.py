import pytest

from live_smlm.core import InputError, Order, Will, read_order
from live_smlm.feedback.rules_text import read_rule

SAID = [
    ("frc 30nm", "frc < 30 nm"),
    ("frc <= 0.03 um", "frc < 30 nm"),
    ("time 10 min", "time > 600 s"),
    ("molecules > 100k", "molecules > 100000"),
    ("pool < 5 %", "pool < 5 %"),
    ("frc gain < 1 nm in 5 min", "frc gain < 1 nm in 300 s"),
    ("frc gain 2% in 5 s", "frc gain < 2 % in 5 s"),
    ("completeness gain < 2% in 5 s", "completeness gain < 2 % in 5 s"),
    (
        "frc < 30 nm or completeness > 95 % and blinks > 1e5",
        "frc < 30 nm or (completeness > 95 % and blinks > 100000)",
    ),
    (
        "(frc < 30 nm or nyquist < 20 nm) and frames > 500",
        "(frc < 30 nm or nyquist < 20 nm) and frames > 500",
    ),
    (
        "(frc < 30 nm and drift > 1 um) in every roi or time > 1 h",
        "(frc < 30 nm and drift > 1000 nm) in every roi or time > 3600 s",
    ),
]


@pytest.mark.parametrize(("text", "told"), SAID)
def test_a_rule_is_read_and_told_alike(text: str, told: str) -> None:
    rule = read_rule(text)
    assert str(rule) == told
    assert read_rule(told) == rule


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("  ", "stop rule is empty; write as"),
        ("sharpness < 3 nm", "'sharpness' is no quantity; choose of frc, halfbit"),
        ("frc > 30 nm", "frc > would stop at once; write frc <"),
        ("frc gain > 1 nm in 5 s", "frc gain > would stop at once; write frc gain <"),
        ("time < 10 s", "time < would stop at once; write time >"),
        ("frc < 30", "frc has the end for a unit; say it in nm or um"),
        ("frc < 30 %", "frc has '%' for a unit; say it in nm"),
        ("frc < nm", "frc has 'nm' for a number; give a number"),
        ("frc < -30 nm", "'-30 nm' is not read"),
        ("frc < 0 nm", "frc has the goal 0 nm; give above 0"),
        ("completeness > 120 %", "the goal 120 %; give above 0 and up to 100 %"),
        ("frc gain < 1 nm", "the end stands where 'in' must"),
        ("frc gain < 1 nm in 5", "frc gain has the end for a unit of time; say it in s or min"),
        ("time gain < 1 s in 5 s", "time has no gain that could be forecast"),
        ("(frc < 30 nm", "the end stands where a bracket ends; close it"),
        ("frc < 30 nm)", "')' follows a whole rule; join rules by and, or"),
        ("frc < 30 nm in all roi", "'all' stands where 'every' must"),
        ("frc < 30 nm or", "the end is no quantity"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said(text: str, complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        read_rule(text)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("hold", Order(Will.HOLD)),
        (" Stop ", Order(Will.STOP)),
        ("release", Order(Will.RELEASE)),
        ("extend 500 frames", Order(Will.EXTEND, frames=500)),
        ("extend 2 min", Order(Will.EXTEND, seconds=120.0)),
        ("extend 1.5s", Order(Will.EXTEND, seconds=1.5)),
    ],
)
def test_an_order_is_read(text: str, order: Order) -> None:
    assert read_order(text) == order


@pytest.mark.parametrize(
    "text", ["", "halt", "extend", "extend 5", "extend 1.5 frames", "extend -5 s", "extend x s"]
)
def test_an_order_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        read_order(text)


def test_only_an_extension_has_a_length() -> None:
    with pytest.raises(InputError, match="only extend may"):
        Order(Will.HOLD, frames=5)
    with pytest.raises(InputError, match="give one of them"):
        Order(Will.EXTEND, frames=5, seconds=5.0)
