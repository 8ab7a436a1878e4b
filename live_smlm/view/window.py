"""The window: header, picture among its panels, the ledger's line; or the form of a new run.

It draws when a timer says so and something is new, and passes on what is
pressed. What is shown is the presenter's business.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QMainWindow,
    QMessageBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from live_smlm.config import RunConfig
from live_smlm.core import STILL, InputError
from live_smlm.view import controls
from live_smlm.view.controls import Controls
from live_smlm.view.form import Form, UsualEngine, usual_engine
from live_smlm.view.hand import Hand, Tool
from live_smlm.view.header import Acts, Header
from live_smlm.view.keymap import keymap
from live_smlm.view.keys import KeysPage, bind
from live_smlm.view.launch import Launched, launch
from live_smlm.view.link import Join
from live_smlm.view.news import LIVE, Grade
from live_smlm.view.panels import Panels
from live_smlm.view.presenter import Presenter, canvas_limits
from live_smlm.view.questions import Leave, how_to_leave, may_abort, not_saved
from live_smlm.view.saving import Saving
from live_smlm.view.stage import Stage
from live_smlm.view.strip import Strip
from live_smlm.view.taste import Taste
from live_smlm.view.watching import Watching

DRAW_MS = 16
"""Between two looks for something new; pictures come 30 times a second at most."""
WORDS_MS = 150
CHARTS_MS = 1000
_HEIGHTS = (230, 470)
"""Of the camera's frame and of what is below it, as they share what there is."""
FindRun: TypeAlias = Callable[[str], Join]
"""How to join the run of a folder or an address; refuses what cannot be joined."""


