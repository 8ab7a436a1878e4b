"""A whole run, with everything real but the camera: order, accounting, endings."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from live_smlm.core import (
    I64,
    AnyArray,
    CameraModel,
    EngineContext,
    EngineSpec,
    FrameBatch,
    InputError,
    Localizations,
    StreamInfo,
    concatenate,
    from_columns,
)
from live_smlm.pipeline.dispatcher import Overload
from live_smlm.pipeline.hub import Hub
from live_smlm.pipeline.outcomes import Event, Localized
from live_smlm.session import Control, Finish, Outcome, RunPlan, Session, Topology

SHAPE = (8, 10)
CAMERA = CameraModel(shape=SHAPE, pixel_size_nm=100.0)


@dataclass
class Frames:
    """Frames whose first pixel is their number; every batch may wait."""

    count: int
    can_wait: bool = True
    batch: int = 5
    pause_s: float = 0.0
    skip: tuple[int, ...] = ()
    """Numbers that the camera loses."""
    fail_at: int | None = None
    opened: int = 0
    closed: int = 0

    @property
    def info(self) -> StreamInfo:
        return StreamInfo(name="test frames", camera=CAMERA, can_wait=self.can_wait)

    @contextmanager
    def open(self) -> Iterator[Iterator[FrameBatch]]:
        self.opened += 1
        try:
            yield self._batches()
        finally:
            self.closed += 1

    def _batches(self) -> Iterator[FrameBatch]:
        numbers = [n for n in range(self.count) if n not in self.skip]
        for at in range(0, len(numbers), self.batch):
            index = np.array(numbers[at : at + self.batch], np.int64)
            if self.fail_at is not None and index[-1] >= self.fail_at:
                raise RuntimeError("camera on fire")
            pixels = np.zeros((len(index), *SHAPE), np.uint16)
            pixels[:, 0, 0] = index
            time.sleep(self.pause_s)
            yield FrameBatch(pixels, index, np.zeros(len(index)))


@dataclass
class Echo:
    """One molecule per frame, at x = what the frame's first pixel says; fails as told."""

    halo: tuple[int, int] = (0, 0)
    delay_s: float = 0.0
    fails: tuple[int, ...] = ()
    refuses: str | None = None
    cannot_open: str | None = None
    extra: AnyArray | None = None
    name: str = "echo"

    @property
    def spec(self) -> EngineSpec:
        return EngineSpec(
            name=self.name, consumes=FrameBatch, produces=Localizations, halo=self.halo
        )

    def unsupported(self, context: EngineContext) -> str | None:
        del context
        return self.refuses

    @contextmanager
    def open(self, context: EngineContext) -> Iterator[Callable[[FrameBatch], Localizations]]:
        del context
        if self.cannot_open is not None:
            raise RuntimeError(self.cannot_open)

        def process(frames: FrameBatch) -> Localizations:
            time.sleep(self.delay_s * len(frames))
            core = frames.core
            failing = set(self.fails) & set(frames.index[core].tolist())
            if failing:
                raise ValueError(f"cannot do frame {failing}")
            before, after = frames.halo
            context_ok = np.all(np.diff(frames.index) == 1)
            columns = {
                "frame": frames.index[core],
                "x": frames.pixels[core, 0, 0],
                "y": np.full(len(frames.index[core]), before * 10 + after),
                "context_ok": np.full(len(frames.index[core]), context_ok),
            }
            if self.extra is not None:
                columns["extra"] = np.repeat(self.extra, len(columns["frame"]))
            return from_columns(columns)

        yield process


@dataclass
class Memory:
    """A store in memory; says no as told."""

    parts: list[Localizations] = field(default_factory=list)
    covered: list[tuple[int, int]] = field(default_factory=list)
    refuse: Callable[[int], bool] = lambda _: False

    def append(self, first: int, count: int, index: I64, molecules: Localizations) -> None:
        if self.refuse(first):
            raise OSError(28, "No space left on device")
        assert len(index) == count
        self.covered.append((first, count))
        self.parts.append(molecules)

    @property
    def found(self) -> Localizations:
        return concatenate(self.parts)


