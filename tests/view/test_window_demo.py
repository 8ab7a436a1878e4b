"""The demo as a person runs it: begun, looked at, stopped and saved by mouse and keys alone."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile

from live_smlm.cli import usual
from live_smlm.cli.view import joining
from live_smlm.store.log import read_log
from live_smlm.store.record import read_run
from live_smlm.testing.screen import Hands, light, opened, seen, spend, wait_for, when_asked
from live_smlm.view.hand import Hand
from live_smlm.view.news import Phase

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication, QWidget

    from live_smlm.view.window import Window


def test_the_demo_is_begun_looked_at_stopped_and_saved(
    app: "QApplication", drawn: list[str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder, picture = tmp_path / "a-run", tmp_path / "seen.tif"
    with opened(app, joining, usual=usual.engine_for) as window:
        hands = Hands(app)
        begin(window, hands, folder)
        launched = window._launched
        assert launched is not None
        request.addfinalizer(launched.process.kill)
        assert os.getsid(launched.process.pid) == launched.process.pid
        wait_for(app, lambda: light(window) > 200, "molecules are seen")
        assert window.presenter.news.phase is Phase.RUNNING
        look_around(window, hands)
        change_looks(window, hands, app)
        hands.click(window.header.stop)
        wait_for(app, lambda: window.presenter.news.phase is Phase.ENDED, "the run has ended")
        assert launched.process.wait(timeout=60) == 0
        save(window, hands, picture, app)
        counts = window.presenter.news.counts
    assert not drawn
    said, log = read_run(folder), read_log(folder)
    frames = said["frames"]
    assert (said["finish"], said["reason"]) == ("stopped", "Stop was pressed in the window")
    assert said["simulated"]
    assert "demo" in said["source"].lower()
    assert frames["captured"] == frames["localized"] + frames["deferred"] + frames["shed"]
    assert frames["waiting"] == frames["lost"] == 0
    assert sum(stop - first for first, stop in log.covered) == frames["localized"] > 0
    assert len(log.molecules) == said["molecules"]
    assert {name: frames[name] for name in counts} == counts
    bright = np.count_nonzero(log.molecules.axis("photons") >= 500)
    # Light of molecules at the field's edge may fall outside.
    assert tifffile.imread(picture).sum() == pytest.approx(bright, rel=0.02)
    assert bright > 100


def begin(window: "Window", hands: Hands, folder: Path) -> None:
    """The form as it opens says the demo; its engine is changed to one that opens at once."""
    form = window.form
    texts = form.texts()
    assert (texts["source"], texts["engine"]) == ("demo", "glint")
    replace_text(hands, form._fields["engine"], "gauss-mle")
    replace_text(hands, form._fields["out"], str(folder))
    replace_text(hands, form._fields["frames"], "0")
    assert not form.go.isEnabled()
    assert "give at least 1" in form.said.text()
    replace_text(hands, form._fields["frames"], "100000")
    hands.click(form.go)


def replace_text(hands: Hands, field: "QWidget", words: str) -> None:
    hands.click(field)
    hands.do("key", "ctrl+a")
    hands.do("type", "--delay", 2, words)


def look_around(window: "Window", hands: Hands) -> None:
    """Wheel and drag; what is under the mouse stays there."""
    glass, whole = window.stage.surface.glass, hand_of(window).sight
    hands.point(glass, 300, 260)
    hands.do("click", "--repeat", 4, "--delay", 10, 4)
    near = hand_of(window).sight
    assert abs(near.nm_per_point - whole.nm_per_point / 1.2**4) < 1e-6 * whole.nm_per_point
    place = near.place((300, 260))
    hands.drag(glass, (300, 260), (340, 310))
    there = hand_of(window).sight.point(place)
    assert max(abs(there[0] - 340), abs(there[1] - 310)) <= 1


def hand_of(window: "Window") -> Hand:
    hand = window.presenter.hand
    assert hand is not None
    return hand


def drawn_as_wanted(window: "Window") -> bool:
    near = window.presenter.near
    return near is not None and (near.look, near.viewport) == window.presenter.wanted


def change_looks(window: "Window", hands: Hands, app: "QApplication") -> None:
    """Another colour map and colours that tell time; then only bright molecules, all of them."""
    hands.click(window.controls.colormap)
    wait_for(app, app.activePopupWidget, "the maps are listed")
    spend(app, 0.2)
    hands.do("key", "Up")
    hands.do("key", "Return")
    wait_for(app, lambda: window.presenter.taste.count_map == "magma", "another map")
    hands.do("key", "Escape")
    replace_text(hands, window.controls.filters["photons"], "500 to")
    hands.do("key", "Return")
    bright = (500, np.inf)
    wait_for(app, lambda: window.presenter.taste.filters.photons == bright, "only bright ones")
    wait_for(app, lambda: drawn_as_wanted(window), "the picture follows")
    spend(app, 0.1)
    shown = seen(window.stage.surface)
    assert shown.max() > 150
    assert shown.std() > 5


def save(window: "Window", hands: Hands, path: Path, app: "QApplication") -> None:
    """The whole field, by the dialog."""
    window.stage.surface.glass.setFocus()
    hands.do("key", "f")

    def answer() -> None:
        dialog = app.activeModalWidget()
        hands.do("type", "--delay", 2, path)
        while app.activeModalWidget() is dialog:  # the first may only choose a completion
            hands.do("key", "Return")
            spend(app, 0.2)

    when_asked(app, answer)
    hands.click(window.header.save)
    wait_for(app, path.is_file, "the picture is saved")
