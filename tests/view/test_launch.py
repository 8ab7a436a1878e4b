"""Runs that the window starts are processes of their own."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from live_smlm.config import RunConfig, read_config
from live_smlm.core import InputError
from live_smlm.view.launch import Launched, free_folder, launch

NOW = datetime(2026, 11, 21, 5, 30, tzinfo=UTC)


def ended(launched: Launched) -> Launched:
    launched.process.wait(timeout=30)
    return launched


def run(script: str) -> tuple[str, str]:
    """Python in place of live-smlm; it is told `run FILE`."""
    return "-c", script


def test_the_run_gets_a_file_of_the_command_line_and_a_session_of_its_own(tmp_path: Path) -> None:
    out = tmp_path / "runs" / "a"
    script = "import os, sys; print(os.getsid(0) == os.getpid(), sys.argv[1])"
    launched = ended(launch(RunConfig(out=str(out), frames=5), NOW, run(script)))
    assert launched.printed.read_text().split() == ["True", "run"]
    assert os.getsid(0) != launched.process.pid
    config = read_config(out.with_name("a.toml"), {})
    assert config == RunConfig(out=str(out), frames=5)


def test_a_run_that_cannot_begin_says_why(tmp_path: Path) -> None:
    script = "import sys; sys.exit('live-smlm: frames is 0; give at least 1')"
    launched = launch(RunConfig(out=str(tmp_path / "a")), NOW, run(script))
    assert ended(launched).failure() == "frames is 0; give at least 1"
    assert not launched.ready


def test_a_run_can_be_joined_once_its_desk_is_told(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys, time\n"
        "folder = pathlib.Path(sys.argv[2]).with_suffix('')\n"
        "folder.mkdir(); (folder / 'desk.json').write_text('{}'); sys.stdin.read()"
    )
    launched = launch(RunConfig(out=str(tmp_path / "a")), NOW, run(script))
    deadline = time.monotonic() + 20
    while not launched.ready:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert launched.failure() is None
    (launched.folder / "desk.json").unlink()
    assert ended(launched).ready  # it has been, and its record can be looked at


def test_a_folder_that_exists_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="exists; give another name"):
        launch(RunConfig(out=str(tmp_path)), NOW)


def test_folders_are_named_by_time_and_engine(tmp_path: Path) -> None:
    first = free_folder("detect+mle", NOW, tmp_path)
    assert first.name == "2026-11-21_053000_detect-mle"
    first.mkdir()
    assert free_folder("detect+mle", NOW, tmp_path).name == "2026-11-21_053000_detect-mle~2"
