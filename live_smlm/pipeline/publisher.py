"""The status stream: state, events, molecules, drift and live frames for whoever subscribes.

A subscriber that is slow, frozen or gone costs nothing: what it does not take
is dropped for it alone. Every state message is complete by itself, so that
late joiners know at once how things are. Molecules and events are numbered
without holes, and a state says up to which number they have been told: so a
viewer knows what it has missed.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import zmq

from live_smlm.core import STILL, DriftCurve, Localizations, concatenate
from live_smlm.pipeline.chronicle import Chronicle
from live_smlm.pipeline.outcomes import Event, Localized
from live_smlm.transport.codec import Envelope
from live_smlm.transport.endpoints import send
from live_smlm.transport.viewing import (
    LiveFrame,
    Span,
    drift_message,
    event_message,
    frame_message,
    span_message,
)

PERIOD_S = 0.1
DRIFT_S = 1.0
"""Between two curves of drift, at least."""
DRIFT_AGAIN_S = 5.0
"""For late joiners, a curve that has not changed."""
_MOST_MOLECULES = 20_000
"""More than this are sent before the period is over."""


@dataclass(slots=True)
class Publisher:
    """A watcher that tells everybody; used from the collector's thread, at the end from another."""

    socket: "zmq.Socket[bytes]"
    state: Callable[[], dict[str, Any]]
    """The state as plain values, made anew at each call."""
    chronicle: Chronicle
    look: Callable[[Localized], LiveFrame | None] = lambda _: None
    """A frame of this chunk, now and then."""
    drift: Callable[[], DriftCurve] = lambda: STILL
    """As far as it is known."""
    _held: list[Span] = field(default_factory=list)
    """Chunks that have not been sent."""
    _molecules: int = 0
    _stop: int = 0
    """All before this frame has been sent or is held."""
    _last_s: float = 0.0
    _curve: DriftCurve = STILL
    """Sent last."""
    _drift_s: float = 0.0

    def frames(self, localized: Localized) -> None:
        """Molecules to be sent with the next period."""
        stop = localized.first + localized.count
        self._held.append(Span(first=self._stop, stop=stop, molecules=localized.molecules))
        self._stop = stop
        self._molecules += len(localized.molecules)
        if self._molecules > _MOST_MOLECULES:
            self._flush()
        if (frame := self.look(localized)) is not None:
            self._send(frame_message(frame))

    def event(self, event: Event) -> None:
        """Sent at once."""
        self._send(event_message(self.chronicle.add(event), event))

    def tick(self) -> None:
        """Send what has gathered, and the state, once a period."""
        now = time.monotonic()
        if now - self._last_s >= PERIOD_S:
            self._last_s = now
            self._tell_drift(now)
            self._tell_all()

    def finish(self) -> None:
        """Send the rest, the newest drift and the state."""
        self._tell_drift(math.inf)
        self._tell_all()

    def _tell_drift(self, now: float) -> None:
        """Before the molecules that it is to be taken off."""
        curve, waited = self.drift(), now - self._drift_s
        if curve is STILL or waited < DRIFT_S:
            return
        if waited >= DRIFT_AGAIN_S or not curve.same(self._curve):
            self._curve, self._drift_s = curve, now
            self._send(drift_message(curve))

    def _tell_all(self) -> None:
        self._flush()
        told = {"published": self._stop, "events": self.chronicle.count}
        self._send(Envelope("state", {**self.state(), **told}))

    def _flush(self) -> None:
        for span in joined(self._held):
            self._send(span_message(span))
        self._held, self._molecules = [], 0

    def _send(self, message: Envelope) -> None:
        send(self.socket, message, wait=False)


def joined(spans: list[Span]) -> list[Span]:
    """Neighbours as one, where they have the same columns or one has no molecules."""
    groups: list[list[Span]] = []
    columns: set[str] | None = None
    for span in spans:
        own = set(span.molecules.columns()) if len(span.molecules) else None
        if groups and (own is None or columns is None or own == columns):
            groups[-1].append(span)
        else:
            groups.append([span])
            columns = None
        columns = own or columns
    return [_as_one(group) for group in groups]


def _as_one(group: list[Span]) -> Span:
    molecules: Localizations = concatenate([span.molecules for span in group])
    return Span(first=group[0].first, stop=group[-1].stop, molecules=molecules)