@dataclass
class Notes:
    """A watcher that remembers."""

    events: list[Event] = field(default_factory=list)
    frames_seen: int = 0
    fallbacks: int = 0

    def frames(self, localized: Localized) -> None:
        self.frames_seen += localized.count
        self.fallbacks += localized.fallback * localized.count

    def event(self, event: Event) -> None:
        self.events.append(event)

    def tick(self) -> None:
        pass

    def told(self, what: str) -> list[str]:
        return [event.detail for event in self.events if event.what == what]


def session(source: Frames, engine: Echo, store: Memory, /, **changes: Any) -> Session:
    names = ("raw", "watchers", "control", "started")
    others = {name: changes.pop(name) for name in names if name in changes}
    plan = RunPlan(**{"engine": "echo", "chunk_frames": 4, "ring_mb": 0.02, **changes})
    return Session(source, plan, store, make_engine=lambda _: engine, **others)


def balanced(outcome: Outcome) -> bool:
    tally = outcome.tally
    return tally.captured == tally.localized + tally.deferred + tally.shed


def test_every_frame_is_localized_in_order() -> None:
    store, notes = Memory(), Notes()
    source = Frames(203)
    outcome = session(source, Echo(), store, watchers=(notes,)).run()
    assert (outcome.finish, outcome.reason) == (Finish.COMPLETED, "the source ended")
    assert outcome.tally.captured == outcome.tally.localized == 203
    assert balanced(outcome)
    assert store.found.frame.tolist() == store.found.x.tolist() == list(range(203))
    assert (outcome.molecules, notes.frames_seen) == (203, 203)
    assert outcome.latency_ms["p50"] is not None
    assert (source.opened, source.closed) == (1, 1)


