"""Keys: what each does, and the page that tells so."""

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QDialog, QGridLayout, QVBoxLayout, QWidget

from live_smlm.view import theme
from live_smlm.view.parts import label


@dataclass(frozen=True, slots=True)
class Key:
    """One or several keys that do one thing."""

    keys: tuple[str, ...]
    does: str
    act: Callable[[], object]
    group: str
    anywhere: bool = True
    """Whether it works wherever in the window one is, or over the picture only."""


def bind(window: QWidget, picture: QWidget, keys: tuple[Key, ...]) -> None:
    """Let the keys work, but where text is typed."""
    everywhere, here = Qt.ShortcutContext.WindowShortcut, Qt.ShortcutContext.WidgetShortcut
    for key in keys:
        for sequence in key.keys:
            made = QShortcut(QKeySequence(sequence), window if key.anywhere else picture)
            made.setContext(everywhere if key.anywhere else here)
            made.activated.connect(key.act)


class KeysPage(QDialog):
    """All keys, by what they are about; any key closes it."""

    def __init__(self, window: QWidget, keys: tuple[Key, ...]) -> None:
        super().__init__(window)
        self.setWindowTitle("Keys")
        self.setStyleSheet(f"QDialog {{ background: {theme.PANEL}; }}")
        stack = QVBoxLayout(self)
        stack.setContentsMargins(24, 18, 24, 18)
        stack.addWidget(label("Keys", "title"))
        grid = QGridLayout()
        grid.setHorizontalSpacing(26)
        grid.setVerticalSpacing(4)
        stack.addLayout(grid)
        row = 0
        for group in dict.fromkeys(key.group for key in keys):
            grid.addWidget(label(group.upper(), "section"), row, 0, 1, 2)
            row += 1
            for key in (one for one in keys if one.group == group):
                grid.addWidget(label("  ".join(_said(k) for k in key.keys)), row, 0)
                grid.addWidget(label(key.does, "faint"), row, 1)
                row += 1
        stack.addWidget(label("Mouse: drag, wheel, double click for the whole field", "caption"))

    def keyPressEvent(self, _event: object) -> None:
        """Any key closes."""
        self.close()


def _said(sequence: str) -> str:
    plain = QKeySequence(sequence).toString(QKeySequence.SequenceFormat.NativeText)
    arrows = {"Left": "←", "Right": "→", "Up": "↑", "Down": "↓"}
    return arrows.get(plain, plain)
