"""Viewers of a real run: killed, frozen, late; and what a run without a screen leaves to see."""

import contextlib
import json
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from live_smlm.cli import main
from live_smlm.config import RunConfig
from live_smlm.core import (
    CameraModel,
    DriftCurve,
    InputError,
    Localizations,
    Reconstruction,
    concatenate,
    drift_curve,
    from_columns,
)
from live_smlm.pipeline.dispatcher import Overload
from live_smlm.session import Control, Outcome, RunPlan, doors
from live_smlm.session.folder import run_into
from live_smlm.session.snapshot import MOST_SIDE, Snapshot, viewport_of
from live_smlm.session.sources import opened
from live_smlm.store.log import LocalizationLog, read_log
from live_smlm.store.record import read_events, read_run
from live_smlm.transport.endpoints import make_keys, read_keys
from live_smlm.transport.viewing import Event, LiveFrame
from live_smlm.view.follow import following

COMMAND = Path(sys.executable).with_name("live-smlm")
SOURCE = (
    "simulated:frames=20000,size=64x64,density=0.3,specimen=uniform,blinking=single,rate_hz=150"
)
VIEWER = """
import sys, time
from live_smlm.view.follow import following

class Viewer:
    def molecules(self, molecules): print(len(molecules), flush=True)
    def state(self, values): pass
    def event(self, event): pass
    def frame(self, frame): pass
    def drift(self, curve): pass
    def layer(self, name, picture): pass
    def lost(self, why): pass

with following(sys.argv[1], Viewer()):
    time.sleep(60)
"""


@dataclass
class Ear:
    """A sink that remembers."""

    parts: list[Localizations] = field(default_factory=list)
    newest: Mapping[str, Any] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    frames: list[LiveFrame] = field(default_factory=list)
    layers: list[tuple[str, Reconstruction]] = field(default_factory=list)
    curves: list[DriftCurve] = field(default_factory=list)
    why: list[str] = field(default_factory=list)

    def molecules(self, molecules: Localizations) -> None:
        self.parts.append(molecules)

    def state(self, values: Mapping[str, Any]) -> None:
        self.newest = values

    def event(self, event: Event) -> None:
        self.events.append(event.what)

    def frame(self, frame: LiveFrame) -> None:
        self.frames.append(frame)

    def drift(self, curve: DriftCurve) -> None:
        self.curves.append(curve)

    def layer(self, name: str, picture: Reconstruction) -> None:
        self.layers.append((name, picture))

    def lost(self, why: str) -> None:
        self.why.append(why)


