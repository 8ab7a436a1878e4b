"""Following a run: one thread that listens, fetches what it missed, and hands on in order.

A viewer may come at any time, be slow, freeze or go: it costs the run nothing,
and what it missed meanwhile comes from the run's desk.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import zmq

from live_smlm.core import DriftCurve, Localizations, Reconstruction
from live_smlm.transport import viewing
from live_smlm.transport.codec import Envelope, MalformedError
from live_smlm.transport.endpoints import Keys, check_address, connected, receive, send
from live_smlm.transport.pictures import read_layer
from live_smlm.transport.viewing import Event, Happenings, LiveFrame, Span
from live_smlm.view.follow_desk import Desk
from live_smlm.view.follow_join import Joint
from live_smlm.view.follow_series import Charts

__all__ = ["Desk", "LiveFrame", "Sink", "following"]

SILENCE_S = 5.0
"""A run that says nothing for so long is told as lost; should it speak again, it goes on."""
_POLL_MS = 100
_PATIENCE_S = 3.0
"""After which the desk is asked again."""
_SIGN_S = 1.0
"""How often the desk hears that we are still there."""
_AT_ONCE = 20
"""Messages taken before the desk's answers are looked at."""


class Sink(Protocol):
    """Who is told what a run says; called on the follower's thread only."""

    def molecules(self, molecules: Localizations) -> None:
        """The molecules of the next frames: history first, each frame once, in order."""

    def state(self, values: Mapping[str, Any]) -> None:
        """The run's numbers, ten times a second.

        `series` holds the charts from the start, lists of one length by name, None
        where unknown; `frame` is the stream number at which each block of frames ends.
        `finished` is None, or a mapping of `finish` and `reason`.
        """

    def event(self, event: Event) -> None:
        """Something happened: those before our time first, each once, in order."""

    def frame(self, frame: LiveFrame) -> None:
        """The camera's newest frame, a few times a second."""

    def drift(self, curve: DriftCurve) -> None:
        """How the sample has wandered, as far as it is known now: again when it changes."""

    def layer(self, name: str, picture: Reconstruction) -> None:
        """A picture of an engine that is looked at, when it has changed."""

    def lost(self, why: str) -> None:
        """The run has ended (nothing more will come) or has fallen silent."""


@contextlib.contextmanager
def following(
    address: str, sink: Sink, *, keys: Keys | None = None, token: str = ""
) -> Iterator[Desk]:
    """Follow the run whose status stream is at `address` while this is open.

    `keys` are those of `worker`, for a run on another machine; with `token`, from
    the run's folder, it can be stopped. What the sink raises ends the following,
    and is raised on leaving.
    """
    check_address(address, keys, binds=False)
    with zmq.Context() as context:
        follower = _Follower(address, sink, Desk(context, keys, token))
        thread = threading.Thread(target=follower.run, name="follower")
        thread.start()
        try:
            yield follower.desk
        finally:
            follower.leave.set()
            thread.join()
        if follower.failure is not None:
            raise follower.failure


