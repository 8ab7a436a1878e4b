"""The panel beside the picture: how molecules are drawn, coloured and chosen.

It shows a taste and reports a new one; it decides nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from live_smlm.core import InputError
from live_smlm.render.accumulator import Mode
from live_smlm.render.colour import COLORMAPS
from live_smlm.render.filters import Filters
from live_smlm.view.hand import Tool
from live_smlm.view.parts import button, combo, label, mark_wrong, panel, scrolled, typed
from live_smlm.view.ranges import range_of, range_words
from live_smlm.view.taste import BY, MODES, TITLES, Taste
from live_smlm.view.tone import MOST_GAMMA, Shading

_FILTERS = {
    "photons": "photons",
    "precision": "precision, nm",
    "z": "z, nm",
    "frame": "frame",
    "probability": "probability",
}
_GAMMA_STEPS = 100
_LABEL_WIDTH = 84


@dataclass(frozen=True, slots=True)
class Acts:
    """What the tools do."""

    measure: Callable[[], object]
    region: Callable[[], object]
    closer: Callable[[], object]
    fit: Callable[[], object]
    judge: Callable[[], object]
    judge_none: Callable[[], object]
    clear: Callable[[], object]
    limits: Callable[[], tuple[float, float]]
    """What the picture's contrast is at the moment."""


