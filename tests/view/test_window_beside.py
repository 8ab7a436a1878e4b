"""A run that opens its own window."""

import os
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from live_smlm.cli.run import run_config
from live_smlm.cli.view import COMMAND
from live_smlm.config import RunConfig, read_config
from live_smlm.core import InputError
from live_smlm.store.record import read_run

PATIENCE_S = 60.0


def config(out: Path) -> RunConfig:
    return read_config(None, {"source": "simulated", "frames": 40, "out": str(out)})


def test_without_a_screen_nothing_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match="there is no screen"):
        run_config(config(tmp_path / "run"), window=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(not os.environ.get("DISPLAY"), reason="there is no display; use xvfb-run")
def test_a_run_opens_its_window_which_stays(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = ["run", "--source", "simulated", "--frames", "40", "--window", "--out", str(folder)]
    done = subprocess.run([*COMMAND, *words], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert read_run(folder)["finish"] == "completed"
    window = viewer_of(folder)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not on_screen(window.pid):
            assert window.is_running()
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        window.kill()


def viewer_of(folder: Path) -> psutil.Process:
    (found,) = (
        process
        for process in psutil.process_iter(["cmdline"])
        if {"view", "--connect", str(folder)} <= {*(process.info["cmdline"] or ())}
    )
    return found


def on_screen(process: int) -> bool:
    words = ["xdotool", "search", "--onlyvisible", "--pid", str(process)]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0
