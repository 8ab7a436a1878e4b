"""How a run goes: one small chart per series, its newest value large beside its name.

A chart appears when its series comes. Drawn once a second, of few points,
without smoothing: in software a smooth line costs more than the picture.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pyqtgraph
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from live_smlm.core import F64
from live_smlm.view import theme
from live_smlm.view.lines import About, about, curve, known, order_of
from live_smlm.view.parts import label, panel, scrolled

_HEIGHT = 96


class Charts(QScrollArea):
    """Charts below each other, in the order in which they are known."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = scrolled(self)
        self._stack.addStretch(1)
        self._charts: dict[str, Chart] = {}

    def tell(self, series: Mapping[str, Sequence[float | None]]) -> None:
        """Show all points; a series without any known value has no chart."""
        frames = [frame or 0.0 for frame in series.get("frame", ())]
        for name in known(series):
            if name not in self._charts:
                self._add(name, order_of(series))
            self._charts[name].tell(*curve(frames, series[name]))

    @property
    def names(self) -> tuple[str, ...]:
        """The charts that are there."""
        return tuple(self._charts)

    def forget(self) -> None:
        """No charts, for a new run."""
        for chart in self._charts.values():
            self._stack.removeWidget(chart)
            chart.deleteLater()
        self._charts = {}

    def _add(self, name: str, order: list[str]) -> None:
        before = [known for known in self._charts if order.index(known) < order.index(name)]
        chart = Chart(about(name))
        self._stack.insertWidget(len(before), chart)
        self._charts[name] = chart


class Chart(QWidget):
    """One series, or several of one unit that are told apart by `names`."""

    def __init__(self, about: About, names: tuple[str, ...] = ("",)) -> None:
        super().__init__()
        self._unit, self._names = about.unit, names
        frame, stack = panel()
        stack.setContentsMargins(8, 4, 6, 2)
        stack.setSpacing(0)
        head = QHBoxLayout()
        head.addWidget(label(about.title, "caption"))
        head.addStretch(1)
        self._newest = label("", "number")
        self._newest.setStyleSheet("font-size: 14px;")
        self._newest.setTextFormat(Qt.TextFormat.RichText)
        head.addWidget(self._newest)
        stack.addLayout(head)
        self._plot = pyqtgraph.PlotWidget(background=theme.PANEL)
        self._plot.setFixedHeight(_HEIGHT - 30)
        self._plot.setMenuEnabled(False)
        self._plot.setMouseEnabled(x=False, y=False)
        self._plot.hideButtons()
        self._plot.setFrameShape(self._plot.Shape.NoFrame)
        self._axes()
        self._lines = [
            self._plot.plot(pen=pyqtgraph.mkPen(colour, width=1), connect="finite")
            for colour in theme.LINES[: len(names)]
        ]
        stack.addWidget(self._plot)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(frame)

    def tell(self, frames: F64, *several: F64) -> None:
        """Draw the lines, and say their newest values."""
        for line, values in zip(self._lines, several, strict=True):
            line.setData(frames, values)
        known = [values[np.isfinite(values)] for values in several]
        low = min(0.0, *(float(values.min()) for values in known))
        high = max(0.0, *(float(values.max()) for values in known))
        room = 0.2 * (high - low) or 1.0
        self._plot.setYRange(low - room * (low < 0), high + room, padding=0)
        self._newest.setText("&nbsp; ".join(map(self._said, range(len(known)), known)))

    def _said(self, number: int, known: F64) -> str:
        value = f"{known[-1]:.4g}"
        if len(self._names) == 1:
            return f"{value} {self._unit}".rstrip()
        words = f"{self._names[number]} {known[-1]:.3g}"
        return f'<span style="color: {theme.LINES[number]}">{words}</span>'

    def _axes(self) -> None:
        font = self.font()
        font.setPixelSize(9)
        for side in ("left", "bottom"):
            axis = self._plot.getAxis(side)
            axis.setPen(pyqtgraph.mkPen(theme.EDGE))
            axis.setTextPen(pyqtgraph.mkPen(theme.FAINT))
            axis.setStyle(tickFont=font, tickLength=-3, maxTickLevel=0, tickTextOffset=2)
            axis.enableAutoSIPrefix(enable=False)
        self._plot.getAxis("left").setWidth(38)
        self._plot.getAxis("bottom").setHeight(14)
