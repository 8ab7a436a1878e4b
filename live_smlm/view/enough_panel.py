"""The panel "Enough?": whether to go on in one line, then what it rests on, and the last word.

It shows what `enough` says, and passes on what is pressed.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from live_smlm.core import STILL, DriftCurve
from live_smlm.view import enough, lines
from live_smlm.view.charts import Chart
from live_smlm.view.enough import Target
from live_smlm.view.lines import About, about, curve
from live_smlm.view.news import LIVE, Grade, News
from live_smlm.view.parts import button, label, paint_grade, panel, scrolled, wrapped

_CHARTS = ("frc_nm", "completeness")
_STEPS = 1000


class EnoughPanel(QScrollArea):
    """The verdict, the last word, targets, the rule, and how it came about."""

    def __init__(self, order: Callable[[str], object]) -> None:
        super().__init__()
        self._stack = scrolled(self)
        self._order = order
        self._is_held = False
        self._verdict()
        self.rows: list[Row] = []
        self._targets = QVBoxLayout()
        self._targets.setSpacing(5)
        self._stack.addLayout(self._targets)
        self._rule, self._drift = wrapped("faint"), wrapped("faint")
        self._alarms = wrapped()
        paint_grade(self._alarms, Grade.ALARM)
        for words in (self._rule, self._drift, self._alarms):
            self._stack.addWidget(words)
        self._charts = {name: Chart(about(name)) for name in _CHARTS}
        self._wander = Chart(About("drift", "nm"), ("x", "y", "z"))
        for chart in (*self._charts.values(), self._wander):
            self._stack.addWidget(chart)
        self._stack.addStretch(1)
        self.forget()

    def tell(self, news: News, *, in_control: bool, asking: bool) -> None:
        """Show how it stands; what cannot be done now cannot be pressed."""
        said = enough.verdict(news)
        self.line.setText(said.line)
        paint_grade(self.line, None if said.grade is Grade.NEUTRAL else said.grade)
        _show(self.more, said.more)
        rule, judged = enough.rule_words(news), bool(news.numbers.get("quality"))
        _show(self._rule, rule)
        _show(self._drift, enough.drift_words(news) if judged else "")
        _show(self._alarms, enough.alarm_words(news) if news.phase in LIVE else "")
        targets = enough.targets(news)
        while len(self.rows) < len(targets):
            self.rows.append(Row())
            self._targets.addWidget(self.rows[-1])
        for number, row in enumerate(self.rows):
            row.setVisible(number < len(targets))
            if number < len(targets):
                row.tell(targets[number])
        self._is_held = enough.held(news)
        self.hold.setText("Resume" if self._is_held else "Hold")
        can = in_control and not asking and news.phase in LIVE
        self.stop.setEnabled(can and judged)
        for made in (self.hold, self.minute, self.frames):
            made.setEnabled(can and bool(rule))

    def draw(self, charts: Mapping[str, Sequence[float | None]], drift: DriftCurve) -> None:
        """Draw how it came about."""
        frames = [frame or 0.0 for frame in charts.get("frame", ())]
        known = lines.known(charts)
        for name, chart in self._charts.items():
            chart.setVisible(name in known)
            if name in known:
                chart.tell(*curve(frames, charts[name]))
        self._wander.setVisible(drift is not STILL)
        if drift is not STILL:
            some = np.linspace(0, len(drift.frame) - 1, lines.MOST_POINTS)
            rows = np.unique(some.round()).astype(np.int64)
            axes = (axis[rows] for axis in (drift.x, drift.y, drift.z))
            self._wander.tell(drift.frame[rows], *axes)

    def forget(self) -> None:
        """Nothing is known, of a new run."""
        self.tell(News(), in_control=False, asking=False)
        self.draw({}, STILL)

    def _verdict(self) -> None:
        frame, stack = panel()
        self.line, self.more = wrapped("verdict"), wrapped()
        stack.addWidget(self.line)
        stack.addWidget(self.more)
        row, order = QHBoxLayout(), self._order
        row.setSpacing(3)
        self.hold = button("Resume", "Do not stop by the rule, until resumed", self._toggle)
        self.minute = button(
            "+1 min", "Do not stop within the next minute", lambda: order("extend 1 min")
        )
        self.frames = button(
            "+500 frames",
            "Do not stop within the next 500 frames",
            lambda: order("extend 500 frames"),
        )
        self.stop = button("Stop now", "It is enough; everything is kept", lambda: order("stop"))
        for made in (self.hold, self.minute, self.frames, self.stop):
            made.setObjectName("tight")
            made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            row.addWidget(made)
        stack.addLayout(row)
        self._stack.addWidget(frame)

    def _toggle(self) -> None:
        self._order("release" if self._is_held else "hold")


class Row(QWidget):
    """One target."""

    def __init__(self) -> None:
        super().__init__()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        frame, stack = panel()
        stack.setSpacing(2)
        outer.addWidget(frame)
        self.title, self.checks = wrapped("faint"), label("", "faint")
        self.value, self.interval = label("", "value"), label("", "faint")
        self.outlook = wrapped("faint")
        for left, right in ((self.title, self.checks), (self.value, self.interval)):
            row = QHBoxLayout()
            row.addWidget(left, 1)
            row.addWidget(right)
            stack.addLayout(row)
        self.bar = QProgressBar()
        self.bar.setRange(0, _STEPS)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        stack.addWidget(self.bar)
        stack.addWidget(self.outlook)

    def tell(self, target: Target) -> None:
        """Show it."""
        self.title.setText(target.title)
        self.value.setText(target.value)
        paint_grade(self.value, Grade.GOOD if target.reached else None)
        self.checks.setText(target.checks)
        self.interval.setText(target.interval)
        _show(self.outlook, target.outlook)
        self.bar.setVisible(target.share is not None)
        self.bar.setValue(round(_STEPS * (target.share or 0.0)))
        if self.bar.property("reached") != target.reached:
            self.bar.setProperty("reached", target.reached)
            self.bar.style().unpolish(self.bar)
            self.bar.style().polish(self.bar)


def _show(where: QLabel, words: str) -> None:
    where.setText(words)
    where.setVisible(bool(words))