@dataclass(slots=True)
class _Follower:
    """State of the follower's thread."""

    address: str
    sink: Sink
    desk: Desk
    leave: threading.Event = field(default_factory=threading.Event)
    failure: Exception | None = None
    _spans: Joint[Span] = field(default_factory=Joint)
    _events: Joint[Happenings] = field(default_factory=Joint)
    _charts: Charts = field(default_factory=Charts)
    _state: Mapping[str, Any] = field(default_factory=dict)
    """The newest."""
    _run: str = ""
    _finished: str = ""
    """How the run ended, once it has said so."""
    _asked: dict[str, tuple[int, float]] = field(default_factory=dict)
    """What the desk was asked for and has not answered: the request's number, and when."""
    _asks: int = 0
    _layer: str = ""
    """The picture that was asked for."""
    _heard_s: float = field(default_factory=time.monotonic)
    _sign_s: float = 0.0
    _silent: bool = False

    def run(self) -> None:
        """Follow until told to leave, or the run has ended."""
        try:
            with contextlib.ExitStack() as held:
                self._follow(held)
        except Exception as error:  # noqa: BLE001 - raised again where `following` is left
            self.failure = error
            self.sink.lost(f"this viewer failed: {error!r}")

    def _follow(self, held: contextlib.ExitStack) -> None:
        context, desk = self.desk.context, self.desk
        stream = held.enter_context(connected(context, zmq.SUB, self.address, desk.keys))
        stream.subscribe(b"")
        door: zmq.Socket[bytes] | None = None
        poller = zmq.Poller()
        poller.register(stream, zmq.POLLIN)
        while not self.leave.is_set():
            poller.poll(_POLL_MS)
            self._take_all(stream, self._hear)
            if door is None and desk.address:
                door = held.enter_context(connected(context, zmq.DEALER, desk.address, desk.keys))
                door.linger = _POLL_MS
                held.callback(send, door, Envelope("bye"), wait=False)
                poller.register(door, zmq.POLLIN)
            self._fill_in(door)
            if self._over():
                break

    def _fill_in(self, door: "zmq.Socket[bytes] | None") -> None:
        """Get what is missing, or go on without where there is nobody to ask."""
        if door is not None:
            self._take_all(door, self._answered)
            self._ask(door)
        elif self._run:  # it has told all its doors
            self._charts.torn = False  # there will be none
            for kind in ("history", "events"):
                self._refused(kind, "the run's desk cannot be reached from here")

    def _take_all(self, socket: "zmq.Socket[bytes]", take: Callable[[Envelope], None]) -> None:
        for _ in range(_AT_ONCE):
            if not socket.poll(0):
                return
            with contextlib.suppress(MalformedError):  # of another version: it says nothing to us
                take(receive(socket))

    def _hear(self, message: Envelope) -> None:
        """Something that the run says to everybody."""
        self._heard_s, self._silent = time.monotonic(), False
        if message.kind == "localizations":
            self._hand_on(self._spans.heard(viewing.read_span(message)))
        elif message.kind == "event":
            self._tell(self._events.heard(viewing.read_event(message)))
        elif message.kind == "frame":
            self.sink.frame(viewing.read_frame(message))
        elif message.kind == "drift":
            self.sink.drift(viewing.read_drift(message))
        elif message.kind == "state":
            self._hear_state(message.values)

    def _hear_state(self, values: Mapping[str, Any]) -> None:
        run, desk = values.get("id"), viewing.text(values.get("desk") or "")
        published, events = viewing.whole(values, "published"), viewing.whole(values, "events")
        if not isinstance(run, str):
            raise MalformedError("the state does not say of which run it is")
        if self._run not in {"", run}:
            self._finished = self._finished or "another run has begun at its address"
            return
        self._run = run
        if not self.desk.address:
            self.desk.learn(self.address, desk)
        self._spans.knows(published)
        self._events.knows(events)
        self._charts.heard(values.get("series"))
        self.desk.layers.heard(values.get("layers"))
        self._state = values
        self._tell_state()
        ended = values.get("finished")
        self.desk.layers.ended = isinstance(ended, Mapping)
        if isinstance(ended, Mapping):
            self._finished = (
                f"{viewing.text(ended.get('finish'))}: {viewing.text(ended.get('reason'))}"
            )

    def _tell_state(self) -> None:
        self.sink.state({**self._state, "series": self._charts.columns})

    def _hand_on(self, spans: list[Span]) -> None:
        for span in spans:
            if len(span.molecules):
                self.sink.molecules(span.molecules)

    def _tell(self, several: list[Happenings]) -> None:
        for told in several:
            for event in told.events:
                self.sink.event(event)

    def _ask(self, door: "zmq.Socket[bytes]") -> None:
        """Ask the desk for what is missing, one thing of a kind at a time."""
        wanted: dict[str, dict[str, int | str]] = {}
        if (span := self._spans.missing()) is not None:
            wanted["history"] = {"first": span[0], "stop": span[1]}
        if (events := self._events.missing()) is not None:
            wanted["events"] = {"first": events[0]}
        if self._charts.torn:
            wanted["series"] = {}
        if (layer := self.desk.layers.missing()) is not None:
            wanted["layer"] = {"name": layer}
            if "layer" not in self._asked:
                self._layer = layer
        now = time.monotonic()
        if now - self._sign_s > _SIGN_S:
            self._sign_s = now
            send(door, Envelope("here"), wait=False)
        for kind, values in wanted.items():
            if now - self._asked.get(kind, (0, -_PATIENCE_S))[1] < _PATIENCE_S:
                continue
            self._asks += 1
            self._asked[kind] = self._asks, now
            send(door, Envelope(kind, {**values, "ask": self._asks}), wait=False)

    def _answered(self, message: Envelope) -> None:
        """Something that the desk says to us."""
        self._heard_s = time.monotonic()
        kind = message.kind if message.kind != "refused" else str(message.values.get("kind"))
        if self._asked.get(kind, (None, 0))[0] != message.values.get("ask"):
            return  # it was asked again meanwhile
        del self._asked[kind]
        if message.kind == "refused":
            self._refused(kind, viewing.text(message.values.get("why")))
        elif kind == "history":
            before = self._spans.have
            self._hand_on(self._spans.fetched(viewing.read_span(message, "history")))
            if self._spans.have == before:  # not there yet: no hurry to ask again
                self._asked[kind] = 0, time.monotonic()
        elif kind == "events":
            self._tell(self._events.fetched(viewing.read_happenings(message)))
        elif kind == "series":
            self._charts.fetched(message.values)
            self._tell_state()
        elif kind == "layer":
            name, shown = read_layer(message)
            self.desk.layers.fetched(name, shown.version)
            self.sink.layer(name, shown.picture)

    def _refused(self, kind: str, why: str) -> None:
        """Go on without it."""
        if kind == "history" and (span := self._spans.missing()) is not None:
            lacking = f"frames {span[0]} to {span[1] - 1}: {why}"
            self.sink.event(Event("history missing", lacking))
            self._hand_on(self._spans.forgo(span[1]))
        elif kind == "events" and (events := self._events.missing()) is not None:
            self._tell(self._events.forgo(events[1]))
        elif kind == "layer":
            self.desk.layers.forgo(self._layer)

    def _over(self) -> bool:
        """Whether nothing more will come; says so, and says when the run falls silent."""
        quiet_s = time.monotonic() - self._heard_s
        if self._finished:
            drawn = self.desk.layers.lacking
            lacking = self._spans.missing() or self._events.missing() or self._charts.torn or drawn
            complete = not lacking
            if complete or quiet_s > _PATIENCE_S:
                self.sink.lost(self._finished if complete else self._incomplete())
                return True
        elif quiet_s > SILENCE_S and not self._silent:
            self._silent = True
            self.sink.lost(f"{self.address} has been silent for {SILENCE_S:g} s")
        return False

    def _incomplete(self) -> str:
        first, stop = self._spans.missing() or (0, 0)
        lacking = f"; frames {first} to {stop - 1} did not come, they are in its folder"
        return self._finished + (lacking if stop > first else "")
