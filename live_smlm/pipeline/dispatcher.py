"""Who localizes which frames: pure decisions, no sockets, no clock of its own.

Frames wait in the ring. A lane that asks gets the oldest frames that have
their context; a lane that goes leaves its chunks to others; a chunk that took
two lanes with it is set aside. When frames wait too long, the run's rule
acts. The ring's writer may overwrite only what nobody here still needs.
"""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from live_smlm.core import F64, I64, require
from live_smlm.pipeline.ledger import Fate, Ledger

FATAL_TRIES = 2
"""A chunk that fails or kills this many lanes is set aside."""
OVERLOAD_SHARE = 0.5
"""The share of the ring that may wait before the overload rule acts."""
RELIEVED_SHARE = 0.4
"""The share that still waits afterwards: one larger step instead of many small ones."""
PATIENCE_SHARES = (0.65, 0.85)
"""How much of the ring a chunk may hold back, by its tries, before it is taken from its lane."""


class Overload(Enum):
    """What to do when frames come faster than they are localized."""

    WAIT = "wait"
    """Let the source wait: right for files, impossible for cameras."""
    DEFER = "defer"
    """Localize the oldest later, from the raw record."""
    THIN = "thin"
    """Give up the oldest."""
    FALLBACK = "fallback"
    """Use the faster engine meanwhile; thin if that is not enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the dispatcher is told before the first frame."""

    slots: int
    chunk_frames: int
    halo: tuple[int, int] = (0, 0)
    overload: Overload = Overload.WAIT
    recorded: bool = False
    """Whether the raw record keeps all frames, so that they can be deferred."""

    def __post_init__(self) -> None:
        require(self.chunk_frames > 0, f"chunk_frames is {self.chunk_frames}; give at least 1")
        least = 2 * (self.chunk_frames + sum(self.halo))
        require(
            self.slots >= least,
            f"the ring has {self.slots} slots; {self.chunk_frames} frames a chunk with halo "
            f"{self.halo} need at least {least}: give it more memory or take smaller chunks",
        )
        require(
            self.recorded or self.overload is not Overload.DEFER,
            "overload rule 'defer' needs the raw movie to be recorded; switch recording on or "
            "choose 'thin'",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Frames `first` … `first + count - 1` by stream number, and their context."""

    number: int
    first: int
    count: int
    halo: tuple[int, int]
    fallback: bool = False
    tries: int = 0

    @property
    def begin(self) -> int:
        """First frame needed, context included."""
        return self.first - self.halo[0]

    @property
    def frames(self) -> int:
        """Frames needed, context included."""
        return self.count + sum(self.halo)


@dataclass(frozen=True, slots=True)
class Settled:
    """Frames whose fate was decided without a lane's answer."""

    first: int
    count: int
    fate: Fate
    reason: str


class Dispatcher:
    """The state of one run; called from one thread."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.ledger = Ledger()
        self.index: I64 = np.zeros(plan.slots, np.int64)
        self.time_s: F64 = np.zeros(plan.slots)
        self.arrived_s: F64 = np.zeros(plan.slots)
        self.recorded_to = 0
        """Frames before this one are in the raw record (if there is one)."""
        self.ended = False
        self._last_index = -1
        self._cursor = 0  # the oldest frame that no chunk has had
        self._gaps: deque[int] = deque()  # frames after the cursor whose predecessor was lost
        self._run_first = 0  # where the gapless run at the cursor begins
        self._retry: deque[Chunk] = deque()
        self._given: dict[int, tuple[Chunk, Hashable]] = {}
        self._chunks = 0

    @property
    def captured(self) -> int:
        """Frames that got a slot."""
        return self.ledger.captured

    @property
    def waiting(self) -> int:
        """Frames that no lane has been given."""
        return self.captured - self._cursor + sum(chunk.count for chunk in self._retry)

    @property
    def finished(self) -> bool:
        """Whether the source has ended and every frame has its fate."""
        return self.ended and self.ledger.tally.balanced

    def has_room(self) -> bool:
        """Whether the next frame may be written into its slot."""
        return self.captured - self._needed_from() < self.plan.slots

    def capture(self, index: int, time_s: float, arrived_s: float = 0.0) -> int:
        """Give a frame its stream number; the caller has made sure of room.

        Numbers that the camera's count skips are lost frames. `arrived_s` is on
        this machine's clock.
        """
        number = self.captured
        missing = index - self._last_index - 1 if number else 0
        require(missing >= 0, f"frame number {index} came after {self._last_index}; they must rise")
        if missing:
            self._gaps.append(number)
            self.ledger.lost += missing
        slot = number % self.plan.slots
        self.index[slot], self.time_s[slot], self.arrived_s[slot] = index, time_s, arrived_s
        self._last_index = index
        self.ledger.captured += 1
        return number

    def end(self, lost_at_end: int = 0) -> None:
        """No more frames will come; `lost_at_end` came after the last that got a slot."""
        self.ended = True
        self.ledger.lost += lost_at_end

    def next_chunk(self, lane: Hashable) -> Chunk | None:
        """The oldest frames that are ready, for this lane."""
        chunk = self._retry.popleft() if self._retry else self._fresh()
        if chunk is not None:
            self._given[chunk.number] = chunk, lane
        return chunk

    def given(self, number: int) -> Chunk | None:
        """A chunk that some lane holds."""
        held = self._given.get(number)
        return None if held is None else held[0]

    def done(self, number: int, lane: Hashable) -> Chunk | None:
        """A lane has answered; None if that chunk is no longer the lane's to answer."""
        if self._given.get(number, (None, None))[1] != lane:
            return None
        chunk, _ = self._given.pop(number)
        self.ledger.settle(chunk.first, chunk.count, Fate.LOCALIZED)
        return chunk

    def failed(self, number: int, lane: Hashable, reason: str) -> list[Settled]:
        """A lane could not answer: another one tries, or the chunk is set aside."""
        if self._given.get(number, (None, None))[1] != lane:
            return []
        chunk = replace(self._given[number][0], tries=self._given[number][0].tries + 1)
        del self._given[number]
        if chunk.tries < FATAL_TRIES:
            self._retry.append(chunk)
            return []
        return [self._settle(chunk.first, chunk.count, self._unserved, reason)]

    def not_delivered(self, number: int) -> None:
        """A chunk never reached its lane: it is the next to be given, and has not been tried."""
        chunk, _ = self._given.pop(number)
        self._retry.appendleft(chunk)

    def lane_gone(self, lane: Hashable, reason: str) -> list[Settled]:
        """A lane died; its chunks go to others."""
        held = [number for number, (_, owner) in self._given.items() if owner == lane]
        return [settled for number in held for settled in self.failed(number, lane, reason)]

    def relieve(self) -> list[Settled]:
        """Act by the overload rule; to be called as frames come in."""
        if self.plan.overload is Overload.WAIT:
            return []
        settled = self._take_back()
        waiting = self.captured - self._cursor
        if waiting > int(OVERLOAD_SHARE * self.plan.slots):
            excess = waiting - int(RELIEVED_SHARE * self.plan.slots)
            reason = f"overload: rule {self.plan.overload.value!r}"
            settled.append(self._skip(excess, self._unserved, reason))
        return settled

    def _take_back(self) -> list[Settled]:
        """Chunks that hold back too much of the ring: to another lane, then given up."""
        settled = []
        for number, (chunk, lane) in list(self._given.items()):
            held_back = (self.captured - chunk.begin) / self.plan.slots
            if held_back > PATIENCE_SHARES[min(chunk.tries, 1)]:
                settled += self.failed(number, lane, "a lane was too slow for the camera")
        return settled

    def recording_failed(self) -> None:
        """The raw record takes no more frames: none can be deferred from now on."""
        rule = self.plan.overload
        rule = Overload.THIN if rule is Overload.DEFER else rule
        self.plan = replace(self.plan, recorded=False, overload=rule)

    def abandon(self, reason: str) -> list[Settled]:
        """Give every frame that waits or is with a lane its fate now."""
        chunks = [*self._retry, *(chunk for chunk, _ in self._given.values())]
        self._retry.clear()
        self._given.clear()
        settled = [self._settle(c.first, c.count, self._unserved, reason) for c in chunks]
        rest = self.captured - self._cursor
        return settled + ([self._skip(rest, self._unserved, reason)] if rest else [])

    @property
    def _unserved(self) -> Fate:
        """The fate of a frame that no lane answers for."""
        return Fate.DEFERRED if self.plan.recorded else Fate.SHED

    def _needed_from(self) -> int:
        """The oldest frame that must stay in the ring."""
        needs = [self._cursor - self.plan.halo[0]]
        needs += [chunk.begin for chunk in self._retry]
        needs += [chunk.begin for chunk, _ in self._given.values()]
        if self.plan.recorded:
            needs.append(self.recorded_to)
        return max(0, min(needs))

    def _fresh(self) -> Chunk | None:
        """The next frames in a row, if their context is complete."""
        before, after = self.plan.halo
        run_first, run_stop, complete = self._run()
        stop = run_stop if complete else run_stop - after
        count = min(self.plan.chunk_frames, stop - self._cursor)
        if count <= 0:
            return None
        first = self._cursor
        context = min(before, first - run_first), min(after, run_stop - first - count)
        slow = self.captured - first > OVERLOAD_SHARE * self.plan.slots / 2
        chunk = Chunk(
            number=self._chunks,
            first=first,
            count=count,
            halo=context,
            fallback=slow and self.plan.overload is Overload.FALLBACK,
        )
        self._chunks += 1
        self._cursor += count
        return chunk

    def _run(self) -> tuple[int, int, bool]:
        """First and stop of the gapless run at the cursor, and whether it is complete."""
        while self._gaps and self._gaps[0] <= self._cursor:
            self._run_first = self._gaps.popleft()
        oldest = max(self._run_first, self.captured - self.plan.slots)
        stop = self._gaps[0] if self._gaps else self.captured
        return oldest, stop, bool(self._gaps) or self.ended

    def _skip(self, count: int, fate: Fate, reason: str) -> Settled:
        first, self._cursor = self._cursor, self._cursor + count
        return self._settle(first, count, fate, reason)

    def _settle(self, first: int, count: int, fate: Fate, reason: str) -> Settled:
        self.ledger.settle(first, count, fate)
        return Settled(first, count, fate, reason)
