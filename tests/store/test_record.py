"""The record of a run: complete at the end, truthful after a kill."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from live_smlm.core import CameraModel, InputError
from live_smlm.store.json_text import plain
from live_smlm.store.record import (
    About,
    EventLog,
    Finish,
    FrameCounts,
    Progress,
    RunRecord,
    read_events,
    read_run,
    write_run,
)
from live_smlm.store.run_folder import create, default_folder

CAMERA = CameraModel(shape=(4, 4), pixel_size_nm=100)
ABOUT = About(
    engine="gauss-mle",
    source="demo",
    simulated=True,
    config={"a": 1},
    camera=CAMERA.describe(),
    models={"glint": {"hash": "abc"}},
)
AT_END = Progress(
    frames=FrameCounts(captured=10, localized=7, deferred=2, shed=1, lost=3),
    molecules=99,
    latency_ms={"p50": 1.5, "p99": 20.0},
    rate_mpx_s=np.float64(26.2),
    deferred=((3, 5),),
    shed=((8, 9),),
)
ENDS = [f for f in Finish if f is not Finish.RUNNING]


@pytest.mark.parametrize("finish", ENDS)
def test_the_end_is_told_with_all_keys(tmp_path: Path, finish: Finish) -> None:
    with RunRecord(tmp_path, ABOUT) as record:
        record.end(finish, "enough", AT_END)
    said = read_run(tmp_path)
    assert (said["finish"], said["reason"]) == (finish.value, "enough")
    counts = said["frames"]
    assert counts["captured"] == counts["localized"] + counts["deferred"] + counts["shed"] == 10
    assert (counts["lost"], counts["waiting"]) == (3, 0)
    assert said["latency_ms"] == {"p50": 1.5, "p99": 20.0}
    assert said["ranges"] == {"deferred": [[3, 5]], "shed": [[8, 9]]}
    told = (said["engine"], said["source"], said["simulated"], said["config"], said["molecules"])
    assert told == ("gauss-mle", "demo", True, {"a": 1}, 99)
    assert said["camera"]["pixel_size_nm"] == 100
    assert said["models"] == {"glint": {"hash": "abc"}}
    assert said["rate_mpx_s"] == 26.2
    assert said["versions"]["live-smlm"]
    started, ended = (datetime.fromisoformat(said[key]) for key in ("started", "ended"))
    assert started.tzinfo == UTC
    assert started <= ended
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_run_says_running_from_the_start(tmp_path: Path) -> None:
    with RunRecord(tmp_path, ABOUT, every_s=0) as record:
        said = read_run(tmp_path)
        assert (said["finish"], said["ended"]) == ("running", None)
        assert said["latency_ms"] == {"p50": None, "p99": None}
        record.update(Progress(frames=FrameCounts(captured=5, localized=2)))
        assert read_run(tmp_path)["frames"]["waiting"] == 3
        record.end(Finish.STOPPED, "", AT_END)


def test_updates_are_written_now_and_then_only(tmp_path: Path) -> None:
    with RunRecord(tmp_path, ABOUT, every_s=3600) as record:
        record.update(AT_END)
        assert read_run(tmp_path)["molecules"] == 0
        record.end(Finish.STOPPED, "", AT_END)


def test_an_error_is_the_reason(tmp_path: Path) -> None:
    def fail() -> None:
        with RunRecord(tmp_path, ABOUT) as record:
            record.update(AT_END)
            raise OSError("the camera\nis gone")

    with pytest.raises(OSError, match="camera"):
        fail()
    said = read_run(tmp_path)
    assert (said["finish"], said["reason"]) == ("errored", "the camera is gone")
    assert said["molecules"] == 99


def test_a_ledger_that_does_not_balance_is_no_end(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="2 frames without a fate"),
        RunRecord(tmp_path, ABOUT) as record,
    ):
        record.end(Finish.COMPLETED, "", Progress(frames=FrameCounts(captured=5, localized=3)))
    assert read_run(tmp_path)["finish"] == "errored"
    with (
        pytest.raises(ValueError, match="cannot end as running"),
        RunRecord(tmp_path, ABOUT) as record,
    ):
        record.end(Finish.RUNNING, "", AT_END)


def test_a_record_can_be_completed_later(tmp_path: Path) -> None:
    with RunRecord(tmp_path, ABOUT) as record:
        record.end(Finish.STOPPED, "", AT_END)
    write_run(tmp_path, {**read_run(tmp_path), "finish": "completed"})
    assert read_run(tmp_path)["finish"] == "completed"


KILLED = """
import os, sys
from pathlib import Path
from live_smlm.store.record import About, EventLog, FrameCounts, Progress, RunRecord

