"""Small widgets that several panels are made of."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QLabel,
    QLineEdit,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from live_smlm.view import theme
from live_smlm.view.news import Grade


def label(words: str = "", kind: str = "") -> QLabel:
    """Text; `kind` is one that the theme knows."""
    made = QLabel(words)
    made.setObjectName(kind)
    made.setTextFormat(Qt.TextFormat.PlainText)
    return made


def wrapped(kind: str = "") -> QLabel:
    """Text in as many lines as it takes."""
    made = label("", kind)
    made.setWordWrap(True)
    return made


def panel() -> tuple[QFrame, QVBoxLayout]:
    """A framed area and what is stacked in it."""
    frame = QFrame()
    frame.setObjectName("panel")
    stack = QVBoxLayout(frame)
    stack.setContentsMargins(theme.MARGIN, theme.MARGIN, theme.MARGIN, theme.MARGIN)
    stack.setSpacing(4)
    return frame, stack


def scrolled(area: QScrollArea, spacing: int = 5) -> QVBoxLayout:
    """What is stacked in an area that scrolls up and down."""
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setObjectName("inner")
    inner = QWidget()
    inner.setObjectName("inner")
    stack = QVBoxLayout(inner)
    stack.setContentsMargins(0, 0, 0, 0)
    stack.setSpacing(spacing)
    area.setWidget(inner)
    return stack


def button(
    words: str, hint: str, act: Callable[[], object], *, checks: bool = False
) -> QToolButton:
    """A small button; `hint` tells its key too."""
    made = QToolButton()
    made.setText(words)
    made.setToolTip(hint)
    made.setCheckable(checks)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    made.clicked.connect(lambda _checked: act())
    return made


def paint_grade(widget: QWidget, grade: Grade | None) -> None:
    """Text in the colour of how much it wants attention; None: as all text."""
    colour = theme.TEXT if grade is None else theme.GRADES[grade]
    sheet = f"color: {colour};"
    if widget.styleSheet() != sheet:  # Qt lays all out anew each time
        widget.setStyleSheet(sheet)


def combo(words: list[str], hint: str) -> QComboBox:
    """One of several words."""
    made = QComboBox()
    made.addItems(words)
    made.setToolTip(hint)
    return made


def typed(hint: str) -> QLineEdit:
    """Something to be typed."""
    made = QLineEdit()
    made.setToolTip(hint)
    made.setProperty("hint", hint)
    return made


def mark_wrong(entry: QLineEdit, why: str) -> None:
    """Red where what is typed cannot be used; says why."""
    if not why and not entry.property("wrong"):
        return
    entry.setProperty("wrong", bool(why))
    entry.setToolTip(why or str(entry.property("hint") or ""))
    entry.style().unpolish(entry)
    entry.style().polish(entry)


class Number(QWidget):
    """A large number and its small name below."""

    def __init__(self, name: str, hint: str) -> None:
        super().__init__()
        stack = QVBoxLayout(self)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.setSpacing(0)
        self._value = label("-", "number")
        stack.addWidget(self._value)
        stack.addWidget(label(name, "caption"))
        self.setToolTip(hint)

    def tell(self, words: str, grade: Grade | None = None) -> None:
        """Show a value."""
        if self._value.text() != words:
            self._value.setText(words)
        paint_grade(self._value, grade)


class Elided(QLabel):
    """Text in one line that is shortened where it has no room; all of it when pointed at."""

    def __init__(self) -> None:
        super().__init__()
        self._words = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setMinimumWidth(60)

    def tell(self, words: str) -> None:
        """Show these words."""
        if words != self._words:
            self._words = words
            self.setToolTip(words)
            self._fit()

    def resizeEvent(self, _event: object) -> None:
        """As many words as fit."""
        self._fit()

    def _fit(self) -> None:
        shown = self.fontMetrics().elidedText(
            self._words, Qt.TextElideMode.ElideRight, max(self.width() - 2, 0)
        )
        self.setText(shown)
