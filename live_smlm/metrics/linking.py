"""Which localizations are one blink: the same molecule seen on in frame after frame.

A fold over frames. A localization goes on with the nearest open blink within reach
that is not taken in its frame; else it opens a new one. A blink stays open over a few
dark frames. What a molecule does after a longer dark time is a blink of its own: blinks
are not molecules. Where molecules lie closer than the reach in neighbouring frames,
blinks of different molecules are joined and the count is too low.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from live_smlm.core import F32, I32, I64, Bool, require
from live_smlm.physics.jit import jit

REACH_SIGMAS = 4.0
"""Reach over the standard error of one coordinate: 98 % of second, more of later frames."""
DARK_FRAMES = 2
_CELL = 3.0
"""Cell over reach: the nearest four cells hold all that began within 1.5 reaches."""
_NONE = -1


def _no_rows() -> I64:
    return np.zeros(0, np.int64)


def _no_places() -> F32:
    return np.zeros((0, 2), np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Links:
    """The blinks that may go on, and how many there were."""

    reach_nm: float
    dark_frames: int = DARK_FRAMES
    """Frames without it after which a blink is over."""
    molecules: int = 0
    blinks: int = 0
    place: F32 = field(default_factory=_no_places)
    """(n, 2): mean y, x of each open blink."""
    first: I64 = field(default_factory=_no_rows)
    last: I64 = field(default_factory=_no_rows)
    size: I64 = field(default_factory=_no_rows)
    """Localizations in it."""
    number: I64 = field(default_factory=_no_rows)
    """By which it is told from all others of the run."""

    def __post_init__(self) -> None:
        require(self.reach_nm > 0, f"reach is {self.reach_nm:g} nm; give above 0")
        require(self.dark_frames >= 0, f"dark_frames is {self.dark_frames}; give 0 or more")

    @property
    def merged(self) -> int:
        """Localizations that went on with a blink."""
        return self.molecules - self.blinks

    @property
    def on_frames(self) -> float | None:
        """Frames in which a blink is seen, on average."""
        return self.molecules / self.blinks if self.blinks else None


@dataclass(frozen=True, slots=True, eq=False)
class Linked:
    """What linking says of each localization of a chunk."""

    began: I64
    """The frame in which its blink began."""
    new: Bool
    """Whether it is a blink's first."""
    number: I64
    """Of its blink, counted through the run."""


def fold(links: Links, frame: I64, x: F32, y: F32) -> tuple[Links, Linked]:
    """The links after more localizations; frames must not fall, here or since the last chunk."""
    n, kept = len(frame), len(links.first)
    if n == 0:
        return links, Linked(_no_rows(), np.zeros(0, np.bool_), _no_rows())
    falls = np.any(frame[1:] < frame[:-1]) or (kept and frame[0] < links.last.max())
    require(not falls, "frames to be linked fall; sort the localizations by frame")
    place = np.concatenate([links.place, np.empty((n, 2), np.float32)])
    first, last, size = (
        np.concatenate([known, np.zeros(n, np.int64)])
        for known in (links.first, links.last, links.size)
    )
    number = np.concatenate([links.number, links.blinks + np.arange(n)])
    began, new, blink = np.empty(n, np.int64), np.empty(n, np.bool_), np.empty(n, np.int64)
    heads = np.full(_power_of_two(2 * (kept + n)), _NONE, np.int32)
    count = _link(
        frame, x, y, links.reach_nm, links.dark_frames, kept, place, first, last, size, heads,
        np.empty(kept + n, np.int32), began, new, blink,
    )  # fmt: skip
    still = np.flatnonzero(last[:count] >= frame[-1] - links.dark_frames)
    linked = replace(
        links,
        molecules=links.molecules + n,
        blinks=links.blinks + int(count - kept),
        place=place[still],
        first=first[still],
        last=last[still],
        size=size[still],
        number=number[still],
    )
    return linked, Linked(began, new, number[blink])


def _power_of_two(least: int) -> int:
    return 1 << max(4, (least - 1).bit_length())


@jit
def _bucket(row: int, column: int, buckets: int) -> int:
    """Where blinks of a cell are listed; `buckets` is a power of two."""
    mixed = (row * 73856093) ^ (column * 19349663)
    return (mixed ^ (mixed >> 15)) & (buckets - 1)


@jit
def _link(
    frame: I64, x: F32, y: F32, reach: float, dark: int, count: int, place: F32, first: I64,
    last: I64, size: I64, heads: I32, following: I32, began: I64, new: Bool,
    blink: I64,
) -> int:  # fmt: skip
    """Fill `began`, `new` and `blink`, append the blinks that open, return how many there are."""
    cell, half = _CELL * reach, _CELL * reach / 2
    for i in range(count):
        bucket = _bucket(int(place[i, 0] // cell), int(place[i, 1] // cell), heads.size)
        following[i], heads[bucket] = heads[bucket], i
    for k in range(frame.size):
        now, row, column = frame[k], int(y[k] // cell), int(x[k] // cell)
        best, nearest = -1, reach * reach
        above, left = int(y[k] // half) % 2 == 0, int(x[k] // half) % 2 == 0
        for near_row in range(row - above, row - above + 2):
            for near_column in range(column - left, column - left + 2):
                bucket = _bucket(near_row, near_column, heads.size)
                before, i = -1, heads[bucket]
                while i >= 0:
                    if last[i] < now - dark - 1:
                        if before < 0:
                            heads[bucket] = following[i]
                        else:
                            following[before] = following[i]
                    else:
                        before = i
                        distance = (y[k] - place[i, 0]) ** 2 + (x[k] - place[i, 1]) ** 2
                        if last[i] < now and distance < nearest:
                            best, nearest = i, distance
                    i = following[i]
        new[k] = best < 0
        if best < 0:
            best = count
            count += 1
            first[best], size[best] = now, 0
            place[best, 0], place[best, 1] = y[k], x[k]
            bucket = _bucket(row, column, heads.size)
            following[best], heads[bucket] = heads[bucket], best
        size[best] += 1
        last[best] = now
        place[best, 0] += (y[k] - place[best, 0]) / size[best]
        place[best, 1] += (x[k] - place[best, 1]) / size[best]
        began[k], blink[k] = first[best], best
    return count
