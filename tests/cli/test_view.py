"""`live-smlm view` before there is a window: what it refuses, and how it reads a run that ended."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from live_smlm.cli import main
from live_smlm.cli.replay import replayed
from live_smlm.cli.view import joining
from live_smlm.core import DriftCurve, InputError, Localizations, Reconstruction, concatenate
from live_smlm.store.layers import write_layer
from live_smlm.store.log import read_log
from live_smlm.store.record import read_run, write_run
from live_smlm.transport.viewing import Event, LiveFrame


@dataclass
class Ear:
    """A sink that remembers."""

    parts: list[Localizations] = field(default_factory=list)
    states: list[Mapping[str, Any]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    why: list[str] = field(default_factory=list)
    layers: list[tuple[str, Reconstruction]] = field(default_factory=list)
    curves: list[DriftCurve] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def molecules(self, molecules: Localizations) -> None:
        self.parts.append(molecules)

    def state(self, values: Mapping[str, Any]) -> None:
        self.states.append(values)

    def event(self, event: Event) -> None:
        self.events.append(event)

    def frame(self, frame: LiveFrame) -> None:
        raise AssertionError(frame)

    def drift(self, curve: DriftCurve) -> None:
        self.curves.append(curve)

    def layer(self, name: str, picture: Reconstruction) -> None:
        self.layers.append((name, picture))

    def lost(self, why: str) -> None:
        self.why.append(why)
        self.over.set()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a run that has ended."""
    made = tmp_path_factory.mktemp("runs") / "a-run"
    words = "--source simulated:size=48x48,frames=250 --topology threads --ring-mb 16"
    assert main(["run", *words.split(), "--out", str(made), "--json"]) == 0
    return made


def test_a_run_that_has_ended_is_told_whole(folder: Path) -> None:
    ear = Ear()
    with replayed(folder, ear) as control:
        assert ear.over.wait(20)
        assert not control.in_control
        assert "has ended" in (control.stop("why not") or "")
    log = read_log(folder).molecules
    assert len(concatenate(ear.parts)) == len(log) > 100
    last = ear.states[-1]
    assert last["finished"] == {"finish": "completed", "reason": "the source ended"}
    assert (last["captured"], last["localized"], last["shape"]) == (250, 250, [48, 48])
    assert len(last["series"]["frame"]) == len(last["series"]["photons"]) > 1
    assert [event.what for event in ear.events] == ["started", "completed"]
    begun, ended = (datetime.fromisoformat(read_run(folder)[n]) for n in ("started", "ended"))
    for event in ear.events:
        assert abs(event.at_s - begun.timestamp()) < (ended - begun).total_seconds() + 1
    assert ear.why == ["completed: the source ended"]


def test_pictures_of_engines_are_shown_from_the_folder(folder: Path, tmp_path: Path) -> None:
    drawn = tmp_path / "drawn"
    shutil.copytree(folder, drawn)
    image = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    picture = Reconstruction(image=image, pixel_size_nm=25.0, first_frame=0, last_frame=249)
    write_layer(drawn, "adder", picture)
    ear = Ear()
    with replayed(drawn, ear) as control:
        assert ear.over.wait(20)
        assert ear.states[-1]["layers"]["adder"]["shape"] == [1, 2, 3]
        control.show("nobody")
        assert ear.layers == []
        control.show("adder")
    [(name, seen)] = ear.layers
    assert name == "adder"
    np.testing.assert_array_equal(seen.image, image)
    (drawn / "layers" / "adder.tif").write_bytes(b"no picture")
    with pytest.raises(InputError, match="no picture of a run"), replayed(drawn, ear):
        pass


def test_a_killed_run_is_told_so(folder: Path, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    shutil.copytree(folder, killed)
    write_run(killed, {**read_run(killed), "finish": "running", "reason": ""})
    ear = Ear()
    with replayed(killed, ear):
        assert ear.over.wait(20)
    assert ear.why == ["cut off: its process was killed before the end"]
    assert ear.states[-1]["finished"]["finish"] == "cut off"


def test_a_reader_that_is_left_does_not_read_on(folder: Path) -> None:
    ear = Ear()
    with replayed(folder, ear):
        pass
    assert "replay" not in {thread.name for thread in threading.enumerate()}


def test_a_folder_of_a_run_that_ended_is_read(folder: Path) -> None:
    ear = Ear()
    with joining(str(folder))(ear):
        assert ear.over.wait(20)
    assert ear.states[0]["run"] == "a-run"


@pytest.mark.parametrize(
    ("where", "words"),
    [("nowhere", "neither the folder of a run nor an address"), ("tcp://", "tcp://")],
)
def test_what_is_no_run_is_refused(where: str, words: str) -> None:
    with pytest.raises(InputError, match=words), joining(where)(Ear()):
        pass


def test_without_a_screen_it_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert main(["view", "--connect", str(folder)]) == 2
    assert "there is no screen" in capsys.readouterr().err


def test_commands_know_of_no_window_until_one_opens() -> None:
    script = (
        "import sys, live_smlm.cli.view\n"
        "print([m for m in ('PySide6', 'vispy', 'pyqtgraph') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    assert done.stdout.strip() in {"[]", "['vispy']"}  # of vispy, its PNG writer
