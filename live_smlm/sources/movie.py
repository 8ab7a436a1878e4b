"""A recorded movie as frames by number, and counts as 8 or 16 bit without loss.

Readers of file formats make a `Movie`; who streams frames knows only this.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from live_smlm.core import F64, AnyArray, InputError, RawPixels, require

_COUNTS = 2**16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Movie:
    """An open file of frames; whoever opened it closes it."""

    name: str
    """The path, for messages."""
    shape: tuple[int, int]
    """Rows, columns."""
    dtype: np.dtype[Any]
    """uint8 or uint16."""
    frames: int
    fetch: Callable[[int, int], RawPixels]
    """Frames `first` to before `stop` as an array of its own; called through `read`."""
    times: Callable[[int, int], F64] | None = None
    """When those frames were taken, seconds on the camera's clock, NaN where not told."""
    grown: Callable[[], int] | None = None
    """For a file that is still written: how many whole frames it holds now."""

    def __post_init__(self) -> None:
        require(self.frames > 0, f"{self.name} holds no frames; record it again")

    def now(self) -> int:
        """Frames there are now; those that come later have the next numbers."""
        return self.frames if self.grown is None else self.grown()

    def read(self, first: int, stop: int) -> RawPixels:
        """Frames `first` to before `stop` as an array of its own (n, rows, columns)."""
        frames = self.frames if stop <= self.frames else self.now()
        require(
            0 <= first <= stop <= frames,
            f"{self.name} has frames 0 to {frames - 1}, not {first} to {stop - 1}",
        )
        return self.fetch(first, stop)

    def times_s(self, first: int, stop: int) -> F64:
        """When frames `first` to before `stop` were taken; NaN where nobody knows."""
        return np.full(stop - first, np.nan) if self.times is None else self.times(first, stop)


def counts_type(name: str, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type in which counts of `dtype` are handed on."""
    require(
        dtype.kind in "uif",
        f"{name} has pixels of type {dtype}; a camera's are whole counts, save them as uint16",
    )
    return np.dtype(np.uint8 if dtype == np.uint8 else np.uint16)


def as_counts(name: str, first: int, pixels: AnyArray) -> RawPixels:
    """The same numbers as uint8 or uint16; refuses any that would change.

    `first` is the number of the first frame, for the message.
    """
    kept: AnyArray = pixels
    target = counts_type(name, pixels.dtype)
    if pixels.dtype != target:
        with np.errstate(invalid="ignore"):
            kept = pixels.astype(target)
        changed = np.argwhere(kept != pixels)
        if len(changed):
            raise InputError(_not_counts(name, first, pixels, changed))
    return kept


def _not_counts(name: str, first: int, pixels: AnyArray, changed: AnyArray) -> str:
    frame, row, column = changed[0]
    return (
        f"{name} has the value {pixels[frame, row, column]} ({pixels.dtype}) in frame "
        f"{first + frame}, row {row}, column {column}; frames hold whole counts from 0 to "
        f"{_COUNTS - 1}, save them as uint16"
    )
