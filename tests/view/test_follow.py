"""A viewer has everything once and in order, whenever it came and whatever it missed.

The run's own stream, desk and log on real sockets; what a slow viewer's queue would
drop is left unsaid on purpose.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from live_smlm.core import (
    F32,
    DriftCurve,
    Localizations,
    Reconstruction,
    concatenate,
    from_columns,
)
from live_smlm.metrics import series
from live_smlm.pipeline.chronicle import Chronicle
from live_smlm.pipeline.desk import Desk, Files, Hand
from live_smlm.pipeline.outcomes import Event, Localized
from live_smlm.pipeline.publisher import Publisher
from live_smlm.store import log_pages
from live_smlm.store.log import LocalizationLog, read_log
from live_smlm.transport.endpoints import bound
from live_smlm.transport.viewing import LiveFrame
from live_smlm.view import follow, follow_desk
from live_smlm.view.follow import following

TOKEN = "secret"  # noqa: S105 - of a test
CHUNK = 4


@dataclass
class Ear:
    """A sink that remembers."""

    parts: list[Localizations] = field(default_factory=list)
    states: list[Mapping[str, Any]] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    frames: list[LiveFrame] = field(default_factory=list)
    layers: list[tuple[str, Reconstruction]] = field(default_factory=list)
    curves: list[DriftCurve] = field(default_factory=list)
    why: list[str] = field(default_factory=list)
    slow: Callable[[], None] = lambda: None

    def molecules(self, molecules: Localizations) -> None:
        self.slow()
        self.parts.append(molecules)

    def state(self, values: Mapping[str, Any]) -> None:
        self.states.append(values)

    def event(self, event: Event) -> None:
        self.events.append((event.what, event.detail))
        self.times_s.append(event.at_s)

    def frame(self, frame: LiveFrame) -> None:
        self.frames.append(frame)

    def drift(self, curve: DriftCurve) -> None:
        self.curves.append(curve)

    def layer(self, name: str, picture: Reconstruction) -> None:
        self.layers.append((name, picture))

    def lost(self, why: str) -> None:
        self.why.append(why)

    @property
    def found(self) -> Localizations:
        return concatenate(self.parts)


@dataclass
class Stage:
    """What a run shows its viewers; `unheard` says things that nobody gets."""

    log: LocalizationLog
    publisher: Publisher
    desk: Desk
    address: str
    nowhere: "zmq.Socket[bytes]"
    charts: series.Series
    state: dict[str, Any] = field(default_factory=dict)
    orders: list[tuple[str, str]] = field(default_factory=list)
    chunks: int = 0

    def told(self) -> dict[str, Any]:
        return {**self.state, "series": series.newest(self.charts, 3)}

    def go_on(self, chunks: int = 1) -> None:
        for _ in range(chunks):
            first = CHUNK * self.chunks
            found = molecules(first, 1 + self.chunks % 3)
            index = np.arange(first, first + CHUNK)
            self.log.append(first, CHUNK, index, found)
            chunk = Localized(
                first=first,
                count=CHUNK,
                index=index,
                molecules=found,
                latency_s=np.zeros(CHUNK),
                answered_s=0.0,
                fallback=False,
            )
            item = series.part(first, CHUNK, found, chunk.latency_s)
            self.charts = series.fold(self.charts, item)
            self.publisher.frames(chunk)
            self.chunks += 1
        self.publisher.finish()

    def tell(self, what: str) -> None:
        number = self.publisher.chronicle.count
        self.publisher.event(Event(what, str(number), 1e9 + number))

    @contextlib.contextmanager
    def unheard(self) -> Iterator[None]:
        stream, self.publisher.socket = self.publisher.socket, self.nowhere
        yield
        self.publisher.socket = stream

    def end(self) -> None:
        self.state["finished"] = {"finish": "completed", "reason": "enough"}
        self.publisher.finish()


def molecules(frame: int, count: int) -> Localizations:
    x: F32 = np.arange(count, dtype=np.float32)
    return from_columns({"frame": np.full(count, frame), "x": x, "y": x + frame})


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(log_pages, "MOST_MOLECULES", 20)
    here: list[Stage] = []
    chronicle = Chronicle()

    def state() -> dict[str, Any]:
        return here[0].told()

    def stop(reason: str) -> None:
        here[0].orders.append(("stop", reason))

    def abort(reason: str) -> None:
        here[0].orders.append(("abort", reason))

    with (
        zmq.Context() as context,
        LocalizationLog(tmp_path, sync_s=None) as log,
        bound(context, zmq.PUB, "tcp://127.0.0.1:*") as stream,
        bound(context, zmq.PUB, "inproc://nowhere") as nowhere,
        bound(context, zmq.ROUTER, "tcp://127.0.0.1:*") as door,
    ):
        publisher = Publisher(stream, state, chronicle)
        files = Files(
            archive=log, chronicle=chronicle, series=lambda: series.newest(here[0].charts)
        )
        commands = {"stop": stop, "abort": abort}
        hand = Hand(token=TOKEN, commands=commands, tell=lambda *_: None)
        desk = Desk(door, files, hand)
        charts = series.start(1.0, 1 / CHUNK)
        here.append(Stage(log, publisher, desk, _at(stream), nowhere, charts))
        here[0].state = {"id": "one", "desk": _at(door), "finished": None}
        with desk.open():
            yield here[0]


def _at(socket: "zmq.Socket[bytes]") -> str:
    return str(socket.getsockopt_string(zmq.LAST_ENDPOINT))


def until(condition: Callable[[], Any], meanwhile: Callable[[], Any] = lambda: None) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        meanwhile()
        time.sleep(0.02)


@contextlib.contextmanager
def joined(stage: Stage, ear: Ear, token: str = "") -> Iterator[follow_desk.Desk]:
    """Following, from when the first state has come."""
    with following(stage.address, ear, token=token) as desk:
        until(lambda: ear.states, stage.publisher.finish)
        yield desk


def assert_complete(ear: Ear, folder: Path) -> None:
    expected = read_log(folder).molecules
    for name, column in expected.columns().items():
        np.testing.assert_array_equal(ear.found.columns()[name], column, err_msg=name)


def test_a_viewer_from_the_first_frame_on_has_all(stage: Stage, tmp_path: Path) -> None:
    ear = Ear()
    with joined(stage, ear):
        for _ in range(10):
            stage.go_on()
        stage.tell("hello")
        stage.end()
        until(lambda: ear.why)
    assert_complete(ear, tmp_path)
    assert ear.events == [("hello", "0")]
    assert ear.states[-1]["finished"]["finish"] == "completed"
    assert ear.states[-1]["series"] == series.newest(stage.charts)["points"]
    assert ear.why == ["completed: enough"]


def test_who_comes_late_has_all(stage: Stage, tmp_path: Path) -> None:
    stage.go_on(40)
    stage.tell("early")
    ear = Ear()
    with joined(stage, ear):
        stage.go_on(3)
        stage.tell("late")
        stage.end()
        until(lambda: ear.why)
    assert_complete(ear, tmp_path)
    assert ear.events == [("early", "0"), ("late", "1")]
    assert ear.times_s == [1e9, 1e9 + 1]  # when it happened, not when it was heard
    assert ear.states[-1]["series"] == series.newest(stage.charts)["points"]


def test_who_comes_when_nothing_happens_any_more_has_all(stage: Stage, tmp_path: Path) -> None:
    stage.go_on(40)
    stage.tell("early")
    ear = Ear()
    with joined(stage, ear):
        until(lambda: len(ear.parts) and len(ear.found) == stage.log.molecules and ear.events)
    assert_complete(ear, tmp_path)
    assert ear.why == []


def test_what_was_dropped_for_a_slow_viewer_is_fetched(stage: Stage, tmp_path: Path) -> None:
    ear = Ear()
    with joined(stage, ear):
        for turn in range(20):
            stage.go_on(2)
            stage.tell("heard")
            if turn % 3:
                with stage.unheard():
                    stage.go_on(turn)
                    stage.tell("unheard")
        stage.end()
        until(lambda: ear.why)
    assert_complete(ear, tmp_path)
    assert [detail for _, detail in ear.events] == [str(n) for n in range(33)]
    assert ear.why == ["completed: enough"]


def test_a_sink_that_is_slow_has_all_in_the_end(stage: Stage, tmp_path: Path) -> None:
    ear = Ear(slow=lambda: time.sleep(0.01))
    stage.go_on(30)
    with joined(stage, ear):
        for _ in range(30):
            stage.go_on(2)
        stage.end()
        until(lambda: ear.why)
    assert_complete(ear, tmp_path)


def test_frames_are_handed_on(stage: Stage) -> None:
    ear = Ear()
    stage.publisher.look = lambda chunk: LiveFrame(
        number=chunk.first,
        pixels=np.full((3, 4), 7, np.uint16),
        binning=2,
        pixel_size_nm=200.0,
        molecules=chunk.molecules,
    )
    with joined(stage, ear):
        stage.go_on(2)
        until(lambda: len(ear.frames) == 2)
    assert [frame.number for frame in ear.frames] == [0, 4]
    assert ear.frames[1].pixels.tolist() == [[7] * 4] * 3
    assert len(ear.frames[1].molecules) == 2


def test_commands_reach_the_run_and_their_answers_come_back(stage: Stage) -> None:
    with joined(stage, Ear(), TOKEN) as desk:
        assert desk.in_control
        assert desk.stop("enough") is None
        assert desk.abort("at once") is None
    assert stage.orders == [("stop", "enough"), ("abort", "at once")]
    with joined(stage, Ear(), "guessed") as desk:
        assert desk.stop("mine") == "the token is not this run's; it stands in the run's folder"
    assert len(stage.orders) == 2


def test_a_command_before_the_first_word_says_what_to_wait_for() -> None:
    with following("tcp://127.0.0.1:9", Ear(), token=TOKEN) as desk:
        assert "wait for its first word" in (desk.stop("") or "")


def test_a_desk_that_does_not_answer_is_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow_desk, "PATIENCE_MS", 100)
    with joined(stage, Ear(), TOKEN) as desk:
        desk.address = "tcp://127.0.0.1:9"
        assert desk.stop("") == "the run did not answer within 0.1 s"


def test_silence_is_told_once_and_words_after_it_are_heard(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(follow, "SILENCE_S", 0.3)
    ear = Ear()
    with joined(stage, ear):
        stage.go_on()
        until(lambda: ear.why)
        time.sleep(0.5)
        assert ear.why == [f"{stage.address} has been silent for 0.3 s"]
        stage.go_on()
        until(lambda: len(ear.parts) == 2)
    assert_complete(ear, tmp_path)


def test_an_address_where_nobody_speaks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "SILENCE_S", 0.2)
    ear = Ear()
    with following("tcp://127.0.0.1:9", ear):
        until(lambda: ear.why)
    assert ear.why == ["tcp://127.0.0.1:9 has been silent for 0.2 s"]


def test_another_run_at_the_same_address_is_not_mixed_in(stage: Stage) -> None:
    ear = Ear()
    with joined(stage, ear):
        stage.go_on()
        until(lambda: ear.parts)
        stage.state["id"] = "two"
        stage.publisher.finish()
        until(lambda: ear.why)
    assert ear.why == ["another run has begun at its address"]
    assert all(state["id"] == "one" for state in ear.states)


def test_without_a_desk_a_viewer_has_what_comes(stage: Stage) -> None:
    stage.state["desk"] = "tcp://nowhere without a port"
    stage.go_on(5)
    ear = Ear()
    with joined(stage, ear):
        until(lambda: ear.events)
        stage.go_on(2)
        until(lambda: len(ear.parts))
    assert ear.found.frame.min() == 20
    assert ear.events == [
        ("history missing", "frames 0 to 19: the run's desk cannot be reached from here")
    ]


def test_a_run_that_keeps_no_log_is_followed_from_now_on(stage: Stage) -> None:
    files = stage.desk.files
    stage.desk.files = Files(archive=None, chronicle=files.chronicle, series=files.series)
    stage.go_on(5)
    ear = Ear()
    with joined(stage, ear):
        until(lambda: ear.events)
        stage.go_on(2)
        until(lambda: len(ear.parts))
    assert ear.found.frame.min() == 20
    assert ear.events == [("history missing", "frames 0 to 19: this run keeps no log")]


def test_what_a_sink_raises_is_raised_where_the_following_ends(stage: Stage) -> None:
    def fail() -> None:
        raise RuntimeError("no screen")

    ear = Ear(slow=fail)

    def watch() -> None:
        with joined(stage, ear):
            stage.go_on()
            until(lambda: ear.why)

    with pytest.raises(RuntimeError, match="no screen"):
        watch()
    assert ear.why == ["this viewer failed: RuntimeError('no screen')"]


def test_nonsense_on_the_stream_is_passed_over(stage: Stage) -> None:
    ear = Ear()
    with joined(stage, ear):
        for parts in ([b""], [b"{}"], [b'{"live-smlm":1,"kind":"state","values":{},"arrays":[]}']):
            stage.publisher.socket.send_multipart(parts)
        stage.go_on()
        until(lambda: ear.parts)
    assert all(state["id"] == "one" for state in ear.states)
    assert ear.why == []


@pytest.mark.parametrize(
    ("stream", "desk", "seen"),
    [
        ("tcp://127.0.0.1:1", "tcp://127.0.0.1:2", "tcp://127.0.0.1:2"),
        ("tcp://scope:1", "tcp://0.0.0.0:2", "tcp://scope:2"),
        ("tcp://[fe80::1]:1", "tcp://[::]:2", "tcp://[fe80::1]:2"),
        ("tcp://scope:1", "tcp://10.0.0.5:2", "tcp://10.0.0.5:2"),
        ("tcp://scope:1", "tcp://127.0.0.1:2", None),  # another machine's loopback
        ("tcp://scope:1", "", None),
    ],
)
def test_the_desk_is_where_the_stream_is(stream: str, desk: str, seen: str | None) -> None:
    assert follow_desk.seen_from(stream, desk) == seen
