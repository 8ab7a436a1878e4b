"""What more time would buy: where a value stands, where it will end, when it comes to a goal.

Pure: a history of checkpoints goes in, plain numbers with prediction intervals
come out. A value over the number of molecules (`forecast_fit`) meets the number
of molecules over the frames (`forecast_growth`). What cannot be known is None, and
why is said.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from live_smlm.core import F64, I64, Checkpoint, History
from live_smlm.feedback.forecast_fit import CROWD, Crowd, fitted
from live_smlm.feedback.forecast_growth import Growth, growth
from live_smlm.feedback.forecast_readings import RESOLUTIONS, Reading, precision_nm, reading

FEWEST = 4
"""Checkpoints with the value before anything is forecast."""
SHARE = 0.8
"""Of the futures that lie in an interval."""
_QUANTILES = (0.5 - SHARE / 2, 0.5, 0.5 + SHARE / 2)
_MOST, _REACH = 40, 3.0
"""Checkpoints that are looked at, and how far back in the logarithm of the molecules."""
_HALF, _SPENT = 0.5, 1.2
COUNTS = frozenset({"molecules", "blinks"})
FORECAST = RESOLUTIONS | COUNTS | {"completeness"}
"""Names of the values that can be forecast."""


@dataclass(frozen=True, slots=True)
class Span:
    """A value, and between which two it lies in `SHARE` of the cases."""

    low: float
    value: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is to be expected of one value; frames are those of the run, not from now on."""

    name: str
    goal: float | None = None
    measured: float | None = None
    """As in the last checkpoint that has it."""
    now: Span | None = None
    """Freed of its scatter."""
    end: Span | None = None
    """When all molecules are used up."""
    planned: Span | None = None
    """At the frame that was asked for."""
    cost: Span | None = None
    """What stopping now would forgo against the planned end, or else that of the pool;
    above 0 where going on makes the value better."""
    frames: Span | None = None
    """At which the goal is reached; infinite: not before the pool is used up."""
    seconds: Span | None = None
    chance: float | None = None
    """That the goal is ever reached."""
    limit: str | None = None
    """What keeps the value from becoming better soon: precision, density, drift or pool."""
    why: str | None = None
    """Nothing is forecast."""

    def plain(self) -> dict[str, Any]:
        """As JSON takes it: what is infinite or unknown is None."""
        return {name: _plain(value) for name, value in asdict(self).items() if value is not None}


def forecast(
    history: History, name: str, goal: float | None = None, *, planned: float | None = None
) -> Forecast:
    """What is to be expected of the value `name`, and after `planned` frames."""
    known = [c for c in history if math.isfinite(c.values.get(name, math.nan))]
    known = [c for c in known if c.values[name] > 0 and c.frame > 0]
    if name not in FORECAST:
        return Forecast(name=name, goal=goal, why=f"{name} is not forecast")
    if len(known) < FEWEST:
        why = f"{name} is known of {len(known)} checkpoints yet; {FEWEST} are needed"
        return Forecast(name=name, goal=goal, why=why)
    return _told(tuple(known), name, goal, planned)


class _Path(Protocol):
    """A value's futures, each as likely as any other."""

    def at(self, frame: float) -> F64:
        """After so many frames."""

    def end(self) -> F64:
        """When all molecules are used up."""

    def frames(self, goal: float) -> F64:
        """At which each comes to a goal."""

    def limit(self) -> str:
        """What keeps it from becoming better soon."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """A number of molecules."""

    growth: Growth

    def at(self, frame: float) -> F64:
        return self.growth.at(frame)

    def end(self) -> F64:
        return self.growth.end()

    def frames(self, goal: float) -> F64:
        return self.growth.frames(np.full(CROWD, goal))

    def limit(self) -> str:
        return _supply(self.growth)


@dataclass(frozen=True, slots=True)
class _Fitted:
    """What depends on the number of molecules."""

    crowd: Crowd
    growth: Growth
    reading: Reading

    def at(self, frame: float) -> F64:
        return self._value(self.growth.at(frame))

    def end(self) -> F64:
        return self._value(self.growth.end())

    def _value(self, count: F64) -> F64:
        return self.reading.value(self.crowd.at(np.log(count)))

    def frames(self, goal: float) -> F64:
        with np.errstate(over="ignore"):
            count = np.exp(self.crowd.reached(self.reading.log(goal)))
        return self.growth.frames(count)

    def limit(self) -> str:
        """More molecules do not help where precision is the limit."""
        now = np.log(self.growth.at(self.growth.frame[-1]))
        return "precision" if self.reading.helped(self.crowd, now) < _HALF else _supply(self.growth)


def _blurred(last: Checkpoint) -> bool:
    """Whether where the sample is, is known worse than where a molecule is."""
    precision = precision_nm(last)
    return precision is not None and last.values.get("drift_error_nm", 0.0) > precision


def _supply(growth: Growth) -> str:
    return "pool" if np.median(growth.end()) < _SPENT * growth.count[-1] else "density"


def _path(known: History, name: str) -> _Path:
    frame = np.array([c.frame for c in known], np.float64)
    if name in COUNTS:
        return _Counted(growth(frame, _column(known, name), CROWD))
    counted = all(c.values.get("molecules", 0.0) >= 1 for c in known)
    count = _column(known, "molecules") if counted else frame
    future = growth(frame, count, CROWD)
    x = np.log(np.maximum.accumulate(count))
    some = _spread(x)
    how = reading(name, known[-1])
    crowd = fitted(how.measured(tuple(known[i] for i in some), x[some]), how.laws)
    return _Fitted(crowd, future, how)


def _told(seen: History, name: str, goal: float | None, planned: float | None) -> Forecast:
    last = seen[-1]
    path = _path(seen, name)
    now, end = path.at(last.frame), path.end()
    then = None if planned is None else path.at(max(planned, last.frame))
    better = -1.0 if name in RESOLUTIONS else 1.0
    frames = None if goal is None else path.frames(goal)
    return Forecast(
        name=name,
        goal=goal,
        measured=last.values[name],
        now=_span(now),
        end=_span(end),
        planned=None if then is None else _span(then),
        cost=_span(better * ((end if then is None else then) - now)),
        frames=None if frames is None else _span(frames),
        seconds=None if frames is None else _span(frames * last.seconds / last.frame),
        chance=None if frames is None else float(np.isfinite(frames).mean()),
        limit="drift" if _blurred(last) else path.limit(),
    )


def _spread(x: F64) -> I64:
    """Some of many rising values, evenly apart, the last being one."""
    wanted = np.linspace(max(x[0], x[-1] - _REACH), x[-1], min(_MOST, len(x)))
    return np.unique(np.searchsorted(x, wanted).clip(max=len(x) - 1))


def _column(history: History, name: str) -> F64:
    return np.array([c.values.get(name, math.nan) for c in history])


def _span(values: F64) -> Span:
    """Of values that may be infinite."""
    low, middle, high = np.quantile(values, _QUANTILES, method="inverted_cdf")
    return Span(float(low), float(middle), float(high))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
