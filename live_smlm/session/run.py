"""The stages of one run, put together.

Started in order (workers before the camera) and taken down in order,
whatever happens. Two endings: `stop` drains and keeps everything; `abort`
gives waiting frames up (to the raw record, where there is one).
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import zmq

from live_smlm.core import STILL, DriftCurve, FrameSource, require
from live_smlm.engines import registry
from live_smlm.fitting.shadow import open_shadow
from live_smlm.pipeline.collector import Collector, Store, Watcher
from live_smlm.pipeline.desk import Archive
from live_smlm.pipeline.dispatcher import Dispatcher
from live_smlm.pipeline.feed import Feed
from live_smlm.pipeline.glimpse import Glimpse
from live_smlm.pipeline.hub import Hub
from live_smlm.pipeline.lane import MakeEngine
from live_smlm.pipeline.ledger import Fate
from live_smlm.pipeline.recorder import Raw, Recorder
from live_smlm.pipeline.witness import MakeWitness
from live_smlm.session.audience import Audience, Doors
from live_smlm.session.charts import Charts
from live_smlm.session.check import check
from live_smlm.session.crew import crew
from live_smlm.session.device import quicker, told
from live_smlm.session.ending import reason_of, tally_at_end, tally_now
from live_smlm.session.guard import Guard
from live_smlm.session.numbers import fill_of, latencies_of, numbers_of
from live_smlm.session.plan import Control, Outcome, RunPlan, Topology
from live_smlm.store.record import Finish
from live_smlm.transport import ring as ring_memory
from live_smlm.transport.endpoints import Keys, doorkeeper
from live_smlm.transport.pictures import Shown

READY_PATIENCE_S = 120.0
_LOOK_S = 0.05


@dataclass(slots=True)
class Session:
    """The stages of one run, put together; `run` does it."""

    source: FrameSource
    plan: RunPlan
    store: Store
    raw: Raw | None = None
    watchers: tuple[Watcher, ...] = ()
    control: Control = field(default_factory=Control)
    make_engine: MakeEngine = registry.chain
    make_witness: MakeWitness = open_shadow
    started: Callable[["Session"], None] = lambda _: None
    """Called once workers are ready and addresses known, before the first frame."""
    ended: Callable[[Outcome], None] = lambda _: None
    """Called when all is stored, before viewers are told of the end."""
    name: str = ""
    """What viewers are to call this run."""
    archive: Archive | None = None
    """Where viewers get what was localized before they came."""
    more: Callable[[], dict[str, Any]] = dict
    """What else viewers are told of this moment."""
    layer: Callable[[str], Shown | None] = lambda _: None
    """A picture of an engine by its name; from any thread."""
    drift: Callable[[], DriftCurve] = lambda: STILL
    """How the sample has wandered, as far as it is known; from any thread."""
    orders: Mapping[str, Callable[[str], None]] = field(default_factory=dict)
    """What else they may order, by name; each takes words and may refuse them."""
    addresses: list[str] = field(default_factory=list)
    """Where workers come in."""
    _hub: Hub = field(init=False)
    _collector: Collector = field(init=False)
    _feed: Feed = field(init=False)
    _guard: Guard = field(init=False)
    _audience: Audience = field(init=False)
    _recorder: Recorder | None = field(init=False, default=None)
    _reason: tuple[Finish, str] | None = field(init=False, default=None)
    _since_s: float = field(init=False, default=0.0)
    _elapsed_s: float = field(init=False, default=0.0)
    _end: dict[str, str] | None = field(init=False, default=None)

    def run(self) -> Outcome:
        """Run to the end. Refuses what cannot work before the source is opened."""
        recorded = self.raw is not None
        ready = check(self.source.info, self.plan, self.make_engine, recorded=recorded)
        with zmq.Context() as context, ring_memory.create(ready.ring) as ring:
            self._hub = Hub(Dispatcher(ready.dispatch), ring, ready.setup)
            self._guard = Guard(ready.scope)
            self._audience = Audience(Charts(self.source.info), self.archive, self.layer)
            self._feed = Feed(self.source, self._hub, self.plan.most_frames)
            self._recorder = None if self.raw is None else Recorder(self._hub, self.raw)
            return self._served(context)

    def state(self) -> dict[str, Any]:
        """The numbers of this moment, as plain values."""
        tally = tally_now(self._hub, self._collector.stored)
        return {
            "run": self.name,
            "simulated": self.source.info.simulated,
            "source": self.source.info.name,
            "engine": self.plan.engine,
            "device": told(self.plan),
            "camera_fill": fill_of(self.source),
            "refused": self._feed.refused,
            "lanes": self._hub.lanes,
            "overload": self.plan.overload.value,
            "stopping": self.control.stopping,
            "trust": self._guard.state(),
            "finished": self._end,
            **self.more(),
            **self._audience.state(),
            **numbers_of(tally, self._collector, self.seconds()),
        }

    @property
    def doors(self) -> Doors:
        """Where viewers come in, while the run goes on."""
        require(self._audience.doors is not None, "the run has no doors yet; wait for its start")
        return self._audience.doors  # type: ignore[return-value] # refused above

    @property
    def status_address(self) -> str:
        """Where the status stream is told, while the run goes on."""
        return self.doors.status

    def seconds(self) -> float:
        """Since the first frame; at the end, until the last."""
        return self._elapsed_s or (time.monotonic() - self._since_s if self._since_s else 0.0)

    def captured(self) -> int:
        """Frames that the camera has given so far."""
        return self._hub.dispatcher.captured

    def tell(self, what: str, detail: str) -> None:
        """An event to everybody who watches; from any thread, until all frames are settled."""
        self._hub.tell(what, detail)

    def _commands(self) -> dict[str, Callable[[str], None]]:
        return {"stop": self.control.stop, "abort": self.control.abort, **self.orders}

    def _served(self, context: "zmq.Context[zmq.Socket[bytes]]") -> Outcome:
        """With sockets, workers and threads around the run itself."""
        listen: dict[str, Keys | None] = {"tcp://127.0.0.1:*": None}
        listen |= dict.fromkeys(self.plan.listen, self.plan.keys)
        glimpse = Glimpse(
            self._hub.dispatcher, self._hub.ring, self.source.info.camera.pixel_size_nm
        )
        with (
            doorkeeper(context, self.plan.keys),
            self._hub.listening(context, listen) as self.addresses,
            self._audience.admitted(
                context, self.plan, self.state, glimpse, self._commands(), self.tell, self.drift
            ) as publisher,
        ):
            ours: tuple[Watcher, ...] = (self._guard, self._audience.charts)
            watchers = (*ours, *self.watchers, publisher)
            self._collector = Collector(self._hub.outcomes, self.store, watchers, self._give_up)
            self._guard.tell = self._collector.tell
            with self._working():
                self._watch()
            self._audience.charts.end()
            outcome = self._outcome()
            self.ended(outcome)
            self._end = {"finish": outcome.finish.value, "reason": outcome.reason}
            publisher.finish()
        return outcome

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        """Hub, collector and workers; on exit they end in the order in which frames walk."""
        hub = threading.Thread(target=self._hub.run, name="hub")
        collector = threading.Thread(target=self._collector.run, name="collector")
        hub.start()
        collector.start()
        try:
            with crew(self.plan, self.addresses[0], self._hub, self.make_engine, self.make_witness):
                try:
                    yield
                except BaseException:
                    self._hub.abort.set()
                    raise
                finally:
                    self._let_end()
                    hub.join()  # before the workers, who wait for its word
        finally:
            self._let_end()
            hub.join()
            collector.join()

    def _let_end(self) -> None:
        """Make sure that the hub ends, even where the source was never opened."""
        with self._hub.lock:
            if self._hub.dispatcher.ended:
                return
            self._hub.dispatcher.end()
        self._hub.abort.set()

    def _watch(self) -> None:
        """Start the camera once somebody can work; wait for the end of the frames."""
        self._await_lanes()
        if self._reason is not None:
            return
        self.started(self)
        self._since_s = time.monotonic()
        feed = threading.Thread(target=self._feed.run, name="source")
        recorder = None
        if self._recorder is not None:
            recorder = threading.Thread(target=self._recorder.run, name="recorder")
            recorder.start()
        feed.start()
        try:
            self._wait_for(feed)
        finally:
            self._feed.stop.set()
            feed.join()
            if recorder is not None:
                recorder.join()
            self._elapsed_s = time.monotonic() - self._since_s

    def _await_lanes(self) -> None:
        """Until a lane is ready, or none can be."""
        deadline = time.monotonic() + READY_PATIENCE_S
        while not self._hub.lanes:
            if self._hub.refused is not None:
                self._fail(f"engine cannot be opened: {self._hub.refused}")
            elif self.control.stopping:
                self._reason = Finish.CANCELED, self.control.reason or "asked to stop"
            elif time.monotonic() > deadline and self.plan.topology is not Topology.NONE:
                self._fail(f"no worker was ready within {READY_PATIENCE_S:g} s{quicker(self.plan)}")
            if self._reason is not None:
                return
            time.sleep(_LOOK_S)

    def _wait_for(self, feed: threading.Thread) -> None:
        """Until all frames have their fate; passes requests to stop on."""
        dispatcher = self._hub.dispatcher
        manned_s = time.monotonic()
        while feed.is_alive() or not self._finished():
            if self._hub.lanes or self.plan.topology is Topology.NONE:
                manned_s = time.monotonic()
            elif time.monotonic() - manned_s > READY_PATIENCE_S:
                self._give_up(f"no worker is left; the last reason: {self._hub.refused}")
            if self.control.aborting:
                self._hub.abort.set()
            limit = self.plan.most_seconds
            late = limit is not None and time.monotonic() - self._since_s > limit
            if late or self.control.stopping:
                self._feed.end()
            if self._hub.failure is not None:
                self._give_up(f"the hub failed: {self._hub.failure!r}")
            if self._hub.over.is_set() and not feed.is_alive():
                break
            time.sleep(_LOOK_S if dispatcher.captured else _LOOK_S / 5)

    def _finished(self) -> bool:
        with self._hub.lock:
            return self._hub.dispatcher.finished

    def _give_up(self, why: str) -> None:
        self._fail(why)
        self.control.abort(why)

    def _fail(self, why: str) -> None:
        if self._reason is None:
            self._reason = Finish.ERRORED, why

    def _outcome(self) -> Outcome:
        usual = reason_of(self._feed, self.control, self.plan, self._elapsed_s)
        finish, reason = self._reason or usual
        tally, deferred = tally_at_end(self._hub, self._recorder, self._collector.stored)
        rows, columns = self.source.info.camera.shape
        ledger = self._hub.dispatcher.ledger
        rate = tally.localized * rows * columns / 1e6 / self._elapsed_s if self._elapsed_s else 0.0
        return Outcome(
            finish=finish,
            reason=reason,
            tally=tally,
            molecules=self._collector.molecules,
            latency_ms=latencies_of(self._collector),
            rate_mpx_s=rate,
            seconds=self._elapsed_s,
            deferred=deferred,
            shed=ledger.ranges(Fate.SHED),
            trust=self._guard.state(),
        )
