"""The pop loop: a camera's buffer becomes frame batches, and every way it can end is told.

Knows when a sequence is over and which frames are missing; must not know how a
camera is reached. It runs in the thread that asks for frames; `stop` and
`status` may be called from any other.
"""

import math
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

import numpy as np

from live_smlm.core import FrameBatch, RawPixels, SourceFault, SourceStatus, require

IDLE_S = 0.0005
"""Between two looks at an empty buffer."""
_BATCH_BYTES = 1 << 21
"""Larger frames go one by one, without a copy; small ones together, to save calls."""


class Condition(Enum):
    """What a camera's sequence is doing."""

    RUNNING = "running"
    STOPPED = "stopped"
    OVERFLOWED = "overflowed"


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One frame as the camera's buffer gives it."""

    pixels: RawPixels
    """(rows, columns), an array of its own."""
    number: int
    """From 0 at the start of the sequence; a gap is a loss."""
    time_s: float
    """On the camera's clock; NaN where it is not told."""


class Camera(Protocol):
    """A camera whose sequence has been started."""

    def waiting(self) -> int:
        """Frames in its buffer."""

    def pop(self) -> Shot:
        """The oldest of them."""

    def condition(self) -> Condition:
        """What its sequence is doing."""

    def halt(self) -> None:
        """Stop the sequence; the frames in the buffer stay. Does nothing if it is stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopPlan:
    """What a sequence is held to."""

    name: str
    """The camera, for messages."""
    capacity: int
    """Frames that its buffer holds."""
    frame_bytes: int
    frames: int | None = None
    """End after this number of frames, lost ones included; None: when told to."""
    stall_s: float = 5.0
    """A running camera that gives nothing for so long has stalled."""

    def __post_init__(self) -> None:
        require(self.capacity > 0, f"{self.name}: the buffer holds no frame; raise buffer_mb")
        require(self.frame_bytes > 0, f"{self.name}: frames have no pixels; check the region")
        require(
            self.frames is None or self.frames > 0,
            f"frames is {self.frames}; give at least one, or none to go on until stopped",
        )
        require(
            math.isfinite(self.stall_s) and self.stall_s > 0,
            f"stall_s is {self.stall_s}; give seconds above 0",
        )


class Sequence:
    """One acquisition, from its first frame to its end."""

    def __init__(self, camera: Camera, plan: LoopPlan) -> None:
        self._camera, self._plan = camera, plan
        self._stop = threading.Event()
        self._halted = False
        self._next = 0
        self._status = SourceStatus()
        self._heard = time.monotonic()
        self.ended = False
        """Whether `turn` has nothing more to give."""

    @property
    def status(self) -> SourceStatus:
        """A snapshot."""
        return self._status

    def stop(self) -> None:
        """End the sequence; what is in the buffer still comes."""
        self._stop.set()

    def abandon(self) -> None:
        """End the sequence; what is in the buffer is left there."""
        self.ended = True

    def batches(self) -> Generator[FrameBatch]:
        """Frames until the end; blocks while there are none."""
        while not self.ended:
            batch = self.turn()
            if batch is not None:
                yield batch
            elif not self.ended:
                time.sleep(IDLE_S)

    def turn(self) -> FrameBatch | None:
        """What the buffer holds now, bounded; None if nothing. Raises `SourceFault`."""
        if self._stop.is_set():
            self._halt()
        waiting = self._camera.waiting()
        if waiting == 0:
            self._look_after_empty()
            return None
        self._heard = time.monotonic()
        return self._take(waiting)

    def _take(self, waiting: int) -> FrameBatch | None:
        plan = self._plan
        count = min(waiting, max(1, _BATCH_BYTES // plan.frame_bytes))
        shots = [self._camera.pop() for _ in range(count)]
        if plan.frames is not None:
            shots = [shot for shot in shots if shot.number < plan.frames]
            if len(shots) < count or shots[-1].number == plan.frames - 1:
                self._halt()
                self.ended = True
        if not shots:
            return None
        batch = self._batch(shots)
        self._count(batch, waiting - count)
        return batch

    def _batch(self, shots: list[Shot]) -> FrameBatch:
        index = np.array([shot.number for shot in shots], dtype=np.int64)
        back = np.flatnonzero(np.diff(index, prepend=self._next - 1) <= 0)
        if len(back):
            raise SourceFault(
                f"{self._plan.name}: frame {index[back[0]]} came after frame "
                f"{index[back[0] - 1] if back[0] else self._next - 1}; "
                "somebody else has restarted the camera"
            )
        times = np.array([shot.time_s for shot in shots])
        if len(shots) == 1:
            return FrameBatch(shots[0].pixels[np.newaxis], index, times)
        one = shots[0].pixels
        pixels: RawPixels = np.empty((len(shots), *one.shape), one.dtype)
        np.stack([shot.pixels for shot in shots], out=pixels)
        return FrameBatch(pixels, index, times)

    def _count(self, batch: FrameBatch, left: int) -> None:
        last = int(batch.index[-1])
        missing = last + 1 - self._next - len(batch)
        self._next = last + 1
        self._status = replace(
            self._status,
            frames=self._status.frames + len(batch),
            lost=self._status.lost + missing,
            fill=min(1.0, left / self._plan.capacity),
        )

    def _look_after_empty(self) -> None:
        """The buffer was empty: is more to come?"""
        condition = self._camera.condition()
        if condition is Condition.RUNNING:
            self._check_alive()
        elif self._camera.waiting() == 0:  # nothing came between the two questions
            self.ended = True
            self._explain(condition)

    def _check_alive(self) -> None:
        silent = time.monotonic() - self._heard
        if silent > self._plan.stall_s:
            self.ended = True
            raise SourceFault(
                f"{self._plan.name} runs but gave no frame for {silent:.1f} s after frame "
                f"{self._next - 1}; check its cable, trigger and exposure (stall_s is "
                f"{self._plan.stall_s:g})"
            )

    def _explain(self, condition: Condition) -> None:
        name, last = self._plan.name, self._next - 1
        if condition is Condition.OVERFLOWED:
            self._status = replace(self._status, overflowed=True)
            raise SourceFault(
                f"{name}: its buffer of {self._plan.capacity} frames was full after frame {last}, "
                "so it stopped; raise buffer_mb, read a smaller region or expose longer"
            )
        if not self._stop.is_set():
            raise SourceFault(f"{name} stopped by itself after frame {last}; check the device")

    def _halt(self) -> None:
        if not self._halted:
            self._camera.halt()
            self._halted = True
