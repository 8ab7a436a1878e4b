"""What a page is told of a run: the window's news as JSON."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from live_smlm.view import enough
from live_smlm.view.lines import about, curve, known
from live_smlm.view.news import News, grade_of

_MOST_POINTS = 240
_MOST_EVENTS = 60


def report(news: News, *, control: bool) -> bytes:
    """The numbers, alarms, events and charts of this moment."""
    numbers = news.numbers
    grade, words = news.trust
    said = {
        "phase": news.phase.value,
        "why": news.why,
        "run": news.run,
        "about": news.about,
        "field_nm": news.field_nm,
        "counts": news.counts,
        "molecules": numbers.get("molecules"),
        "frames_s": numbers.get("frames_s"),
        "lag_ms": (numbers.get("latency_ms") or {}).get("p99"),
        "elapsed_s": numbers.get("elapsed_s"),
        "camera_fill": numbers.get("camera_fill"),
        "trust": {"grade": grade.value, "words": words},
        "alarms": [{"words": doubt.words, "since_s": doubt.since_s} for doubt in news.doubts],
        "events": [
            {"at_s": e.at_s, "what": e.what, "detail": e.detail, "grade": grade_of(e).value}
            for e in news.events[-_MOST_EVENTS:]
        ],
        "charts": _charts(numbers.get("series") or {}),
        "enough": _enough(news),
        "control": control,
    }
    return json.dumps(plain(said), allow_nan=False).encode()


def _enough(news: News) -> dict[str, Any]:
    """The verdict and what it rests on, in the window's words."""
    said = enough.verdict(news)
    judged = bool(news.numbers.get("quality"))
    return {
        **asdict(said),
        "grade": said.grade.value,
        "targets": [asdict(target) for target in enough.targets(news)],
        "rule": enough.rule_words(news),
        "drift": enough.drift_words(news) if judged else "",
        "held": enough.held(news),
    }


def tag_of(told: bytes) -> str:
    """The same for the same report."""
    return hashlib.blake2b(told, digest_size=12).hexdigest()


def plain(value: Any) -> Any:
    """The same without numbers that JSON does not know."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


def _charts(series: Mapping[str, Sequence[float | None]]) -> list[dict[str, Any]]:
    """The charts that there are, each of few points."""
    frames = [frame or 0.0 for frame in series.get("frame", ())]
    charts = []
    for name in known(series):
        at, values = curve(frames, series[name], _MOST_POINTS)
        line = {"frames": at.tolist(), "values": values.tolist()}
        charts.append({"name": name, "title": about(name).title, "unit": about(name).unit, **line})
    return charts
