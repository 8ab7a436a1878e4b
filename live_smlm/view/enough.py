"""What a run says about being enough, as few words and numbers as can be read at a glance.

Numbers and forecasts are the run's own; here they are only said. What the run does not
know is said to be unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from live_smlm.core.spoken import duration
from live_smlm.view.news import LIVE, Grade, News

_WORDS = {
    "frc_nm": "frc",
    "frc_halfbit_nm": "frc, half-bit",
    "resolution_nm": "resolution",
    "nyquist_nm": "nyquist",
    "completeness": "completeness",
    "pool_left": "pool left",
    "drift_nm": "drift",
    "seconds": "time",
    "frame": "frames",
    "molecules": "molecules",
    "blinks": "blinks",
}
_SHARES = {"completeness", "pool_left"}
_REGION_VALUES = ("frc_nm", "completeness", "molecules")
_UNKNOWN = "not known yet"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it is enough, in a line; and what there is to say about it."""

    line: str
    more: str = ""
    grade: Grade = Grade.NEUTRAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One thing that is wanted, or would be worth wanting."""

    title: str
    value: str
    interval: str = ""
    share: float | None = None
    """Of the way to the goal, 0 to 1; None: there is no goal, or nothing is known."""
    checks: str = ""
    outlook: str = ""
    """What is to come."""
    reached: bool = False


def verdict(news: News) -> Verdict:
    """In words, with the time that is still to go."""
    quality = _quality(news)
    if not quality:
        why = "no look at it has been taken yet" if news.phase in LIVE else "it was not judged"
        return Verdict("Not known", why if news.numbers else "")
    decision = quality.get("decision") or {}
    if not quality.get("rule"):
        return Verdict("No rule", "this run stops by time, by frames or by hand")
    because = _sentence(str(decision.get("because") or ""))
    kind = quality.get("kind")
    if kind == "stop":
        return Verdict("Enough", because, Grade.GOOD)
    if news.phase not in LIVE:
        return Verdict("Ended before it was enough", because, Grade.CAUTION)
    return _of_kind(str(kind or _UNKNOWN), quality, because)


def _of_kind(kind: str, quality: Mapping[str, Any], because: str) -> Verdict:
    if kind == "on hold":
        return Verdict("On hold", _left(quality, "it would be enough") or because, Grade.CAUTION)
    if kind == "extended":
        until = [
            f"frame {quality['until_frame']:,.0f}" if quality.get("until_frame") else "",
            duration(quality["until_s"]) if quality.get("until_s") else "",
        ]
        return Verdict(f"Extended to {next(filter(None, until), 'later')}", because, Grade.CAUTION)
    if kind == "would stop":
        return Verdict("Would stop", because, Grade.GOOD)
    if kind == "enough":
        return Verdict("Enough", because, Grade.GOOD)
    return Verdict("Going on", _left(quality, "enough") or f"enough {_UNKNOWN}")


def targets(news: News) -> tuple[Target, ...]:
    """What the rule asks for; then forecasts of what it does not; then regions."""
    quality = _quality(news)
    judged: Sequence[Mapping[str, Any]] = (quality.get("decision") or {}).get("judged") or ()
    forecasts = {one.get("name"): one for one in quality.get("forecasts") or ()}
    asked = {one.get("name") for one in judged if not one.get("region")}
    return (
        *(_asked(one, forecasts, quality) for one in judged),
        *(_forecast(one) for name, one in forecasts.items() if name not in asked),
        *_regions(quality, {one.get("region") for one in judged}),
    )


def drift_words(news: News) -> str:
    """Where the sample is now."""
    drift = _quality(news).get("drift") or {}
    if drift.get("x") is None:
        return "drift is not known"
    errors = drift.get("error_nm") or (None, None, None)
    said = [
        f"{name} {round(drift[name]):+d}{'' if not error else f' ± {_error(error)}'}"
        for name, error in zip(("x", "y", "z"), errors, strict=False)
        if drift.get(name) is not None and (drift[name] or error)
    ]
    lost = "; the sample is lost at the moment" if drift.get("lost") else ""
    return f"drift {', '.join(said)} nm{lost}" if said else f"no drift{lost}"


def alarm_words(news: News) -> str:
    """What is wrong with the sample or the judging now, each with its cure."""
    return "\n".join(str(alarm) for alarm in _quality(news).get("alarms") or ())


def _error(nm: float) -> str:
    return f"{nm:.1f}" if nm < 10 else f"{nm:.0f}"


def rule_words(news: News) -> str:
    """The rule as it was written."""
    quality = _quality(news)
    if not quality.get("rule"):
        return ""
    return f"stop when {quality['rule']}{' (dry run)' if quality.get('dry_run') else ''}"


def held(news: News) -> bool:
    """Whether an operator's word keeps the rule from stopping."""
    quality = _quality(news)
    return bool(quality.get("held")) or quality.get("kind") == "extended"


def told(name: str, value: float | None) -> str:
    """A value with its unit."""
    if value is None:
        return _UNKNOWN
    if name in _SHARES:
        return f"{100 * value:.0f} %"
    if name == "seconds":
        return duration(value)
    if name.endswith("_nm"):
        return f"{value:.3g} nm" if value < 1000 else f"{value:.0f} nm"
    return f"{value:,.0f}"