def until(condition: Callable[[], Any], patience_s: float = 40.0) -> Any:
    deadline = time.monotonic() + patience_s
    while not (answer := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return answer


@dataclass
class Running:
    """A run in a thread of this process."""

    folder: Path
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Of the plan."""
    control: Control = field(default_factory=Control)
    outcomes: list[Outcome] = field(default_factory=list)
    ended_s: float = 0.0

    def run(self) -> None:
        with opened(RunConfig(source=SOURCE)) as (source, psf):
            usual = {"engine": "gauss-mle", "ring_mb": 8, "overload": Overload.THIN}
            plan = RunPlan(psf=psf, **{**usual, **self.changes})
            self.outcomes.append(
                run_into(self.folder, source, plan, {}, record_raw=False, control=self.control)
            )
        self.ended_s = time.monotonic()


@contextlib.contextmanager
def running(folder: Path, **changes: Any) -> Iterator[Running]:
    run = Running(folder, changes)
    thread = threading.Thread(target=run.run)
    thread.start()
    try:
        until((folder / "desk.json").exists)
        yield run
    finally:
        run.control.stop("the test is over")
        thread.join()


@contextlib.contextmanager
def process(*words: str) -> Iterator["subprocess.Popen[str]"]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    child = subprocess.Popen(words, **pipes)  # type: ignore[call-overload] # as said above
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def heard(viewer: "subprocess.Popen[str]", molecules: int) -> None:
    """Wait until the viewer has so many."""
    assert viewer.stdout is not None
    while molecules > 0:
        molecules -= int(viewer.stdout.readline())


def test_killed_and_frozen_viewers_cost_nothing_and_a_new_one_has_all(tmp_path: Path) -> None:
    folder, ear = tmp_path / "run", Ear()
    with running(folder) as run:
        found = doors.find(str(folder))
        script = (sys.executable, "-c", VIEWER, found.status)
        with process(*script) as killed, process(*script) as frozen:
            for viewer in (killed, frozen):
                heard(viewer, 100)
            killed.kill()
            frozen.send_signal(signal.SIGSTOP)
            time.sleep(0.5)
            with following(found.status, ear, token=found.token) as desk:
                until(lambda: ear.frames and ear.newest.get("localized", 0) > 300)
                assert desk.stop("seen enough") is None
                asked_s = time.monotonic()
                until(lambda: ear.why)
            until(lambda: run.outcomes)
            assert run.ended_s - asked_s < 8
    outcome = run.outcomes[0]
    assert (outcome.finish.value, outcome.reason) == ("stopped", "seen enough")
    assert outcome.tally.captured == outcome.tally.localized > 300
    assert outcome.tally.lost == 0
    expected = read_log(folder).molecules
    assert len(expected) == outcome.molecules > 1000
    for name, column in expected.columns().items():
        np.testing.assert_array_equal(concatenate(ear.parts).columns()[name], column)
    assert ear.why == ["stopped: seen enough"]
    assert ear.events == [event["what"] for event in read_events(folder)[:-1]]
    assert {"started", "stop asked"} <= set(ear.events)
    assert ear.newest["finished"] == {"finish": "stopped", "reason": "seen enough"}
    assert (ear.newest["run"], ear.newest["shape"]) == ("run", [64, 64])
    points = ear.newest["series"]
    assert points["frame"][-1] == outcome.tally.localized
    assert np.median(points["molecules_per_frame"]) == pytest.approx(11, rel=0.3)
    assert np.median(points["photons"]) == pytest.approx(expected.axis("photons").mean(), rel=0.3)


def test_live_frames_show_what_the_camera_sees(tmp_path: Path) -> None:
    ear = Ear()
    with running(tmp_path / "run") as run:
        found = doors.doors_of(run.folder)
        with following(found.status, ear, token=found.token) as desk:
            until(lambda: len(ear.frames) >= 4)
            assert desk.abort("looked at") is None
            until(lambda: ear.why)
    assert (run.outcomes[0].finish.value, run.outcomes[0].reason) == ("canceled", "looked at")
    assert "abort asked" in [event["what"] for event in read_events(run.folder)]
    assert len({frame.number for frame in ear.frames}) == len(ear.frames)
    stored = read_log(run.folder).molecules
    for frame in ear.frames:
        there = stored.where(stored.frame == frame.number)
        np.testing.assert_array_equal(frame.molecules.x, there.x)
        at = (there.y / 100).astype(int).clip(0, 63), (there.x / 100).astype(int).clip(0, 63)
        assert frame.pixels[at].mean() > frame.pixels.mean()  # molecules lie on the light


def test_beyond_loopback_stream_and_desk_want_keys(tmp_path: Path) -> None:
    make_keys(tmp_path / "keys")
    hub, guest = (read_keys(tmp_path / "keys", name) for name in ("hub", "worker"))
    admitted, stranger = Ear(), Ear()
    with running(tmp_path / "run", status="tcp://0.0.0.0:*", keys=hub) as run:
        found = doors.doors_of(run.folder)
        address = found.status.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - not bound
        with following(address, stranger), following(address, admitted, keys=guest) as desk:
            until(lambda: admitted.newest.get("localized", 0) > 100)
            assert "the token" in (desk.stop("no token") or "")
            until(lambda: sum(map(len, admitted.parts)) > 1000)
    assert found.desk.startswith("tcp://0.0.0.0:")
    assert admitted.events[0] == "started"
    assert admitted.parts[0].frame[0] == 0  # from the desk, if it came late
    assert (stranger.parts, stranger.newest, stranger.events) == ([], {}, [])


def test_the_doors_are_told_to_the_owner_alone_and_only_meanwhile(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "run"
    folder.parent.mkdir()
    with running(folder):
        path = folder / "desk.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        said = json.loads(path.read_text())
        assert doors.running(folder.parent) == [folder]
        assert doors.doors_of(folder).token == said["token"]
        assert len(said["token"]) == 32
    assert not path.exists()
    assert said["token"] not in "".join(p.read_text() for p in folder.glob("*.json*"))
    with pytest.raises(InputError, match="no run is going on"):
        doors.find(str(folder))
    path.write_text(json.dumps(said))  # as a killed run leaves it
    assert doors.running(folder.parent) == []
    with pytest.raises(InputError, match="no run is going on"):
        doors.find(str(folder))


def test_a_run_without_a_screen_is_watched_pictured_and_stopped_from_a_script(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    words = (COMMAND, "run", "--source", SOURCE, "--out", folder, "--snapshot-every", "0.3")
    more = ("--topology", "threads", "--json")
    with process(*map(str, words), *more) as run:
        snapshot = folder / "snapshot.png"
        until(snapshot.exists)
        first = np.asarray(Image.open(snapshot))
        assert main(["watch", str(folder), "--once", "--json"]) == 0
        watched = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (watched["kind"], watched["run"]) == ("state", "run")
        assert main(["watch", watched["desk"], "--stop", "by its address"]) == 2
        assert "only with the run's folder" in capsys.readouterr().err
        assert main(["watch", str(folder), "--order", "hold"]) == 2
        assert "overrules a stop rule, and this run has none" in capsys.readouterr().err
        assert main(["watch", str(folder), "--order", "hold", "--laser", "hold"]) == 2
        assert "order and laser cannot be said at once" in capsys.readouterr().err
        assert main(["watch", str(folder), "--stop", "from a script"]) == 0
        output, errors = run.communicate(timeout=60)
    answer = json.loads(output)
    assert (answer["finish"], answer["reason"]) == ("stopped", "from a script"), errors
    assert read_run(folder)["reason"] == "from a script"
    last = np.asarray(Image.open(snapshot))
    assert first.shape == last.shape == (320, 320, 3)  # 6.4 µm at 20 nm
    assert 0 < np.count_nonzero(first) < np.count_nonzero(last)


def molecules(x_nm: float, *, precise: bool = True) -> Localizations:
    columns = {"frame": np.zeros(5), "x": np.full(5, x_nm), "y": np.full(5, 1000.0)}
    sigmas = {"sigma_x": np.full(5, 15.0), "sigma_y": np.full(5, 15.0)} if precise else {}
    return from_columns({**columns, **sigmas})


def test_a_snapshot_grows_with_the_log(tmp_path: Path) -> None:
    camera = CameraModel(shape=(20, 30), pixel_size_nm=100.0)
    with LocalizationLog(tmp_path, sync_s=None) as log:
        snapshot = Snapshot(tmp_path / "snapshot.png", log, camera)
        assert snapshot.finish() is None
        assert not snapshot.path.exists()  # there is nothing to see
        log.append(0, 1, np.zeros(1, np.int64), molecules(1000))
        assert snapshot.finish() is None
        one = np.asarray(Image.open(snapshot.path))
        log.append(1, 1, np.ones(1, np.int64), molecules(2000, precise=False))
        assert snapshot.finish() is None
        two = np.asarray(Image.open(snapshot.path))
    assert one.shape == two.shape == (100, 150, 3)
    assert one[50, 50].any()
    assert not one[50, 100].any()
    assert two[50, 50].any()
    assert two[50, 100].any()


def test_a_snapshot_is_drawn_by_the_drift_known_at_its_time(tmp_path: Path) -> None:
    camera = CameraModel(shape=(20, 30), pixel_size_nm=100.0)
    curves = [drift_curve([0], [500], [0])]
    with LocalizationLog(tmp_path, sync_s=None) as log:
        snapshot = Snapshot(tmp_path / "snapshot.png", log, camera, drift=lambda: curves[-1])
        log.append(0, 1, np.zeros(1, np.int64), molecules(1000))
        assert snapshot.finish() is None
        one = np.asarray(Image.open(snapshot.path))
        curves.append(drift_curve([0], [504], [0]))  # cannot be seen
        before = snapshot.path.stat().st_mtime_ns
        assert snapshot.finish() is None
        assert snapshot.path.stat().st_mtime_ns == before
        curves.append(drift_curve([0], [-500], [0]))
        log.append(1, 1, np.ones(1, np.int64), molecules(2000))
        assert snapshot.finish() is None
        two = np.asarray(Image.open(snapshot.path))
    assert [one[50, column].any() for column in (25, 50, 75, 125)] == [True, False, False, False]
    assert [two[50, column].any() for column in (25, 50, 75, 125)] == [False, False, True, True]
    assert snapshot.molecules == 10


def test_a_snapshot_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    camera = CameraModel(shape=(20, 30), pixel_size_nm=100.0)
    with LocalizationLog(tmp_path, sync_s=None) as log:
        log.append(0, 1, np.zeros(1, np.int64), molecules(1000))
        snapshot = Snapshot(tmp_path / "gone" / "snapshot.png", log, camera)
        assert "does not exist" in (snapshot.finish() or "")


def test_a_large_field_is_drawn_more_coarsely() -> None:
    small = viewport_of(CameraModel(shape=(64, 32), pixel_size_nm=100.0))
    assert (small.shape, small.pixel_nm) == ((320, 160), 20.0)
    large = viewport_of(CameraModel(shape=(2048, 1024), pixel_size_nm=100.0))
    assert large.shape == (MOST_SIDE, MOST_SIDE // 2)
