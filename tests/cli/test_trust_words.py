"""Trust, as the progress line, `watch` and the summary of a run say it."""

import json
from pathlib import Path
from typing import Any

import pytest

from live_smlm.cli import main, progress, watch
from live_smlm.cli.words import trust_words
from live_smlm.store.record import read_run
from live_smlm.transport.codec import Envelope

ALARM = {"name": "width", "value": 0.1312, "low": -0.06, "high": 0.06, "unit": "", "cure": "focus"}
RAISED = {"verdict": "alarm", "alarms": [ALARM], "shadow": "96 molecules", "numbers": {}}
SCENE = "simulated:frames=240,size=64x64,density=0.25,specimen=uniform,blinking=single"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "ALARM: width 0.131"),
        ({"alarms": [ALARM, {**ALARM, "name": "light", "value": 2.0}]}, "width 0.131, light 2"),
        ({"verdict": "ok", "alarms": []}, "ok"),
        ({"verdict": "too early", "alarms": [], "shadow": "3 fits"}, "too early (3 fits)"),
        ({"verdict": "not checked", "alarms": [], "shadow": "no PSF"}, "not checked (no PSF)"),
    ],
)
def test_words_for_a_verdict(changes: dict[str, Any], words: str) -> None:
    assert trust_words({**RAISED, **changes}).endswith(words)


def test_the_progress_line_and_watch_say_it(capsys: pytest.CaptureFixture[str]) -> None:
    state = {
        **dict.fromkeys(("molecules", "waiting", "deferred", "shed", "lost", "frames_s"), 0),
        "latency_ms": {"p99": None},
        "simulated": False,
        "trust": RAISED,
    }
    assert "trust ALARM: width 0.131" in progress._said(state)
    watch._show(Envelope("state", {"captured": 3, "trust": RAISED}), as_json=False)
    watch._show(Envelope("state", {"captured": 3, "trust": RAISED}), as_json=True)
    line, text = capsys.readouterr().out.splitlines()
    assert line == "state: captured 3, trust ALARM: width 0.131"
    assert json.loads(text)["trust"] == RAISED


@pytest.mark.parametrize(
    ("flag", "words"), [("--shadow", "ok"), ("--no-shadow", "not checked (switched off)")]
)
def test_a_run_says_whether_its_engine_may_be_believed(
    flag: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    arguments = ["--source", SCENE, "--topology", "threads", "--out", str(out), flag, "--json"]
    assert main(["run", *arguments]) == 0
    assert json.loads(capsys.readouterr().out)["trust"] == words
    said = read_run(out)
    assert said["trust"]["verdict"] == words.partition(" (")[0]
    assert said["config"]["shadow"] == (flag == "--shadow")
