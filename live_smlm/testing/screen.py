"""A screen for tests of windows: Qt where there is a display, real mouse and keys, its own log.

Under Xvfb all of it is real but the monitor: `xvfb-run -a pytest`.
"""

import logging
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from live_smlm.core import AnyArray

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication, QWidget

    from live_smlm.view.window import Window

_ARRIVES_S, _ARRIVES_TURNS = 0.05, 10
PATIENCE_S = 60.0
"""Much, for a run that starts on a busy machine takes its time."""


@pytest.fixture(scope="session")
def app() -> "QApplication":
    """The one Qt application of the tests."""
    if not os.environ.get("DISPLAY"):
        pytest.skip("there is no display; run the tests under xvfb-run")
    from live_smlm.view.app import application  # noqa: PLC0415 - Qt needs a display

    return application()


@pytest.fixture
def drawn() -> Iterator[list[str]]:
    """What vispy logs as errors; it draws on after them, so the test fails here."""
    said: list[str] = []

    class _Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    ear = _Ear(logging.ERROR)
    log = logging.getLogger("vispy")
    log.addHandler(ear)
    yield said
    log.removeHandler(ear)
    assert not said


@contextmanager
def opened(app: "QApplication", *said: Any, **more: Any) -> Iterator["Window"]:
    """A window on the screen, that is told this when it is made."""
    from live_smlm.view.window import Window  # noqa: PLC0415 - as above

    made = Window(*said, **more)
    made.setGeometry(0, 0, 1180, 760)
    made.show()
    made.activateWindow()
    try:
        yield made
    finally:
        made.leave_running()
        made.deleteLater()
        app.processEvents()


def light(window: "Window") -> float:
    """How many molecules the picture shows."""
    near = window.presenter.near
    return 0.0 if near is None else float(near.image.sum())


def when_asked(app: "QApplication", act: Callable[[], object]) -> None:
    """Do something once a question stands before the window."""
    from PySide6.QtCore import QTimer  # noqa: PLC0415 - as above

    def look() -> None:
        box = app.activeModalWidget()
        if box is not None and box.isVisible():
            spend(app, 0.2)
            act()
        else:
            QTimer.singleShot(50, look)

    QTimer.singleShot(50, look)


def wait_for(app: "QApplication", there: Callable[[], object], what: str) -> None:
    """Let Qt work until something is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not there():
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE_S:g} s"
        app.processEvents()
        time.sleep(0.005)


def spend(app: "QApplication", seconds: float) -> None:
    """Let Qt work for so long."""
    deadline = time.monotonic() + seconds
    wait_for(app, lambda: time.monotonic() > deadline, "time passes")


class Hands:
    """A mouse and a keyboard, by xdotool: the window gets what a person's would be."""

    def __init__(self, app: "QApplication") -> None:
        if shutil.which("xdotool") is None:
            pytest.skip("xdotool is not installed")
        self._app = app

    def do(self, *words: object) -> None:
        """One xdotool command, such as `key f`."""
        command = ["xdotool", *map(str, words)]
        with subprocess.Popen(command) as process:  # noqa: S603 - of tests
            wait_for(self._app, lambda: process.poll() is not None, " ".join(command))
        assert process.returncode == 0
        self._let_arrive()

    def _let_arrive(self) -> None:
        """What was done is with the screen; Qt gets it a few turns later, and draws between."""
        deadline = time.monotonic() + _ARRIVES_S
        turns = 0
        while turns < _ARRIVES_TURNS or time.monotonic() < deadline:
            self._app.processEvents()
            turns += 1
            time.sleep(0.004)

    def point(self, widget: "QWidget", row: float, column: float) -> None:
        """Move the mouse to a point of a widget."""
        corner = widget.mapToGlobal(widget.rect().topLeft())
        ratio = widget.devicePixelRatioF()
        x, y = (corner.x() + column) * ratio, (corner.y() + row) * ratio
        self.do("mousemove", round(x), round(y))

    def click(self, widget: "QWidget") -> None:
        """Press the middle of a widget."""
        self.point(widget, widget.height() / 2, widget.width() / 2)
        self.do("click", 1)

    def drag(self, widget: "QWidget", start: tuple[int, int], end: tuple[int, int]) -> None:
        """From one point (row, column) of a widget to another with the button held."""
        self.point(widget, *start)
        self.do("mousedown", 1)
        middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        self.point(widget, *middle)
        self.point(widget, *end)
        self.do("mouseup", 1)


def seen(widget: "QWidget") -> AnyArray:
    """What a widget shows, (rows, columns, 3) bytes in the screen's pixels."""
    from PySide6.QtGui import QImage  # noqa: PLC0415 - as above

    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    bits: Any = image.constBits()
    lines = np.frombuffer(bits, np.uint8).reshape(image.height(), image.bytesPerLine())
    return lines[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()
