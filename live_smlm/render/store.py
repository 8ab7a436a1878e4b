"""All molecules of a run, to be drawn again whenever the view changes.

Chunks of rows, each sorted by place once it is full: reading a window costs
by what lies in it. A `Mark` says up to where somebody has read, in the order
of coming; reading goes on from there, so whoever draws gets every molecule
exactly once, however far it has fallen behind. One thread adds; any number
read meanwhile, without copies of what they do not ask for.
"""

import threading
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from live_smlm.core import STILL, DriftCurve, Localizations, from_columns
from live_smlm.render.chunks import CHUNK, KEPT, Closed, Columns, Open, Room, Runs, packed
from live_smlm.render.filters import ALL, Filters
from live_smlm.render.locate import locate
from live_smlm.render.viewport import EVERYWHERE, Rect

_PIECE = 2**16
"""Molecules that are worth a piece of their own."""


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """Up to where a reader has got: whole chunks, and rows of the one that was open then."""

    whole: int = 0
    part: Open | None = None
    rows: int = 0
    count: int = 0
    """Molecules before it."""


START = Mark()


class Piece(NamedTuple):
    """What was read, and up to where."""

    molecules: Localizations
    mark: Mark


_Stretch: TypeAlias = tuple[Columns, Callable[[Rect], Runs], tuple[int, int], Mark]
"""Columns, which of their rows lie near a place, their frames, and the mark behind them."""


class MoleculeStore:
    """Append-only; see the module."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed: list[Closed] = []
        self._open: Open | None = None
        self._in_closed = 0
        self._room = Room()

    def __len__(self) -> int:
        return self.now().count

    @property
    def nbytes(self) -> int:
        """Memory of the molecules and their index."""
        with self._lock:
            chunks, part = list(self._closed), self._open
        open_bytes = 0 if part is None else sum(c.nbytes for c in part.columns.values())
        return open_bytes + sum(chunk.nbytes for chunk in chunks)

    def add(self, molecules: Localizations) -> None:
        """Keep molecules; what readers that come now will find."""
        if not len(molecules):
            return
        columns, first = packed(molecules), 0
        while first < len(molecules):
            if self._open is None or self._open.columns.keys() != columns.keys():
                self._close(Open(columns))
            part = self._open
            assert part is not None  # noqa: S101 - _close has just set it
            taken = part.append(columns, first)
            first += taken
            if taken == 0:
                self._close(Open(columns))

    def now(self) -> Mark:
        """The mark behind all that is here."""
        with self._lock:
            rows = 0 if self._open is None else self._open.count
            return Mark(len(self._closed), self._open, rows, self._in_closed + rows)

    def inside(
        self, rect: Rect, filters: Filters = ALL, drift: DriftCurve = STILL
    ) -> Iterator[Localizations]:
        """The molecules that lie in a rectangle and pass, in batches; drift taken off."""
        for piece in self.pieces(rect, filters, drift):
            if len(piece.molecules):
                yield piece.molecules

    def pieces(
        self,
        rect: Rect = EVERYWHERE,
        filters: Filters = ALL,
        drift: DriftCurve = STILL,
        *,
        after: Mark = START,
        columns: AbstractSet[str] = KEPT,
        reaching: bool = False,
    ) -> Iterator[Piece]:
        """The same, of what came after a mark and is here now, with the columns asked for only.

        `reaching`: molecules of a great width come along wherever they lie. The last
        piece's mark is behind all of it, whether anything lay inside or not.
        """
        wanted = filters.columns().union(columns, ("frame", "x", "y"))
        found: list[Columns] = []
        mark = after
        for stretch in self._stretches(after):
            part = _located(stretch, wanted, rect, drift, reaching=reaching)
            if found and found[0].keys() != part.keys():
                yield _piece(found, filters, mark)
                found = []
            found.append(part)
            mark = stretch[-1]
            if sum(len(one["x"]) for one in found) >= _PIECE:
                yield _piece(found, filters, mark)
                found = []
        if found:
            yield _piece(found, filters, mark)

    def _close(self, fresh: Open) -> None:
        """Sort the open chunk, and go on with a fresh one."""
        # Sorting takes a while, and readers need not wait for it.
        closed = None if self._open is None else self._open.closed(self._room)
        with self._lock:
            if closed is not None:
                self._closed.append(closed)
                self._in_closed += closed.count
            self._open = fresh

    def _stretches(self, after: Mark) -> Iterator[_Stretch]:
        """What came after a mark, until now."""
        now = self.now()
        first, count = after.whole, after.count
        if after.part is not None and first < now.whole:
            # It was read in part, and has been sorted since: the rest of it as it came.
            first, count = first + 1, count + after.part.count - after.rows
            yield _unsorted(after.part, after.rows, after.part.count, Mark(first, count=count))
        for number in range(first, now.whole):
            chunk = self._closed[number]
            count += chunk.count
            yield chunk.columns, chunk.near, chunk.frames, Mark(number + 1, count=count)
        begin = after.rows if after.part is now.part else 0
        if now.part is not None and now.rows > begin:
            yield _unsorted(now.part, begin, now.rows, now)


def _unsorted(part: Open, begin: int, end: int, mark: Mark) -> _Stretch:
    frame = part.columns["frame"][begin:end]
    frames = (int(frame.min()), int(frame.max())) if len(frame) else (0, 0)
    return part.columns, lambda _: part.runs(begin, end), frames, mark


def _located(
    stretch: _Stretch, wanted: frozenset[str], rect: Rect, drift: DriftCurve, *, reaching: bool
) -> Columns:
    """The wanted columns of the rows that lie in the rectangle once drift is taken off."""
    columns, near, frames, _ = stretch
    down, right, up, left = drift.between(*frames)
    runs = near(Rect(rect.y0 + down, rect.x0 + right, rect.y1 + up, rect.x1 + left))
    if not reaching:
        runs = runs._replace(wide_from=CHUNK, wide=np.zeros(0, np.bool_))
    most = int((runs.ends - runs.begins).sum())
    rows, x, y = np.empty(most, np.int64), np.empty(most, np.float32), np.empty(most, np.float32)
    kept = columns["x"], columns["y"], columns["frame"]
    curve = drift.frame, drift.x, drift.y
    begins, ends, wide_from, wide = runs
    n = locate(*kept, begins, ends, wide_from, wide, *curve, *rect, rows, x, y)
    rest = wanted.intersection(columns) - {"x", "y"}
    found = {name: columns[name][rows[:n]] for name in rest}
    if "z" in found and drift is not STILL:
        found["z"] = found["z"] - drift.at(found["frame"])[2]
    return {"x": x[:n], "y": y[:n], **found}


def _piece(found: list[Columns], filters: Filters, mark: Mark) -> Piece:
    joined = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
    molecules = from_columns(joined)
    if filters.ranges():
        molecules = molecules.where(filters.passes(molecules))
    return Piece(molecules, mark)
