"""The thread between the ring and the lanes: it alone talks to them.

It hands out what the dispatcher decides, takes the answers, notices lanes
that fall silent, and passes every settled frame on, in whatever order they
come. It waits for nobody but the collector, whose queue is bounded.
"""

import contextlib
import queue
import secrets
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import zmq

from live_smlm.core import F64, I64
from live_smlm.pipeline.dispatcher import Chunk, Dispatcher
from live_smlm.pipeline.outcomes import Event, Finished, Outcome, localized
from live_smlm.transport import messages
from live_smlm.transport.codec import Envelope, MalformedError
from live_smlm.transport.endpoints import Keys, address_of, bound, receive_from, send
from live_smlm.transport.messages import Answer, Setup, Work
from live_smlm.transport.ring import FrameRing

POLL_MS = 5
SILENCE_S = 10.0
"""A worker that says nothing for so long has left."""
CHUNK_S = 120.0
"""A lane that holds one chunk for so long has left."""
COLLECTOR_QUEUE = 256


@dataclass(slots=True)
class _Lane:
    identity: tuple[int, bytes]
    sees_ring: bool
    opened: bool = False
    """Whether it has opened its engine."""
    holds: int | None = None
    since: float = 0.0


@dataclass(slots=True)
class Hub:
    """State of the hub's thread; `lock` guards the dispatcher, which the source feeds."""

    dispatcher: Dispatcher
    ring: FrameRing
    setup: Setup
    run_name: str = field(default_factory=lambda: secrets.token_hex(8))
    """Tells workers that outlive a run from one run to the next."""
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    """What a lane must say at a door without keys; only our own workers are told."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    outcomes: "queue.Queue[Outcome]" = field(default_factory=lambda: queue.Queue(COLLECTOR_QUEUE))
    abort: threading.Event = field(default_factory=threading.Event)
    gone: "queue.SimpleQueue[bytes]" = field(default_factory=queue.SimpleQueue)
    """Workers that somebody has seen die, by name."""
    hung: "queue.SimpleQueue[str]" = field(default_factory=queue.SimpleQueue)
    """Workers of which a lane hangs, by name: whoever can is to end them."""
    refused: str | None = None
    """Why a lane could not open its engine."""
    over: threading.Event = field(default_factory=threading.Event)
    """Set once every frame has its fate: lanes that leave are right to."""
    failure: Exception | None = None
    """A fault of the hub itself; the run is to end."""
    _lanes: dict[tuple[int, bytes], _Lane] = field(default_factory=dict)
    _away: dict[tuple[int, bytes], _Lane] = field(default_factory=dict)
    """Lanes that were given up for their silence; they may come back."""
    _idle: deque[_Lane] = field(default_factory=deque)
    _heard: dict[bytes, float] = field(default_factory=dict)
    _sockets: "list[zmq.Socket[bytes]]" = field(default_factory=list)
    _keyed: list[bool] = field(default_factory=list)
    _ready: deque[Outcome] = field(default_factory=deque)
    """Outcomes that the collector's queue had no room for."""

    @contextlib.contextmanager
    def listening(
        self,
        context: "zmq.Context[zmq.Socket[bytes]]",
        addresses: dict[str, Keys | None],
    ) -> Iterator[list[str]]:
        """Bind; yield the addresses with their ports. `run` must be over before the exit."""
        with contextlib.ExitStack() as held:
            for address, keys in addresses.items():
                self._sockets.append(held.enter_context(bound(context, zmq.ROUTER, address, keys)))
                self._keyed.append(keys is not None)
            yield [address_of(socket) for socket in self._sockets]

    @property
    def lanes(self) -> int:
        """Lanes that are at work or ready."""
        held = [lane.holds is not None for lane in list(self._lanes.values())]
        return sum(held) + len(self._idle)

    def run(self) -> None:
        """Serve until every frame has its fate; then let the lanes go. Always finishes."""
        try:
            self._serve()
        except Exception as error:  # noqa: BLE001 - told by the session, which waits for us
            self.failure = error
            with self.lock:
                self._ready.extend(self.dispatcher.abandon(f"the hub failed: {error!r}"))
        self.over.set()
        for place, identity in (*self._lanes, *self._away):
            send(self._sockets[place], messages.FINISH, [identity], wait=False)
        for outcome in [*self._ready, Finished()]:
            self.outcomes.put(outcome)

    def _serve(self) -> None:
        poller = zmq.Poller()
        for socket in self._sockets:
            poller.register(socket, zmq.POLLIN)
        while not self._over():
            for socket, _ in poller.poll(POLL_MS):
                self._take_all(self._sockets.index(socket))
            self._bury()
            self._relieve()
            self._pass_on()
            if not self._ready:  # lanes rest while the collector is behind
                self._hand_out()

    def _over(self) -> bool:
        with self.lock:
            if self.abort.is_set():
                self._ready.extend(self.dispatcher.abandon("aborted"))
                return self.dispatcher.ended
            return self.dispatcher.finished

    def _take_all(self, place: int) -> None:
        """Everything that has arrived on one socket, a bounded number at a time."""
        for _ in range(100):
            if not self._sockets[place].poll(0):
                return
            identity, message = receive_from(self._sockets[place])
            self._heard[_worker_of(identity)] = time.monotonic()
            if isinstance(message, MalformedError):
                continue  # whoever sent it gets nothing
            self._take((place, identity), message)

    def _take(self, sender: tuple[int, bytes], message: Envelope) -> None:
        lane = self._lanes.get(sender) or self._back(sender, message)
        if message.kind == "alive":
            self._echo(sender)
        elif message.kind == "hello":
            if self._keyed[sender[0]] or message.values.get("token") == self.token:
                self._welcome(sender, sees_ring=message.values.get("sees_ring") is True)
        elif lane is None:
            return
        elif message.kind == "ready" and lane.holds is None and lane not in self._idle:
            lane.opened = True
            self._idle.append(lane)
        elif message.kind == "cannot":
            self._dismiss(lane, str(message.values.get("reason"))[:2000])
        elif message.kind == "answer" and lane.holds is not None:
            try:
                answer = messages.read_answer(message)
            except MalformedError as error:
                answer = Answer(chunk=lane.holds, molecules=None, error=str(error))
            self._settle(lane, answer)

    def _echo(self, sender: tuple[int, bytes]) -> None:
        """Tell a worker of ours that we are there."""
        place, identity = sender
        worker = _worker_of(identity)
        if any(_worker_of(name) == worker for _, name in (*self._lanes, *self._away)):
            echo = Envelope("alive", {"run": self.run_name})
            send(self._sockets[place], echo, [identity], wait=False)

    def _back(self, sender: tuple[int, bytes], message: Envelope) -> _Lane | None:
        """A lane that was only silent: its old chunk is another's, but it can work again."""
        if message.kind not in {"ready", "answer"} or sender not in self._away:
            return None
        lane = self._lanes[sender] = self._away.pop(sender)
        lane.holds, lane.opened = None, True
        self.tell("lane back", lane.identity[1].decode(errors="replace"))
        if message.kind == "answer":
            self._idle.append(lane)
        return lane

    def _welcome(self, sender: tuple[int, bytes], *, sees_ring: bool) -> None:
        place, identity = sender
        known = self._lanes.get(sender)
        if known is not None and not known.opened:
            return  # it greets until its setup arrives
        if known is not None:  # a new lane under an old name: the old one is gone
            self._lose(known, "came back anew")
        lane = _Lane(sender, sees_ring)
        setup = self.setup if sees_ring else replace(self.setup, ring=None)
        if send(self._sockets[place], messages.setup_message(setup), [identity], wait=False):
            self._lanes[sender] = lane

    def _dismiss(self, lane: _Lane, reason: str) -> None:
        if lane.sees_ring:  # another machine may lack what this one has
            self.refused = reason
        self._lose(lane, f"cannot open the engine: {reason}")

    def _settle(self, lane: _Lane, answer: Answer) -> None:
        if answer.chunk != lane.holds:
            return
        lane.holds = None
        self._idle.append(lane)
        with self.lock:
            if answer.molecules is None:
                reason = f"engine failed: {answer.error}"
                self.tell("chunk failed", reason)
                self._ready.extend(self.dispatcher.failed(answer.chunk, lane.identity, reason))
                return
            slots = self._slots(answer.chunk)
            chunk = self.dispatcher.done(answer.chunk, lane.identity)
        if chunk is not None:
            self._ready.append(localized(chunk, answer.molecules, answer, *slots))

    def _slots(self, number: int) -> tuple[I64, F64]:
        """Camera numbers and latencies of a chunk's frames, before its slots are free."""
        held = self.dispatcher.given(number)
        if held is None:
            return np.zeros(0, np.int64), np.zeros(0)
        at = np.arange(held.first, held.first + held.count) % self.dispatcher.plan.slots
        return self.dispatcher.index[at], time.monotonic() - self.dispatcher.arrived_s[at]

    def _hand_out(self) -> None:
        while self._idle:
            lane = self._idle[0]
            with self.lock:
                chunk = self.dispatcher.next_chunk(lane.identity)
            if chunk is None:
                return
            self._idle.popleft()
            lane.holds, lane.since = chunk.number, time.monotonic()
            place, identity = lane.identity
            message = messages.work_message(self._work(chunk, lane))
            if not send(self._sockets[place], message, [identity], wait=False):
                with self.lock:
                    self.dispatcher.not_delivered(chunk.number)
                self._lose(lane, "is out of reach")

    def _work(self, chunk: Chunk, lane: _Lane) -> Work:
        at = np.arange(chunk.begin, chunk.begin + chunk.frames) % self.dispatcher.plan.slots
        return Work(
            chunk=chunk.number,
            begin=chunk.begin,
            halo=chunk.halo,
            fallback=chunk.fallback,
            index=self.dispatcher.index[at],
            time_s=self.dispatcher.time_s[at],
            pixels=None if lane.sees_ring else self.ring.read(chunk.begin, chunk.frames),
        )

    def _bury(self) -> None:
        """Take the work from lanes whose worker died, fell silent or hangs."""
        now = time.monotonic()
        dead: set[bytes] = set()
        with contextlib.suppress(queue.Empty):
            while True:
                dead.add(self.gone.get_nowait())
        for lane in list(self._lanes.values()):
            worker = _worker_of(lane.identity[1])
            if worker in dead:
                self._lose(lane, "died")
            elif now - self._heard.get(worker, now) > SILENCE_S:
                self._lose(lane, f"was silent for {SILENCE_S:g} s", for_ever=False)
            elif lane.holds is not None and now - lane.since > CHUNK_S:
                self.hung.put(worker.decode(errors="replace"))
                self._lose(lane, f"held one chunk for {CHUNK_S:g} s", for_ever=False)

    def _lose(self, lane: _Lane, why: str, *, for_ever: bool = True) -> None:
        del self._lanes[lane.identity]
        if not for_ever:
            self._away[lane.identity] = lane
        if lane in self._idle:
            self._idle.remove(lane)
        reason = f"lane {lane.identity[1].decode(errors='replace')} {why}"
        self.tell("lane lost", reason)
        with self.lock:
            self._ready.extend(self.dispatcher.lane_gone(lane.identity, reason))

    def _relieve(self) -> None:
        with self.lock:
            self._ready.extend(self.dispatcher.relieve())

    def _pass_on(self) -> None:
        """Give the collector what it has room for; never wait for it."""
        with contextlib.suppress(queue.Full):
            while self._ready:
                self.outcomes.put_nowait(self._ready[0])
                self._ready.popleft()

    def tell(self, what: str, detail: str) -> None:
        """Pass an event on; from any thread."""
        self._ready.append(Event(what, detail))


def _worker_of(identity: bytes) -> bytes:
    return identity.rsplit(b"/", 1)[0]
