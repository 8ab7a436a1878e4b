"""The desk: where viewers fetch what they missed, and where a run is told to stop.

A thread of its own with one ROUTER socket. The run comes first: molecules are read
from the disk, and after each page the desk rests as long as it has worked. Few
answers wait for a peer that does not take them; what is no request gets nothing.
Anybody who may watch may read; commands need the run's token, and each is told.
"""

import contextlib
import hmac
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import zmq

from live_smlm.core import InputError
from live_smlm.pipeline.chronicle import Chronicle
from live_smlm.transport import viewing
from live_smlm.transport.codec import Envelope, MalformedError, unpack
from live_smlm.transport.endpoints import send
from live_smlm.transport.pictures import Shown, layer_message
from live_smlm.transport.viewing import Span

LARGEST_REQUEST = 1 << 14
"""Bytes of a part; a peer that sends more is cut off."""
WAITING_ANSWERS = 4
"""For one peer; what it does not take is dropped for it."""
FAREWELL_S = 10.0
"""At the end of a run, for viewers that still fetch what they lack."""
PRESENT_S = 1.5
"""Who has said nothing for so long has gone."""
_POLL_MS = 20
_AT_ONCE = 100
_MOST_PEERS = 1000
_MOST_REFUSALS = 20
"""Commands that were refused, of which a record is kept."""
_REFUSED = "the token is not this run's; it stands in the run's folder"


class Archive(Protocol):
    """What is kept of a run's molecules."""

    def page(self, first: int, stop: int) -> Span:
        """Molecules of the frames from `first` on, at most to before `stop`; from any thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What the desk answers from."""

    archive: Archive | None
    chronicle: Chronicle
    series: Callable[[], dict[str, Any]]
    """All points of the charts."""
    layer: Callable[[str], Shown | None] = lambda _: None
    """A picture of an engine by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """What commands act on."""

    token: str = field(repr=False)
    commands: Mapping[str, Callable[[str], None]]
    """By name; each is given the reason, or the order in words, and may refuse it (InputError)."""
    tell: Callable[[str, str], None]
    """An event, to everybody who watches."""


@dataclass(slots=True)
class Desk:
    """State of the desk's thread; others read `viewers`."""

    socket: "zmq.Socket[bytes]"
    files: Files
    hand: Hand
    _closed: threading.Event = field(default_factory=threading.Event)
    _until_s: float = 0.0
    _present: dict[bytes, float] = field(default_factory=dict)
    """When each viewer last said that it is there."""
    _refusals: int = 0

    @property
    def viewers(self) -> int:
        """Who is there at the moment."""
        recent = time.monotonic() - PRESENT_S
        return sum(heard > recent for heard in list(self._present.values()))

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Serve meanwhile; on a good end, until the viewers have all they lack."""
        thread = threading.Thread(target=self._run, name="desk")
        thread.start()
        try:
            yield
            self._until_s = time.monotonic() + FAREWELL_S
        finally:
            self._closed.set()
            thread.join()

    def _run(self) -> None:
        while not self._over():
            if not self.socket.poll(_POLL_MS):
                continue
            for _ in range(_AT_ONCE):
                if not self.socket.poll(0):
                    break
                self._take()

    def _over(self) -> bool:
        return self._closed.is_set() and not (self.viewers and time.monotonic() < self._until_s)

    def _take(self) -> None:
        sender, *parts = self.socket.recv_multipart(copy=False)
        try:
            message = unpack([part.buffer for part in parts])
            answer = self._answer(sender.bytes, message, parts[0])
        except (MalformedError, RecursionError):
            return  # whoever sent it gets nothing
        if answer is not None:
            ask = message.values.get("ask")
            number = ask if isinstance(ask, int) else 0
            reply = Envelope(answer.kind, {**answer.values, "ask": number}, answer.arrays)
            send(self.socket, reply, [sender.bytes], wait=False)

    def _answer(self, peer: bytes, message: Envelope, frame: zmq.Frame) -> Envelope | None:
        kind, values = message.kind, message.values
        if kind == "bye":
            self._present.pop(peer, None)
            return None
        if kind == "control":
            return self._control(viewing.read_command(message), _origin(frame))
        if kind not in {"here", "history", "events", "series", "layer"}:
            raise MalformedError(f"request {kind[:40]!r} is unknown")
        self._greet(peer)
        if kind == "history":
            return self._history(viewing.whole(values, "first"), viewing.whole(values, "stop"))
        if kind == "events":
            told = self.files.chronicle.since(viewing.whole(values, "first"))
            return viewing.happenings_message(told)
        if kind == "layer":
            return self._layer(viewing.text(values.get("name")))
        return Envelope("series", self.files.series()) if kind == "series" else None

    def _greet(self, peer: bytes) -> None:
        if peer not in self._present and len(self._present) >= _MOST_PEERS:
            oldest = min(self._present, key=lambda name: self._present[name])
            del self._present[oldest]
        self._present[peer] = time.monotonic()

    def _history(self, first: int, stop: int) -> Envelope:
        """A page; then a rest, for the run's sake."""
        started = time.thread_time()
        try:
            if self.files.archive is None:
                return _refused("history", "this run keeps no log")
            return viewing.span_message(self.files.archive.page(first, stop), "history")
        except Exception as error:  # noqa: BLE001 - told to whoever asked; the run goes on
            return _refused("history", f"the log cannot be read: {error}")
        finally:
            time.sleep(time.thread_time() - started)

    def _layer(self, name: str) -> Envelope:
        """A picture; then a rest, as after a page."""
        started = time.thread_time()
        shown = self.files.layer(name)
        if shown is None:
            return _refused("layer", f"this run has no picture {name!r}")
        answer = layer_message(name, shown)
        time.sleep(time.thread_time() - started)
        return answer

    def _control(self, command: viewing.Command, origin: str) -> Envelope:
        said = f"by {command.who or 'somebody'}{origin}: {command.reason or 'no reason given'}"
        if not hmac.compare_digest(command.token.encode(), self.hand.token.encode()):
            why = _REFUSED
        elif self._closed.is_set():
            why = "the run has ended"
        elif command.what not in self.hand.commands:
            known = ", ".join(self.hand.commands)
            why = f"command {command.what[:40]!r} is unknown; say one of {known}"
        else:  # told first: it may be the last that is
            self.hand.tell(f"{command.what} asked", said)
            try:
                self.hand.commands[command.what](command.reason or "asked by a viewer")
            except InputError as error:
                return _refused("control", str(error))
            return Envelope("accepted")
        self._refusals += 1
        if self._refusals <= _MOST_REFUSALS:
            self.hand.tell("command refused", f"{command.what[:40]} {said}; {why}")
        return _refused("control", why)


def _refused(kind: str, why: str) -> Envelope:
    return Envelope("refused", {"kind": kind, "why": why})


def _origin(frame: zmq.Frame) -> str:
    """Where a message came from, as far as the socket knows."""
    with contextlib.suppress(zmq.ZMQError):
        return f" at {frame.get('Peer-Address')}"
    return ""
