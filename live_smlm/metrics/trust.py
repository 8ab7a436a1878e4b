"""Whether an engine may be believed on these data: a fold over what is seen of a run.

Pure: chunks go in (how many molecules, how bright, what the shadow fit says of a
few), a verdict comes out. It speaks of the last frames, so that it notices what
changes, and raises an alarm only where `trust_checks` finds one certain; an alarm
stays until the value has clearly come back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np

from live_smlm.core import F32, Localizations
from live_smlm.fitting.shadow import COLUMNS, column
from live_smlm.metrics.trust_checks import (
    FEWEST,
    Check,
    Measured,
    Span,
    envelope_checks,
    mean_of_blocks,
    median,
    shadow_checks,
)

WINDOW = 200
"""Frames that the verdict is about, or more where they hold too few molecules."""
EVERY = 16
"""Frames between two judgements."""
_SOON = 48
"""Frames before which nothing is said."""
_LONGEST = 5000
_ROWS = 48
"""Molecules fitted again for which older frames than `WINDOW` are kept."""
_PER_CHUNK = 64
"""Molecules of a chunk whose light is kept."""


class Verdict(Enum):
    """What can be said at the moment."""

    OK = "ok"
    ALARM = "alarm"
    EARLY = "too early"
    UNCHECKED = "not checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is known of engine and place before the first frame."""

    envelope: Mapping[str, Span] = field(default_factory=dict)
    """As `EngineSpec.envelope`; photons and background at the camera."""
    unshadowed: str | None = None
    """Why no molecule is fitted again, if so."""
    alone: bool = True
    """Whether the engine sees one frame at a time."""
    area_um2: float
    """Of a frame."""

    @property
    def blind(self) -> bool:
        """Whether nothing can be said."""
        return self.unshadowed is not None and not self.envelope


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What is kept of one chunk."""

    frames: int
    molecules: int
    photons: F32
    background: F32
    z: F32
    rows: F32
    """(n, `shadow.COLUMNS`)."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A check that fails."""

    name: str
    value: float
    low: float | None
    high: float | None
    """What is allowed; None is no limit."""
    unit: str
    cure: str

    def __str__(self) -> str:
        low = [] if self.low is None else [f"at least {self.low:.3g}"]
        high = [] if self.high is None else [f"at most {self.high:.3g}"]
        allowed = " and ".join(low + high)
        return f"{self.name} is {self.value:.3g} {self.unit}, allowed {allowed}: {self.cure}"


@dataclass(frozen=True, slots=True)
class Trust:
    """The verdict, why, and the numbers behind it."""

    verdict: Verdict
    alarms: tuple[Alarm, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    shadow: str = ""
    """How many molecules were fitted again, or why none."""

    def as_dict(self) -> dict[str, Any]:
        """As plain values: for the status stream and the record."""
        alarms = [
            {name: getattr(alarm, name) for name in Alarm.__dataclass_fields__}
            for alarm in self.alarms
        ]
        return {
            "verdict": self.verdict.value,
            "alarms": alarms,
            "shadow": self.shadow,
            "numbers": {name: round(value, 4) for name, value in self.numbers.items()},
        }


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The state of the fold."""

    trust: Trust
    looks: tuple[Look, ...] = ()
    unjudged: int = 0
    """Frames since the last judgement."""
    total: int = 0
    """Frames since the start."""


NO_ROWS: F32 = np.zeros((0, len(COLUMNS)), np.float32)
_NONE: F32 = np.zeros(0, np.float32)


def start(scope: Scope) -> Seen:
    """Before the first frame."""
    verdict = Verdict.UNCHECKED if scope.blind else Verdict.EARLY
    return Seen(Trust(verdict, shadow=_told(scope, 0)))


def look(frames: int, molecules: Localizations, rows: F32 = NO_ROWS) -> Look:
    """One chunk's contribution."""
    step = max(1, -(-len(molecules) // _PER_CHUNK))
    photons, background, z = (
        _NONE if values is None else values[::step]
        for values in (molecules.photons, molecules.background, molecules.z)
    )
    return Look(frames, len(molecules), photons, background, z, rows)


def fold(seen: Seen, item: Look, scope: Scope) -> Seen:
    """The state after one more chunk."""
    looks = _recent((*seen.looks, item))
    unjudged, total = seen.unjudged + item.frames, seen.total + item.frames
    if unjudged < EVERY:
        return Seen(seen.trust, looks, unjudged, total)
    return Seen(judge(looks, total, seen.trust, scope), looks, 0, total)


def judge(looks: tuple[Look, ...], total: int, before: Trust, scope: Scope) -> Trust:
    """The verdict on a window, given the one before."""
    rows = np.concatenate([item.rows for item in looks])
    shadow = _told(scope, len(rows))
    if scope.blind:
        return Trust(Verdict.UNCHECKED, shadow=shadow)
    density = mean_of_blocks(
        np.array([item.molecules / scope.area_um2 for item in looks]),
        np.array([float(item.frames) for item in looks]),
    )
    photons, background, z = _light(looks, rows)
    checks = envelope_checks(scope.envelope, density, photons, background, z)
    if scope.unshadowed is None:
        checks += shadow_checks(rows, alone=scope.alone)
    numbers = {check.name: check.at.value for check in checks}
    numbers |= _numbers(density, median(photons), median(background))
    raised = {alarm.name for alarm in before.alarms}
    alarms = tuple(_alarm(c) for c in checks if c.wrong(already=c.name in raised))
    enough = scope.unshadowed is not None or len(rows) >= FEWEST
    if total < _SOON or not (enough or raised or alarms):
        return Trust(Verdict.EARLY, (), numbers, shadow)
    return Trust(Verdict.ALARM if alarms else Verdict.OK, alarms, numbers, shadow)


def _recent(looks: tuple[Look, ...]) -> tuple[Look, ...]:
    """Without the oldest that the window can spare."""
    frames = sum(item.frames for item in looks)
    rows = sum(len(item.rows) for item in looks)
    spare = 0
    for item in looks[:-1]:
        frames, rows = frames - item.frames, rows - len(item.rows)
        if frames < WINDOW or (rows < _ROWS and frames < _LONGEST):
            break
        spare += 1
    return looks[spare:]


def _light(looks: tuple[Look, ...], rows: F32) -> tuple[F32, F32, F32]:
    """Photons, background and z: the fits' where they are enough, for an engine may be limited."""
    fitted = rows[np.isfinite(column(rows, "chi2"))]
    if len(fitted) >= FEWEST:
        z = column(fitted, "z")
        return column(fitted, "photons"), column(fitted, "background"), z[np.isfinite(z)]
    said = ("photons", "background", "z")
    parts = [np.concatenate([getattr(item, name) for item in looks]) for name in said]
    return parts[0], parts[1], parts[2]


def _numbers(
    density: Measured | None, photons: Measured | None, background: Measured | None
) -> dict[str, float]:
    named = {"density": density, "photons": photons, "background": background}
    return {name: at.value for name, at in named.items() if at is not None}


def _alarm(check: Check) -> Alarm:
    low, high = (float(edge) if np.isfinite(edge) else None for edge in check.allowed)
    return Alarm(check.name, check.at.value, low, high, check.unit, check.cure)


def _told(scope: Scope, molecules: int) -> str:
    if scope.unshadowed is not None:
        return scope.unshadowed
    if molecules < FEWEST:
        return f"{molecules} of {FEWEST} isolated molecules so far"
    return f"{molecules} molecules fitted again"
