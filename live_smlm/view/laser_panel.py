"""The light: what keeps the density of molecules, how it stands, and a hand on it.

It shows what the run tells, and passes on `hold`, `release` and `set 2.5`.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtWidgets import QFormLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from live_smlm.view.news import LIVE, Grade, News
from live_smlm.view.parts import button, label, mark_wrong, paint_grade, panel, wrapped

_MODES = {"automatic": "automatic", "held": "held: nobody turns it", "manual": "by hand"}
_UNKNOWN = "not known yet"


class LaserPanel(QWidget):
    """Numbers above, a hand below."""

    def __init__(self, order: Callable[[str], object]) -> None:
        super().__init__()
        self._order = order
        self._is_held = False
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        frame, stack = panel()
        outer.addWidget(frame)
        outer.addStretch(1)
        self.failure = wrapped()
        paint_grade(self.failure, Grade.ALARM)
        stack.addWidget(self.failure)
        form = QFormLayout()
        form.setVerticalSpacing(3)
        self.value, self.density, self.mode = label("", "value"), label("", "value"), wrapped()
        self._named = label("", "faint")
        form.addRow(self._named, self.value)
        form.addRow(label("density / µm²", "faint"), self.density)
        form.addRow(label("turned", "faint"), self.mode)
        stack.addLayout(form)
        row = QHBoxLayout()
        self.hold = button("Resume", "Nobody turns the light, until resumed", self._toggle)
        self.number = QLineEdit()
        self.number.setPlaceholderText("by hand, as 2.5")
        self.number.returnPressed.connect(self._set)
        self.set = button("Set", "This value, until resumed (Return)", self._set)
        for made in (self.hold, self.number, self.set):
            row.addWidget(made)
        stack.addLayout(row)

    def tell(self, news: News, *, in_control: bool, asking: bool) -> None:
        """Show how it stands."""
        laser: Mapping[str, Any] = news.numbers.get("laser") or {}
        mode, value = str(laser.get("mode")), laser.get("value")
        self._is_held = mode in {"held", "manual"}
        self._named.setText(str(laser.get("property", "")))
        self.value.setText(_UNKNOWN if value is None else f"{value:.4g}")
        now, wanted = density(news), laser.get("set_point_per_um2")
        goal = "" if wanted is None else f", wanted {wanted:.3g}"
        self.density.setText(f"{_UNKNOWN if now is None else f'{now:.3g}'}{goal}")
        self.mode.setText("; ".join(_how(laser, mode)))
        self.failure.setText(str(laser.get("failure") or ""))
        self.failure.setVisible(bool(laser.get("failure")))
        self.hold.setText("Resume" if self._is_held else "Hold")
        can = in_control and not asking and news.phase in LIVE
        for made in (self.hold, self.number, self.set):
            made.setEnabled(can)

    def _toggle(self) -> None:
        self._order("release" if self._is_held else "hold")

    def _set(self) -> None:
        """What was typed; what is no number turns red."""
        try:
            value = float(self.number.text().replace(",", "."))
        except ValueError:
            value = math.nan
        good = math.isfinite(value)
        mark_wrong(self.number, "" if good else "write a number, such as 2.5")
        if good:
            self._order(f"set {value:g}")


def density(news: News) -> float | None:
    """Molecules per frame and µm² of the newest frames of which it is known."""
    told = (news.numbers.get("series") or {}).get("density_per_um2") or ()
    return next((value for value in reversed(told) if value is not None), None)


def _how(laser: Mapping[str, Any], mode: str) -> list[str]:
    """Who turns it, and what is in the way."""
    said = [_MODES.get(mode, mode)]
    if mode == "automatic" and not laser.get("tuned"):
        said.append("still learning")
    if laser.get("limit"):
        said.append(f"at {laser['limit']}")
    if laser.get("dry_run"):
        said.append("dry run: it only says what it would do")
    return said
