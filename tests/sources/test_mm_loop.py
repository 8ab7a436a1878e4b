"""The pop loop against a camera whose buffer the test fills: every ending, every gap."""

import math
from collections import deque

import numpy as np
import pytest

from live_smlm.core import FrameBatch, InputError, SourceFault
from live_smlm.sources import mm_loop
from live_smlm.sources.mm_loop import Condition, LoopPlan, Sequence, Shot


class Buffer:
    """A camera that does what the test says."""

    def __init__(self, numbers: list[int], condition: Condition = Condition.RUNNING) -> None:
        self.held = deque(numbers)
        self.state = condition
        self.halts = 0
        self.late: list[int] = []
        """Frames that arrive between two questions."""

    def waiting(self) -> int:
        count = len(self.held)
        if count == 0:
            self.held.extend(self.late)
            self.late = []
        return count

    def pop(self) -> Shot:
        number = self.held.popleft()
        return Shot(np.full((3, 4), number % 2**16, np.uint16), number, number / 100)

    def condition(self) -> Condition:
        return self.state

    def halt(self) -> None:
        self.halts += 1
        self.state = Condition.STOPPED


def plan(**changed: object) -> LoopPlan:
    told: dict[str, object] = {"name": "camera 'Test'", "capacity": 10, "frame_bytes": 24}
    return LoopPlan(**{**told, **changed})  # type: ignore[arg-type] # the fields' own types


def numbers(batches: list[FrameBatch]) -> list[int]:
    return [int(i) for batch in batches for i in batch.index]


def run_dry(sequence: Sequence, most: int = 100) -> list[FrameBatch]:
    batches = []
    for _ in range(most):
        batch = sequence.turn()
        if batch is None:
            break
        batches.append(batch)
    return batches


def test_what_is_in_the_buffer_comes_in_one_batch() -> None:
    sequence = Sequence(Buffer([0, 1, 2]), plan())
    batch = sequence.turn()
    assert batch is not None
    np.testing.assert_array_equal(batch.index, [0, 1, 2])
    np.testing.assert_array_equal(batch.pixels[:, 0, 0], [0, 1, 2])
    np.testing.assert_array_equal(batch.time_s, [0.0, 0.01, 0.02])
    assert sequence.turn() is None
    assert not sequence.ended


def test_large_frames_come_one_by_one_without_a_copy() -> None:
    class Keeping(Buffer):
        def pop(self) -> Shot:
            self.last = super().pop()
            return self.last

    camera = Keeping([0, 1, 2])
    sequence = Sequence(camera, plan(frame_bytes=8 << 20))
    batch = sequence.turn()
    assert batch is not None
    assert len(batch) == 1
    assert np.shares_memory(batch.pixels, camera.last.pixels)


def test_gaps_are_counted_and_keep_their_numbers() -> None:
    camera = Buffer([2, 3, 7])
    sequence = Sequence(camera, plan())
    assert numbers(run_dry(sequence)) == [2, 3, 7]
    camera.held.extend([8, 20])
    assert numbers(run_dry(sequence)) == [8, 20]
    assert sequence.status.frames == 5
    assert sequence.status.lost == 2 + 3 + 11


def test_the_fill_is_what_is_left_in_the_buffer() -> None:
    sequence = Sequence(Buffer(list(range(6))), plan(frame_bytes=1 << 20))
    fills = []
    for _ in range(3):
        sequence.turn()
        fills.append(sequence.status.fill)
    assert fills == [0.4, 0.2, 0.0]  # two frames at a time, of ten places


def test_stop_gives_what_the_camera_still_holds_and_ends() -> None:
    camera = Buffer([0, 1])
    sequence = Sequence(camera, plan())
    run_dry(sequence)
    camera.held.extend([2, 3])
    sequence.stop()
    assert numbers(list(sequence.batches())) == [2, 3]
    assert camera.halts == 1
    assert sequence.ended


def test_a_frame_that_arrives_while_the_camera_stops_is_not_lost() -> None:
    camera = Buffer([0])
    camera.late = [1]
    sequence = Sequence(camera, plan())
    sequence.stop()
    assert numbers(list(sequence.batches())) == [0, 1]


def test_it_ends_after_the_expected_frames_and_hands_out_no_more() -> None:
    camera = Buffer(list(range(8)))
    sequence = Sequence(camera, plan(frames=5))
    assert numbers(list(sequence.batches())) == [0, 1, 2, 3, 4]
    assert camera.halts == 1


def test_expected_frames_are_counted_by_the_cameras_numbers() -> None:
    sequence = Sequence(Buffer([0, 1, 6, 7]), plan(frames=5))
    assert numbers(list(sequence.batches())) == [0, 1]
    assert sequence.ended


def test_an_overflow_is_a_fault_after_the_frames_before_it() -> None:
    sequence = Sequence(Buffer([0, 1, 2], Condition.OVERFLOWED), plan())
    assert numbers(run_dry(sequence, most=1)) == [0, 1, 2]
    with pytest.raises(SourceFault, match=r"buffer of 10 frames was full after frame 2.*buffer_mb"):
        sequence.turn()
    assert sequence.status.overflowed
    assert sequence.ended


def test_a_camera_that_stops_by_itself_is_a_fault() -> None:
    sequence = Sequence(Buffer([0, 1], Condition.STOPPED), plan())
    with pytest.raises(SourceFault, match="stopped by itself after frame 1"):
        list(sequence.batches())
    assert sequence.status.frames == 2


def test_a_running_camera_that_gives_nothing_has_stalled(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        now = 50.0

        def monotonic(self) -> float:
            return self.now

        def sleep(self, seconds: float) -> None:
            self.now += seconds

    clock = Clock()
    monkeypatch.setattr(mm_loop, "time", clock)
    camera = Buffer([0])
    sequence = Sequence(camera, plan(stall_s=2.0))
    with pytest.raises(SourceFault, match=r"gave no frame for 2.0 s after frame 0.*stall_s is 2"):
        list(sequence.batches())
    assert clock.now == pytest.approx(52.0, abs=0.01)


def test_numbers_that_go_back_are_a_fault() -> None:
    camera = Buffer([5, 6])
    sequence = Sequence(camera, plan())
    run_dry(sequence)
    camera.held.append(0)
    with pytest.raises(SourceFault, match="frame 0 came after frame 6; somebody else"):
        sequence.turn()


def test_a_sequence_that_is_abandoned_ends_at_once() -> None:
    sequence = Sequence(Buffer([0, 1]), plan())
    sequence.abandon()
    assert list(sequence.batches()) == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("capacity", 0, "buffer holds no frame"),
        ("frame_bytes", 0, "frames have no pixels"),
        ("frames", 0, "frames is 0; give at least one"),
        ("stall_s", 0.0, r"stall_s is 0\.0"),
        ("stall_s", math.nan, "stall_s is nan"),
    ],
)
def test_plans_that_cannot_be_are_refused(name: str, value: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan(**{name: value})