folder = Path(sys.argv[1])
about = About(engine="e", source="s", simulated=False, config={}, camera={})
with RunRecord(folder, about, every_s=0) as record, EventLog(folder) as events:
    for n in range(50):
        record.update(Progress(frames=FrameCounts(captured=n), molecules=n))
        events.append("chunk", number=n)
    os._exit(1)  # as a kill: nothing is flushed, nothing is closed
"""


def test_a_kill_leaves_a_truthful_record(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False, timeout=60)
    said = read_run(tmp_path)
    assert (said["finish"], said["molecules"]) == ("running", 49)
    assert [event["number"] for event in read_events(tmp_path)] == list(range(50))


def test_events_are_lines_of_json(tmp_path: Path) -> None:
    with EventLog(tmp_path) as events:
        events.append("overload", first=np.int64(3), share=float("nan"), path=tmp_path, how=ENDS)
        assert len(read_events(tmp_path)) == 1
        events.append("naïve\nline")
    first, second = read_events(tmp_path)
    assert datetime.fromisoformat(first.pop("time")).tzinfo == UTC
    ends = [f.value for f in ENDS]
    told = {"what": "overload", "first": 3, "share": None, "path": str(tmp_path), "how": ends}
    assert first == told
    assert second["what"] == "naïve\nline"
    assert len((tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines()) == 2


def test_events_cut_at_any_byte_keep_their_whole_lines(tmp_path: Path) -> None:
    with EventLog(tmp_path) as events:
        for n in range(3):
            events.append("é", n=n)
    content = (tmp_path / "events.jsonl").read_bytes()
    for size in range(len(content) + 1):
        (tmp_path / "events.jsonl").write_bytes(content[:size])
        whole = content[:size].count(b"\n")
        assert [event["n"] for event in read_events(tmp_path)] == list(range(whole))
        with EventLog(tmp_path) as events:
            events.append("again", n=-1)
        assert [e["n"] for e in read_events(tmp_path)] == [*range(whole), -1]


def test_a_full_disk_cuts_no_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    with EventLog(tmp_path) as events:
        events.append("one")
        with monkeypatch.context() as patched:

            def few(descriptor: int, data: bytes) -> int:
                if len(data) < 9:
                    raise OSError("No space left on device")
                return write(descriptor, bytes(data)[:9])

            patched.setattr(os, "write", few)
            with pytest.raises(OSError, match="No space"):
                events.append("two")
        assert [event["what"] for event in read_events(tmp_path)] == ["one"]
        events.append("three")
    assert [event["what"] for event in read_events(tmp_path)] == ["one", "three"]


def test_events_are_written_while_open_only(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not open"):
        EventLog(tmp_path).append("early")
    assert read_events(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "is damaged"), ("[]", "is no record of a run"), ('{"a": 1}', "is no record of a run")],
)
def test_what_is_no_record_is_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InputError, match=r"has no run\.json"):
        read_run(tmp_path)
    with pytest.raises(InputError, match="is no folder"):
        read_run(tmp_path / "none")
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        read_run(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (FrameCounts(lost=1), {"captured": 0, "localized": 0, "deferred": 0, "shed": 0, "lost": 1}),
        ({1: np.arange(2), "b": np.float32(0.5)}, {"1": [0, 1], "b": 0.5}),
        ([np.inf, True, None, (1,)], [None, True, None, [1]]),
    ],
)
def test_values_become_plain(value: Any, wanted: Any) -> None:
    assert plain(value) == wanted
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == wanted


def test_the_default_folder_says_when_and_what(tmp_path: Path) -> None:
    now = datetime(2026, 11, 21, 5, 30, tzinfo=UTC)
    wanted = tmp_path / "2026-11-21_053000_gauss-mle"
    names = [create(default_folder("gauss-mle", now, tmp_path)).name for _ in range(3)]
    assert names == [wanted.name, f"{wanted.name}~2", f"{wanted.name}~3"]
    assert default_folder("detect:a=1,b=2", now).name == "2026-11-21_053000_detect-a-1-b-2"


def test_a_folder_in_use_is_refused_with_the_cure(tmp_path: Path) -> None:
    assert create(tmp_path / "deep" / "run").is_dir()
    create(tmp_path / "deep" / "run")
    with pytest.raises(InputError, match=r"not empty \(it holds run\).*live-smlm recover"):
        create(tmp_path / "deep")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        create(tmp_path / "file")
