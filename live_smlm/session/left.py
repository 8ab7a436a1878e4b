"""How long it takes until a rule holds, by what is expected of each of its conditions."""

import math
from collections.abc import Mapping

from live_smlm.feedback.forecast import Span
from live_smlm.feedback.rules import FIELD, Decision, Judged
from live_smlm.feedback.rules_words import All, Either, EveryRoi, Rule

_NONE_LEFT = Span(0.0, 0.0, 0.0)


def time_left(rule: Rule, decision: Decision) -> Span | None:
    """Seconds from the decision on; infinite: never, None: not to be said."""
    judged = {(one.condition, one.region): one for one in decision.judged}
    return _left(rule, FIELD, judged, decision)


def _left(
    rule: Rule, region: str, judged: Mapping[tuple[str, str], Judged], now: Decision
) -> Span | None:
    if isinstance(rule, All):
        return _last([_left(part, region, judged, now) for part in rule.parts])
    if isinstance(rule, Either):
        known = [_left(part, region, judged, now) for part in rule.parts]
        return _first([span for span in known if span is not None])
    if isinstance(rule, EveryRoi):
        regions = dict.fromkeys(region for _, region in judged if region != FIELD)
        return _last([_left(rule.rule, name, judged, now) for name in regions])
    one = judged.get((str(rule), region))
    return None if one is None else _of(one, now)


def _of(one: Judged, now: Decision) -> Span | None:
    """One condition."""
    pace = now.seconds / max(now.frame, 1)
    if one.met:
        return _NONE_LEFT
    if one.name == "seconds":
        left = one.goal - now.seconds
        return Span(left, left, left)
    if one.name == "frame":
        left = (one.goal - now.frame) * pace
        return Span(left, left, left)
    if one.frames is None:
        return None
    ends = (one.frames.low, one.frames.value, one.frames.high)
    return Span(*(max(0.0, (end - now.frame) * pace) for end in ends))


def _last(spans: list[Span | None]) -> Span | None:
    """When all have come; unknown where one is."""
    known = [span for span in spans if span is not None]
    if not known or len(known) < len(spans):
        return None
    return Span(*(max(getattr(s, end) for s in known) for end in ("low", "value", "high")))


def _first(spans: list[Span]) -> Span | None:
    """When the first has come."""
    if not spans:
        return None
    least = Span(*(min(getattr(s, end) for s in spans) for end in ("low", "value", "high")))
    return least if math.isfinite(least.low) else Span(math.inf, math.inf, math.inf)
