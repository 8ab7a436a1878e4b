"""NDTiff, the folder that Micro-Manager writes: an index, and TIFF files full of frames.

The index alone says where each frame lies, so it is read and the files' own
pages are not; it grows with the frames, so an acquisition can be read while it
runs. Frames are taken in the order of writing, along one axis.
"""

import json
import math
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

import numpy as np

from live_smlm.core import F64, RawPixels, require
from live_smlm.sources.movie import Movie

INDEX = "NDTiff.index"
_ONE_BYTE = 0
_TWO_BYTES = (1, 3, 4, 5, 6)
"""Kinds of pixel in the index: 16, 10, 12, 14, 11 bits."""


def is_ndtiff(path: Path) -> bool:
    """Whether a folder holds such an index."""
    return (path / INDEX).is_file()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where one frame lies."""

    file: str
    axes: str
    offset: int
    shape: tuple[int, int]
    dtype: str
    metadata: tuple[int, int]
    """Offset, length."""


@contextmanager
def open_ndtiff(folder: Path) -> Iterator[Movie]:
    """The frames of one such folder; `Movie.grown` looks for more."""
    with ExitStack() as held:
        dataset = _Dataset(folder, held)
        frames = dataset.grown()
        require(
            frames > 0,
            f"{folder} holds no frames; record it again, or wait until the first is written",
        )
        first = dataset.places[0]
        yield Movie(
            name=str(folder),
            shape=first.shape,
            dtype=np.dtype(first.dtype),
            frames=frames,
            fetch=dataset.fetch,
            times=dataset.times if np.isfinite(dataset.times(0, 1)[0]) else None,
            grown=dataset.grown,
        )


@dataclass
class _Dataset:
    folder: Path
    held: ExitStack
    places: list[_Place] = field(default_factory=list)
    _read: int = 0
    """Bytes of the index that are understood."""
    _moving: set[str] = field(default_factory=set)
    """The axes along which the frames so far lie."""
    _files: dict[str, FileIO] = field(default_factory=dict)

    def grown(self) -> int:
        """Read on in the index."""
        with (self.folder / INDEX).open("rb") as index:
            index.seek(self._read)
            data = index.read()
        at = 0
        while (entry := _entry(self.folder, data, at)) is not None:
            place, at = entry
            self._check(place)
            self.places.append(place)
        self._read += at
        return len(self.places)

    def fetch(self, first: int, stop: int) -> RawPixels:
        one = self.places[first]
        frames: RawPixels = np.empty((stop - first, *one.shape), one.dtype)
        for k, place in enumerate(self.places[first:stop]):
            data = self._bytes(place.file, place.offset, frames[k].nbytes)
            frames[k] = np.frombuffer(data, np.dtype(place.dtype)).reshape(place.shape)
        return frames

    def times(self, first: int, stop: int) -> F64:
        return np.array([self._time(place) for place in self.places[first:stop]])

    def _time(self, place: _Place) -> float:
        try:
            told = json.loads(self._bytes(place.file, *place.metadata))
            return float(told["ElapsedTime-ms"]) / 1000
        except (ValueError, KeyError, TypeError):
            return math.nan

    def _bytes(self, name: str, offset: int, length: int) -> bytes:
        if name not in self._files:
            path = self.folder / name
            require(path.is_file(), f"{self.folder} lacks its file {name}; copy it again")
            # Without a buffer, which would keep the zeros that a writer puts there beforehand.
            self._files[name] = self.held.enter_context(path.open("rb", buffering=0))
        file = self._files[name]
        file.seek(offset)
        data = file.read(length)
        require(len(data) == length, f"{self.folder / name} is cut short; copy it again")
        return data

    def _check(self, place: _Place) -> None:
        first = self.places[0] if self.places else place
        require(
            place.shape == first.shape and place.dtype == first.dtype,
            f"{self.folder} has frames of {place.shape[0]}x{place.shape[1]} {place.dtype} after "
            f"frames of {first.shape[0]}x{first.shape[1]} {first.dtype}; save one kind by itself",
        )
        was, now = json.loads(first.axes), json.loads(place.axes)
        self._moving |= {axis for axis in now if now[axis] != was.get(axis, 0)}
        require(
            len(self._moving) < 2,
            f"{self.folder} has frames at several {' and '.join(sorted(self._moving))}; "
            "save those along one axis by themselves",
        )


def _entry(folder: Path, data: bytes, at: int) -> tuple[_Place, int] | None:
    """The entry that begins there, and where the next does; None if it is not whole (yet)."""
    axes, at = _text(data, at)
    name, at = _text(data, at)
    if axes is None or name is None or at + 32 > len(data):
        return None
    offset, columns, rows, kind, packed, where, length, _ = struct.unpack_from("<8I", data, at)
    require(
        kind in (_ONE_BYTE, *_TWO_BYTES) and packed == 0,
        f"{folder} has colour or compressed frames; save grey ones as they come from the camera",
    )
    dtype = "uint8" if kind == _ONE_BYTE else "uint16"
    require(
        Path(name).name == name,
        f"{folder}: its index names the file {name!r} outside; copy it again",
    )
    return _Place(name, axes, offset, (rows, columns), dtype, (where, length)), at + 32


def _text(data: bytes, at: int) -> tuple[str | None, int]:
    """Length and letters; no text where they are not whole."""
    if at + 4 > len(data):
        return None, len(data)
    (length,) = struct.unpack_from("<I", data, at)
    end = at + 4 + length
    if length == 0 or end > len(data):
        return None, len(data)
    return data[at + 4 : end].decode("utf-8", errors="replace"), end
