"""A judgement in plain values and in words, as streams, windows, records and reports take it."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from live_smlm.core import Checkpoint, History
from live_smlm.core.spoken import duration
from live_smlm.feedback.forecast import FORECAST, Forecast, Span, forecast
from live_smlm.feedback.rules import Decision, StopState
from live_smlm.feedback.rules_words import QUANTITIES, Quantity, Rule
from live_smlm.metrics.frc import SEVENTH, Frc
from live_smlm.metrics.quality import Assessment
from live_smlm.session.analysis import FIELD, Analysis
from live_smlm.session.left import time_left
from live_smlm.session.regions import shape_words

MOST_POINTS = 120
"""Of a chart."""
CHARTS = (
    "frc_nm",
    "resolution_nm",
    "nena_nm",
    "completeness",
    "blinks",
    "pool_left",
    "density_per_um2",
)
_USUAL = ("frc_nm", "completeness")
"""Forecast where nothing else is asked for."""
_BY_NAME: Mapping[str, Quantity] = {q.name: q for q in QUANTITIES.values()}


def told(analysis: Analysis, rule: StopState | None, decision: Decision | None) -> dict[str, Any]:
    """All that is known now."""
    history = analysis.histories[FIELD]
    newest = history[-1]
    said = {
        "frame": newest.frame,
        "seconds": round(newest.seconds, 3),
        "values": _plain(newest),
        "forecasts": [_forecast(f, newest) for f in _forecasts(history, decision)],
        "drift": _drift(analysis),
        "regions": {
            name: _plain(points[-1])
            for name, points in analysis.histories.items()
            if name != FIELD and points
        },
        "alarms": list(analysis.alarms().values()),
        "places": {name: shape_words(place) for name, place in analysis.aims.regions.items()},
        "charts": charts(history),
    }
    return said | ({} if rule is None else _rule(rule, decision))


def lasting(said: Mapping[str, Any], seen: Assessment) -> dict[str, Any]:
    """What of it stays in the run's folder: charts stand in the history, look by look."""
    kept = {name: value for name, value in said.items() if name != "charts"}
    return kept | ({} if seen.frc is None else {"ring": _ring(seen.frc)})


def verdict(said: Mapping[str, Any]) -> dict[str, Any]:
    """The last word, as the record of the run takes it; empty where there was none."""
    names = ("frame", "seconds", "values", "rule", "kind", "alarms")
    kept = {name: said[name] for name in names if name in said}
    decision = said.get("decision")
    return kept | ({} if decision is None else {"because": decision["because"]})


def kind_of(rule: StopState, decision: Decision) -> str:
    """What a decision comes to, in a word; a change of it is news."""
    if rule.stopped:
        return "stop"
    if rule.held:
        return "on hold"
    if decision.frame < rule.until_frame or decision.seconds < rule.until_s:
        return "extended"
    if decision.fulfilled:
        return "would stop" if rule.settings.dry_run else "enough"
    return "going on"


def charts(history: History) -> dict[str, list[float | None]]:
    """Some points of each metric, lists of one length; None where it was unknown."""
    rows = np.unique(np.linspace(0, len(history) - 1, MOST_POINTS).round().astype(int))
    some = [history[row] for row in rows]
    drawn = {name: [_short(point.values.get(name)) for point in some] for name in CHARTS}
    known = {name: values for name, values in drawn.items() if any(v is not None for v in values)}
    return {"frame": [point.frame for point in some], **known}


def words(seen: Forecast, newest: Checkpoint) -> str:
    """A forecast as one says it."""
    quantity = _BY_NAME[seen.name]
    if seen.now is None or seen.end is None:
        return f"{quantity.word}: {seen.why}"
    said = [f"{quantity.word} {_span(quantity, seen.now)}"]
    if seen.goal is not None and seen.frames is not None and seen.seconds is not None:
        said.append(_coming(quantity, seen, newest))
    said.append(f"in the end {_span(quantity, seen.end)}")
    if seen.limit is not None:
        said.append(f"limited by {seen.limit}")
    return ", ".join(said)


def _coming(quantity: Quantity, seen: Forecast, newest: Checkpoint) -> str:
    """When a goal is reached."""
    goal = quantity.told(seen.goal or 0.0)
    frames, seconds = seen.frames, seen.seconds
    if frames is None or seconds is None:
        return f"{goal} at an unknown time"
    if frames.value <= newest.frame:
        return f"{goal} is reached"
    if not math.isfinite(frames.value):
        chance = 100 * (seen.chance or 0.0)
        return f"{goal} is not to be expected before the molecules are used up ({chance:.0f} %)"
    left = Span(*(max(0.0, s - newest.seconds) for s in (seconds.low, seconds.value, seconds.high)))
    return f"{goal} in {duration(left.value)} ({duration(left.low)} to {duration(left.high)})"


def _forecasts(history: History, decision: Decision | None) -> list[Forecast]:
    """Of what the rule asks of the field, and of what is usual."""
    goals: dict[str, float | None] = dict.fromkeys(_USUAL)
    for judged in () if decision is None else decision.judged:
        quantity = _BY_NAME[judged.name]
        gain = " gain " in judged.condition
        if judged.name in FORECAST and not judged.region and not quantity.certain:
            goals[quantity.name] = goals.get(quantity.name) if gain else judged.goal
    made = (forecast(history, name, goal) for name, goal in goals.items())
    return [one for one in made if one.now is not None or one.goal is not None]


def _forecast(seen: Forecast, newest: Checkpoint) -> dict[str, Any]:
    return {**seen.plain(), "words": words(seen, newest)}


def _ring(frc: Frc) -> dict[str, Any]:
    return {
        "per_nm": [_short(value) for value in frc.frequency.tolist()],
        "value": [_short(value) for value in frc.smooth.tolist()],
        "threshold": SEVENTH,
        "resolution_nm": _short(frc.resolution_nm),
    }


def _rule(rule: StopState, decision: Decision | None) -> dict[str, Any]:
    settings = rule.settings
    return {
        "rule": str(settings.rule),
        "dry_run": settings.dry_run,
        "held": rule.held,
        "until_frame": rule.until_frame or None,
        "until_s": rule.until_s or None,
        "kind": None if decision is None else kind_of(rule, decision),
        "decision": None if decision is None else decision.plain(),
        "left_s": None if decision is None else _left(settings.rule, decision),
    }


def _left(rule: Rule, decision: Decision) -> dict[str, float | None] | None:
    """Seconds until the rule holds; a time that never comes is None."""
    left = time_left(rule, decision)
    if left is None:
        return None
    return {end: _short(getattr(left, end)) for end in ("low", "value", "high")}


def _drift(analysis: Analysis) -> dict[str, Any]:
    state, curve = analysis.drift, analysis.curve
    if state is None:
        return {}
    axes = ("x", "y", "z") if state.three_d else ("x", "y")
    now = {name: _short(getattr(curve, name)[-1]) for name in axes}
    error = [_short(value) for _, value in zip(axes, state.error_nm, strict=False)]
    return {**now, "error_nm": error, "revision": state.revision, "lost": bool(state.lost)}


def _span(quantity: Quantity, span: Span) -> str:
    low, high = quantity.told(span.low), quantity.told(span.high)
    return f"{quantity.told(span.value)} ({low} to {high})"


def _plain(point: Checkpoint) -> dict[str, float | None]:
    return {name: _short(value) for name, value in point.values.items()}


def _short(value: float | None) -> float | None:
    known = value is not None and math.isfinite(value)
    return float(f"{value:.6g}") if known else None
