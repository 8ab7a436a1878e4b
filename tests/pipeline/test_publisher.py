"""What the stream says, what is remembered for who comes late, and how frames are looked at."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import zmq

from live_smlm.core import STILL, DriftCurve, Localizations, drift_curve, from_columns
from live_smlm.pipeline import chronicle, glimpse
from live_smlm.pipeline.chronicle import Chronicle
from live_smlm.pipeline.dispatcher import Dispatcher, Plan
from live_smlm.pipeline.glimpse import Glimpse, binned, binning_for
from live_smlm.pipeline.outcomes import Event, Localized
from live_smlm.pipeline.publisher import Publisher, joined
from live_smlm.transport import ring as ring_memory
from live_smlm.transport.codec import Envelope, pack, unpack
from live_smlm.transport.endpoints import bound, connected, receive
from live_smlm.transport.viewing import Span, frame_message, read_drift, read_frame, read_span


def molecules(frames: list[int], **more: float) -> Localizations:
    zeros = np.zeros(len(frames))
    columns = {"frame": np.array(frames), "x": zeros, "y": zeros}
    return from_columns({**columns, **{n: np.full(len(frames), v) for n, v in more.items()}})


def localized(first: int, count: int, found: Localizations) -> Localized:
    return Localized(
        first=first,
        count=count,
        index=np.arange(first, first + count) + 1000,  # the camera's own numbers
        molecules=found,
        latency_s=np.zeros(count),
        answered_s=0.0,
        fallback=False,
    )


def span(first: int, stop: int, found: Localizations) -> Span:
    return Span(first=first, stop=stop, molecules=found)


def test_spans_join_without_a_hole_where_columns_are_alike() -> None:
    plain, bright, none = molecules([1]), molecules([2, 3], photons=9.0), molecules([])
    parts = [none, plain, none, plain, bright, none, bright, plain]
    spans = joined([span(4 * n, 4 * n + 4, part) for n, part in enumerate(parts)])
    assert [(s.first, s.stop, len(s.molecules)) for s in spans] == [
        (0, 16, 2),
        (16, 28, 4),
        (28, 32, 1),
    ]
    assert spans[1].molecules.photons is not None
    assert joined([]) == []


def test_the_stream_numbers_frames_and_events_without_a_hole() -> None:
    heard: list[Envelope] = []
    with (
        zmq.Context() as context,
        bound(context, zmq.PUB, "inproc://stream") as out,
        connected(context, zmq.SUB, "inproc://stream") as stream,
    ):
        stream.subscribe(b"")
        publisher = Publisher(out, lambda: {"captured": 40}, Chronicle())
        publisher.tick()
        while stream.poll(200):
            heard.append(receive(stream))
        publisher.event(Event("one", "first"))
        publisher.frames(localized(0, 4, molecules([1000, 1001])))
        publisher.frames(localized(12, 4, molecules([])))  # 4 to 11 were deferred
        publisher.event(Event("two", "second"))
        publisher.finish()
        publisher.frames(localized(16, 4, molecules([1016])))
        publisher.finish()
        while stream.poll(200):
            heard.append(receive(stream))
    spans = [read_span(message) for message in heard if message.kind == "localizations"]
    assert [(s.first, s.stop, len(s.molecules)) for s in spans] == [(0, 16, 2), (16, 20, 1)]
    assert all(a.stop == b.first for a, b in pairwise(spans))
    events = [message.values for message in heard if message.kind == "event"]
    assert [(event["number"], event["what"]) for event in events] == [(0, "one"), (1, "two")]
    states = [message.values for message in heard if message.kind == "state"]
    assert [(s["published"], s["events"], s["captured"]) for s in states] == [
        (0, 0, 40),
        (16, 2, 40),
        (20, 2, 40),
    ]


def test_the_curve_of_drift_is_told_when_it_changes_and_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known: list[DriftCurve] = [STILL]
    clock = [100.0]
    monkeypatch.setattr("live_smlm.pipeline.publisher.time.monotonic", lambda: clock[0])
    heard: list[tuple[float, float]] = []
    with (
        zmq.Context() as context,
        bound(context, zmq.PUB, "inproc://stream") as out,
        connected(context, zmq.SUB, "inproc://stream") as stream,
    ):
        stream.subscribe(b"")
        publisher = Publisher(out, dict, Chronicle(), drift=lambda: known[0])
        for _ in range(20):
            clock[0] += 0.5
            publisher.tick()
            while stream.poll(5):
                if (message := receive(stream)).kind == "drift":
                    heard.append((clock[0], float(read_drift(message).x[-1])))
            if clock[0] in {101.0, 105.0, 105.5}:  # the last comes too soon after
                known[0] = drift_curve([0, 50], [0, clock[0]], [0, 1])
    assert heard == [(101.5, 101.0), (105.5, 105.0), (106.5, 105.5)]


def test_the_newest_events_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Chronicle()
    assert kept.since(0).events == ()
    for n in range(chronicle.MOST_EVENTS + 200):
        assert kept.add(Event("event", str(n), float(n))) == n
    told = kept.since(0)
    assert (told.first, told.stop) == (200, kept.count)
    assert told.events[0] == Event("event", "200", 200.0)
    assert [e.detail for e in kept.since(told.stop - 1).events] == [str(told.stop - 1)]
    assert kept.since(10**6).events == ()
    monkeypatch.setattr(chronicle, "_MOST_TEXT", 100)
    assert 1 < len(kept.since(0).events) < 20


SLOTS, SHAPE = 8, (6, 5)


@pytest.fixture
def place() -> Any:
    """A ring in which every frame's pixels are its number, and its dispatcher."""
    plan = ring_memory.plan(SHAPE, "uint16", SLOTS * 60 / 2**20)
    with ring_memory.create(plan) as ring:
        yield ring, Dispatcher(Plan(slots=plan.slots, chunk_frames=2))


