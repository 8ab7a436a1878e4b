import csv
import json
from pathlib import Path

import numpy as np
import pytest

from live_smlm.cli import main
from live_smlm.store.log import read_log
from live_smlm.store.record import read_run

DEMO = "demo:size=32x32,exposure_ms=4,density=0.5,seed=3"


def written(folder: Path, text: str) -> str:
    path = folder / "fields.csv"
    path.write_text(text)
    return str(path)


def test_fields_are_acquired_one_after_the_other_until_their_own_rules_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fields = written(
        tmp_path,
        "name,x_um,y_um,stop,frames\nhere,0,0,,\nthere,400,-300,frames > 50,\nlast,0,0,,150\n",
    )
    out = tmp_path / "queue"
    words = ["queue", fields, "--source", DEMO, "--engine", "gauss-mle", "--topology", "threads"]
    code = main([*words, "--stop", "molecules > 40", "--out", str(out), "--json"])
    said = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (said["fields"], said["done"]) == (3, 3)
    assert said["fields_per_hour"] >= said["fixed_length_fields_per_hour"] > 0
    rows = list(csv.DictReader((out / "fields.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == ["here", "there", "last"]
    assert rows[0]["reason"].startswith("enough: molecules > 40")
    assert rows[1]["reason"].startswith("enough: frames > 50")
    runs = [read_run(out / row["name"]) for row in rows]
    assert all(run["frames"]["captured"] == run["frames"]["localized"] > 0 for run in runs)
    assert runs[1]["config"]["stop"] == "frames > 50"
    here, there = (read_log(out / name).molecules for name in ("here", "there"))
    assert len(here) > 40
    assert _overlap(here.x, here.y, there.x, there.y) < 0.6


def _overlap(xa: np.ndarray, ya: np.ndarray, xb: np.ndarray, yb: np.ndarray) -> float:
    """The share of the second's molecules that have one of the first within 30 nm."""
    near = np.hypot(xb[:, None] - xa, yb[:, None] - ya).min(axis=1) < 30
    return float(near.mean())


@pytest.mark.parametrize(
    ("source", "more", "said"),
    [
        (DEMO, [], "has no end"),
        (DEMO, ["--stop", "frc < 3 cm"], "frc"),
        ("simulated:frames=10", ["--frames", "5"], "has no stage"),
    ],
)
def test_what_cannot_be_queued_is_refused_before_anything_moves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, more: list[str], said: str
) -> None:
    fields = written(tmp_path, "x_um,y_um\n0,0\n")
    out = tmp_path / "queue"
    words = ["queue", fields, "--source", source, "--engine", "gauss-mle", "--out", str(out)]
    assert main([*words, *more]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()
