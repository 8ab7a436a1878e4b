"""The stages of one run, put together.

Started in order (workers before the camera) and taken down in order,
whatever happens. Two endings: `stop` drains and keeps everything; `abort`
gives waiting frames up (to the raw record, where there is one).
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import zmq

from live_smlm.core import FrameSource
from live_smlm.engines import registry
from live_smlm.fitting.shadow import open_shadow
from live_smlm.pipeline import supervisor
from live_smlm.pipeline.collector import Collector, Store, Watcher, acknowledged
from live_smlm.pipeline.dispatcher import Dispatcher
from live_smlm.pipeline.feed import Feed
from live_smlm.pipeline.hub import Hub
from live_smlm.pipeline.lane import MakeEngine
from live_smlm.pipeline.ledger import Fate, Tally
from live_smlm.pipeline.publisher import Publisher
from live_smlm.pipeline.recorder import Raw, Recorder
from live_smlm.pipeline.witness import MakeWitness
from live_smlm.pipeline.worker import Place
from live_smlm.session.check import check
from live_smlm.session.device import quicker, told
from live_smlm.session.guard import Guard
from live_smlm.session.numbers import fill_of, latencies_of, numbers_of
from live_smlm.session.plan import Control, Outcome, RunPlan, Topology
from live_smlm.store.record import Finish
from live_smlm.transport import ring as ring_memory
from live_smlm.transport.endpoints import Keys, bound, doorkeeper, is_loopback

READY_PATIENCE_S = 120.0
_LOOK_S = 0.05


def make_engines() -> MakeEngine:
    """How worker processes find engines: by name, in their own registry."""
    return registry.chain


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
    status_address: str = ""
    addresses: list[str] = field(default_factory=list)
    _hub: Hub = field(init=False)
    _collector: Collector = field(init=False)
    _feed: Feed = field(init=False)
    _guard: Guard = field(init=False)
    _recorder: Recorder | None = field(init=False, default=None)
    _reason: tuple[Finish, str] | None = field(init=False, default=None)
    _since_s: float = field(init=False, default=0.0)
    _elapsed_s: float = field(init=False, default=0.0)

    def run(self) -> Outcome:
        """Run to the end. Refuses what cannot work before the source is opened."""
        recorded = self.raw is not None
        ready = check(self.source.info, self.plan, self.make_engine, recorded=recorded)
        with zmq.Context() as context, ring_memory.create(ready.ring) as ring:
            self._hub = Hub(Dispatcher(ready.dispatch), ring, ready.setup)
            self._guard = Guard(ready.scope)
            self._feed = Feed(self.source, self._hub, self.plan.most_frames)
            self._recorder = None if self.raw is None else Recorder(self._hub, self.raw)
            return self._served(context)

    def state(self) -> dict[str, Any]:
        """The numbers of this moment, as plain values."""
        elapsed = self._elapsed_s or (time.monotonic() - self._since_s if self._since_s else 0)
        numbers = numbers_of(self._tally(), self._collector, elapsed)
        return {
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
            **numbers,
        }

    def _served(self, context: "zmq.Context[zmq.Socket[bytes]]") -> Outcome:
        """With sockets, workers and threads around the run itself."""
        listen: dict[str, Keys | None] = {"tcp://127.0.0.1:*": None}
        listen |= dict.fromkeys(self.plan.listen, self.plan.keys)
        watch_keys = None if is_loopback(self.plan.status) else self.plan.keys
        with (
            doorkeeper(context, self.plan.keys),
            self._hub.listening(context, listen) as self.addresses,
            bound(context, zmq.PUB, self.plan.status, watch_keys) as status,
        ):
            self.status_address = status.getsockopt_string(zmq.LAST_ENDPOINT)
            publisher = Publisher(status, self.state)
            watchers = (self._guard, *self.watchers, publisher)
            self._collector = Collector(self._hub.outcomes, self.store, watchers, self._give_up)
            self._guard.tell = self._collector.tell
            with self._working():
                self._watch()
            publisher.finish()
            return self._outcome()

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        """Hub, collector and workers; on exit they end in the order in which frames walk."""
        hub = threading.Thread(target=self._hub.run, name="hub")
        collector = threading.Thread(target=self._collector.run, name="collector")
        hub.start()
        collector.start()
        try:
            with self._workers():
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

    def _workers(self) -> contextlib.AbstractContextManager[None]:
        places = [
            Place(
                address=self.addresses[0],
                name=f"worker-{number}",
                lanes=self.plan.lanes,
                sees_ring=True,
                token=self._hub.token,
            )
            for number in range(self.plan.workers)
        ]
        if self.plan.topology is Topology.THREADS:
            return supervisor.threads(places, self.make_engine, self.make_witness)
        if self.plan.topology is Topology.PROCESSES:
            return supervisor.processes(places, make_engines, self._hub, self.make_witness)
        return contextlib.nullcontext()

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

    def _how(self) -> tuple[Finish, str]:
        """How the run ended and why, in words."""
        if self._reason is not None:
            return self._reason
        if self._feed.error is not None:
            return Finish.ERRORED, f"source: {self._feed.error}"
        if self.control.aborting:
            return Finish.CANCELED, self.control.reason or "aborted"
        if self.control.stopping:
            return Finish.STOPPED, self.control.reason or "asked to stop"
        return Finish.COMPLETED, self._limit()

    def _limit(self) -> str:
        captured = self._hub.dispatcher.captured
        if self.plan.most_frames is not None and captured >= self.plan.most_frames:
            return f"{captured} frames were asked for"
        seconds = self.plan.most_seconds
        if seconds is not None and self._elapsed_s >= seconds:
            return f"{seconds:g} seconds were asked for"
        return "the source ended"

    def _tally(self) -> Tally:
        """The ledger now: localized are the frames whose molecules are stored."""
        with self._hub.lock:
            return replace(self._hub.dispatcher.ledger.tally, localized=self._collector.stored)

    def _final(self) -> tuple[Tally, list[tuple[int, int]]]:
        """The ledger at the end, and the deferred frames that can be recovered."""
        failed = self._recorder is not None and self._recorder.error is not None
        with self._hub.lock:
            dispatcher = self._hub.dispatcher
            dispatcher.abandon("the run ended")  # nothing, unless the hub failed
            end = dispatcher.recorded_to if failed else dispatcher.captured
            ranges = dispatcher.ledger.ranges(Fate.DEFERRED)
            deferred = [(first, min(stop, end)) for first, stop in ranges if first < end]
            kept = sum(stop - first for first, stop in deferred)
            tally = dispatcher.ledger.tally
        recorded = self._recorder is not None and not failed
        unrecorded = tally.deferred - kept
        stored = self._collector.stored
        return acknowledged(tally, stored, unrecorded, recorded=recorded), deferred

    def _outcome(self) -> Outcome:
        finish, reason = self._how()
        tally, deferred = self._final()
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
