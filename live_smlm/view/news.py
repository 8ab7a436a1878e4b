"""What is known of a run: one frozen snapshot, and how each message changes it.

Numbers are the run's own; nothing is computed here. A run of another version
may leave something out: then it is shown as unknown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from live_smlm.transport.viewing import Event

_MOST_EVENTS = 500
COUNTS = ("captured", "localized", "deferred", "shed", "lost")


class Phase(Enum):
    """Where a run is in its life, as far as a window knows."""

    NONE = "no run"
    JOINING = "joining"
    RUNNING = "running"
    STOPPING = "stopping"
    ENDED = "ended"
    SILENT = "silent"


LIVE = frozenset({Phase.JOINING, Phase.RUNNING, Phase.STOPPING})
"""While in one of these a run would be disturbed by Stop."""


class Grade(Enum):
    """How much something wants attention."""

    GOOD = "good"
    NEUTRAL = "neutral"
    CAUTION = "caution"
    ALARM = "alarm"


def grade_of(event: Event) -> Grade:
    """How much an event wants attention."""
    if event.what in {"alarm", "errored"} or "failed" in event.what:
        return Grade.ALARM
    calm = {"started", "completed", "stopped", "alarm over"}
    return Grade.NEUTRAL if event.what in calm else Grade.CAUTION


@dataclass(frozen=True, slots=True)
class Doubt:
    """An alarm that is raised: in words, and since when (seconds since 1970)."""

    name: str
    words: str
    since_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """A run at this moment."""

    phase: Phase = Phase.NONE
    why: str = ""
    """Of the phase, where there is something to say."""
    run: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    """The newest state as the run tells it."""
    doubts: tuple[Doubt, ...] = ()
    events: tuple[Event, ...] = ()

    @property
    def field_nm(self) -> tuple[float, float] | None:
        """Height and width of what the camera sees; None before it is known."""
        shape, pixel = self.numbers.get("shape"), self.numbers.get("pixel_size_nm")
        if not shape or not pixel:
            return None
        return float(shape[0]) * float(pixel), float(shape[1]) * float(pixel)

    @property
    def counts(self) -> dict[str, int]:
        """The ledger's line."""
        return {name: int(self.numbers.get(name, 0)) for name in COUNTS}

    @property
    def about(self) -> list[str]:
        """Where frames come from and what finds molecules, with why the phase is so before."""
        told = [self.numbers.get(name) for name in ("source", "engine", "device")]
        words = [str(word).partition(" (")[0] for word in told if word]
        if self.numbers.get("simulated") and "simulated" not in " ".join(words):
            words.insert(0, "simulated specimen")
        return [self.why, *words] if self.why else words

    @property
    def trust(self) -> tuple[Grade, str]:
        """How far the engine may be believed, in words."""
        if self.doubts:
            return Grade.ALARM, self.doubts[-1].words
        trust = self.numbers.get("trust") or {}
        verdict = trust.get("verdict", "not known yet")
        if verdict == "ok":
            return Grade.GOOD, f"checked: {trust.get('shadow', 'ok')}"
        why = trust.get("shadow", "")
        grade = Grade.CAUTION if verdict == "not checked" else Grade.NEUTRAL
        return grade, f"{verdict} ({why})" if why else verdict


def joining(run: str) -> News:
    """Before the first word of a run."""
    return News(phase=Phase.JOINING, run=run)


def with_state(news: News, values: Mapping[str, Any], now_s: float) -> News:
    """After a state message."""
    phase, why = Phase.RUNNING, ""
    if values.get("stopping"):
        phase = Phase.STOPPING
    ended = values.get("finished")
    if ended:
        phase, why = Phase.ENDED, _ending(ended)
    since = {doubt.name: doubt.since_s for doubt in news.doubts}
    raised = (values.get("trust") or {}).get("alarms", ())
    doubts = tuple(
        Doubt(alarm["name"], _alarm_words(alarm), _since(alarm, since.get(alarm["name"], now_s)))
        for alarm in raised
    )
    run = str(values.get("run") or news.run)
    return replace(news, phase=phase, why=why, run=run, numbers=dict(values), doubts=doubts)


def with_event(news: News, event: Event) -> News:
    """After an event; the oldest of very many are forgotten."""
    return replace(news, events=(*news.events, event)[-_MOST_EVENTS:])


def with_loss(news: News, why: str) -> News:
    """After the run fell silent; one that has ended stays as it is."""
    if news.phase is Phase.ENDED:
        return news
    return replace(news, phase=Phase.SILENT, why=why)


def _ending(ended: Mapping[str, Any]) -> str:
    finish, reason = ended.get("finish", "ended"), ended.get("reason", "")
    return f"{finish}: {reason}" if reason else str(finish)


def _since(alarm: Mapping[str, Any], heard_s: float) -> float:
    """When an alarm was raised; when it was first heard of, where the run does not say."""
    return float(alarm.get("since_s") or heard_s)


def _alarm_words(alarm: Mapping[str, Any]) -> str:
    low, high = alarm.get("low"), alarm.get("high")
    allowed = [] if low is None else [f"at least {low:.3g}"]
    allowed += [] if high is None else [f"at most {high:.3g}"]
    limit = f", allowed {' and '.join(allowed)}" if allowed else ""
    said = f"{alarm['name']} is {alarm['value']:.3g} {alarm.get('unit', '')}".rstrip()
    return f"{said}{limit}: {alarm.get('cure', '')}"
