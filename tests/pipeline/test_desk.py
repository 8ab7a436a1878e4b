"""The desk answers who may ask, obeys who has the token, and is harmed by nobody."""

import contextlib
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import zmq

from live_smlm.core import from_columns
from live_smlm.pipeline import desk as desk_room
from live_smlm.pipeline.chronicle import Chronicle
from live_smlm.pipeline.desk import LARGEST_REQUEST, WAITING_ANSWERS, Desk, Files, Hand
from live_smlm.store.log import LocalizationLog
from live_smlm.transport.codec import Envelope, pack
from live_smlm.transport.endpoints import bound, connected, receive, send
from live_smlm.transport.viewing import (
    Command,
    Event,
    command_message,
    read_happenings,
    read_span,
)

TOKEN = "the run's own"  # noqa: S105 - of a test
PATIENCE_MS = 5000


@dataclass
class Place:
    """A desk, what it has been told to do, and a door to it."""

    context: "zmq.Context[zmq.Socket[bytes]]"
    address: str
    desk: Desk
    orders: list[tuple[str, str]] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)

    def stop(self, reason: str) -> None:
        self.orders.append(("stop", reason))

    def abort(self, reason: str) -> None:
        self.orders.append(("abort", reason))

    def tell(self, what: str, detail: str) -> None:
        self.told.append((what, detail))

    @contextlib.contextmanager
    def door(self) -> Iterator["zmq.Socket[bytes]"]:
        with connected(self.context, zmq.DEALER, self.address) as door:
            yield door

    def ask(self, message: Envelope) -> Envelope | None:
        with self.door() as door:
            return asked(door, message)


def asked(door: "zmq.Socket[bytes]", message: Envelope) -> Envelope | None:
    send(door, message)
    return receive(door) if door.poll(PATIENCE_MS) else None


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Place]:
    """A desk that nobody serves yet."""
    chronicle = Chronicle()
    chronicle.add(Event("started", "a test", 12.5))
    limits = {"largest": LARGEST_REQUEST, "queue": WAITING_ANSWERS}
    with (
        zmq.Context() as context,
        LocalizationLog(tmp_path, sync_s=None) as log,
        bound(context, zmq.ROUTER, "tcp://127.0.0.1:*", None, **limits) as socket,
    ):
        for first in range(0, 40, 4):
            columns = {name: np.arange(first, first + 4) for name in ("frame", "x", "y")}
            log.append(first, 4, np.arange(first, first + 4), from_columns(columns))
        files = Files(archive=log, chronicle=chronicle, series=lambda: {"points": {}, "merges": 0})
        address = str(socket.getsockopt_string(zmq.LAST_ENDPOINT))
        here = Place(context, address, None)  # type: ignore[arg-type] # made of it, in the next line
        commands = {"stop": here.stop, "abort": here.abort}
        here.desk = Desk(socket, files, Hand(token=TOKEN, commands=commands, tell=here.tell))
        yield here


