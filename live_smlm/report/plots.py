"""The plots of a report; each is drawn where there is something to draw, else there is none.

matplotlib without its global state: figures are made, written and forgotten.
"""

import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from live_smlm.core import F64, STILL, AnyArray, Checkpoint, History
from live_smlm.report.told import Told

_SIZE_INCHES = (5.2, 3.0)
_DPI = 110
_BINS = 80
_TAIL = 0.5
"""Percent of a histogram's values that may lie beyond each end."""
_LINE, _SECOND, _THIRD = "#0072b2", "#d55e00", "#009e73"
"""Told apart by those who are colour-blind, too."""
_QUALITY = {
    "frc_nm": ("FRC (1/7)", _LINE),
    "resolution_nm": ("precision and density", _SECOND),
    "nena_nm": ("NeNA precision", _THIRD),
}
_COLUMNS = {
    "photons": "photons per molecule",
    "background": "background, photons per pixel",
    "sigma_x": "reported precision in x, nm",
    "z": "z, nm",
}


def plots(told: Told) -> dict[str, bytes]:
    """PNG files by name, in the order of the page."""
    drawn: dict[str, Callable[[Axes], bool]] = {
        "resolution": lambda axes: _resolution(axes, told.history),
        "ring": lambda axes: _ring(axes, told),
        "drift": lambda axes: _drift(axes, told),
        "completeness": lambda axes: _completeness(axes, told.history),
        "molecules": lambda axes: _rate(axes, told.history),
    }
    for column, words in _COLUMNS.items():
        drawn[column] = _histogram_of(getattr(told.molecules, column), words)
    made = {name: _png(draw) for name, draw in drawn.items()}
    return {name: png for name, png in made.items() if png is not None}


def _png(draw: Callable[[Axes], bool]) -> bytes | None:
    figure = Figure(figsize=_SIZE_INCHES, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    if not draw(axes):
        return None
    held = io.BytesIO()
    figure.savefig(held, format="png")
    return held.getvalue()


def series(history: History, name: str) -> tuple[F64, F64]:
    """Frames and values of a metric, where it was known."""
    known = [point for point in history if name in point.values]
    return _frames(known), np.array([point.values[name] for point in known], np.float64)


def _frames(points: list[Checkpoint]) -> F64:
    return np.array([point.frame for point in points], np.float64)


def _resolution(axes: Axes, history: History) -> bool:
    for name, (words, colour) in _QUALITY.items():
        frames, values = series(history, name)
        if frames.size:
            axes.plot(frames, values, color=colour, label=words)
    return _finished(axes, "frames", "nm", least=0.0)


def _completeness(axes: Axes, history: History) -> bool:
    for name, words, colour in (
        ("completeness", "structure seen", _LINE),
        ("pool_left", "pool left", _SECOND),
    ):
        frames, values = series(history, name)
        if frames.size:
            axes.plot(frames, 100 * values, color=colour, label=words)
    return _finished(axes, "frames", "%", least=0.0)


def _rate(axes: Axes, history: History) -> bool:
    frames, values = series(history, "molecules_per_frame")
    if frames.size:
        axes.plot(frames, values, color=_LINE, label="molecules per frame")
    return _finished(axes, "frames", "molecules", least=0.0)


def _ring(axes: Axes, told: Told) -> bool:
    ring = told.ring
    if ring is None or not ring.per_nm.size:
        return False
    axes.plot(1000 * ring.per_nm, ring.value, color=_LINE, label="Fourier ring correlation")
    axes.axhline(ring.threshold, color="0.6", linewidth=0.8, linestyle="--")
    if ring.resolution_nm is not None:
        words = f"{ring.resolution_nm:.0f} nm"
        axes.axvline(1000 / ring.resolution_nm, color=_SECOND, linewidth=0.8, label=words)
    axes.set_ylim(-0.1, 1.05)
    return _finished(axes, "spatial frequency, 1/µm", "correlation")


def _drift(axes: Axes, told: Told) -> bool:
    curve = told.drift
    if curve is STILL or curve.frame.size < 2:
        return False
    named: Mapping[str, AnyArray] = {"x": curve.x, "y": curve.y, "z": curve.z}
    for (name, values), colour in zip(named.items(), (_LINE, _SECOND, _THIRD), strict=True):
        if name != "z" or np.any(values):
            axes.plot(curve.frame, values, color=colour, label=name)
    return _finished(axes, "frames", "drift, nm")


def _histogram_of(values: AnyArray | None, words: str) -> Callable[[Axes], bool]:
    def draw(axes: Axes) -> bool:
        known = np.zeros(0) if values is None else values[np.isfinite(values)]
        if known.size < 2:
            return False
        low, high = np.percentile(known, [_TAIL, 100 - _TAIL])
        if not low < high:
            return False
        axes.hist(known, bins=_BINS, range=(float(low), float(high)), color=_LINE)
        axes.axvline(float(np.median(known)), color=_SECOND, linewidth=0.8, label="median")
        return _finished(axes, words, "molecules")

    return draw


def _finished(axes: Axes, x: str, y: str, *, least: float | None = None) -> bool:
    """Labels and legend; whether anything was drawn."""
    held: Any = axes.get_legend_handles_labels()[0]
    if not held:
        return False
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if least is not None:
        axes.set_ylim(bottom=least)
    axes.legend(frameon=False, fontsize="small")
    return True
