"""When to stop: a rule, its hysteresis and what the operator says, as a state machine.

Pure: checkpoints go in, a decision with all its numbers comes out. A measured value
must hold its goal in several checkpoints in a row, and counts only after the least
number of frames; what is certain (time, frames, counts) need not. A resolution is
judged by its fitted value, which scatters less than the measured one.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeAlias

from live_smlm.core import Checkpoint, History, Order, Stop, Will, require
from live_smlm.feedback.forecast import FORECAST, Span, forecast
from live_smlm.feedback.rules_text import read_rule
from live_smlm.feedback.rules_words import All, Condition, Either, EveryRoi, Gain, Limit, Rule

FIELD = ""
"""The key of the whole field's history; all others are regions."""
Histories: TypeAlias = Mapping[str, History]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSettings:
    """What is chosen before the run."""

    rule: Rule
    least_frames: int = 500
    """Before, nothing measured stops."""
    in_a_row: int = 3
    """Checkpoints in which something measured must hold."""
    dry_run: bool = False
    """Say when it would stop, and go on."""

    def __post_init__(self) -> None:
        require(self.least_frames >= 0, f"least_frames is {self.least_frames}; give 0 or more")
        require(self.in_a_row >= 1, f"in_a_row is {self.in_a_row}; give 1 or more")


def stop_settings(
    text: str, *, least_frames: int = 500, in_a_row: int = 3, dry_run: bool = False
) -> StopSettings:
    """Settings with the rule as text, see `rules_text`."""
    return StopSettings(
        rule=read_rule(text), least_frames=least_frames, in_a_row=in_a_row, dry_run=dry_run
    )