@pytest.fixture
def place(closed: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """An open desk, that forgets who leaves without a word."""
    monkeypatch.setattr(desk_room, "PRESENT_S", 0.05)
    with closed.desk.open():
        yield closed


def command(what: str, token: str = TOKEN) -> Envelope:
    return command_message(Command(what=what, reason="enough", who="me@here", token=token), ask=7)


def test_history_events_and_charts_are_answered(place: Place) -> None:
    answer = place.ask(Envelope("history", {"first": 8, "stop": 24, "ask": 3}))
    assert answer is not None
    page = read_span(answer, "history")
    assert (page.first, page.stop, answer.values["ask"]) == (8, 24, 3)
    assert page.molecules.frame.tolist() == list(range(8, 24))
    answer = place.ask(Envelope("events", {"first": 0}))
    assert answer is not None
    assert read_happenings(answer).events == (Event("started", "a test", 12.5),)
    answer = place.ask(Envelope("series"))
    assert answer is not None
    assert answer.values["points"] == {}


def test_commands_are_obeyed_with_the_token_and_all_are_told(place: Place) -> None:
    answer = place.ask(command("stop"))
    assert answer is not None
    assert (answer.kind, answer.values["ask"]) == ("accepted", 7)
    assert place.orders == [("stop", "enough")]
    assert place.told == [("stop asked", "by me@here at 127.0.0.1: enough")]
    answer = place.ask(command("abort"))
    assert answer is not None
    assert place.orders[1:] == [("abort", "enough")]


@pytest.mark.parametrize("token", ["", "guessed", "the run's owN", "тайна", "\ud800"])
def test_without_the_token_nothing_is_obeyed(place: Place, token: str) -> None:
    answer = place.ask(command("stop", token))
    assert answer is not None
    assert answer.kind == "refused"
    assert "the token is not this run's" in answer.values["why"]
    assert place.orders == []
    assert place.told[0][0] == "command refused"


def test_refusals_do_not_fill_the_record(place: Place) -> None:
    with place.door() as door:
        for _ in range(60):
            assert asked(door, command("stop", "guess")) is not None
    assert len(place.told) == 20


def test_what_is_no_command_is_refused(place: Place) -> None:
    answer = place.ask(command("format the disk"))
    assert answer is not None
    assert (answer.kind, answer.values["why"]) == (
        "refused",
        "command 'format the disk' is unknown; say one of stop, abort",
    )
    assert place.told[0][0] == "command refused"


def test_a_run_without_a_log_says_so(place: Place) -> None:
    place.desk.files = Files(archive=None, chronicle=Chronicle(), series=dict)
    answer = place.ask(Envelope("history", {"first": 0, "stop": 4}))
    assert answer is not None
    assert (answer.kind, answer.values["why"]) == ("refused", "this run keeps no log")


def test_a_log_that_cannot_be_read_ends_nothing(place: Place, tmp_path: Path) -> None:
    for path in tmp_path.glob("*.arrows"):
        path.unlink()
    answer = place.ask(Envelope("history", {"first": 0, "stop": 40}))
    assert answer is not None
    assert "cannot be read" in answer.values["why"]
    assert place.ask(Envelope("events", {"first": 0})) is not None


def _nonsense(rng: random.Random) -> list[bytes]:
    good: list[Envelope] = [
        Envelope("history", {"first": 0, "stop": 2**80}),
        Envelope("history", {"first": -1, "stop": "many"}),
        Envelope("events", {"first": None}),
        Envelope("control", {"what": ["stop"], "token": {"a": 1}}),
        Envelope("here", {}, {"x": np.zeros(40)}),
        Envelope("knock", {"ask": [1]}),
    ]
    parts = [bytearray(part) for part in pack(rng.choice(good))]
    part = rng.choice(parts)
    if rng.random() < 0.5 and part:
        part[rng.randrange(len(part))] = rng.randrange(256)
    elif rng.random() < 0.3:
        parts = [bytearray(rng.randbytes(rng.randrange(60))) for _ in range(rng.randrange(1, 5))]
    return [bytes(part) for part in parts]


def test_nonsense_gets_nothing_and_harms_nobody(place: Place) -> None:
    rng = random.Random(4)
    with place.door() as stranger:
        for _ in range(10_000):
            stranger.send_multipart(_nonsense(rng))
        assert place.ask(Envelope("history", {"first": 0, "stop": 40})) is not None
    assert place.orders == []


def test_a_deeply_nested_request_gets_nothing(place: Place) -> None:
    with place.door() as stranger:
        deep = b'{"live-smlm":1,"kind":"events","values":' + b"[" * 7000 + b"]" * 7000 + b"}"
        stranger.send_multipart([deep])
        assert not stranger.poll(200)
    assert place.ask(Envelope("series")) is not None


def test_who_sends_too_much_is_cut_off(place: Place) -> None:
    with place.door() as stranger:
        send(stranger, Envelope("here", {}, {"x": np.zeros(LARGEST_REQUEST)}))
        assert not stranger.poll(200)
    assert place.ask(Envelope("series")) is not None


def test_who_takes_no_answers_keeps_nobody_waiting(place: Place) -> None:
    with place.door() as greedy:
        for _ in range(500):
            send(greedy, Envelope("history", {"first": 0, "stop": 40}))
        assert place.ask(Envelope("series")) is not None


def test_the_desk_stays_open_for_a_viewer_that_lacks_something(closed: Place) -> None:
    with closed.door() as viewer:

        def fetch_the_rest() -> None:
            time.sleep(0.5)
            last.append(asked(viewer, Envelope("history", {"first": 0, "stop": 40})))
            last.append(asked(viewer, command("stop")))
            send(viewer, Envelope("bye"))

        last: list[Envelope | None] = []
        late = threading.Thread(target=fetch_the_rest)
        with closed.desk.open():
            assert asked(viewer, Envelope("series")) is not None
            assert closed.desk.viewers == 1
            late.start()
        assert closed.desk.viewers == 0
        late.join()
    page, stop = last
    assert page is not None
    assert len(read_span(page, "history").molecules) == 40
    assert stop is not None
    assert stop.values["why"] == "the run has ended"


def test_a_viewer_that_has_died_is_not_waited_for_long(
    closed: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_room, "PRESENT_S", 0.3)
    monkeypatch.setattr(desk_room, "FAREWELL_S", 1000.0)
    with closed.door() as viewer, closed.desk.open():
        assert asked(viewer, Envelope("series")) is not None
    assert closed.desk.viewers == 0


def test_a_run_that_failed_waits_for_nobody(closed: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_room, "PRESENT_S", 1000.0)

    def fail_with(viewer: "zmq.Socket[bytes]") -> None:
        with closed.desk.open():
            assert asked(viewer, Envelope("series")) is not None
            raise RuntimeError("a fault of ours")

    with closed.door() as viewer, pytest.raises(RuntimeError, match="a fault of ours"):
        fail_with(viewer)
