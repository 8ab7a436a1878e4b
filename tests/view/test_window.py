"""The window as a person uses it: real mouse and keys on a real (virtual) screen."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile

from live_smlm.core import AnyArray, InputError
from live_smlm.render.filters import Filters
from live_smlm.testing.screen import Hands, light, opened, seen, spend, wait_for, when_asked
from live_smlm.testing.told_run import ToldRun, lines
from live_smlm.transport.viewing import Event
from live_smlm.view.follow import Sink
from live_smlm.view.link import Control
from live_smlm.view.news import Phase
from live_smlm.view.taste import Taste

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from live_smlm.view.window import Window

ALARM = {"name": "width", "value": 1.15, "low": None, "high": 1.06, "unit": "", "cure": "focus"}


@pytest.fixture
def run() -> ToldRun:
    return ToldRun()


@pytest.fixture(scope="module")
def shared(app: "QApplication") -> Iterator["Window"]:
    """One window for all tests, for it takes its time to open."""
    with opened(app, lambda _where: ToldRun().join) as made:
        yield made


@pytest.fixture
def window(
    app: "QApplication", shared: "Window", run: ToldRun, drawn: list[str]
) -> Iterator["Window"]:
    """On a run with two lines of molecules, 200 nm apart."""
    _join(app, shared, run)
    yield shared
    shared.presenter.leave()
    assert not drawn


def _join(app: "QApplication", window: "Window", run: ToldRun) -> None:
    run.molecules(lines(200))
    run.state()
    run.frame(7, lines(2000, count=8))
    window.choose(Taste())
    window._find = lambda _where: run.join
    window.join("runs/a-run")
    window.activateWindow()
    wait_for(app, lambda: light(window) > 3990, "the picture is there")
    spend(app, 0.05)


@pytest.fixture
def hands(app: "QApplication", window: "Window") -> Hands:
    made = Hands(app)
    made.point(window.stage.surface.glass, 200, 300)
    return made


def picture(window: "Window") -> AnyArray:
    """The middle of the picture, where neither minimap nor bars are."""
    shown = seen(window.stage.surface)
    rows, columns = shown.shape[:2]
    return shown[rows // 8 : rows // 2, columns // 4 : 3 * columns // 4]


def scale(window: "Window") -> float:
    hand = window.presenter.hand
    assert hand is not None
    return hand.sight.nm_per_point


def test_a_run_is_seen_whole(window: "Window", app: "QApplication") -> None:
    shown = picture(window)
    assert shown.max() > 150
    lit = (shown.max(axis=2) > 60).any(axis=0)
    assert 2 <= lit.sum() <= 12  # two thin lines, upright
    assert seen(window.beside.camera).max() > 150
    assert "1,234" in window.strip._counts["captured"]._value.text()
    window.beside.charts.tell(
        {"frame": [10.0, 20.0], "photons": [900.0, None], "later_nm": [None, 3.0]}
    )
    assert window.beside.charts.names == ("photons", "later_nm")
    spend(app, 0.05)
    assert seen(window).std() > 10


def test_the_wheel_zooms_where_the_mouse_is(window: "Window", hands: Hands) -> None:
    glass = window.stage.surface.glass
    hand = window.presenter.hand
    assert hand is not None
    place, before = hand.sight.place((200, 300)), scale(window)
    for _ in range(5):
        hands.do("click", 4)
    assert scale(window) == pytest.approx(before / 1.2**5)
    assert window.presenter.hand is not None
    assert window.presenter.hand.sight.point(place) == pytest.approx((200, 300), abs=1)
    hands.point(glass, 220, 280)
    hands.do("click", 5)
    assert scale(window) == pytest.approx(before / 1.2**4)


def test_the_mouse_points_at_the_middle_of_a_pixel(window: "Window", hands: Hands) -> None:
    hands.point(window.stage.surface.glass, 210, 310)
    hand = window.presenter.hand
    assert hand is not None
    assert hand.pointer == (210.5, 310.5)
    y, x = hand.sight.place((210.5, 310.5))
    assert f"x {x:,.1f} nm   y {y:,.1f} nm" in window.stage.surface.glass.overlay.readout


def test_dragging_and_arrow_keys_move_the_sample(window: "Window", hands: Hands) -> None:
    for _ in range(6):
        hands.do("click", 4)
    hand = window.presenter.hand
    assert hand is not None
    place = hand.sight.place((200, 300))
    hands.drag(window.stage.surface.glass, (200, 300), (260, 240))
    assert window.presenter.hand is not None
    assert window.presenter.hand.sight.point(place) == pytest.approx((260, 240), abs=1)
    centre = window.presenter.hand.sight.centre_nm
    hands.do("key", "Right")
    assert window.presenter.hand.sight.centre_nm[1] > centre[1]
    hands.do("key", "f")
    assert window.presenter.hand.sight.centre_nm == (6400, 6400)


def test_colours_change_by_key_and_by_mouse(
    window: "Window", hands: Hands, app: "QApplication"
) -> None:
    hands.do("key", "c")
    assert window.presenter.taste.by == "z"
    assert window.controls.by.currentText() == "z"

    def coloured() -> bool:
        shading = window.presenter.shading
        return shading is not None and shading.value_limits is not None

    wait_for(app, coloured, "colours tell z")
    spend(app, 0.2)
    shown = picture(window).reshape(-1, 3).astype(int)
    bluish, yellowish = shown[:, 2] - shown[:, 0] > 40, shown[:, 0] - shown[:, 2] > 60
    assert bluish.sum() > 50  # z of 100 nm
    assert yellowish.sum() > 50  # z of 300 nm
    hands.click(window.controls.colormap)
    hands.do("key", "Up")
    hands.do("key", "Return")
    assert window.presenter.taste.value_map == "hot"


def test_a_filter_is_typed_and_draws_fewer(
    window: "Window", hands: Hands, app: "QApplication"
) -> None:
    hands.click(window.controls.filters["photons"])
    hands.do("type", "1000 to")
    hands.do("key", "Return")
    wait_for(app, lambda: abs(light(window) - 2000) < 5, "half of the molecules are left")
    hands.do("key", "ctrl+a")
    hands.do("type", "many")
    hands.do("key", "Return")
    photons, depth = (window.controls.filters[name] for name in ("photons", "z"))
    assert photons.property("wrong")
    assert "write such as 500 to 5000" in photons.toolTip()
    hands.click(depth)
    hands.do("type", "to 50")
    hands.do("key", "Return")
    wait_for(app, lambda: light(window) == 0, "none is so deep")
    assert (photons.text(), photons.property("wrong")) == ("many", True)
    assert not depth.property("wrong")  # its neighbour's mistake is not its own
    for entry in (depth, photons):
        hands.click(entry)
        hands.do("key", "ctrl+a")
        hands.do("key", "BackSpace")
        hands.do("key", "Return")
    wait_for(app, lambda: light(window) > 3990, "all are there")
    assert not photons.property("wrong")


def test_200_nm_measure_200_nm(window: "Window", hands: Hands, app: "QApplication") -> None:
    glass = window.stage.surface.glass
    middle = (glass.height() / 2, glass.width() / 2)
    hand = window.presenter.hand
    assert hand is not None
    hands.point(glass, *hand.sight.point((6400, 6100)))
    while scale(window) > 0.9:
        hands.do("click", "--repeat", 5, "--delay", 5, 4)
    wait_for(app, lambda: _is_at(window), "the picture is as fine as the screen")
    spend(app, 0.15)
    shown = seen(window.stage.surface).max(axis=2).astype(float)
    rows = shown[int(middle[0]) - 90 : int(middle[0]) + 60]
    profile = np.convolve(rows[:, 40:-40].mean(axis=0), np.ones(15) / 15, "same")
    left = 40 + int(np.argmax(profile[: len(profile) // 2]))
    right = 40 + len(profile) // 2 + int(np.argmax(profile[len(profile) // 2 :]))
    hands.do("key", "d")
    hands.drag(glass, (300, left), (300, right))
    assert window.presenter.hand is not None
    measured = window.presenter.hand.line
    assert measured is not None
    # Finding a line's middle in the screen's pixels is good to a few of them.
    assert measured.length_nm == pytest.approx(200, abs=6)
    exact = glass.overlay.profile
    assert exact is not None


def _is_at(window: "Window") -> bool:
    near, hand = window.presenter.near, window.presenter.hand
    return near is not None and hand is not None and near.viewport == hand.sight.viewport()


def test_stop_is_pressed_and_a_refusal_is_shown(
    window: "Window", hands: Hands, run: ToldRun, app: "QApplication"
) -> None:
    hands.click(window.header.stop)
    wait_for(app, lambda: run.asked, "the run was asked")
    assert run.asked[0][0] == "stop"
    run.state(stopping=True)
    wait_for(app, lambda: window.presenter.news.phase is Phase.STOPPING, "it stops")
    wait_for(app, lambda: not window.header.stop.isEnabled(), "stop can be pressed once")
    run.state(stopping=True, finished={"finish": "stopped", "reason": "enough"})
    wait_for(app, lambda: window.presenter.news.phase is Phase.ENDED, "it has ended")
    wait_for(app, lambda: not window.header.abort.isEnabled(), "nothing is left to abort")


def test_a_window_that_may_only_watch_says_so(
    window: "Window", run: ToldRun, app: "QApplication"
) -> None:
    run.in_control = False
    wait_for(app, lambda: not window.header.stop.isEnabled(), "stop can be pressed once")
    assert "may only watch" in window.header.stop.toolTip()


def test_an_alarm_is_told_in_words_and_red(
    window: "Window", run: ToldRun, app: "QApplication"
) -> None:
    trust = {"verdict": "alarm", "alarms": [ALARM], "shadow": ""}
    run.state(trust=trust, lost=3)
    run.say(lambda sink: sink.event(Event("alarm", "width is 1.15", 1e9)))
    wait_for(app, lambda: window.presenter.news.doubts, "there is an alarm")
    spend(app, 0.2)
    assert window.strip._trust.toolTip() == "width is 1.15, allowed at most 1.06: focus"
    assert window.strip._trust_name.text().startswith("ALARM since ")
    for widget in (window.strip._trust, window.strip._counts["lost"]):
        shown = seen(widget).astype(int)
        assert (shown[..., 0] - shown[..., 2] > 60).any()
    assert window.beside.events.item(0).text().endswith("alarm\nwidth is 1.15")


def test_closing_during_a_run_asks(app: "QApplication", run: ToldRun, drawn: list[str]) -> None:
    with opened(app, lambda _where: run.join) as window:
        _join(app, window, run)
        _close_it(window, Hands(app), run, app)
    assert not drawn


def _close_it(window: "Window", hands: Hands, run: ToldRun, app: "QApplication") -> None:
    told: list[str] = []

    def stop_it() -> None:
        from PySide6.QtWidgets import QMessageBox  # noqa: PLC0415 - Qt needs a display

        box = app.activeModalWidget()
        assert isinstance(box, QMessageBox)
        hands.click(next(b for b in box.buttons() if b.text() == "Stop it"))

    def stop_it_and_read() -> None:
        stop_it()
        when_asked(app, lambda: told.append(_words(app, hands)))

    when_asked(app, lambda: hands.do("key", "Escape"))
    window.close()
    assert window.isVisible()
    assert window.presenter.news.phase is Phase.RUNNING
    run.refusal = "the run did not answer within 3 s"
    when_asked(app, stop_it_and_read)
    window.close()
    assert told == ["the run did not answer within 3 s"]
    assert window.isVisible()
    run.refusal = None
    when_asked(app, stop_it)
    window.close()
    assert not window.isVisible()
    assert run.asked == 2 * [("stop", "the window was closed")]


def _words(app: "QApplication", hands: Hands) -> str:
    """What the question says; it is answered with Escape."""
    from PySide6.QtWidgets import QMessageBox  # noqa: PLC0415 - Qt needs a display

    box = app.activeModalWidget()
    assert isinstance(box, QMessageBox)
    hands.do("key", "Escape")
    return box.text()


def test_a_run_that_could_not_be_heard_to_its_end_can_be_left(
    window: "Window", run: ToldRun, hands: Hands, app: "QApplication"
) -> None:
    @contextmanager
    def failing(sink: Sink) -> Iterator[Control]:
        with run.join(sink) as control:
            yield control
        raise InputError("its log is damaged")

    window._find = lambda _where: failing
    window.join("runs/a-run")
    run.say(lambda sink: sink.lost("its log is damaged"))
    wait_for(app, lambda: window.presenter.news.phase is Phase.SILENT, "the loss is told")
    hands.click(window.header.new)
    assert window.pages.currentWidget() is window.form
    assert window.presenter.news.phase is Phase.NONE
    window.form.go.setFocus()
    hands.do("key", "t")
    assert all(dock.isHidden() for dock in window.panels.docks.values())


def test_keys_are_told_on_a_page(window: "Window", hands: Hands, app: "QApplication") -> None:
    told: list[str] = []

    def read() -> None:
        from PySide6.QtWidgets import QLabel  # noqa: PLC0415 - Qt needs a display

        box = app.activeModalWidget()
        assert box is not None
        told.extend(label.text() for label in box.findChildren(QLabel))
        hands.do("key", "Escape")

    when_asked(app, read)
    hands.do("key", "F1")
    wait_for(app, lambda: app.activeModalWidget() is None and told, "the page was there")
    assert "Ctrl+." in told
    assert window.isVisible()


def test_the_picture_is_saved_as_it_is_seen_and_with_its_numbers(
    window: "Window", tmp_path: Path
) -> None:
    window.save(tmp_path / "seen.png")
    window.save(tmp_path / "counts.tif")
    near = window.presenter.near
    assert near is not None
    from PySide6.QtGui import QImage  # noqa: PLC0415 - Qt needs a display

    image = QImage(str(tmp_path / "seen.png"))
    assert (image.height(), image.width()) == near.viewport.shape
    assert np.array_equal(tifffile.imread(tmp_path / "counts.tif"), near.image)


def test_a_picture_that_is_being_drawn_is_saved_when_it_is_there(
    window: "Window", tmp_path: Path, app: "QApplication"
) -> None:
    path = tmp_path / "counts.tif"
    window.choose(Taste(filters=Filters(photons=(1000, math.inf))))
    window.save(path)
    assert not path.exists()
    assert window.header._note == f"{path} is saved once the picture is drawn"
    wait_for(app, path.is_file, "it is written")
    assert tifffile.imread(path).sum() == pytest.approx(2000, abs=5)
    assert window.header._note == f"saved {path}"


def test_a_picture_that_is_left_is_saved_as_far_as_it_is_drawn(
    window: "Window", tmp_path: Path
) -> None:
    path = tmp_path / "counts.tif"
    window.choose(Taste(filters=Filters(photons=(1000, math.inf))))
    window.save(path)
    window._saving.hurry()
    assert tifffile.imread(path).sum() == pytest.approx(4000, abs=10)
    assert "was still being drawn" in window.header._note


def test_on_a_finer_screen_the_picture_has_finer_pixels(
    window: "Window", app: "QApplication", monkeypatch: pytest.MonkeyPatch
) -> None:
    from PySide6.QtCore import QEvent  # noqa: PLC0415 - Qt needs a display

    surface, before = window.stage.surface, window.presenter.near
    assert before is not None
    monkeypatch.setattr(surface, "devicePixelRatioF", lambda: 2.0)
    app.sendEvent(surface, QEvent(QEvent.Type.DevicePixelRatioChange))

    def finer() -> bool:
        near = window.presenter.near
        return near is not None and near.viewport.pixel_nm == before.viewport.pixel_nm / 2

    wait_for(app, finer, "the picture is as fine as the screen")
    monkeypatch.undo()
    app.sendEvent(surface, QEvent(QEvent.Type.DevicePixelRatioChange))
    wait_for(app, lambda: _is_at(window), "it is as coarse as before")


def test_panels_go_and_come_back(window: "Window", hands: Hands, app: "QApplication") -> None:
    wide = window.stage.surface.width()
    hands.do("key", "t")
    wait_for(app, lambda: window.stage.surface.width() > wide + 300, "there are no panels")
    hands.do("key", "t")
    wait_for(app, lambda: window.stage.surface.width() == wide, "they are back")