def capture(place: Any, count: int) -> None:
    ring, dispatcher = place
    for _ in range(count):
        number = dispatcher.captured
        ring.write(number, np.full(SHAPE, number, np.uint16))
        dispatcher.capture(1000 + number, 0.0)


def test_the_newest_frame_of_a_chunk_is_shown_with_its_molecules(place: Any) -> None:
    ring, dispatcher = place
    capture(place, 4)
    look = Glimpse(dispatcher, ring, 100.0)
    seen = look.look(localized(0, 4, molecules([1000, 1003, 1003, 1002])))
    assert seen is not None
    assert (seen.number, seen.binning, seen.pixel_size_nm) == (1003, 1, 100.0)
    assert seen.molecules.frame.tolist() == [1003, 1003]
    assert np.all(seen.pixels == 3)
    assert look.look(localized(0, 4, molecules([]))) is None  # so soon


def test_a_frame_whose_slot_another_has_is_not_shown(place: Any) -> None:
    ring, dispatcher = place
    slots = ring.plan.slots
    capture(place, slots)
    look = Glimpse(dispatcher, ring, 100.0)
    assert look.look(localized(0, 1, molecules([]))) is None  # it may be written over right now
    look = Glimpse(dispatcher, ring, 100.0)
    seen = look.look(localized(1, 1, molecules([])))
    assert seen is not None
    assert np.all(seen.pixels == 1)


def test_a_frame_that_is_overwritten_while_it_is_copied_is_not_shown(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring, dispatcher = place
    capture(place, 2)

    def slow(frame: Any, binning: int) -> Any:
        capture(place, ring.plan.slots)
        return binned(frame, binning)

    monkeypatch.setattr(glimpse, "binned", slow)
    assert Glimpse(dispatcher, ring, 100.0).look(localized(0, 2, molecules([]))) is None


@pytest.mark.parametrize(
    ("shape", "binning"), [((64, 64), 1), ((1024, 1024), 1), ((1025, 1024), 2), ((2304, 4096), 3)]
)
def test_large_frames_are_binned(shape: tuple[int, int], binning: int) -> None:
    assert binning_for(shape) == binning


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_binned_pixel_is_the_mean_of_its_pixels(dtype: Any) -> None:
    frame = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, (7, 8)).astype(dtype)
    whole = binned(frame, 1)
    assert whole.dtype == np.uint16
    np.testing.assert_array_equal(whole, frame)
    assert not np.shares_memory(whole, frame)
    half = binned(frame, 2)
    means = frame[:6].reshape(3, 2, 4, 2).mean(axis=(1, 3))
    assert half.dtype == np.uint16
    np.testing.assert_array_equal(half, np.floor(means))


def test_a_frame_travels_with_its_molecules(place: Any) -> None:
    ring, dispatcher = place
    capture(place, 2)
    seen = Glimpse(dispatcher, ring, 65.0).look(localized(0, 2, molecules([1001], photons=4.0)))
    assert seen is not None
    back = read_frame(unpack(pack(frame_message(seen))))
    np.testing.assert_array_equal(back.pixels, seen.pixels)
    assert (back.number, back.pixel_size_nm) == (1001, 65.0)
    assert back.molecules.axis("photons").tolist() == [4.0]