class Controls(QScrollArea):
    """Everything about the picture's looks."""

    def __init__(self, choose: Callable[[Taste], None], acts: Acts, layers: QWidget) -> None:
        super().__init__()
        self._choose = choose
        self._acts = acts
        self._taste = Taste()
        self.stack = scrolled(self, 6)
        self._tools()
        self.stack.addWidget(layers)
        self._drawing()
        self._contrast()
        self._choice()
        self.stack.addStretch(1)
        self.tell(self._taste)

    def tell(self, taste: Taste) -> None:
        """Show a taste, without reporting it."""
        self._taste = taste
        widgets = (self.mode, self.spread, self.drift, self.by, self.colormap, self.values)
        tones = (self.auto, self.percentile, self.fixed, self.gamma)
        blocked = [QSignalBlocker(w) for w in (*widgets, *tones)]
        self.mode.setCurrentText(taste.drawing.mode.value)
        self.spread.setValue(taste.drawing.width_nm)
        self.drift.setChecked(taste.drift)
        self._look_form.setRowVisible(self.spread, taste.drawing.mode is Mode.GAUSSIAN)
        self.by.setCurrentText(next(word for word, by in BY.items() if by == taste.by))
        self.colormap.setCurrentText(taste.colormap)
        self._look_form.setRowVisible(self.values, taste.by is not None)
        self.values.setPlaceholderText("automatic")
        _correct(self.values, range_words(taste.value_range))
        tone = taste.tone
        self.auto.setChecked(tone.fixed is None)
        self._tone_form.setRowVisible(self.percentile, tone.fixed is None)
        self.percentile.setValue(tone.percentile)
        self._tone_form.setRowVisible(self.fixed, tone.fixed is not None)
        _correct(self.fixed, range_words(tone.fixed))
        self.gamma.setValue(round(tone.gamma * _GAMMA_STEPS))
        self._gamma_said.setText(f"{tone.gamma:.2f}")
        for name, entry in self.filters.items():
            if not entry.hasFocus() and not entry.property("wrong"):
                entry.setText(range_words(taste.filters.ranges().get(name)))
        del blocked

    def tell_tool(self, tool: Tool) -> None:
        """Which tool is in hand."""
        self.measure.setChecked(tool is Tool.MEASURE)
        self.region.setChecked(tool is Tool.REGION)

    def tell_drift(self, *, known: bool) -> None:
        """The switch is there once there is something to take off."""
        if self._look_form.isRowVisible(self.drift) is not known:
            self._look_form.setRowVisible(self.drift, known)

    def tell_regions(self, *, can_judge: bool, judged: bool) -> None:
        """What can be done with the marked region, and with those that are judged apart."""
        self.judge.setVisible(can_judge)
        self.judge_none.setVisible(judged)

    def tell_limits(self, shading: Shading | None) -> None:
        """What automatic contrast and colours come to at the moment."""
        if shading is not None:
            told = shading.value_limits
            words = "automatic" if told is None else f"{told[0]:.3g} to {told[1]:.3g}"
            self.values.setPlaceholderText(words)

    def _tools(self) -> None:
        _, stack = self._section("Tools")
        acts = self._acts
        self.measure = button("Measure", "Distance and profile along a line (D)", acts.measure)
        self.region = button("Region", "Mark a rectangle (R)", acts.region)
        tools = (
            self.measure,
            self.region,
            button("Zoom to it", "The marked region as large as fits (Z)", acts.closer),
            button("Clear", "No marks, plain hand (Esc)", acts.clear),
        )
        grid = QGridLayout()
        grid.setSpacing(4)
        for number, tool in enumerate(tools):
            tool.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            tool.setCheckable(tool in {self.measure, self.region})
            grid.addWidget(tool, number // 2, number % 2)
        self.judge = button("Judge this region", "Judged apart from now on (J)", acts.judge)
        self.judge_none = button("No regions", "Judge the whole field only", acts.judge_none)
        wide = button("Whole field", "All that the camera sees (F)", acts.fit), self.judge
        for number, tool in enumerate((*wide, self.judge_none), start=2):
            tool.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            grid.addWidget(tool, number, 0, 1, 2)
        self.tell_regions(can_judge=False, judged=False)
        stack.addLayout(grid)

    def _drawing(self) -> None:
        form = self._look_form = self._form("Look")
        self.mode = combo([mode.value for mode in MODES], "How a molecule is drawn (M)")
        self.spread = QDoubleSpinBox(minimum=1, maximum=1000, suffix=" nm", decimals=0)
        self.spread.setToolTip("Standard deviation of each molecule in the mode gaussian")
        form.addRow(_name("Drawn as"), self.mode)
        form.addRow(_name("Width"), self.spread)
        self.drift = QCheckBox("taken off")
        self.drift.setToolTip("Molecules where they would be had the sample stood still (W)")
        form.addRow(_name("Drift"), self.drift)
        self.drift.toggled.connect(lambda on: self._choose(replace(self._taste, drift=on)))
        form.setRowVisible(self.drift, False)  # noqa: FBT003 - Qt's call
        self.mode.currentTextChanged.connect(
            lambda word: self._choose(self._taste.drawn(mode=Mode(word)))
        )
        self.spread.valueChanged.connect(lambda nm: self._choose(self._taste.drawn(width_nm=nm)))

        self._colours(form)

    def _colours(self, form: QFormLayout) -> None:
        self.by = combo(list(BY), "What colours tell (C)")
        self.colormap = combo(list(COLORMAPS), "Which colours (L)")
        self.values = typed("Values of the first and the last colour, as -400 to 400")
        form.addRow(_name("Tell"), self.by)
        form.addRow(_name("Map"), self.colormap)
        form.addRow(_name("From … to"), self.values)
        self.by.currentTextChanged.connect(
            lambda word: self._choose(replace(self._taste, by=BY[word], value_range=None))
        )
        self.colormap.currentTextChanged.connect(
            lambda word: self._choose(self._taste.with_colormap(word))
        )
        self.values.editingFinished.connect(
            lambda: self._typed(self.values, lambda span: replace(self._taste, value_range=span))
        )

    def _contrast(self) -> None:
        form = self._tone_form = self._form("Contrast")
        self.auto = QCheckBox("automatic")
        self.auto.setToolTip("Follow what is seen (A)")
        self.percentile = QDoubleSpinBox(
            minimum=50, maximum=100, decimals=2, singleStep=0.1, suffix=" %"
        )
        self.percentile.setToolTip("This share of the lit pixels is not brighter than the screen")
        self.fixed = typed(f"{TITLES[None]} of the darkest and the brightest shade ([ and ])")
        self.gamma = QSlider(Qt.Orientation.Horizontal)
        self.gamma.setRange(round(_GAMMA_STEPS / MOST_GAMMA), 2 * _GAMMA_STEPS)
        self.gamma.setToolTip("Below 1 faint structures are lifted (G)")
        self._gamma_said = label("", "faint")
        row = QHBoxLayout()
        row.addWidget(self.gamma)
        row.addWidget(self._gamma_said)
        form.addRow(_name("Contrast"), self.auto)
        form.addRow(_name("Percentile"), self.percentile)
        form.addRow(_name("From … to"), self.fixed)
        form.addRow(_name("Gamma"), row)
        self.auto.toggled.connect(self._automatic)
        self.percentile.valueChanged.connect(lambda share: self._toned(percentile=share))
        self.fixed.editingFinished.connect(
            lambda: self._typed(
                self.fixed,
                lambda span: replace(self._taste, tone=replace(self._taste.tone, fixed=span)),
            )
        )
        self.gamma.valueChanged.connect(lambda step: self._toned(gamma=step / _GAMMA_STEPS))

    def _choice(self) -> None:
        form = self._form("Filters")
        self.filters: dict[str, QLineEdit] = {}
        for name, words in _FILTERS.items():
            entry = typed(f"Draw only molecules of this {name}, as 500 to 5000, or 500 to")
            entry.setPlaceholderText("all")
            form.addRow(_name(words), entry)
            entry.editingFinished.connect(lambda name=name: self._filtered(name))
            self.filters[name] = entry

    def _section(self, title: str) -> tuple[QFrame, QVBoxLayout]:
        frame, stack = panel()
        stack.addWidget(label(title.upper(), "section"))
        self.stack.addWidget(frame)
        return frame, stack

    def _form(self, title: str) -> QFormLayout:
        _, stack = self._section(title)
        form = QFormLayout()
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setVerticalSpacing(4)
        form.setHorizontalSpacing(6)
        stack.addLayout(form)
        return form

    def _toned(self, **changes: float) -> None:
        self._choose(replace(self._taste, tone=replace(self._taste.tone, **changes)))  # type: ignore[arg-type] # its fields

    def _automatic(self, on: bool) -> None:  # noqa: FBT001 - Qt's signal
        from_now = None if on else self._acts.limits()
        self._choose(replace(self._taste, tone=replace(self._taste.tone, fixed=from_now)))

    def _filtered(self, name: str) -> None:
        def chosen(span: tuple[float, float] | None) -> Taste:
            ranges = {**self._taste.filters.ranges(), name: span}
            return replace(self._taste, filters=Filters(**ranges))

        self._typed(self.filters[name], chosen)

    def _typed(self, entry: QLineEdit, make: Callable[[tuple[float, float] | None], Taste]) -> None:
        """Report what was typed; what cannot be used turns the entry red and says why."""
        why = ""
        try:
            taste = make(range_of(entry.text()))
        except InputError as error:
            why = str(error)
        else:
            self._choose(taste)
        mark_wrong(entry, why)


def _correct(entry: QLineEdit, words: str) -> None:
    """Show words that can be used."""
    entry.setText(words)
    mark_wrong(entry, "")


def _name(words: str) -> QWidget:
    made = label(words, "faint")
    made.setFixedWidth(_LABEL_WIDTH)
    return made
