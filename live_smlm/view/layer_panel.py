"""What engines have drawn: which picture is laid over the molecules, and how much of it.

It shows what there is and reports a choice; it decides nothing.
"""

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QSlider, QVBoxLayout, QWidget

from live_smlm.view import over
from live_smlm.view.news import Grade, News
from live_smlm.view.over import Over
from live_smlm.view.parts import label, paint_grade, panel, wrapped

_NONE = "molecules alone"
_STEPS = 100


class LayerPanel(QWidget):
    """One picture at a time."""

    def __init__(self, choose: Callable[[Over], None]) -> None:
        super().__init__()
        self._choose = choose
        self._choices: dict[str, Over] = {}
        self.which = QComboBox()
        self.which.setToolTip("What an engine has drawn, over the molecules")
        self.which.addItem(_NONE)
        self.share = QSlider(Qt.Orientation.Horizontal)
        self.share.setRange(0, _STEPS)
        self.share.setValue(round(_STEPS * Over().share))
        self.share.setToolTip("Left: the molecules; right: the engine's picture")
        self.warning = wrapped()
        paint_grade(self.warning, Grade.CAUTION)
        frame, stack = panel()
        stack.addWidget(label("LAYER", "section"))
        stack.addWidget(self.which)
        row = QHBoxLayout()
        row.addWidget(label("molecules", "faint"))
        row.addWidget(self.share, 1)
        row.addWidget(label("picture", "faint"))
        stack.addLayout(row)
        stack.addWidget(self.warning)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(frame)
        self.hide()
        self.which.currentTextChanged.connect(lambda _words: self._report())
        self.share.valueChanged.connect(lambda _step: self._report())

    def tell(self, news: News) -> None:
        """What there is now."""
        choices = over.choices(news)
        if list(choices) != list(self._choices):
            self._choices = choices
            chosen, blocked = self.which.currentText(), QSignalBlocker(self.which)
            self.which.clear()
            self.which.addItems([_NONE, *choices])
            self.which.setCurrentText(chosen if chosen in choices else _NONE)
            del blocked
        self.setVisible(bool(choices))
        self.share.setEnabled(bool(self._chosen.name))
        words = over.warning(self._chosen, news)
        self.warning.setText(words)
        self.warning.setVisible(bool(words))

    @property
    def _chosen(self) -> Over:
        chosen = self._choices.get(self.which.currentText(), Over())
        return replace(chosen, share=self.share.value() / _STEPS)

    def _report(self) -> None:
        self._choose(self._chosen)
