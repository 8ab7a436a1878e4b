"""The page before a run: its settings, checked as they are typed, and Start."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from live_smlm.config import RunConfig
from live_smlm.core import InputError, require
from live_smlm.view import entries
from live_smlm.view.entries import Entry
from live_smlm.view.news import Grade
from live_smlm.view.parts import label, paint_grade, panel

_WIDTH = 760
_TOML = "Configuration (*.toml)"
_TITLE_WIDTH = 150
UsualEngine: TypeAlias = Callable[[str], str]
"""Which engine is usual for a source, both in the words of a configuration."""


def usual_engine(_source: str) -> str:
    """The same for all, where nobody knows better."""
    return RunConfig().engine


class Form(QScrollArea):
    """All settings as a form; `start` gets what is typed once it is asked for.

    The engine is the one that is usual for the source, until another is typed.
    """

    def __init__(
        self, start: Callable[[RunConfig], None], usual: UsualEngine = usual_engine
    ) -> None:
        super().__init__()
        self._start = start
        self._usual = usual
        self._fields: dict[str, QLineEdit | QComboBox | QCheckBox] = {}
        self.setWidgetResizable(True)
        page = QWidget()
        page.setObjectName("inner")
        self.setObjectName("inner")
        outer = QHBoxLayout(page)
        outer.addStretch(1)
        column = QWidget()
        column.setMaximumWidth(_WIDTH)
        column.setMinimumWidth(560)
        outer.addWidget(column, 8)
        outer.addStretch(1)
        stack = QVBoxLayout(column)
        stack.setSpacing(10)
        stack.addWidget(label("New run", "title"))
        stack.addLayout(self._buttons())
        self.said = label("", "faint")
        self.said.setWordWrap(True)
        stack.addWidget(self.said)
        every = entries.entries()
        stack.addWidget(self._grid([entry for entry in every if entry.usual]))
        self._rest = self._grid([entry for entry in every if not entry.usual])
        self._rest.hide()
        stack.addWidget(self._more())
        stack.addWidget(self._rest)
        stack.addStretch(1)
        self.setWidget(page)
        self._source, self._engine = (self._line(name) for name in ("source", "engine"))
        self._suggested = self._engine.text()
        self._source.textChanged.connect(self._suggest)
        self._suggest(self._source.text())
        self.check()

    def fill(self, config: RunConfig) -> None:
        """Show a configuration."""
        self._suggested = self._usual(config.source)
        for key, text in entries.typed(config).items():
            _set(self._fields[key], text)
        self.check()

    def texts(self) -> dict[str, str]:
        """What is typed, by key."""
        return {key: _text(field) for key, field in self._fields.items()}

    def check(self) -> RunConfig | None:
        """What is typed if it can be used; says why not otherwise."""
        try:
            config = entries.configured(self.texts())
        except InputError as error:
            self.tell(str(error), Grade.ALARM)
            self.go.setEnabled(False)
            return None
        self.tell("These settings can be used; the engine checks the rest when the run begins.")
        self.go.setEnabled(True)
        return config

    def tell(self, words: str, grade: Grade = Grade.NEUTRAL) -> None:
        """Say something above the settings."""
        self.said.setText(words)
        paint_grade(self.said, grade)

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.go = QPushButton("Start")
        self.go.setObjectName("start")
        self.go.setToolTip("Start the run (Ctrl+Return)")
        self.go.clicked.connect(lambda _checked: self.begin())
        row.addWidget(self.go)
        row.addStretch(1)
        for words, act in (("Load…", self._load), ("Save…", self._save)):
            made = QPushButton(words)
            made.setToolTip("The same file as of live-smlm run FILE")
            made.clicked.connect(lambda _checked, act=act: act())
            row.addWidget(made)
        return row

    def begin(self) -> None:
        """Start, if what is typed can be used."""
        config = self.check()
        if config is not None:
            self._start(config)

    def _more(self) -> QToolButton:
        more = QToolButton()
        more.setText("More settings")
        more.setCheckable(True)
        more.toggled.connect(self._rest.setVisible)
        return more

    def _grid(self, shown: list[Entry]) -> QWidget:
        frame, stack = panel()
        grid = QGridLayout()
        grid.setVerticalSpacing(3)
        grid.setHorizontalSpacing(12)
        grid.setColumnMinimumWidth(0, _TITLE_WIDTH)
        grid.setColumnStretch(1, 1)
        for number, entry in enumerate(shown):
            field = self._field(entry)
            grid.addWidget(label(entry.title), 2 * number, 0)
            grid.addWidget(field, 2 * number, 1)
            told = label(entry.explanation, "caption")
            told.setWordWrap(True)
            grid.addWidget(told, 2 * number + 1, 1, Qt.AlignmentFlag.AlignTop)
        stack.addLayout(grid)
        return frame

    def _field(self, entry: Entry) -> QWidget:
        made: QLineEdit | QComboBox | QCheckBox
        if entry.is_flag:
            made = QCheckBox()
            made.toggled.connect(lambda _on: self.check())
        elif entry.choices:
            made = QComboBox()
            made.addItems(entry.choices)
            made.currentTextChanged.connect(lambda _word: self.check())
        else:
            made = QLineEdit()
            made.textEdited.connect(lambda _text: self.check())
        _set(made, entry.text)
        self._fields[entry.key] = made
        return made

    def _line(self, key: str) -> QLineEdit:
        field = self._fields[key]
        require(isinstance(field, QLineEdit), f"setting {key} is no line of text; look at entries")
        return field  # type: ignore[return-value] # refused above

    def _suggest(self, source: str) -> None:
        """Another source, another engine, unless it was chosen."""
        chosen = self._engine.text() != self._suggested
        self._suggested = self._usual(source)
        if not chosen:
            self._engine.setText(self._suggested)

    def _load(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Load settings", "", _TOML)
        if name:
            self.load(Path(name))

    def load(self, path: Path) -> None:
        """Show what a file says."""
        try:
            self.fill(entries.loaded(path))
        except (InputError, OSError) as error:
            self.tell(str(error), Grade.ALARM)

    def _save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save settings", "run.toml", _TOML)
        config = self.check()
        if name and config is not None:
            self.save(Path(name), config)

    def save(self, path: Path, config: RunConfig) -> None:
        """Write a file for `live-smlm run FILE`."""
        try:
            entries.save(path, config)
        except (InputError, OSError) as error:
            self.tell(str(error), Grade.ALARM)
        else:
            self.tell(f"Saved as {path}")


def _text(field: QLineEdit | QComboBox | QCheckBox) -> str:
    if isinstance(field, QCheckBox):
        return "true" if field.isChecked() else "false"
    return field.currentText() if isinstance(field, QComboBox) else field.text()


def _set(field: QLineEdit | QComboBox | QCheckBox, text: str) -> None:
    if isinstance(field, QCheckBox):
        field.setChecked(text == "true")
    elif isinstance(field, QComboBox):
        field.setCurrentText(text)
    else:
        field.setText(text)
