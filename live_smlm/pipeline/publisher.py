"""The status stream: state, events and molecules for whoever subscribes.

A subscriber that is slow, frozen or gone costs nothing: what it does not take
is dropped for it alone. Every state message is complete by itself, so that
late joiners know at once how things are.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import zmq

from live_smlm.core import Localizations, concatenate
from live_smlm.pipeline.outcomes import Event, Localized
from live_smlm.transport.codec import Envelope
from live_smlm.transport.endpoints import send

PERIOD_S = 0.1
_MOST_MOLECULES = 20_000
"""More than this are sent before the period is over."""


@dataclass(slots=True)
class Publisher:
    """A watcher that tells everybody; used from the collector's thread only."""

    socket: "zmq.Socket[bytes]"
    state: Callable[[], dict[str, Any]]
    """The state as plain values, made anew at each call."""
    _held: list[Localizations] = field(default_factory=list)
    _molecules: int = 0
    _first: int | None = None
    _stop: int = 0
    _last_s: float = 0.0

    def frames(self, localized: Localized) -> None:
        """Molecules to be sent with the next period."""
        if self._first is None:
            self._first = localized.first
        self._stop = localized.first + localized.count
        if len(localized.molecules):
            self._held.append(localized.molecules)
            self._molecules += len(localized.molecules)
        if self._molecules > _MOST_MOLECULES:
            self._flush()

    def event(self, event: Event) -> None:
        """Sent at once."""
        self._send(Envelope("event", {"what": event.what, "detail": event.detail}))

    def tick(self) -> None:
        """Send what has gathered, and the state, once a period."""
        now = time.monotonic()
        if now - self._last_s >= PERIOD_S:
            self._last_s = now
            self._flush()
            self._send(Envelope("state", self.state()))

    def finish(self) -> None:
        """Send the rest and the last state."""
        self._flush()
        self._send(Envelope("state", self.state()))

    def _flush(self) -> None:
        if self._first is None:
            return
        for molecules in _alike(self._held):
            values = {"first": self._first, "stop": self._stop}
            self._send(Envelope("localizations", values, molecules.columns()))
        self._held, self._molecules, self._first = [], 0, None

    def _send(self, message: Envelope) -> None:
        send(self.socket, message, wait=False)


def _alike(parts: list[Localizations]) -> list[Localizations]:
    """The parts joined where neighbours have the same columns."""
    groups: list[list[Localizations]] = []
    for part in parts:
        if groups and groups[-1][0].columns().keys() == part.columns().keys():
            groups[-1].append(part)
        else:
            groups.append([part])
    return [concatenate(group) for group in groups]
