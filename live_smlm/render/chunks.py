"""Some hundred thousand molecules, packed: open for appending, then closed and sorted by place.

Widths and probabilities keep 11 bits, the other columns all of theirs. A cell
of a closed chunk stands for all cells of the sample a torus apart: a
chunk's index is as small for a large field, with strays, as for a small one.
A row that was written never changes: so others may read it meanwhile.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from live_smlm.core import I64, AnyArray, Bool, Localizations, require
from live_smlm.render.locate import ACROSS, DOWN, WIDE_CELL, cells
from live_smlm.render.viewport import Rect

CHUNK = 2**18
"""Molecules in a full chunk."""
CELL_NM = 1280.0
WIDE_NM = 100.0
"""Molecules with a larger sigma stand in a cell of their own that is always looked into."""
_LATEST_FRAME = 2**32 - 1
_ROOM_BYTES = 2**26
"""More than the system's allocator keeps in its heap; what is not touched costs nothing."""

_KEPT: Mapping[str, type] = {
    "frame": np.uint32,
    "x": np.float32,
    "y": np.float32,
    "z": np.float32,
    "photons": np.float32,
    "sigma_x": np.float16,
    "sigma_y": np.float16,
    "probability": np.float16,
    "channel": np.int16,
}
KEPT = frozenset(_KEPT)
"""The columns that are kept."""
Columns: TypeAlias = dict[str, AnyArray]


class Runs(NamedTuple):
    """Rows among which all that lie somewhere are to be found."""

    begins: I64
    ends: I64
    wide_from: int
    """From this row on all are wide."""
    wide: Bool
    """Which of the rows before are; none where it is empty."""


def packed(molecules: Localizations) -> Columns:
    """The columns that are kept, in their short types."""
    frame = molecules.frame
    require(
        not len(frame) or (frame.min() >= 0 and frame.max() <= _LATEST_FRAME),
        f"molecules to draw are of frames up to {frame.max(initial=0)}, from "
        f"{frame.min(initial=0)}; frames count from 0 to {_LATEST_FRAME}",
    )
    present = {name: column for name, column in molecules.columns().items() if name in KEPT}
    with np.errstate(over="ignore"):  # a sigma of 65 µm and more says as much as infinity
        return {name: column.astype(_KEPT[name]) for name, column in present.items()}


class Open:
    """Rows in the order of their coming; one thread appends."""

    def __init__(self, names: Iterable[str]) -> None:
        self.columns: Columns = {name: np.empty(CHUNK, _KEPT[name]) for name in names}
        self._wide = np.zeros(CHUNK, np.bool_)
        self.count = 0

    def append(self, columns: Columns, first: int) -> int:
        """Take rows from `first` on until full; how many were taken."""
        taken = min(CHUNK - self.count, len(columns["frame"]) - first)
        for name, column in self.columns.items():
            column[self.count : self.count + taken] = columns[name][first : first + taken]
        rows = slice(self.count, self.count + taken)
        self._wide[rows] = _wide({name: column[rows] for name, column in self.columns.items()})
        self.count += taken
        return taken

    def runs(self, begin: int, end: int) -> Runs:
        """Rows as they came."""
        return Runs(np.array([begin]), np.array([end]), CHUNK, self._wide)

    def closed(self, room: "Room") -> "Closed":
        """The same rows, sorted by place."""
        rows = slice(self.count)
        columns = {name: column[rows] for name, column in self.columns.items()}
        return Closed(columns, self._wide[rows], room)


class Room:
    """Memory in large pieces, for what stays.

    Arrays of a chunk's size would lie scattered in the heap among what comes and goes.
    """

    def __init__(self) -> None:
        self._piece = np.empty(0, np.uint8)
        self._taken = 0

    def array(self, count: int, kind: np.dtype[Any]) -> AnyArray:
        """An array of its own, of one dimension."""
        size = count * kind.itemsize
        if self._taken + size > len(self._piece):
            self._piece, self._taken = np.empty(max(_ROOM_BYTES, size), np.uint8), 0
        part = self._piece[self._taken : self._taken + size].view(kind)
        self._taken += -(-size // 8) * 8  # the next one begins at a whole number of its own type
        return part


class Closed:
    """Rows sorted by cell, of which it is known where each begins."""

    def __init__(self, columns: Columns, wide: Bool, room: Room) -> None:
        at = cells(columns["x"], columns["y"], wide, CELL_NM)
        order = np.argsort(at, kind="stable")
        self.columns: Columns = {}
        for name, column in columns.items():
            self.columns[name] = room.array(len(order), column.dtype)
            np.take(column, order, out=self.columns[name], mode="clip")
        self.count = len(order)
        counts = np.bincount(at, minlength=WIDE_CELL + 1)
        self._begins = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        frame = columns["frame"]
        self.frames = int(frame.min()), int(frame.max())

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return self._begins.nbytes + sum(column.nbytes for column in self.columns.values())

    def near(self, rect: Rect) -> Runs:
        """All that lie in the rectangle are among these rows, and all wide ones."""
        none_before = np.zeros(0, np.bool_)
        wide_from = int(self._begins[WIDE_CELL])
        y0, x0, y1, x1 = (np.clip(side / CELL_NM, -1e9, 1e9) for side in rect)
        top, left, bottom, right = (int(np.floor(side)) for side in (y0, x0, y1, x1))
        if bottom - top + 1 >= DOWN and right - left + 1 >= ACROSS:
            return Runs(np.zeros(1, np.int64), np.array([self.count]), wide_from, none_before)
        rows = np.unique(np.arange(top, min(bottom, top + DOWN - 1) + 1) % DOWN) * ACROSS
        runs = _runs(left, right)
        begins = [self._begins[rows + first] for first, _ in runs]
        ends = [self._begins[rows + last + 1] for _, last in runs]
        wide = self._begins[WIDE_CELL:]
        return Runs(
            np.concatenate([*begins, wide[:1]]).astype(np.int64),
            np.concatenate([*ends, wide[1:]]).astype(np.int64),
            wide_from,
            none_before,
        )


def _runs(left: int, right: int) -> list[tuple[int, int]]:
    """First and last cell of the torus's row for columns left to right."""
    if right - left + 1 >= ACROSS:
        return [(0, ACROSS - 1)]
    first, last = left % ACROSS, right % ACROSS
    return [(first, last)] if first <= last else [(0, last), (first, ACROSS - 1)]


def _wide(columns: Columns) -> Bool:
    """Which rows have a great width; a width that is unknown is none."""
    wide = np.zeros(len(columns["x"]), np.bool_)
    for name in ("sigma_x", "sigma_y"):
        if name in columns:
            wide |= columns[name] > WIDE_NM
    return wide
