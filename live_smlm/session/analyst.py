"""Who judges a run while it goes on: drift, quality, forecasts, and whether it is enough.

A thread of its own reads the log at its own pace, so that nobody ever waits for a
judgement. Looks are dear: it rests so long after each that all together cost a
small share of a core; what is only counted is judged between them as well. What fails
here is told, and the run goes on: time and counts still end it.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from live_smlm.core import Checkpoint, InputError, Order, Stop, Will
from live_smlm.core.feedback import read_order
from live_smlm.feedback import rules
from live_smlm.feedback.rules import Decision, StopState
from live_smlm.metrics.regions import Region
from live_smlm.pipeline.desk import Archive
from live_smlm.session import judgement
from live_smlm.session.analysis import FIELD, Analysis
from live_smlm.session.plan import Control
from live_smlm.session.recentre import Recentre
from live_smlm.session.regions import read_regions
from live_smlm.store.quality import QualityLog
from live_smlm.transport.viewing import Span

EVERY_S = 2.0
"""Between two looks, at least."""
SHARE = 0.05
"""Of a core that looks may take."""
_REDO_SHARE = 0.03
"""And that judging old molecules anew may."""
_READ_S = 0.1
_END = 2**61
_SAID_STOP = "the operator said stop"


@dataclass(slots=True)
class Analyst:
    """The judgement of one run; `working` does it, any thread may read or order."""

    archive: Archive
    analysis: Analysis
    control: Control
    log: QualityLog
    tell: Callable[[str, str], None] = lambda _, __: None
    """An event, to everybody who watches."""
    seconds: Callable[[], float] = lambda: 0.0
    """Since the first frame."""
    rule: StopState | None = None
    recentre: Recentre | None = None
    decision: Decision | None = None
    failure: str | None = None
    """Why nothing is measured any more."""
    _said: dict[str, Any] = field(default_factory=dict)
    _orders: "queue.SimpleQueue[Order | Mapping[str, Region]]" = field(
        default_factory=queue.SimpleQueue
    )
    _have: int = 0
    """Frames that were read."""
    _molecules: int = 0
    _next_s: float = 0.0
    _redo_s: float = 0.0
    _told: str = ""
    _kept: bool = True
    """Whether the disk took the last judgement."""
    _warned: frozenset[str] = frozenset()
    _over: threading.Event = field(default_factory=threading.Event)

    def told(self) -> dict[str, Any]:
        """The judgement of this moment, as plain values."""
        return {"quality": self._said}

    def verdict(self) -> dict[str, Any]:
        """The last word, in plain values."""
        failed = {} if self.failure is None else {"failure": self.failure}
        return judgement.verdict(self._said) | failed

    def orders(self) -> dict[str, Callable[[str], None]]:
        """What viewers may say, by name."""
        return {"order": self.order, "regions": self.regions}

    def order(self, words: str) -> None:
        """The operator's will: hold, release, extend …, stop."""
        order = read_order(words)
        if self.rule is None and order.will is not Will.STOP:
            raise InputError(f"order {words!r} overrules a stop rule, and this run has none")
        if order.will is Will.STOP:  # whatever the thread is at
            self.control.stop(f"enough: {_SAID_STOP}")
        self._orders.put(order)

    def regions(self, words: str) -> None:
        """Judge these regions apart from now on."""
        self._orders.put(read_regions(words))

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Judge meanwhile, and once more when all molecules are in."""
        thread = threading.Thread(target=self._work, name="analyst")
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _work(self) -> None:
        try:
            while not self._over.wait(_READ_S):
                self._turn()
            self._read()
            self._finish()
        except Exception as error:  # noqa: BLE001 - told; the run goes on without
            self._fail(error)
            while not self._over.wait(_READ_S):
                self._count()

    def _turn(self) -> None:
        """Read what is new; look, when it is time; do what was ordered."""
        self._read()
        order = self._ordered()
        if order is not None and not self.analysis.histories[FIELD]:
            self.analysis.look()
        if order is not None:
            self._decide(order)
        if time.monotonic() >= self._next_s and self.analysis.frames:
            self._redo()
            started = time.thread_time()
            self._look()
            took = time.thread_time() - started
            self._next_s = time.monotonic() + max(EVERY_S, took / SHARE)
        else:
            self._decide_by_counts(None)

    def _read(self) -> None:
        while (span := self.archive.page(self._have, _END)).stop > self._have:
            self._have = span.stop
            self._molecules += len(span.molecules)
            if self.failure is None:
                self.analysis.add(span, self.seconds())

    def _redo(self) -> None:
        """Judge all anew by a drift that is known better, now and then."""
        if not self.analysis.stale or time.monotonic() < self._redo_s:
            return
        started = time.thread_time()
        self.analysis.anew(self._pages(), self.seconds())
        took = time.thread_time() - started
        self._redo_s = time.monotonic() + took / _REDO_SHARE

    def _look(self) -> None:
        """Judge, decide, and say so."""
        self.analysis.look()
        self._decide(None)
        self._warn()
        if self.recentre is not None and not self.analysis.lost:
            self.recentre.tell = self.tell
            self.recentre.look(self.analysis.curve)
        self._record()

    def _fail(self, error: Exception) -> None:
        """Nothing is measured any more; that is an alarm where a rule goes by it."""
        self.failure = repr(error)
        self.tell("judgement failed", self.failure)
        if self.rule is None:
            return
        alarm = (
            f"judging failed: the rule '{self.rule.settings.rule}' goes by time, frames and "
            "molecules alone from now on; stop by hand where it asks for more"
        )
        self.tell("alarm", alarm)
        if self._said:
            self._said = {**self._said, "alarms": [*self._said["alarms"], alarm]}

    def _count(self) -> None:
        """What is left to do after a failure."""
        with contextlib.suppress(Exception):  # the log may be what failed; time goes on
            self._read()
        self._decide_by_counts(self._ordered())

    def _pages(self) -> Iterator[Span]:
        first = 0
        while first < self._have:
            span = self.archive.page(first, self._have)
            if span.stop <= first:
                return
            yield span
            first = span.stop

    def _ordered(self) -> Order | None:
        """The next order; new regions are taken at once."""
        with contextlib.suppress(queue.Empty):
            order = self._orders.get_nowait()
            if isinstance(order, Order):
                return order
            if self.failure is not None:
                return None
            self.analysis.set_regions(order)
            self.analysis.anew(self._pages(), self.seconds())
            self._next_s = 0.0
        return None

    def _decide(self, order: Order | None) -> None:
        """By the rule and the operator; a stop is passed on at once."""
        if self.rule is None:
            if order is not None:
                self._stop(Stop(_SAID_STOP, self._have))
            return
        self.rule, stop, self.decision = rules.step(self.rule, self.analysis.histories, order)
        self._announce(self.rule, self.decision)
        if stop is not None:
            self._stop(stop)

    def _decide_by_counts(self, order: Order | None) -> None:
        """By what is certain at any moment, and by no other value, which may be old by now."""
        if self.rule is None:
            self._decide(order)
            return
        counts = Checkpoint(self._have, self.seconds(), {"molecules": float(self._molecules)})
        alone = {**dict.fromkeys(self.analysis.histories, ()), FIELD: (counts,)}
        blank = replace(self.rule, frame=-1, rows={})
        state, stop, decision = rules.step(blank, alone, order)
        if stop is None and self.failure is None:
            return
        self.rule = replace(state, frame=self.rule.frame, rows=self.rule.rows)
        self.decision = decision
        self._announce(self.rule, decision)
        if stop is not None:
            self._stop(stop)

    def _announce(self, rule: StopState, decision: Decision) -> None:
        """What a decision comes to, once it comes to something else."""
        kind = judgement.kind_of(rule, decision)
        if kind != self._told:
            self._told = kind
            self.tell("decision", f"{kind}: {decision.because}")

    def _warn(self) -> None:
        """Of drift; each alarm once, until it is over."""
        alarms = self.analysis.alarms()
        for name in sorted(alarms.keys() - self._warned):
            self.tell("alarm", alarms[name])
        for name in sorted(self._warned - alarms.keys()):
            self.tell("alarm over", name)
        self._warned = frozenset(alarms)

    def _stop(self, stop: Stop) -> None:
        self.tell("enough", f"after frame {stop.frame}: {stop.reason}")
        self.control.stop(f"enough: {stop.reason}")

    def _record(self) -> None:
        """For viewers, and into the folder."""
        self._said = judgement.told(self.analysis, self.rule, self.decision)
        seen = self.analysis.looks[FIELD]
        plain = None if self.decision is None else self.decision.plain()
        try:
            self.log.append(seen.checkpoint, plain)
            self.log.latest(self.analysis.curve, judgement.lasting(self._said, seen))
            self._kept = True
        except OSError as error:
            if self._kept:  # each look would tell the same again
                self.tell("judgement not kept", f"{error}; make room on the disk")
            self._kept = False

    def _finish(self) -> None:
        """All are in: the drift at its best, and the last word by it."""
        if not self.analysis.frames:
            return
        self.analysis.finish()
        self.analysis.anew(self._pages(), self.seconds())
        self.analysis.look()
        if self.rule is not None:  # for the record: what ended the run is known already
            state, _, decision = rules.step(self.rule, self.analysis.histories)
            self.rule = replace(state, stopped=self.rule.stopped)
            self.decision = replace(decision, stops=False)
            self._announce(self.rule, self.decision)
        self._record()