def test_context_is_complete_except_at_the_ends_and_beside_lost_frames() -> None:
    store = Memory()
    outcome = session(Frames(60, skip=(20, 21, 40)), Echo(halo=(1, 1)), store).run()
    found = store.found
    assert outcome.tally.lost == 3
    assert outcome.tally.localized == 57
    assert np.all(found.extra["context_ok"])
    alone = {int(f) for f, y in zip(found.frame, found.y, strict=True) if int(y) // 10 == 0}
    assert {0, 22, 41} <= alone


def test_a_limit_of_frames_ends_the_run() -> None:
    outcome = session(Frames(10_000), Echo(), Memory(), most_frames=37).run()
    assert outcome.tally.captured == outcome.tally.localized == 37
    assert outcome.reason == "37 frames were asked for"


def test_a_limit_of_time_ends_the_run() -> None:
    source = Frames(10_000, pause_s=0.01)
    outcome = session(source, Echo(), Memory(), most_seconds=0.3).run()
    assert outcome.finish is Finish.COMPLETED
    assert outcome.reason == "0.3 seconds were asked for"
    assert 0 < outcome.tally.captured < 10_000
    assert balanced(outcome)


def test_stop_keeps_what_was_captured() -> None:
    control, store = Control(), Memory()
    source = Frames(10_000, pause_s=0.01)
    running = session(source, Echo(delay_s=0.002), store, control=control)
    threading.Timer(0.3, control.stop, ["operator"]).start()
    outcome = running.run()
    assert (outcome.finish, outcome.reason) == (Finish.STOPPED, "operator")
    assert outcome.tally.captured == outcome.tally.localized == len(store.found)


@pytest.mark.parametrize("recorded", [True, False])
def test_abort_gives_waiting_frames_up(recorded: bool) -> None:  # noqa: FBT001 - a case
    control, raw = Control(), RawMemory()
    source = Frames(10_000, pause_s=0.001)
    running = session(
        source, Echo(delay_s=0.05), Memory(), control=control, raw=raw if recorded else None
    )
    threading.Timer(0.5, control.abort, ["operator"]).start()
    outcome = running.run()
    tally = outcome.tally
    assert (outcome.finish, outcome.reason) == (Finish.CANCELED, "operator")
    assert balanced(outcome)
    assert (tally.deferred > 0, tally.shed > 0) == (recorded, not recorded)
    if recorded:
        assert raw.index == list(range(tally.captured))


@dataclass
class RawMemory:
    """A raw record in memory; its disk is full after so many frames."""

    index: list[int] = field(default_factory=list)
    room: int = 1_000_000

    def write(self, pixels: AnyArray, index: I64, time_s: AnyArray) -> None:
        assert len(pixels) == len(index) == len(time_s)
        assert pixels[:, 0, 0].tolist() == index.tolist()
        if len(self.index) + len(index) > self.room:
            raise OSError(28, "No space left on device")
        self.index += index.tolist()


def test_frames_are_recorded_while_they_are_localized() -> None:
    store, raw = Memory(), RawMemory()
    outcome = session(Frames(300), Echo(), store, raw=raw).run()
    assert raw.index == store.found.frame.tolist() == list(range(300))
    assert outcome.tally.localized == 300


def test_overload_defers_to_the_raw_record_and_loses_nothing() -> None:
    store, raw, notes = Memory(), RawMemory(), Notes()
    source = Frames(600, can_wait=False, pause_s=0.004)
    outcome = session(
        source,
        Echo(delay_s=0.004),
        store,
        raw=raw,
        overload=Overload.DEFER,
        watchers=(notes,),
    ).run()
    assert outcome.tally.deferred > 0
    assert (outcome.tally.lost, outcome.tally.shed) == (0, 0)
    assert balanced(outcome)
    assert len(raw.index) == outcome.tally.captured == 600
    deferred = {n for first, stop in outcome.deferred for n in range(first, stop)}
    assert deferred | set(store.found.frame.tolist()) == set(range(600))
    assert "overload: rule 'defer'" in notes.told("deferred")[0]


def test_when_recording_fails_the_run_goes_on_and_says_so() -> None:
    store, notes = Memory(), Notes()
    outcome = session(Frames(300), Echo(), store, raw=RawMemory(room=50), watchers=(notes,)).run()
    assert outcome.tally.localized == 300
    assert "No space left on device" in notes.told("recording failed")[0]


def test_overload_takes_the_faster_engine_and_says_so() -> None:
    engines = {"slow": Echo(delay_s=0.01, name="slow"), "fast": Echo(name="fast")}
    store, notes = Memory(), Notes()
    source = Frames(300, can_wait=False, pause_s=0.01)
    running = session(
        source,
        engines["slow"],
        store,
        engine="slow",
        fallback="fast",
        overload=Overload.FALLBACK,
        watchers=(notes,),
        lanes=1,
    )
    running.make_engine = lambda name: engines[name]
    outcome = running.run()
    assert running.state()["fallback"] == notes.fallbacks > 0
    assert outcome.tally.lost == 0
    assert outcome.tally.localized > 250
    assert balanced(outcome)


def test_frames_that_find_no_slot_are_lost_and_counted() -> None:
    source = Frames(500, can_wait=False, batch=100)
    outcome = session(
        source, Echo(delay_s=0.02), Memory(), overload=Overload.THIN, most_seconds=20
    ).run()
    tally = outcome.tally
    assert tally.lost > 0
    assert tally.captured + tally.lost == 500
    assert balanced(outcome)


def test_a_chunk_that_always_fails_is_set_aside_and_reported() -> None:
    store, notes = Memory(), Notes()
    outcome = session(Frames(40), Echo(fails=(9,)), store, watchers=(notes,)).run()
    assert outcome.finish is Finish.COMPLETED
    assert 0 < outcome.tally.shed <= 4
    assert balanced(outcome)
    assert 9 not in store.found.frame
    assert "cannot do frame" in notes.told("shed")[0]


def test_a_store_that_recovers_loses_nothing() -> None:
    until = time.monotonic() + 0.8
    store, notes = Memory(refuse=lambda first: first > 20 and time.monotonic() < until), Notes()
    outcome = session(Frames(100), Echo(), store, watchers=(notes,)).run()
    assert outcome.finish is Finish.COMPLETED
    assert len(store.found) == 100
    assert "No space left on device" in notes.told("store failed")[0]


def test_a_store_that_stays_broken_ends_the_run_and_the_record_tells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("live_smlm.pipeline.collector.STORE_PATIENCE_S", 0.3)
    store, notes = Memory(refuse=lambda first: first > 20), Notes()
    outcome = session(Frames(5_000, pause_s=0.01), Echo(), store, watchers=(notes,)).run()
    assert outcome.finish is Finish.ERRORED
    assert "No space left on device" in outcome.reason
    assert balanced(outcome)
    assert outcome.tally.localized == sum(count for _, count in store.covered)
    assert notes.told("store broken")


def test_a_source_that_fails_ends_the_run_with_its_reason_and_keeps_the_frames() -> None:
    store = Memory()
    outcome = session(Frames(1000, fail_at=50), Echo(), store).run()
    assert (outcome.finish, outcome.reason) == (Finish.ERRORED, "source: camera on fire")
    assert store.found.frame.tolist() == list(range(50))
    assert balanced(outcome)


def test_an_engine_whose_answer_cannot_travel_is_refused_before_the_first_frame() -> None:
    source = Frames(100)
    outcome = session(source, Echo(extra=np.array(["text"])), Memory()).run()
    assert outcome.finish is Finish.ERRORED
    assert "do not travel" in outcome.reason
    assert source.opened == 0


@dataclass
class Broken(Notes):
    """A watcher whose terminal has gone."""

    def frames(self, localized: Localized) -> None:
        raise BrokenPipeError(f"gone at {localized.first}")


def test_a_watcher_that_fails_is_left_out_and_told() -> None:
    store, notes = Memory(), Notes()
    outcome = session(Frames(60), Echo(), store, watchers=(Broken(), notes)).run()
    assert outcome.finish is Finish.COMPLETED
    assert outcome.tally.localized == notes.frames_seen == 60
    assert len(notes.told("watcher failed")) == 1


def test_a_fault_in_the_store_ends_the_run_and_counts_what_is_stored() -> None:
    def refuse(first: int) -> bool:
        if first > 20:
            raise RuntimeError("not a disk's fault")
        return False

    store = Memory(refuse=refuse)
    outcome = session(Frames(5000, pause_s=0.01), Echo(), store).run()
    assert outcome.finish is Finish.ERRORED
    assert "not a disk's fault" in outcome.reason
    assert outcome.tally.localized == sum(count for _, count in store.covered)
    assert balanced(outcome)


def test_a_fault_in_the_hub_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(hub: Hub) -> None:
        if hub.dispatcher.captured > 30:
            raise RuntimeError("a fault of ours")

    monkeypatch.setattr(Hub, "_bury", fail)
    outcome = session(Frames(5000, pause_s=0.01), Echo(), Memory()).run()
    assert outcome.finish is Finish.ERRORED
    assert "a fault of ours" in outcome.reason
    assert balanced(outcome)


def test_an_engine_that_cannot_open_ends_the_run_before_the_first_frame() -> None:
    source = Frames(100)
    outcome = session(source, Echo(cannot_open="no weights"), Memory()).run()
    assert outcome.finish is Finish.ERRORED
    assert "no weights" in outcome.reason
    assert source.opened == 0


def test_stopping_before_the_first_frame_opens_no_camera() -> None:
    control, source = Control(), Frames(100)
    control.stop("changed my mind")
    outcome = session(source, Echo(), Memory(), control=control, topology=Topology.NONE).run()
    assert (outcome.finish, outcome.reason) == (Finish.CANCELED, "changed my mind")
    assert source.opened == 0


@pytest.mark.parametrize(
    ("engine", "changes", "message"),
    [
        (Echo(refuses="wrong pixels"), {}, "'echo' cannot run: wrong pixels"),
        (Echo(), {"overload": Overload.DEFER}, "needs the raw movie"),
        (Echo(), {"overload": Overload.FALLBACK}, "needs a fallback engine"),
        (Echo(), {"ring_mb": 1e-6}, "less than one frame"),
        (Echo(), {"listen": ("tcp://0.0.0.0:*",)}, "needs keys"),
        (Echo(halo=(90, 90)), {}, "give it more memory"),
    ],
)
def test_what_cannot_work_is_refused_before_the_camera_is_opened(
    engine: Echo, changes: dict[str, Any], message: str
) -> None:
    source = Frames(10)
    with pytest.raises(InputError, match=message):
        session(source, engine, Memory(), **changes).run()
    assert source.opened == 0


def test_a_camera_cannot_be_told_to_wait() -> None:
    with pytest.raises(InputError, match="a camera cannot wait"):
        session(Frames(10, can_wait=False), Echo(), Memory()).run()
