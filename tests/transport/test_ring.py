"""Frames lie where they were written, for this process and for others."""

import multiprocessing
from multiprocessing import shared_memory
from multiprocessing.connection import Connection

import numpy as np
import pytest

from live_smlm.core import InputError
from live_smlm.transport.ring import RingPlan, attach, create, plan

SHAPE = (4, 6)


def ring_plan(slots: int, dtype: str = "uint16") -> RingPlan:
    megabytes = slots * SHAPE[0] * SHAPE[1] * np.dtype(dtype).itemsize / 2**20
    made = plan(SHAPE, dtype, megabytes)
    assert made.slots == slots
    return made


def frame(number: int, dtype: str = "uint16") -> np.ndarray:
    return np.full(SHAPE, number % 250, dtype)


def _sum_of(ring: RingPlan, first: int, count: int, answer: Connection) -> None:
    with attach(ring) as seen:
        answer.send(int(seen.read(first, count).sum()))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_frames_read_back_in_order_also_around_the_end(dtype: str) -> None:
    with create(ring_plan(5, dtype)) as ring:
        for number in range(3, 8):
            ring.write(number, frame(number, dtype))
        read = ring.read(3, 5)
        assert read.dtype == dtype
        assert read[:, 0, 0].tolist() == [3, 4, 5, 6, 7]


def test_frames_that_do_not_wrap_are_not_copied() -> None:
    with create(ring_plan(5)) as ring:
        ring.write(1, frame(1))
        seen = ring.read(1, 2)
        ring.write(1, frame(9))
        assert seen[0, 0, 0] == 9
        del seen


def test_another_process_sees_the_frames() -> None:
    context = multiprocessing.get_context("spawn")
    with create(ring_plan(5)) as ring:
        for number in range(5):
            ring.write(number, frame(number))
        ours, theirs = context.Pipe()
        child = context.Process(target=_sum_of, args=(ring.plan, 1, 3, theirs))
        child.start()
        assert ours.poll(60)
        assert ours.recv() == (1 + 2 + 3) * SHAPE[0] * SHAPE[1]
        child.join(60)
        assert child.exitcode == 0
        ours.close()
        theirs.close()
        child.close()
        ring.write(0, frame(7))  # the child's going has not taken the memory along


def test_a_frame_that_would_wrap_its_values_is_refused() -> None:
    with (
        create(ring_plan(2, "uint8")) as ring,
        pytest.raises(InputError, match=r"uint16 but the camera was said to give .* uint8"),
    ):
        ring.write(0, np.full(SHAPE, 300, np.uint16))


def test_a_ring_is_gone_afterwards() -> None:
    with create(ring_plan(2)) as ring:
        name = ring.plan.name
    with pytest.raises(FileNotFoundError):
        shared_memory.SharedMemory(name)


def test_bad_rings_are_refused() -> None:
    with pytest.raises(InputError, match="less than one frame of 4x6 uint16; give at least"):
        plan(SHAPE, "uint16", 1e-6)
    with pytest.raises(InputError, match="dtype is 'float32'"):
        plan(SHAPE, "float32", 1)
    with create(ring_plan(2)) as ring:
        with pytest.raises(InputError, match="3 frames cannot be read from a ring of 2 slots"):
            ring.read(0, 3)
        with pytest.raises(InputError, match="correct its bits or its region"):
            ring.write(0, np.zeros((4, 5), np.uint16))
        larger = RingPlan(name=ring.plan.name, slots=10_000, shape=SHAPE, dtype="uint16")
        with pytest.raises(InputError, match="shared memory"), attach(larger):
            pass
