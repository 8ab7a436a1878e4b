"""Runs that survive windows, and runs that cannot begin: real processes."""

import os
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from live_smlm.cli.view import COMMAND, joining
from live_smlm.config import RunConfig
from live_smlm.store.log import read_log
from live_smlm.store.record import read_run
from live_smlm.testing.screen import light, opened, seen, wait_for
from live_smlm.view.launch import launch
from live_smlm.view.news import Phase

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from live_smlm.view.window import Window

SOURCE = "simulated:size=48x48,rate_hz=50,frames=100000"


@pytest.fixture
def window(app: "QApplication", drawn: list[str]) -> Iterator["Window"]:
    with opened(app, joining) as made:
        yield made
    assert not drawn


def settings(folder: Path) -> RunConfig:
    return RunConfig(source=SOURCE, out=str(folder), topology="threads", ring_mb=16)


def viewers(window: "Window") -> object:
    return window.presenter.news.numbers.get("viewers")


def phase(window: "Window") -> Phase:
    return window.presenter.news.phase


def test_a_killed_window_harms_nothing_and_a_new_one_shows_all(
    app: "QApplication", window: "Window", tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    launched = launch(settings(tmp_path / "a-run"), datetime.now(UTC))
    request.addfinalizer(launched.process.wait)
    request.addfinalizer(launched.process.kill)  # the last goes first
    wait_for(app, lambda: launched.ready, "the run goes on")
    window.join(str(launched.folder))
    command = [*COMMAND, "view", "--connect", str(launched.folder)]
    with subprocess.Popen(command, start_new_session=True) as killed:
        wait_for(app, lambda: viewers(window) == 2, "both windows watch")
        os.killpg(killed.pid, signal.SIGKILL)
    before = window.presenter.news.counts["localized"]
    wait_for(app, lambda: window.presenter.news.counts["localized"] > before, "it goes on")
    window.presenter.link.stop("enough")
    wait_for(app, lambda: phase(window) is Phase.ENDED, "the run has ended")
    assert launched.process.wait(timeout=60) == 0
    window.presenter.leave()
    said, log = read_run(launched.folder), read_log(launched.folder)
    assert said["finish"] == "stopped"
    assert said["frames"]["localized"] == said["frames"]["captured"] > before
    window.join(str(launched.folder))
    # Light of molecules at the field's edge may fall outside.
    inside = 0.98 * len(log.molecules)
    wait_for(app, lambda: phase(window) is Phase.ENDED and light(window) > inside, "all is seen")
    assert window.presenter.news.counts["localized"] == said["frames"]["localized"]
    assert seen(window.stage.surface).max() > 150


def test_a_run_that_cannot_begin_is_told_in_the_form(
    app: "QApplication", window: "Window", tmp_path: Path
) -> None:
    window.form.fill(RunConfig(source="movie:file=nowhere.tif", out=str(tmp_path / "a-run")))
    window.start_typed()
    started = window._launched
    window.start_typed()  # a key that repeats
    assert started is not None
    assert window._launched is started
    assert not window.form.isEnabled()
    wait_for(app, lambda: "did not begin" in window.form.said.text(), "the failure is told")
    assert "nowhere.tif" in window.form.said.text()
    assert window.form.go.isEnabled()
