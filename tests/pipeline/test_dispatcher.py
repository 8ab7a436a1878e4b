"""Whatever happens to lanes, every frame ends with one fate and its context was right."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from live_smlm.core import InputError
from live_smlm.pipeline.dispatcher import Chunk, Dispatcher, Overload, Plan
from live_smlm.pipeline.ledger import Fate

SLOTS = 24


def plan(**changes: Any) -> Plan:
    return Plan(**{"slots": SLOTS, "chunk_frames": 4, **changes})


def fed(dispatcher: Dispatcher, index: list[int]) -> Dispatcher:
    for number in index:
        assert dispatcher.has_room()
        dispatcher.capture(number, 0.01 * number)
    return dispatcher


def taken(dispatcher: Dispatcher, lane: str = "a") -> Chunk:
    chunk = dispatcher.next_chunk(lane)
    assert chunk is not None
    return chunk


def test_the_oldest_frames_go_first_as_many_as_there_are() -> None:
    dispatcher = fed(Dispatcher(plan()), list(range(6)))
    first, second = taken(dispatcher), taken(dispatcher, "b")
    assert ((first.first, first.count), (second.first, second.count)) == ((0, 4), (4, 2))
    assert dispatcher.next_chunk("a") is None


def test_frames_wait_for_their_context() -> None:
    dispatcher = fed(Dispatcher(plan(halo=(1, 1))), list(range(5)))
    chunk = taken(dispatcher)
    assert (chunk.first, chunk.count, chunk.halo) == (0, 4, (0, 1))
    assert dispatcher.next_chunk("a") is None  # frame 4 waits for frame 5
    dispatcher.end()
    chunk = taken(dispatcher)
    assert (chunk.first, chunk.count, chunk.halo) == (4, 1, (1, 0))


def test_context_never_reaches_over_a_lost_frame() -> None:
    dispatcher = fed(Dispatcher(plan(halo=(2, 2))), [0, 1, 2, 5, 6, 7, 8])
    assert dispatcher.ledger.lost == 2
    chunk = taken(dispatcher)
    assert (chunk.first, chunk.count, chunk.halo) == (0, 3, (0, 0))
    chunk = taken(dispatcher)
    assert (chunk.first, chunk.count, chunk.halo) == (3, 2, (0, 2))


def test_a_dead_lanes_chunks_go_to_others_first() -> None:
    dispatcher = fed(Dispatcher(plan()), list(range(12)))
    lost = taken(dispatcher, "a")
    taken(dispatcher, "b")
    assert dispatcher.lane_gone("a", "killed") == []
    again = taken(dispatcher, "b")
    assert (again.number, again.tries) == (lost.number, 1)
    assert dispatcher.done(lost.number, "a") is None  # too late: it is another lane's now
    assert dispatcher.done(again.number, "b") == again
    assert dispatcher.done(again.number, "b") is None  # no frame is answered for twice


def test_a_chunk_that_reached_nobody_has_not_been_tried() -> None:
    dispatcher = fed(Dispatcher(plan()), list(range(8)))
    for lane in "abc":
        chunk = taken(dispatcher, lane)
        assert (chunk.first, chunk.tries) == (0, 0)
        dispatcher.not_delivered(chunk.number)
        assert dispatcher.lane_gone(lane, "out of reach") == []


@pytest.mark.parametrize(("recorded", "fate"), [(True, Fate.DEFERRED), (False, Fate.SHED)])
def test_a_chunk_that_kills_twice_is_set_aside(recorded: bool, fate: Fate) -> None:  # noqa: FBT001 - a case
    dispatcher = fed(Dispatcher(plan(recorded=recorded)), list(range(4)))
    dispatcher.lane_gone(taken_by(dispatcher, "a"), "killed")
    settled = dispatcher.lane_gone(taken_by(dispatcher, "b"), "killed again")
    assert [(s.first, s.count, s.fate, s.reason) for s in settled] == [(0, 4, fate, "killed again")]
    assert dispatcher.next_chunk("c") is None


def taken_by(dispatcher: Dispatcher, lane: str) -> str:
    taken(dispatcher, lane)
    return lane


@pytest.mark.parametrize("overload", [Overload.THIN, Overload.DEFER, Overload.FALLBACK])
def test_overload_gives_up_the_oldest(overload: Overload) -> None:
    recorded = overload is Overload.DEFER
    dispatcher = Dispatcher(plan(overload=overload, recorded=recorded))
    fed(dispatcher, list(range(SLOTS // 2)))
    assert dispatcher.relieve() == []
    fed(dispatcher, [SLOTS // 2, SLOTS // 2 + 1, SLOTS // 2 + 2])
    (settled,) = dispatcher.relieve()
    assert (settled.first, settled.count) == (0, 6)
    assert settled.fate is (Fate.DEFERRED if recorded else Fate.SHED)
    assert taken(dispatcher).first == 6


def test_a_silent_lane_cannot_hold_the_ring_back() -> None:
    dispatcher = Dispatcher(plan(overload=Overload.DEFER, recorded=True))
    silent: list[Chunk] = []
    for index in range(20 * SLOTS):
        assert dispatcher.has_room(), index
        dispatcher.capture(index, 0.0)
        dispatcher.recorded_to = dispatcher.captured
        dispatcher.relieve()
        if not silent:
            silent = [taken(dispatcher, "silent")]
        while (chunk := dispatcher.next_chunk("quick")) is not None:
            if chunk.number != silent[0].number:  # frames that nobody can localize
                assert dispatcher.done(chunk.number, "quick") is not None
            else:
                break
    tally = dispatcher.ledger.tally
    assert (tally.lost, tally.shed, tally.deferred) == (0, 0, silent[0].count)
    assert dispatcher.done(silent[0].number, "silent") is None


def test_waiting_is_no_overload_where_the_source_can_wait() -> None:
    dispatcher = fed(Dispatcher(plan()), list(range(SLOTS)))
    assert dispatcher.relieve() == []
    assert not dispatcher.has_room()


def test_the_faster_engine_is_used_while_frames_pile_up() -> None:
    dispatcher = fed(Dispatcher(plan(overload=Overload.FALLBACK)), list(range(10)))
    assert taken(dispatcher).fallback
    assert not taken(dispatcher).fallback


def test_slots_are_kept_until_recorded() -> None:
    dispatcher = fed(Dispatcher(plan(recorded=True)), list(range(SLOTS)))
    for _ in range(SLOTS // 4):
        dispatcher.done(taken(dispatcher).number, "a")
    assert not dispatcher.has_room()
    dispatcher.recorded_to = 1
    assert dispatcher.has_room()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"slots": 7}, "ring has 7 slots; 4 frames a chunk"),
        ({"chunk_frames": 0}, "chunk_frames is 0"),
        ({"overload": Overload.DEFER}, "needs the raw movie to be recorded"),
    ],
)
def test_plans_that_cannot_work_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan(**changes)


def test_frame_numbers_must_rise() -> None:
    dispatcher = fed(Dispatcher(plan()), [3])
    with pytest.raises(InputError, match="frame number 3 came after 3"):
        dispatcher.capture(3, 0.0)


class AnyRun(RuleBasedStateMachine):
    """Cameras that lose frames, lanes that come, answer, fail and die, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.dispatcher = Dispatcher(plan(halo=(1, 2), overload=Overload.THIN))
        self.index = -1
        self.indices: list[int] = []
        self.held: dict[str, list[Chunk]] = {"a": [], "b": [], "c": []}
        self.fates: dict[int, Fate] = {}

    def owner(self, chunk: Chunk) -> object:
        return self.dispatcher._given.get(chunk.number, (None, None))[1]

    def note(self, first: int, count: int, fate: Fate) -> None:
        for number in range(first, first + count):
            assert number not in self.fates
            self.fates[number] = fate

    @precondition(lambda self: not self.dispatcher.ended)
    @rule(steps=st.lists(st.sampled_from([1, 1, 1, 3]), min_size=1, max_size=6))
    def capture(self, steps: list[int]) -> None:
        for step in steps:
            self.index += step
            if self.dispatcher.has_room():
                assert self.dispatcher.capture(self.index, 0.0) == len(self.indices)
                self.indices.append(self.index)
            for settled in self.dispatcher.relieve():
                self.note(settled.first, settled.count, settled.fate)

    @rule(lane=st.sampled_from("abc"))
    def ask(self, lane: str) -> None:
        chunk = self.dispatcher.next_chunk(lane)
        if chunk is None:
            return
        self.held[lane].append(chunk)
        needed = self.indices[chunk.begin : chunk.begin + chunk.frames]
        assert len(needed) == chunk.frames
        assert needed == list(range(needed[0], needed[0] + chunk.frames))

    @rule(lane=st.sampled_from("abc"), fails=st.booleans())
    def answer(self, lane: str, *, fails: bool) -> None:
        if not self.held[lane]:
            return
        chunk = self.held[lane].pop(0)
        if fails:
            for settled in self.dispatcher.failed(chunk.number, lane, "cannot"):
                self.note(settled.first, settled.count, settled.fate)
        else:
            owned = self.owner(chunk) == lane
            answered = self.dispatcher.done(chunk.number, lane)
            assert (answered is not None) == owned  # unless it was taken from a slow lane
            if answered is not None:
                self.note(chunk.first, chunk.count, Fate.LOCALIZED)

    @rule(lane=st.sampled_from("abc"))
    def die(self, lane: str) -> None:
        self.held[lane].clear()
        for settled in self.dispatcher.lane_gone(lane, "died"):
            self.note(settled.first, settled.count, settled.fate)

    @rule()
    def end(self) -> None:
        if not self.dispatcher.ended:
            self.dispatcher.end()

    @invariant()
    def nothing_a_lane_holds_is_overwritten(self) -> None:
        oldest = self.dispatcher.captured - SLOTS
        for lane, held in self.held.items():
            assert all(chunk.begin >= oldest for chunk in held if self.owner(chunk) == lane)

    @invariant()
    def the_ledger_agrees(self) -> None:
        tally = self.dispatcher.ledger.tally
        assert tally.captured == len(self.indices)
        assert tally.captured - tally.waiting == len(self.fates)
        if self.indices:
            assert tally.lost == self.indices[-1] - self.indices[0] + 1 - len(self.indices)

    def teardown(self) -> None:
        self.end()
        for _ in range(200):
            for lane in "abc":
                self.ask(lane)
                self.answer(lane, fails=False)
        assert self.dispatcher.finished


TestAnyRun = AnyRun.TestCase
TestAnyRun.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_abandoning_settles_everything() -> None:
    dispatcher = fed(Dispatcher(plan(recorded=True)), list(range(11)))
    taken(dispatcher, "a")
    dispatcher.failed(taken(dispatcher, "b").number, "b", "cannot")
    dispatcher.end()
    assert {s.fate for s in dispatcher.abandon("aborted")} == {Fate.DEFERRED}
    assert dispatcher.finished
    assert dispatcher.ledger.ranges(Fate.DEFERRED) == [(0, 11)]