@dataclass(frozen=True, slots=True)
class StopState:
    """What is remembered between checkpoints."""

    settings: StopSettings
    frame: int = -1
    """Of the checkpoint last judged."""
    rows: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """In how many checkpoints in a row a condition held, by its text and region."""
    held: bool = False
    until_frame: float = 0.0
    until_s: float = 0.0
    stopped: bool = False
    """The decision has been made; there is no second one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One condition at one checkpoint."""

    condition: str
    name: str
    region: str = FIELD
    value: float | None = None
    """That is compared; None: not known yet."""
    low: float | None = None
    high: float | None = None
    goal: float
    met: bool = False
    row: int = 0
    """Checkpoints in a row that met it."""
    needed: int = 1
    fulfilled: bool = False
    frames: Span | None = None
    """At which it is expected to be met."""
    chance: float | None = None
    limit: str | None = None
    why: str | None = None
    """The value is not known."""

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.condition}: {self.why}"
        where = f" in {self.region}" if self.region else ""
        interval = "" if self.low is None else f" ({self.low:.4g} to {self.high:.4g})"
        row = "" if self.needed == 1 else f", {min(self.row, self.needed)} of {self.needed} checks"
        return f"{self.condition}{where}: {self.value:.6g}{interval}{row}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided at one checkpoint, and upon what."""

    frame: int
    seconds: float
    rule: str
    fulfilled: bool
    """The rule says stop."""
    stops: bool
    """And so it happens."""
    because: str
    """In words: of the stop, or of why it goes on."""
    judged: tuple[Judged, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As the record and the panel take it; what is infinite or unknown is absent."""
        return dict(_plain(asdict(self)))


Judgement: TypeAlias = Mapping[tuple[str, str], Judged]
"""By condition and region."""


def start(settings: StopSettings) -> StopState:
    """Before the first checkpoint."""
    return StopState(settings)


def step(
    state: StopState, histories: Histories, order: Order | None = None
) -> tuple[StopState, Stop | None, Decision]:
    """The state after the newest checkpoint or order, a stop if it is time, and why.

    `histories` has that of the whole field as `FIELD`, with one checkpoint at least,
    and of each region by its name. A checkpoint seen before counts once.
    """
    newest = histories[FIELD][-1]
    judged = _judged(state, histories)
    rows = {place: j.row for place, j in judged.items()}
    state = replace(_ordered(state, order, newest), frame=newest.frame, rows=rows)
    fulfilled = _holds(state.settings.rule, FIELD, judged)
    if order is not None and order.will is Will.STOP:
        stops, because = True, "the operator said stop"
    else:
        stops, because = _outcome(state, newest, judged, fulfilled=fulfilled)
    stops = stops and not state.stopped
    decision = Decision(
        frame=newest.frame,
        seconds=newest.seconds,
        rule=str(state.settings.rule),
        fulfilled=fulfilled,
        stops=stops,
        because=because,
        judged=tuple(judged.values()),
    )
    stop = Stop(because, newest.frame) if stops else None
    return replace(state, stopped=state.stopped or stops), stop, decision


def _ordered(state: StopState, order: Order | None, newest: Checkpoint) -> StopState:
    """With what the operator wants; the last word counts."""
    if order is None or order.will is Will.STOP:
        return state
    if order.will is Will.EXTEND:
        return replace(
            state,
            held=False,
            until_frame=newest.frame + (order.frames or 0),
            until_s=newest.seconds + (order.seconds or 0.0),
        )
    return replace(state, held=order.will is Will.HOLD, until_frame=0.0, until_s=0.0)


def _outcome(
    state: StopState, newest: Checkpoint, judged: Judgement, *, fulfilled: bool
) -> tuple[bool, str]:
    """Whether to stop, and why or why not."""
    if not fulfilled:
        return False, "the rule does not hold yet"
    because = "; ".join(str(j) for j in judged.values() if j.fulfilled)
    if state.held:
        return False, f"on hold; {because}"
    if newest.frame < state.until_frame:
        return False, f"extended to frame {state.until_frame:.0f}; {because}"
    if newest.seconds < state.until_s:
        return False, f"extended to {state.until_s:.1f} s; {because}"
    if state.settings.dry_run:
        return False, f"dry run, would stop; {because}"
    return True, because


def _holds(rule: Rule, region: str, judged: Judgement) -> bool:
    if isinstance(rule, All):
        return all(_holds(part, region, judged) for part in rule.parts)
    if isinstance(rule, Either):
        return any(_holds(part, region, judged) for part in rule.parts)
    if isinstance(rule, EveryRoi):
        regions = dict.fromkeys(region for _, region in judged if region != FIELD)
        return bool(regions) and all(_holds(rule.rule, region, judged) for region in regions)
    return judged[str(rule), region].fulfilled


def _judged(state: StopState, histories: Histories) -> Judgement:
    places = _places(state.settings.rule, FIELD, [name for name in histories if name != FIELD])
    return {
        (str(condition), region): _judge(state, condition, region, histories[region])
        for condition, region in places
    }


def _places(rule: Rule, region: str, regions: list[str]) -> Iterator[tuple[Condition, str]]:
    """Every condition, and every region of which it is asked."""
    if isinstance(rule, EveryRoi):
        for name in regions:
            yield from _places(rule.rule, name, regions)
    elif isinstance(rule, (All, Either)):
        for part in rule.parts:
            yield from _places(part, region, regions)
    else:
        yield rule, region


def _judge(state: StopState, condition: Condition, region: str, history: History) -> Judged:
    look = _look(condition, history)
    settings, quantity = state.settings, condition.quantity
    row = state.rows.get((str(condition), region), 0)
    if history and history[-1].frame > state.frame:
        late = quantity.certain or history[-1].frame >= settings.least_frames
        row = row + 1 if look.met and late else 0
    needed = 1 if quantity.certain else settings.in_a_row
    return replace(look, region=region, row=row, needed=needed, fulfilled=row >= needed)


def _look(condition: Condition, history: History) -> Judged:
    """One condition by itself."""
    goal = condition.least if isinstance(condition, Gain) else condition.goal
    blank = Judged(condition=str(condition), name=condition.quantity.name, goal=goal)
    if not history:
        return replace(blank, why="there is no checkpoint yet")
    if isinstance(condition, Gain):
        return _gained(condition, history, blank)
    if condition.quantity.name in FORECAST:
        return _expected(condition, history, blank)
    return _known(condition, history, blank)


def _known(limit: Limit, history: History, blank: Judged) -> Judged:
    """By the value as it is."""
    last, name = history[-1], limit.quantity.name
    known = {**last.values, "frame": last.frame, "seconds": last.seconds}
    if not math.isfinite(value := known.get(name, math.nan)):
        return replace(blank, why=f"{name} is not known yet")
    return replace(blank, value=value, met=_met(limit, value))


def _expected(limit: Limit, history: History, blank: Judged) -> Judged:
    """By the fitted value, with the forecast."""
    seen = forecast(history, limit.quantity.name, limit.goal)
    exact = limit.quantity.certain
    if seen.now is None:  # counts are known all the same
        return _known(limit, history, blank) if exact else replace(blank, why=seen.why)
    now = seen.now
    return replace(
        blank,
        value=now.value,
        low=None if exact else now.low,
        high=None if exact else now.high,
        met=_met(limit, now.value),
        frames=seen.frames,
        chance=seen.chance,
        limit=seen.limit,
    )


def _gained(gain: Gain, history: History, blank: Judged) -> Judged:
    """By the gain that is forecast for the time to come."""
    last = history[-1]
    if last.seconds <= 0:
        return replace(blank, why="the time is not known")
    planned = last.frame * (1 + gain.seconds / last.seconds)
    seen = forecast(history, gain.quantity.name, planned=planned)
    if seen.cost is None or seen.now is None:
        return replace(blank, why=seen.why)
    unit = seen.now.value if gain.relative else 1.0
    low, value, high = (v / unit for v in (seen.cost.low, seen.cost.value, seen.cost.high))
    met = value < gain.least
    return replace(blank, value=value, low=low, high=high, met=met, limit=seen.limit)


def _met(limit: Limit, value: float) -> bool:
    return value <= limit.goal if limit.quantity.falls else value >= limit.goal


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
