"""The line below the picture: every frame accounted for, how fast, and whether to believe it."""

import time
from typing import Any

from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QSizePolicy, QVBoxLayout, QWidget

from live_smlm.render.choose import Choice
from live_smlm.view import theme
from live_smlm.view.news import Grade, News
from live_smlm.view.parts import Elided, Number, label, paint_grade

_COUNTS = {
    "captured": "Frames that the camera gave",
    "localized": "Frames whose molecules are stored",
    "deferred": "Frames left for later; they are in the raw record",
    "shed": "Frames given up because engines could not keep up",
    "lost": "Frames that the camera or a full ring lost",
}
_BAD = {"deferred": Grade.CAUTION, "shed": Grade.CAUTION, "lost": Grade.ALARM}
_FULL = 0.7
"""Of the camera's buffer, from which on it wants attention."""


class Strip(QFrame):
    """Numbers from left to right, the verdict at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("panel")
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 6, 14, 6)
        row.setSpacing(22)
        self._counts = {name: Number(name, hint) for name, hint in _COUNTS.items()}
        self._molecules = Number("molecules", "Molecules found so far")
        self._rate = Number("frames/s", "Frames per second since the start")
        self._lag = Number("lag p99, ms", "From capture to localized, 99 of 100 frames")
        self._drawn_by = Number("draws", "")
        for number in self._counts.values():
            row.addWidget(number)
        row.addWidget(_rule())
        for number in (self._molecules, self._rate, self._lag):
            row.addWidget(number)
        row.addWidget(self._camera_buffer())
        row.addWidget(self._drawn_by)
        row.addWidget(_rule())
        row.addWidget(self._verdict(), 1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def tell(self, news: News) -> None:
        """Show the numbers of this moment."""
        numbers = news.numbers
        for name, value in news.counts.items():
            self._counts[name].tell(f"{value:,}", _BAD.get(name) if value else None)
        self._molecules.tell(_short(numbers.get("molecules")))
        rate = numbers.get("frames_s")
        self._rate.tell("-" if rate is None else f"{rate:.0f}")
        lag = (numbers.get("latency_ms") or {}).get("p99")
        self._lag.tell("-" if lag is None else f"{lag:.0f}")
        self._tell_buffer(numbers.get("camera_fill"))
        self._tell_trust(news)

    def tell_drawer(self, choice: Choice | None) -> None:
        """Who adds the picture's molecules up; why, where the mouse points at it."""
        if choice is not None:
            who = "card" if choice.by_card else "processor"
            self._drawn_by.tell(who, Grade.CAUTION if choice.failed else None)
            self._drawn_by.setToolTip(choice.why)

    def _camera_buffer(self) -> QWidget:
        box = QWidget()
        stack = QVBoxLayout(box)
        stack.setContentsMargins(0, 8, 0, 0)
        stack.setSpacing(4)
        self._fill = QProgressBar()
        self._fill.setRange(0, 100)
        self._fill.setTextVisible(False)
        self._fill.setFixedSize(92, 8)
        self._fill_name = label("camera buffer", "caption")
        stack.addWidget(self._fill)
        stack.addWidget(self._fill_name)
        box.setToolTip("Share of the camera's own buffer that waits to be read")
        return box

    def _verdict(self) -> QWidget:
        box = self._box = QFrame()
        box.setObjectName("verdict")
        stack = QVBoxLayout(box)
        stack.setContentsMargins(8, 4, 8, 4)
        stack.setSpacing(2)
        self._trust = Elided()
        self._trust_name = label("trust", "caption")
        stack.addWidget(self._trust)
        stack.addWidget(self._trust_name)
        return box

    def _tell_buffer(self, fill: float | None) -> None:
        share = 0 if fill is None else round(100 * min(max(fill, 0.0), 1.0))
        self._fill.setValue(share)
        self._fill_name.setText("camera buffer" if fill is None else f"camera buffer {share} %")
        full = fill is not None and fill > _FULL
        paint_grade(self._fill_name, Grade.ALARM if full else Grade.NEUTRAL)

    def _tell_trust(self, news: News) -> None:
        grade, words = news.trust
        self._trust.tell(words)
        paint_grade(self._trust, grade)
        name = "trust"
        if news.doubts:
            since = time.strftime("%H:%M:%S", time.localtime(news.doubts[-1].since_s))
            more = f", {len(news.doubts)} alarms" if len(news.doubts) > 1 else ""
            name = f"ALARM since {since}{more}"
        self._trust_name.setText(name)
        if self._box.property("alarm") != bool(news.doubts):
            self._box.setProperty("alarm", bool(news.doubts))
            self._box.style().unpolish(self._box)
            self._box.style().polish(self._box)
        paint_grade(self._trust_name, grade if news.doubts else Grade.NEUTRAL)


def _rule() -> QFrame:
    line = QFrame()
    line.setFixedWidth(1)
    line.setStyleSheet(f"background: {theme.EDGE};")
    return line


def _short(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if value < 10_000_000 else f"{value / 1e6:.2f} M"