class Window(QMainWindow):
    """Everything an operator sees."""

    def __init__(
        self, find: FindRun, *, form: RunConfig | None = None, usual: UsualEngine = usual_engine
    ) -> None:
        super().__init__()
        self.setWindowTitle("live-smlm")
        self._find = find
        self._launched: Launched | None = None
        self._asks = True
        self.presenter = Presenter()
        self.header = Header(
            Acts(
                new=self.new_run,
                stop=lambda: self.presenter.link.stop("Stop was pressed in the window"),
                abort=self.ask_abort,
                save=self.ask_save,
                keys=self.show_keys,
            )
        )
        self._saving = Saving(
            self.presenter,
            told=self.header.note,
            failed=lambda words: not_saved(self, words),
        )
        self.strip = Strip()
        self.beside = Watching(self.presenter)
        self.stage = Stage(self.presenter)
        self.form = Form(self.start, usual)
        steer = self.stage.steer
        self.controls = Controls(
            self.choose,
            controls.Acts(
                measure=lambda: steer(lambda hand: hand.with_tool(Tool.MEASURE)),
                region=lambda: steer(lambda hand: hand.with_tool(Tool.REGION)),
                closer=lambda: steer(Hand.closer),
                fit=lambda: steer(Hand.fitted),
                judge=self.beside.judge_region,
                judge_none=self.beside.judge_none,
                clear=lambda: steer(Hand.cleared),
                limits=lambda: canvas_limits(self.presenter),
            ),
            self.beside.layers,
        )
        self._lay_out()
        self._keys = keymap(self)
        bind(self, self.stage.surface.glass, self._keys)
        if form is not None:
            self.form.fill(form)
        beats = ((DRAW_MS, self.tick), (WORDS_MS, self.tell), (CHARTS_MS, self._chart))
        self._timers = [self._timer(every_ms, act) for every_ms, act in beats]
        self._show_run(there=False)

    def join(self, where: str) -> None:
        """Show the run of a folder or at an address."""
        self._show_run(there=False)
        self.presenter.join(self._find(where), Path(where).name if "://" not in where else where)
        self._show_run(there=True)

    def start(self, config: RunConfig) -> None:
        """Start a run as a process of its own, and join it once it can be; one at a time."""
        if self._launched is not None:
            return
        try:
            self._launched = launch(config, datetime.now().astimezone())
        except (InputError, OSError) as error:
            self.form.tell(str(error), Grade.ALARM)
            return
        self.form.setEnabled(False)
        self.form.tell(f"Starting {self._launched.folder} …")

    def new_run(self) -> None:
        """Leave what is shown, and go to the form; a run that goes on is not touched."""
        if not self._may_leave():
            return
        self._saving.hurry()
        self.presenter.leave()
        self._show_run(there=False)
        self.form.check()

    def choose(self, taste: Taste) -> None:
        """The picture looks so from now on."""
        self.presenter.choose(taste)

    def dim(self, factor: float) -> None:
        """Darker by a factor, or brighter below 1."""
        self.presenter.dim(factor)

    def toggle_full(self) -> None:
        """The whole screen, or not."""
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def start_typed(self) -> None:
        """Start what is typed in the form, where that is what is seen."""
        if self.pages.currentWidget() is self.form:
            self.form.begin()

    def show_keys(self) -> None:
        """All keys."""
        KeysPage(self, self._keys).exec()

    def ask_abort(self) -> None:
        """End at once, if that is meant."""
        if may_abort(self):
            self.presenter.link.abort("Abort was pressed in the window")

    def ask_save(self) -> None:
        """The picture into a file."""
        kinds = "Picture as seen (*.png);;Molecules per pixel (*.tif)"
        name, _ = QFileDialog.getSaveFileName(self, "Save picture", "picture.png", kinds)
        if name:
            self.save(Path(name))

    def save(self, path: Path) -> None:
        """The picture into this file, once it is drawn; says what came of it."""
        self._saving.ask(path)

    def tick(self) -> None:
        """Bring what is new onto the screen; where that fails, say so once and stop drawing."""
        try:
            self._draw()
        except Exception as error:
            for timer in self._timers:
                timer.stop()
            QMessageBox.critical(
                self, "The window failed", f"{error!r}\n\nThe run goes on. Open a new window."
            )
            raise

    def _draw(self) -> None:
        self._follow_start()
        fresh = self.presenter.tick()
        self.stage.show(fresh)
        self._saving.look()
        if fresh.hand is not None:
            self.controls.tell_tool(fresh.hand.tool)
        if fresh.taste is not None:
            self.controls.tell(fresh.taste)
        if fresh.frame is not None:
            self.beside.camera.tell(fresh.frame)
        refused = self.presenter.link.refusal()
        if refused is not None:
            QMessageBox.warning(self, "The run refused", refused)

    def leave_running(self) -> None:
        """Close without a question; a run that goes on is left alone."""
        self._asks = False
        self.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        """A run that goes on is stopped, or left alone, as one likes."""
        if not self._may_leave():
            event.ignore()
            return
        for timer in self._timers:
            timer.stop()
        self._saving.hurry()
        self.presenter.leave()
        self.stage.surface.close_canvas()
        event.accept()

    def _may_leave(self) -> bool:
        """Whether the run may be left; it is stopped first where that is wished."""
        link = self.presenter.link
        if not self._asks or self.presenter.news.phase not in LIVE or not link.in_control:
            return True
        how = how_to_leave(self)
        if how is Leave.STOPPED:
            link.stop("the window was closed")
            link.wait()
            if (refused := link.refusal()) is not None and self.presenter.news.phase in LIVE:
                QMessageBox.warning(self, "The run goes on", refused)
                return False
        return how is not Leave.NOT

    def _follow_start(self) -> None:
        """Join the run that was started here once it can be joined; say why it cannot."""
        launched = self._launched
        if launched is None:
            return
        failed = launched.failure()
        if failed is None and not launched.ready:
            return
        self._launched = None
        self.form.setEnabled(True)
        self.form.check()
        try:
            if failed is None:
                self.join(str(launched.folder))
        except InputError as error:
            failed = str(error)
        if failed is not None:
            self.form.tell(f"The run did not begin: {failed}", Grade.ALARM)

    def tell(self) -> None:
        """Bring words and numbers up to date; they are read, so a few times a second will do."""
        news, link = self.presenter.news, self.presenter.link
        self.header.tell(news, in_control=link.in_control, asking=link.asking)
        self.strip.tell(news)
        self.strip.tell_drawer(self.presenter.choice)
        self.beside.tell()
        beside = self.beside
        self.controls.tell_regions(can_judge=beside.can_judge_marked, judged=beside.has_judged)
        self.panels.show_one("Laser", there=bool(news.numbers.get("laser")))

    def _chart(self) -> None:
        self.beside.draw()
        self.controls.tell_limits(self.presenter.shading)
        self.controls.tell_drift(known=self.presenter.curve is not STILL)

    def _show_run(self, *, there: bool) -> None:
        """The picture among its panels, or the form."""
        self.pages.setCurrentWidget(self.stage.surface if there else self.form)
        self.panels.show_all(there=there)
        self.panels.share("Camera", "Enough?", _HEIGHTS)
        self.strip.setVisible(there)
        self.header.new.setVisible(there)
        if not there:
            self.stage.forget()
            self.beside.forget()

    def _lay_out(self) -> None:
        self.pages = QStackedWidget()
        self.pages.addWidget(self.stage.surface)
        self.pages.addWidget(self.form)
        self.panels = Panels(
            self.pages,
            left={"Picture": self.controls},
            right=self.beside.titled,
        )
        self.panels.tabbed(*list(self.beside.titled)[1:])
        whole = QWidget()
        stack = QVBoxLayout(whole)
        stack.setContentsMargins(6, 6, 6, 6)
        stack.setSpacing(6)
        stack.addWidget(self.header)
        stack.addWidget(self.panels, 1)
        stack.addWidget(self.strip)
        self.setCentralWidget(whole)

    def _timer(self, every_ms: int, act: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setInterval(every_ms)
        timer.timeout.connect(act)
        timer.start()
        return timer
