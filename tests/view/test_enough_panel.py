"""The panels of quality and light, pressed and looked at."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from live_smlm.core import drift_curve
from live_smlm.session.regions import read_regions, shape_words
from live_smlm.testing.screen import light, opened, seen, wait_for
from live_smlm.testing.told_quality import LASER, QUALITY
from live_smlm.testing.told_run import ToldRun, lines
from live_smlm.view.measure import Region

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication, QToolButton

    from live_smlm.view.window import Window


@pytest.fixture(scope="module")
def run() -> ToldRun:
    return ToldRun()


@pytest.fixture(scope="module")
def window(app: "QApplication", run: ToldRun) -> Iterator["Window"]:
    with opened(app, lambda _where: run.join) as made:
        made.resize(1366, 768)
        run.molecules(lines(200))
        say(run)
        frames = np.arange(0.0, 1001.0, 50.0)
        run.drift(drift_curve(frames, -0.03 * frames, 0.01 * frames))
        made.join("runs/a-run")
        wait_for(app, lambda: light(made) > 3990, "the picture is there")
        yield made


def say(run: ToldRun, **changes: Any) -> None:
    points = {"frame": [100.0], "density_per_um2": [0.213]}
    run.state(quality=QUALITY | changes, laser=LASER, series=points)


def press(app: "QApplication", window: "Window", made: "QToolButton") -> None:
    wait_for(app, made.isEnabled, f"{made.text()} can be pressed")
    made.click()
    window.presenter.link.wait()


def test_the_panel_is_seen_whole(window: "Window", app: "QApplication", drawn: list[str]) -> None:
    panel = window.beside.enough
    wait_for(app, lambda: panel.line.text() == "Going on", "the verdict is there")
    window._chart()
    assert panel.more.text() == "enough in about 16 s (10 s to 20 s)"
    first = panel.rows[0]
    assert (first.value.text(), first.checks.text()) == ("71.2 nm", "0 of 3 checks")
    app.processEvents()
    shown = seen(panel)
    assert shown.max() > 150
    assert (shown.std(axis=(1, 2)) > 5).mean() > 0.5  # rows upon rows of words
    inner = panel.widget()
    assert inner is not None
    assert inner.width() <= panel.viewport().width()  # nothing is cut at the right
    for made in (panel.hold, panel.minute, panel.frames, panel.stop, first.interval, first.value):
        assert made.width() >= made.sizeHint().width()
    assert window.panels.docks["Enough?"].height() > 300
    assert not drawn


def test_hold_resume_extend_and_stop_are_passed_on(
    window: "Window", run: ToldRun, app: "QApplication"
) -> None:
    panel = window.beside.enough
    run.asked.clear()
    for made in (panel.hold, panel.minute, panel.frames, panel.stop):
        press(app, window, made)
    say(run, held=True, kind="on hold")
    wait_for(app, lambda: panel.line.text() == "On hold", "it is held")
    assert panel.hold.text() == "Resume"
    press(app, window, panel.hold)
    words = ["hold", "extend 1 min", "extend 500 frames", "stop", "release"]
    assert run.asked == [("order", word) for word in words]


def test_an_alarm_of_drift_is_seen_while_it_lasts(
    window: "Window", run: ToldRun, app: "QApplication"
) -> None:
    words = window.beside.enough._alarms
    assert words.isHidden()
    say(run, alarms=["the focus has moved -350 nm since the start"])
    wait_for(app, lambda: not words.isHidden(), "the alarm is there")
    assert words.text() == "the focus has moved -350 nm since the start"
    say(run)
    wait_for(app, words.isHidden, "it is over")


def test_without_a_rule_there_is_nothing_to_hold(
    window: "Window", run: ToldRun, app: "QApplication"
) -> None:
    panel = window.beside.enough
    say(run, rule=None, decision=None, kind=None)
    wait_for(app, lambda: panel.line.text() == "No rule", "there is no rule")
    assert [panel.rows[n].title.text() for n in range(2)] == ["frc", "completeness"]
    assert panel.rows[0].outlook.text().startswith("42 nm in the end")
    assert not panel.hold.isEnabled()
    assert panel.stop.isEnabled()


def test_the_light_is_held_set_and_its_failure_seen(
    window: "Window", run: ToldRun, app: "QApplication"
) -> None:
    laser = window.beside.laser
    run.asked.clear()
    wait_for(app, lambda: laser.value.text() == "2.42", "the light is told")
    assert laser.density.text() == "0.213, wanted 0.2"
    press(app, window, laser.hold)
    laser.number.setText("much")
    press(app, window, laser.set)
    assert laser.number.property("wrong")
    laser.number.setText("2,5")
    press(app, window, laser.set)
    assert not laser.number.property("wrong")
    assert run.asked == [("laser", "hold"), ("laser", "set 2.5")]
    failed = LASER | {"mode": "held", "failure": "Laser.Voltage cannot be set"}
    run.state(laser=failed)
    wait_for(app, lambda: laser.hold.text() == "Resume", "it is held")
    assert not laser.failure.isHidden()
    run.state()
    wait_for(app, window.panels.docks["Laser"].isHidden, "no light, no panel")


def test_a_marked_region_is_judged_apart_and_all_are_dropped_again(
    window: "Window", run: ToldRun, app: "QApplication"
) -> None:
    controls = window.controls
    run.asked.clear()
    say(run, places={"roi 1": "1000,1000,3000,3000", "tip": "5,5 90,5 50,90"})
    wait_for(app, lambda: not controls.judge_none.isHidden(), "there are regions")
    assert controls.judge.isHidden()
    window.stage.steer(lambda hand: replace(hand, region=Region((2000, 5000), (4000.26, 4000))))
    wait_for(app, lambda: not controls.judge.isHidden(), "it can be judged")
    overlay = window.stage.surface.glass.overlay
    assert overlay.judged["roi 1"] == ((1000, 1000), (1000, 3000), (3000, 3000), (3000, 1000))
    shown = seen(window.stage.surface).astype(int)
    amber = np.abs(shown - (0xE0, 0xB0, 0x50)).max(axis=2) < 60
    assert amber.sum() > 50  # its outline
    press(app, window, controls.judge)
    assert window.presenter.hand is not None
    assert window.presenter.hand.region is None
    wait_for(app, controls.judge.isHidden, "nothing is marked any more")
    press(app, window, controls.judge_none)
    shapes = [
        "roi 1 = 1000,1000,3000,3000",
        "tip = 5,5 90,5 50,90",
        "roi 2 = 4000.0,2000.0,5000.0,4000.3",
    ]
    assert run.asked == [("regions", "; ".join(shapes)), ("regions", ";")]
    assert list(read_regions(run.asked[0][1])) == ["roi 1", "tip", "roi 2"]
    assert read_regions(run.asked[1][1]) == {}
    read = read_regions(run.asked[0][1])
    said = "; ".join(f"{name} = {shape_words(region)}" for name, region in read.items())
    assert read_regions(said) == read
