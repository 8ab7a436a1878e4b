"""The thread behind the lanes: order, then store, then everybody who watches.

What is stored is acknowledged. When storing fails the collector keeps what it
has and tries again; meanwhile its queue fills, the lanes rest and the overload
rule acts. If the store stays broken the run is to end, and what was not stored
is told apart in the record.
"""

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from live_smlm.core import I64, Localizations
from live_smlm.pipeline.dispatcher import Settled
from live_smlm.pipeline.latency import Latencies
from live_smlm.pipeline.ledger import Tally
from live_smlm.pipeline.outcomes import Event, Finished, Localized, Outcome
from live_smlm.pipeline.sequencer import Sequencer

STORE_PATIENCE_S = 20.0
_RETRY_S = 0.25
_IDLE_S = 0.1


class Store(Protocol):
    """Where localizations stay."""

    def append(self, first: int, count: int, index: I64, molecules: Localizations) -> None:
        """Keep the molecules of these frames; OSError if that cannot be."""


class Watcher(Protocol):
    """Somebody who is told; must not wait for anything."""

    def frames(self, localized: Localized) -> None:
        """Molecules of the next frames, stored already."""

    def event(self, event: Event) -> None:
        """Something happened."""

    def tick(self) -> None:
        """Time passes: at least ten times a second while nothing else happens."""


@dataclass(slots=True)
class Collector:
    """State of the collector's thread; others read its counters only."""

    outcomes: "queue.Queue[Outcome]"
    store: Store
    watchers: tuple[Watcher, ...]
    give_up: Callable[[str], None]
    """Called once when the store stays broken: the run is to be aborted."""
    stored: int = 0
    """Frames whose molecules are in the store."""
    molecules: int = 0
    fallback: int = 0
    """Frames that the faster engine has answered for."""
    localized: Latencies = field(default_factory=Latencies)
    published: Latencies = field(default_factory=Latencies)
    broken: str | None = None
    """Why the store takes no more."""
    _order: Sequencer[Localized | Settled] = field(default_factory=Sequencer)

    def run(self) -> None:
        """Collect until the hub has no more; a fault here ends the run, never the collecting."""
        while True:
            try:
                outcome = self.outcomes.get(timeout=_IDLE_S)
            except queue.Empty:
                self._tick()
                continue
            if isinstance(outcome, Finished):
                return
            try:
                self._take(outcome)
            except Exception as error:  # noqa: BLE001 - told, and the run is ended
                self._break(f"frames cannot be collected: {error!r}")
            self._tick()

    def _take(self, outcome: Localized | Settled | Event) -> None:
        if isinstance(outcome, Event):
            self.tell(outcome)
            return
        if isinstance(outcome, Settled):
            last = outcome.first + outcome.count - 1
            detail = f"frames {outcome.first} to {last}: {outcome.reason}"
            self.tell(Event(outcome.fate.value, detail))
        for ready in self._order.push(outcome.first, outcome.count, outcome):
            if isinstance(ready, Localized):
                self._keep(ready)

    def _keep(self, localized: Localized) -> None:
        if not self._stored(localized):
            return
        self.stored += localized.count
        self.molecules += len(localized.molecules)
        self.fallback += localized.count * localized.fallback
        self.localized.add(localized.latency_s)
        self._all(lambda watcher: watcher.frames(localized))
        self.published.add(localized.latency_s + (time.monotonic() - localized.answered_s))

    def _stored(self, localized: Localized) -> bool:
        """Store, again and again while that may help."""
        started = time.monotonic()
        told = False
        while self.broken is None:
            try:
                self.store.append(
                    localized.first, localized.count, localized.index, localized.molecules
                )
            except OSError as error:
                if not told:
                    self.tell(Event("store failed", f"{error}; trying again"))
                    told = True
                if time.monotonic() - started > STORE_PATIENCE_S:
                    self._break(f"localizations cannot be stored: {error}")
                self._tick()
                time.sleep(_RETRY_S)
            else:
                return True
        return False

    def _break(self, why: str) -> None:
        """Nothing more will be stored; say so once, and ask for the end."""
        if self.broken is None:
            self.broken = why
            self.tell(Event("store broken", why))
            self.give_up(why)

    def tell(self, event: Event) -> None:
        """Pass an event on to everybody who watches; from the collector's thread only."""
        self._all(lambda watcher: watcher.event(event))

    def _tick(self) -> None:
        self._all(lambda watcher: watcher.tick())

    def _all(self, call: Callable[[Watcher], None]) -> None:
        """Call every watcher; one that fails is left out from then on, and the others told."""
        for watcher in self.watchers:
            try:
                call(watcher)
            except BaseException as error:  # noqa: BLE001 - a terminal that is gone exits, too
                self.watchers = tuple(w for w in self.watchers if w is not watcher)
                self.tell(Event("watcher failed", f"{type(watcher).__name__}: {error!r}"))


def acknowledged(tally: Tally, stored: int, unrecorded: int, *, recorded: bool) -> Tally:
    """The ledger at the end: what is not stored is not localized, nor deferred if not recorded.

    `unrecorded` of the deferred frames are not in the raw record.
    """
    vain = tally.localized - stored
    deferred = tally.deferred - unrecorded + (vain if recorded else 0)
    shed = tally.shed + unrecorded + (0 if recorded else vain)
    return replace(tally, localized=stored, deferred=deferred, shed=shed)
