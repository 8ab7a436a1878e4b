"""How a frame is padded and taken apart: windows that overlap, each owning a part of the frame.

Windows begin and end on the grid, so that a network sees every pixel at the
same phase whether the frame was cut or not. They overlap by the network's
margin: within the part that a window owns its answer is that of the whole frame.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from live_smlm.core import I64, AnyArray, Bool

Span = tuple[int, int]
_WHOLE_PX = 1 << 19
"""Frames up to so many pixels stay whole."""
_SIDE_PX = 512
"""What a window of a larger frame owns: overlaps cost a quarter, the frame as a whole twice."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the padded frame: what a graph is given, and what it answers for."""

    rows: Span
    columns: Span
    owned_rows: tuple[float, float]
    """Half open, in pixels; without end where the frame has its border."""
    owned_columns: tuple[float, float]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, columns."""
        return self.rows[1] - self.rows[0], self.columns[1] - self.columns[0]

    def cut(self, frames: AnyArray) -> AnyArray:
        """The window of (..., rows, columns), in one piece."""
        return np.ascontiguousarray(
            frames[..., self.rows[0] : self.rows[1], self.columns[0] : self.columns[1]]
        )

    def owned_tiles(self, grid: int) -> Bool:
        """(rows, columns) of the window in tiles: which of them it owns."""
        row, column = (
            (np.arange(start, stop, grid) >= low) & (np.arange(start, stop, grid) < high)
            for (start, stop), (low, high) in (
                (self.rows, self.owned_rows),
                (self.columns, self.owned_columns),
            )
        )
        return np.asarray(row[:, None] & column)


def reflected(pixels: int, grid: int) -> I64:
    """Which pixel stands at each place of an axis padded to the grid: mirrored at the border."""
    padded = -(-pixels // grid) * grid
    period = max(1, 2 * (pixels - 1))
    place = np.arange(padded) % period
    return np.asarray(np.minimum(place, period - place), np.int64)


def padded(frames: AnyArray, grid: int) -> AnyArray:
    """(n, rows, columns), mirrored to multiples of the grid; the corner stays where it is."""
    rows, columns = frames.shape[-2:]
    if rows % grid == 0 and columns % grid == 0:
        return frames
    return np.asarray(frames[..., reflected(rows, grid)[:, None], reflected(columns, grid)])


def windows(shape: tuple[int, int], grid: int, margin_px: int, side_px: int = 0) -> list[Window]:
    """Windows that together own a padded frame; `side_px` 0: large frames are cut, others not."""
    rows, columns = shape
    if side_px == 0:
        side_px = _SIDE_PX if rows * columns > _WHOLE_PX else max(shape)
    side = max(1, side_px // grid) * grid
    margin = -(-margin_px // grid) * grid
    return [
        _window((r, min(r + side, rows)), (c, min(c + side, columns)), margin, shape)
        for r in range(0, rows, side)
        for c in range(0, columns, side)
    ]


def bright(window: Window, lit: Bool, grid: int, margin_px: int) -> list[Window]:
    """Windows around the lit tiles of what a window owns; none where all of it is dark.

    `lit` is (rows, columns) of the window in tiles. A window is split where the
    dark between is as wide as the overlap that the split costs.
    """
    margin = -(-margin_px // grid)
    found = []
    for rows, columns in _rectangles(window.owned_tiles(grid) & lit, (0, 0), 2 * margin):
        spans, owns = [], []
        for (first, last), span, owned in (
            (rows, window.rows, window.owned_rows),
            (columns, window.columns, window.owned_columns),
        ):
            low, high = span[0] + first * grid, span[0] + last * grid
            spans.append((max(span[0], low - margin * grid), min(span[1], high + margin * grid)))
            owns.append(_clipped(owned, low, high, span))
        found.append(Window(spans[0], spans[1], owns[0], owns[1]))
    return found


def _rectangles(lit: Bool, corner: Span, least: int) -> Iterator[tuple[Span, Span]]:
    """Disjoint rectangles that hold all lit tiles, cut where at least `least` lines are dark."""
    if not lit.any():
        return
    parts = []
    for axis, first in enumerate(corner):
        lines = np.flatnonzero(lit.any(1 - axis))
        gaps = np.diff(lines)
        if len(gaps) and gaps.max() > max(least, 1):
            cut = int(lines[gaps.argmax()]) + 1
            moved = (first + cut, corner[1]) if axis == 0 else (corner[0], first + cut)
            here, there = (lit[:cut], lit[cut:]) if axis == 0 else (lit[:, :cut], lit[:, cut:])
            yield from _rectangles(here, corner, least)
            yield from _rectangles(there, moved, least)
            return
        parts.append((first + int(lines[0]), first + int(lines[-1]) + 1))
    yield parts[0], parts[1]


def _window(rows: Span, columns: Span, margin: int, shape: tuple[int, int]) -> Window:
    reach = [
        (max(0, first - margin), min(last + margin, end))
        for (first, last), end in zip((rows, columns), shape, strict=True)
    ]
    return Window(reach[0], reach[1], _open(rows, shape[0]), _open(columns, shape[1]))


def _open(span: Span, end: int) -> tuple[float, float]:
    """Molecules that a network puts beyond the border belong to the window at the border."""
    first, last = span
    return (-np.inf if first == 0 else first), (np.inf if last == end else last)


def _clipped(owned: tuple[float, float], first: int, last: int, span: Span) -> tuple[float, float]:
    """What is still owned; an open end stays open where the lit part reaches it."""
    low = owned[0] if first <= max(owned[0], span[0]) else float(first)
    high = owned[1] if last >= min(owned[1], span[1]) else float(last)
    return low, high