def _quality(news: News) -> Mapping[str, Any]:
    return news.numbers.get("quality") or {}


def _left(quality: Mapping[str, Any], what: str) -> str:
    """When it comes, where that can be said."""
    left = quality.get("left_s")
    if left is None:
        return ""
    if left.get("value") is None:
        return f"{what} only when the molecules are used up"
    when = "very soon" if left["value"] < 1 else f"in about {duration(left['value'])}"
    return f"{what} {when}{_range(left)}"


def _range(span: Mapping[str, Any]) -> str:
    """Between which two a time lies, where they differ."""
    low, high = span.get("low"), span.get("high")
    said = ["never" if end is None else duration(end) for end in (low, high)]
    return "" if said[0] == said[1] else f" ({said[0]} to {said[1]})"


def _asked(
    one: Mapping[str, Any], forecasts: Mapping[Any, Mapping[str, Any]], quality: Mapping[str, Any]
) -> Target:
    """A condition of the rule."""
    name, value, goal = str(one.get("name")), one.get("value"), one.get("goal")
    region, needed = one.get("region"), one.get("needed") or 1
    is_gain = " gain " in str(one.get("condition"))
    relative = is_gain and "%" in str(one.get("condition"))
    say = _percent if relative else partial(told, name)
    ends = [end for end in (one.get("low"), one.get("high")) if end is not None]
    seen = {} if region or is_gain else forecasts.get(name) or {}
    return Target(
        title=f"{one.get('condition')}{f' in {region}' if region else ''}",
        value=_UNKNOWN if value is None else say(value),
        interval=f"{say(ends[0])} to {say(ends[1])}" if len(ends) == 2 else "",
        share=_share(str(one.get("condition")), value, goal),
        checks="" if needed == 1 else f"{min(one.get('row') or 0, needed)} of {needed} checks",
        outlook=_outlook(one, seen, quality),
        reached=bool(one.get("fulfilled")),
    )


def _percent(value: float) -> str:
    return f"{100 * value:.2g} %"


def _outlook(one: Mapping[str, Any], seen: Mapping[str, Any], quality: Mapping[str, Any]) -> str:
    """What is to be expected of a condition."""
    if one.get("why"):
        return str(one["why"])
    return "; ".join(filter(None, (_coming(one, quality), _ending(seen, one.get("limit")))))


def _coming(one: Mapping[str, Any], quality: Mapping[str, Any]) -> str:
    """When its goal is reached."""
    frames, now = one.get("frames"), quality.get("decision") or {}
    if one.get("met"):
        return "reached" if one.get("fulfilled") else "reached, to be confirmed"
    if frames is None or not now.get("frame"):
        return ""
    if frames.get("value") is None:
        chance = one.get("chance")
        return "not to be expected" + ("" if chance is None else f" ({100 * chance:.0f} %)")
    pace = now["seconds"] / now["frame"]
    left = {
        end: None if frames.get(end) is None else max(0.0, (frames[end] - now["frame"]) * pace)
        for end in ("low", "value", "high")
    }
    return f"goal in {duration(left['value'] or 0.0)}{_range(left)}"


def _forecast(seen: Mapping[str, Any]) -> Target:
    """Something that no rule asks for."""
    name = str(seen.get("name"))
    now = seen.get("now") or {}
    interval = f"{told(name, now['low'])} to {told(name, now['high'])}" if now else ""
    return Target(
        title=_WORDS.get(name, name),
        value=told(name, now.get("value")),
        interval=interval,
        outlook=str(seen.get("why") or _ending(seen, seen.get("limit"))),
    )


def _ending(seen: Mapping[str, Any], limit: object) -> str:
    """What comes of it in the end, and what keeps it from being better."""
    name, end, said = str(seen.get("name")), seen.get("end"), []
    if end and None not in end.values():
        low, value, high = (told(name, end[one]) for one in ("low", "value", "high"))
        said.append(f"{value} in the end" + (f" ({low} to {high})" if low != high else ""))
    if limit:
        said.append(f"limited by {limit}")
    return "; ".join(said)


def _regions(quality: Mapping[str, Any], asked: set[Any]) -> list[Target]:
    """Regions that no condition speaks of."""
    rows = []
    for region, values in (quality.get("regions") or {}).items():
        if region in asked:
            continue
        first, *rest = _REGION_VALUES
        said = [f"{_WORDS[name]} {told(name, values.get(name))}" for name in rest]
        title = f"{_WORDS[first]} in {region}"
        rows.append(
            Target(title=title, value=told(first, values.get(first)), outlook="; ".join(said))
        )
    return rows


def _share(condition: str, value: float | None, goal: float | None) -> float | None:
    """How far a value has come."""
    if not value or not goal or value < 0:
        return None
    return min(1.0, goal / value if "<" in condition else value / goal)


def _sentence(because: str) -> str:
    """The numbers of a decision without those that nobody reads."""
    return because if len(because) < 200 else f"{because[:199]}…"
