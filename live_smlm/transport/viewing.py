"""What a run tells viewers, and what viewers may ask: the stream's messages and the desk's.

The stream carries `state`, `event`, `localizations`, `frame` and `drift`. Molecules and
events are numbered without holes, so that a viewer sees what it has missed and
asks the desk for just that. Requests carry a number, which the answer repeats.
Every `read_*` refuses a message that is not of its kind or does not fit.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from live_smlm.core import (
    AnyArray,
    DriftCurve,
    InputError,
    Localizations,
    drift_curve,
    from_columns,
    require,
)
from live_smlm.transport.codec import Envelope, MalformedError

_PIXELS = "/pixels"
"""No name of a column."""
_KNOTS = ("frame", "x", "y", "z")
MOST_TEXT = 2000
"""Characters of a reason, a name or a detail; the rest is cut off."""
_LAST = 2**62


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Span:
    """All molecules of the frames `first` … `stop - 1` by stream number.

    Frames that are not in it had none, or were not localized.
    """

    first: int
    stop: int
    molecules: Localizations

    def __post_init__(self) -> None:
        require(
            0 <= self.first <= self.stop < _LAST,
            f"span is {self.first} to {self.stop}; frames count from 0 upwards",
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiveFrame:
    """A camera frame of this moment, with the molecules found in it."""

    number: int
    """The camera's, as in the molecules' column `frame`."""
    pixels: AnyArray
    """(rows, columns) uint16, ADU; of a large camera the mean of `binning` x `binning` pixels."""
    binning: int
    pixel_size_nm: float
    """Of these pixels: what the binning makes of the camera's."""
    molecules: Localizations

    def __post_init__(self) -> None:
        require(
            self.pixels.ndim == 2 and self.pixels.dtype == np.uint16,
            f"live frame is {self.pixels.dtype} of {self.pixels.shape}; give (rows, columns) "
            "of uint16",
        )
        require(self.binning >= 1, f"binning is {self.binning}; give at least 1")


@dataclass(frozen=True, slots=True)
class Event:
    """Something an operator would want to know."""

    what: str
    detail: str
    at_s: float = field(default_factory=time.time)
    """When it happened: seconds since 1970, by the clock of the machine that says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happenings:
    """Events in a row, the first with number `first`."""

    first: int
    events: tuple[Event, ...]

    @property
    def stop(self) -> int:
        """The number after the last."""
        return self.first + len(self.events)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a viewer wants of the run."""

    what: str
    """`stop`, `abort`, `order`, `regions` or `laser`."""
    reason: str
    """Why; of the last three, what."""
    who: str
    token: str = field(repr=False)


def span_message(span: Span, kind: str = "localizations", **values: Any) -> Envelope:
    """Molecules as they travel; on the stream, or as an answer."""
    said = {"first": span.first, "stop": span.stop, **values}
    return Envelope(kind, said, span.molecules.columns())


def read_span(message: Envelope, kind: str = "localizations") -> Span:
    """The molecules that travelled; views of the message, where they can be."""
    values = _of_kind(message, kind)
    try:
        molecules = from_columns(message.arrays)
        return Span(first=whole(values, "first"), stop=whole(values, "stop"), molecules=molecules)
    except InputError as error:
        raise MalformedError(f"{kind} cannot be read: {error}") from error


def frame_message(frame: LiveFrame) -> Envelope:
    """A camera frame as it travels."""
    values = {
        "number": frame.number,
        "binning": frame.binning,
        "pixel_size_nm": frame.pixel_size_nm,
    }
    return Envelope("frame", values, {**frame.molecules.columns(), _PIXELS: frame.pixels})


def read_frame(message: Envelope) -> LiveFrame:
    """The camera frame that travelled."""
    values, columns = _of_kind(message, "frame"), dict(message.arrays)
    try:
        return LiveFrame(
            number=whole(values, "number"),
            pixels=columns.pop(_PIXELS),
            binning=whole(values, "binning"),
            pixel_size_nm=float(values["pixel_size_nm"]),
            molecules=from_columns(columns),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MalformedError(f"frame cannot be read: {error}") from error


def drift_message(curve: DriftCurve) -> Envelope:
    """The drift as far as it is known, as it travels."""
    return Envelope("drift", {}, {name: getattr(curve, name) for name in _KNOTS})


def read_drift(message: Envelope) -> DriftCurve:
    """The drift that travelled."""
    _of_kind(message, "drift")
    try:
        return drift_curve(*(message.arrays[name] for name in _KNOTS))
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedError(f"drift cannot be read: {error}") from error


def event_message(number: int, event: Event) -> Envelope:
    """An event on the stream."""
    said = {"what": event.what, "detail": event.detail, "at_s": event.at_s}
    return Envelope("event", {"number": number, **said})


def read_event(message: Envelope) -> Happenings:
    """The event that travelled on the stream."""
    values = _of_kind(message, "event")
    told = _event(*(values.get(name) for name in ("what", "detail", "at_s")))
    return Happenings(first=whole(values, "number"), events=(told,))


def happenings_message(told: Happenings, **values: Any) -> Envelope:
    """Events as the desk's answer."""
    events = [(event.what, event.detail, event.at_s) for event in told.events]
    return Envelope("events", {"first": told.first, "events": events, **values})


def read_happenings(message: Envelope) -> Happenings:
    """The events that travelled as an answer."""
    values = _of_kind(message, "events")
    try:
        events = tuple(_event(*one) for one in values["events"])
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedError(f"events cannot be read: {error}") from error
    return Happenings(first=whole(values, "first"), events=events)


def command_message(command: Command, **values: Any) -> Envelope:
    """A command as it travels."""
    names = ("what", "reason", "who", "token")
    return Envelope("control", {**{name: getattr(command, name) for name in names}, **values})


def read_command(message: Envelope) -> Command:
    """The command that travelled; its words are cut to what a record can bear."""
    values = _of_kind(message, "control")
    names = ("what", "reason", "who", "token")
    return Command(**{name: text(values.get(name)) for name in names})


def whole(values: Mapping[str, Any], name: str) -> int:
    """A count or a stream number among values that travelled."""
    value = values.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _LAST:
        raise MalformedError(f"{name} is {str(value)[:40]!r}, not a whole number from 0 upwards")
    return value


def text(value: object) -> str:
    """Words that travelled: one line that can be printed, of bounded length."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(value)[:MOST_TEXT]).split())


def _event(what: object, detail: object, at_s: object) -> Event:
    if isinstance(at_s, bool) or not isinstance(at_s, int | float) or not 0 <= at_s < math.inf:
        raise MalformedError(f"time is {str(at_s)[:40]!r}, not in seconds since 1970")
    return Event(text(what), text(detail), float(at_s))


def _of_kind(message: Envelope, kind: str) -> Mapping[str, Any]:
    if message.kind != kind:
        raise MalformedError(f"message is {message.kind[:40]!r}, not {kind!r}")
    return message.values
