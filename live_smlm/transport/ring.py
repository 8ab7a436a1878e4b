"""Frames in shared memory: written once, read in place by any process of this machine.

The ring knows places, not meaning: frame number n of the stream lies in slot
n modulo the number of slots. One writer owns it; who may overwrite what is
decided by the ledger, not here. Readers attach by name and only look.
"""

import contextlib
import mmap
import os
import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import shared_memory

import numpy as np

from live_smlm.core import AnyArray, InputError, RawPixels, require

DTYPES = ("uint8", "uint16")


@dataclass(frozen=True, slots=True, kw_only=True)
class RingPlan:
    """All that another process needs to look into a ring."""

    name: str
    slots: int
    shape: tuple[int, int]
    dtype: str

    def __post_init__(self) -> None:
        require(self.slots > 0, f"ring slots is {self.slots}; give at least 1")
        require(min(self.shape) > 0, f"ring frame shape is {self.shape}; both must be positive")
        require(self.dtype in DTYPES, f"ring dtype is {self.dtype!r}; frames are uint8 or uint16")

    @property
    def frame_bytes(self) -> int:
        """Bytes of one slot."""
        return self.shape[0] * self.shape[1] * np.dtype(self.dtype).itemsize


def plan(shape: tuple[int, int], dtype: str, megabytes: float) -> RingPlan:
    """A ring with a fresh name that fits into so much memory."""
    name = f"live_smlm_{os.getpid()}_{secrets.token_hex(4)}"
    one = RingPlan(name=name, slots=1, shape=shape, dtype=dtype)
    slots = int(megabytes * 2**20 // one.frame_bytes)
    require(
        slots > 0,
        f"ring memory of {megabytes:g} MB is less than one frame of {shape[0]}x{shape[1]} "
        f"{dtype}; give at least {np.ceil(one.frame_bytes / 2**20):g} MB",
    )
    return RingPlan(name=name, slots=slots, shape=shape, dtype=dtype)


class FrameRing:
    """The slots of one ring as an array."""

    def __init__(self, ring_plan: RingPlan, memory: memoryview | None) -> None:
        self.plan = ring_plan
        shape = (ring_plan.slots, *ring_plan.shape)
        self._slots: AnyArray = np.ndarray(shape, np.dtype(ring_plan.dtype), memory)

    def write(self, number: int, frame: RawPixels) -> None:
        """Copy a frame into its slot: the one copy on its way."""
        slot = self._slots[number % self.plan.slots]
        if frame.shape != slot.shape or frame.itemsize > slot.itemsize:
            raise InputError(
                f"frame is {frame.shape} {frame.dtype} but the camera was said to give "
                f"{slot.shape} {slot.dtype}; correct its bits or its region"
            )
        slot[...] = frame

    def read(self, first: int, count: int) -> AnyArray:
        """Frames `first` … `first + count - 1`: a view, or a copy where they wrap around.

        Valid until the writer is allowed to overwrite them.
        """
        require(
            0 < count <= self.plan.slots,
            f"{count} frames cannot be read from a ring of {self.plan.slots} slots; "
            "make the ring larger",
        )
        start = first % self.plan.slots
        stop = start + count
        if stop <= self.plan.slots:
            return self._slots[start:stop]
        return np.concatenate([self._slots[start:], self._slots[: stop - self.plan.slots]])

    def clear(self) -> None:
        """Write to every page now: the first time is slow, and a camera would pay for it."""
        self._slots.fill(0)

    def touch(self) -> None:
        """Read from every page now, for the same reason."""
        self._slots.reshape(-1).view(np.uint8)[:: mmap.PAGESIZE].max()

    def forget(self) -> None:
        """Drop the array so that the memory can be closed."""
        self._slots = np.zeros((0, *self.plan.shape), self.plan.dtype)


@contextlib.contextmanager
def create(ring_plan: RingPlan) -> Iterator[FrameRing]:
    """Make the ring; it is gone from the machine afterwards, readers or not."""
    size = ring_plan.slots * ring_plan.frame_bytes
    try:
        memory = shared_memory.SharedMemory(ring_plan.name, create=True, size=size)
    except OSError as error:
        raise InputError(
            f"ring of {size / 2**20:.0f} MB shared memory cannot be made: {error.strerror}; "
            "give ring_mb less"
        ) from error
    try:
        with _ring(ring_plan, memory) as ring:
            ring.clear()
            yield ring
    finally:
        memory.unlink()


@contextlib.contextmanager
def attach(ring_plan: RingPlan) -> Iterator[FrameRing]:
    """Look into a ring that this process or its parent has made."""
    # A child shares its parent's resource tracker, so before 3.13 attaching harms nothing.
    untracked = {"track": False} if sys.version_info >= (3, 13) else {}
    memory = shared_memory.SharedMemory(ring_plan.name, **untracked)
    with _ring(ring_plan, memory) as ring:
        ring.touch()
        yield ring


@contextlib.contextmanager
def _ring(ring_plan: RingPlan, memory: shared_memory.SharedMemory) -> Iterator[FrameRing]:
    size = ring_plan.slots * ring_plan.frame_bytes
    try:
        held = memory.buf
        require(
            held is not None and memory.size >= size,
            f"shared memory {ring_plan.name} holds {memory.size} bytes, not the {size} of its plan",
        )
        ring = FrameRing(ring_plan, held)
        try:
            yield ring
        finally:
            ring.forget()
    finally:
        memory.close()
