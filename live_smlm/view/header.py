"""The line above the picture: which run, how it is, and what can be done about it."""

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton

from live_smlm.view.news import LIVE, Grade, News, Phase
from live_smlm.view.parts import Elided, label, paint_grade

_NOTE_MS = 6000
_GRADES = {
    Phase.RUNNING: Grade.GOOD,
    Phase.STOPPING: Grade.CAUTION,
    Phase.SILENT: Grade.ALARM,
}


@dataclass(frozen=True, slots=True)
class Acts:
    """What the buttons do."""

    new: Callable[[], object]
    stop: Callable[[], object]
    abort: Callable[[], object]
    save: Callable[[], object]
    keys: Callable[[], object]


class Header(QFrame):
    """Phase, run, source and engine; buttons at the right."""

    def __init__(self, acts: Acts) -> None:
        super().__init__()
        self.setObjectName("panel")
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 6, 8, 6)
        row.setSpacing(10)
        self._phase = label("", "title")
        self._run = label("", "title")
        self._about = Elided()
        self._about.setObjectName("faint")
        self._note = ""
        row.addWidget(self._phase)
        row.addWidget(self._run)
        row.addWidget(self._about, 1)
        self.elapsed = label("", "number")
        row.addWidget(self.elapsed)
        self.new = _button("New run", "Settings of the next run (Ctrl+N)", acts.new)
        self.stop = _button("Stop", "End the run and keep everything (Ctrl+.)", acts.stop)
        self.stop.setObjectName("stop")
        self.abort = _button("Abort…", "End at once; waiting frames are given up", acts.abort)
        self.save = _button("Save picture…", "As PNG or TIFF, with its scale (Ctrl+S)", acts.save)
        self.keys = _button("?", "Keys (F1)", acts.keys)
        for button in (self.new, self.stop, self.abort, self.save, self.keys):
            row.addWidget(button)
        self.tell(News(), in_control=False, asking=False)

    def note(self, words: str) -> None:
        """Say something for a few seconds."""
        self._note = words
        QTimer.singleShot(_NOTE_MS, self, self._forget_note)

    def _forget_note(self) -> None:
        self._note = ""

    def tell(self, news: News, *, in_control: bool, asking: bool) -> None:
        """Show how things are; what cannot be done now cannot be pressed."""
        live = news.phase in LIVE
        self._phase.setText(f"●  {news.phase.value}")
        paint_grade(self._phase, _GRADES.get(news.phase, Grade.NEUTRAL))
        self._run.setText(news.run)
        self._about.tell(self._note or "  ·  ".join(news.about))
        self.elapsed.setText(_clock(news.numbers.get("elapsed_s")))
        running = news.phase in {Phase.RUNNING, Phase.JOINING}
        self.stop.setEnabled(running and in_control and not asking)
        self.abort.setEnabled(live and in_control and not asking)
        refused = live and not in_control
        self.stop.setToolTip(
            "This window may only watch: join by the run's folder to control it"
            if refused
            else "End the run and keep everything (Ctrl+.)"
        )
        self.save.setEnabled(bool(news.numbers))


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _button(words: str, hint: str, act: Callable[[], object]) -> QPushButton:
    made = QPushButton(words)
    made.setToolTip(hint)
    made.clicked.connect(lambda _checked: act())
    return made
