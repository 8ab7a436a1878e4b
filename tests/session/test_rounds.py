from pathlib import Path

import pytest

from live_smlm.core import InputError
from live_smlm.pipeline.ledger import Tally
from live_smlm.session import Control, Outcome
from live_smlm.session.fields import Spot, read_spots
from live_smlm.session.rounds import Row, Sheet, Values, summary, visit, write_rows
from live_smlm.store.record import Finish


def written(folder: Path, text: str) -> Path:
    path = folder / "fields.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_list_is_read_with_what_each_line_tells(tmp_path: Path) -> None:
    path = written(tmp_path, "x_um, y_um, name, stop\n0,0,,\n12.5,-3,b,time(3s)\n\n1e2,4,c,\n")
    assert read_spots(path) == (
        Spot(name="field-001", x_um=0, y_um=0),
        Spot(name="b", x_um=12.5, y_um=-3, stop="time(3s)"),
        Spot(name="c", x_um=100, y_um=4),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x_um\n1\n", "columns x_um"),
        ("x_um,y_um,laser\n1,2,3\n", "laser"),
        ("x_um,y_um\n", "no field"),
        ("x_um,y_um\n1,\n", "field 1 has no y_um"),
        ("x_um,y_um\n1,a\n", "no number"),
        ("x_um,y_um\n1,nan\n", "y_um nan"),
        ("x_um,y_um,name\n1,2,../up\n", "field name is '../up'"),
        ("x_um,y_um,name\n1,2,a\n3,4,a\n", "twice"),
        ("x_um,y_um,frames\n1,2,0\n", "0 frames"),
    ],
)
def test_what_is_no_list_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match="list of fields") as refused:
        read_spots(written(tmp_path, text))
    assert said in str(refused.value)


def outcome(finish: Finish, seconds: float, reason: str = "enough") -> Outcome:
    frames = int(100 * seconds)
    return Outcome(
        finish=finish,
        reason=reason,
        tally=Tally(captured=frames, localized=frames, deferred=0, shed=0, lost=0),
        molecules=7,
        latency_ms={},
        rate_mpx_s=1.0,
        seconds=seconds,
        deferred=[],
        shed=[],
        trust={},
    )


SPOTS = tuple(Spot(name=name, x_um=i, y_um=0) for i, name in enumerate("abc"))


def test_every_field_is_gone_to_and_acquired_in_order() -> None:
    steps: list[str] = []

    def acquire(spot: Spot) -> tuple[Outcome, Values]:
        steps.append(f"at {spot.name}")
        return outcome(Finish.STOPPED, 2.0), {"frc_nm": 30.0}

    rows = visit(
        SPOTS,
        lambda spot: steps.append(f"to {spot.name}"),
        acquire,
        Control(),
        lambda row: steps.append(f"told {row.name}"),
    )
    assert " ".join(steps) == "to a at a told a to b at b told b to c at c told c"
    assert [row.frames for row in rows] == [200, 200, 200]
    assert [row.frc_nm for row in rows] == [30.0] * 3


def test_a_stop_ends_the_queue_after_the_field_that_goes_on() -> None:
    control = Control()

    def acquire(spot: Spot) -> tuple[Outcome, Values]:
        if spot.name == "b":
            control.stop("Ctrl-C")
        return outcome(Finish.STOPPED, 1.0), {}

    rows = visit(SPOTS, lambda _: None, acquire, control, lambda _: None)
    assert [row.name for row in rows] == ["a", "b"]


@pytest.mark.parametrize(("reason", "reached"), [("engine raised", 3), ("source: no camera", 1)])
def test_a_field_that_fails_is_left_but_not_a_camera(reason: str, reached: int) -> None:
    rows = visit(
        SPOTS,
        lambda _: None,
        lambda spot: (
            outcome(Finish.ERRORED if spot.name == "a" else Finish.STOPPED, 1.0, reason),
            {},
        ),
        Control(),
        lambda _: None,
    )
    assert len(rows) == reached


def row(name: str, seconds: float, finish: str = "stopped") -> Row:
    return Row(
        name=name, x_um=0, y_um=0, finish=finish, reason="", frames=1, molecules=1,
        seconds=seconds, around_s=10.0,
        frc_nm=None, completeness=0.5,
    )  # fmt: skip


def test_the_gain_is_against_all_as_long_as_the_slowest() -> None:
    said = summary([row("a", 50), row("b", 140), row("c", 20), row("d", 999, "errored")])
    assert said["done"] == 3
    assert said["fields_per_hour"] == pytest.approx(3600 * 3 / (50 + 140 + 20 + 30), abs=0.01)
    assert said["gain"] == pytest.approx(3 * 150 / 240, abs=0.001)
    assert summary([]) == {"fields": 0, "done": 0}


def test_the_table_has_a_line_for_each_field(tmp_path: Path) -> None:
    write_rows(tmp_path / "fields.csv", [row("a", 50), row("b", 1)])
    lines = (tmp_path / "fields.csv").read_text().splitlines()
    assert lines[0].startswith("name,x_um,y_um,finish")
    assert [line.split(",")[0] for line in lines[1:]] == ["a", "b"]


def test_the_table_has_what_was_done_before_the_stage_refused(tmp_path: Path) -> None:
    def go(spot: Spot) -> None:
        if spot.name == "b":
            raise InputError("the stage is locked")

    sheet = Sheet(tmp_path / "fields.csv")
    assert sheet.path.read_text(encoding="utf-8").startswith("name,x_um")
    with pytest.raises(InputError, match="locked"):
        visit(SPOTS, go, lambda _: (outcome(Finish.STOPPED, 2.0), {}), Control(), sheet.add)
    assert [line[:2] for line in sheet.path.read_text(encoding="utf-8").splitlines()[1:]] == ["a,"]
