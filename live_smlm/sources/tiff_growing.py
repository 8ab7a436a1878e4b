"""A TIFF file that another program is still writing, page by page.

Each page is found where the one before points to; a page counts once all its
pixels are in the file. Finished files are read by `tiff`, which knows far more.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np

from live_smlm.core import InputError, RawPixels, require
from live_smlm.sources.movie import Movie

_WIDTH, _ROWS, _BITS, _PACKING, _OFFSETS, _COLOURS, _LENGTHS = 256, 257, 258, 259, 273, 277, 279
_TYPES = {1: "B", 3: "H", 4: "I", 16: "Q"}
_UNPACKED = 1


@dataclass(frozen=True, slots=True)
class _Form:
    """How a file says its numbers: byte order, and sizes for plain or Big TIFF."""

    order: str
    first_at: int
    pointer: str
    counter: str

    @property
    def entry(self) -> int:
        return 20 if self.pointer == "Q" else 12


@contextmanager
def open_growing_tiff(path: Path) -> Iterator[Movie]:
    """Uncompressed grey frames, one per page; `Movie.grown` looks for more."""
    # Without a buffer, which would keep what was there before more was written.
    with path.open("rb", buffering=0) as file:
        pages = _Pages(path, file, _form(path, file.read(4)))
        frames = pages.grown()
        require(frames > 0, f"{path} holds no whole frame yet; wait until the first is written")
        yield Movie(
            name=str(path),
            shape=pages.shape,
            dtype=pages.dtype.newbyteorder("="),
            frames=frames,
            fetch=pages.fetch,
            grown=pages.grown,
        )


def _form(path: Path, head: bytes) -> _Form:
    order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
    magic = struct.unpack(f"{order}H", head[2:])[0] if order and len(head) == 4 else 0
    if magic == 42:
        return _Form(order, 4, "I", "H")
    if magic == 43:
        return _Form(order, 8, "Q", "Q")
    raise InputError(f"{path} does not begin as a TIFF file; check what writes it")


@dataclass
class _Pages:
    path: Path
    file: FileIO
    form: _Form
    shape: tuple[int, int] = (0, 0)
    dtype: "np.dtype[Any]" = field(default_factory=lambda: np.dtype(np.uint16))
    offsets: list[int] = field(default_factory=list)
    """Where the pixels of each whole frame begin."""
    _pointer_at: int = 0
    """Where the file says where the next page begins."""

    def __post_init__(self) -> None:
        self._pointer_at = self.form.first_at

    def grown(self) -> int:
        size = self.path.stat().st_size
        while self._next(size):
            pass
        return len(self.offsets)

    def fetch(self, first: int, stop: int) -> RawPixels:
        frames: RawPixels = np.empty((stop - first, *self.shape), self.dtype.newbyteorder("="))
        length = self.shape[0] * self.shape[1] * self.dtype.itemsize
        for k, offset in enumerate(self.offsets[first:stop]):
            self.file.seek(offset)
            data = self.file.read(length)
            require(len(data) == length, f"{self.path} was cut short; copy it again")
            frames[k] = np.frombuffer(data, self.dtype).reshape(self.shape)
        return frames

    def _next(self, size: int) -> bool:
        """Take one page more, if it is whole."""
        form = self.form
        (start,) = self._numbers(form.pointer, self._pointer_at, 1) or (0,)
        (count,) = (self._numbers(form.counter, start, 1) if start else None) or (0,)
        head = struct.calcsize(form.counter)
        after = start + head + count * form.entry
        if count == 0 or after + struct.calcsize(form.pointer) > size:
            return False
        tags = self._tags(start + head, count)
        offsets, lengths = tags.get(_OFFSETS, ()), tags.get(_LENGTHS, ())
        if not offsets or len(offsets) != len(lengths) or offsets[-1] + lengths[-1] > size:
            return False
        self._check(tags, offsets, lengths)
        self.offsets.append(offsets[0])
        self._pointer_at = after
        return True

    def _tags(self, at: int, count: int) -> dict[int, tuple[int, ...]]:
        """The numbers of those tags that matter."""
        form, found = self.form, {}
        for k in range(count):
            place = at + k * form.entry
            tag, kind = self._numbers("HH", place, 1) or (0, 0)
            (many,) = self._numbers(form.pointer, place + 4, 1) or (0,)
            if kind not in _TYPES or not _WIDTH <= tag <= _LENGTHS:
                continue
            value_at = place + form.entry - struct.calcsize(form.pointer)
            if many * struct.calcsize(_TYPES[kind]) > struct.calcsize(form.pointer):
                (value_at,) = self._numbers(form.pointer, value_at, 1) or (0,)
            found[tag] = self._numbers(_TYPES[kind], value_at, many) or ()
        return found

    def _numbers(self, kind: str, at: int, many: int) -> tuple[int, ...] | None:
        code = f"{self.form.order}{kind * many}"
        self.file.seek(at)
        data = self.file.read(struct.calcsize(code))
        return struct.unpack(code, data) if len(data) == struct.calcsize(code) else None

    def _check(
        self, tags: dict[int, tuple[int, ...]], offsets: tuple[int, ...], lengths: tuple[int, ...]
    ) -> None:
        (columns,), (rows,) = tags.get(_WIDTH, (0,)), tags.get(_ROWS, (0,))
        bits = tags.get(_BITS, (1,))
        together = all(
            here + length == after
            for here, length, after in zip(offsets, lengths, offsets[1:], strict=False)
        )
        require(
            tags.get(_PACKING, (_UNPACKED,)) == (_UNPACKED,)
            and tags.get(_COLOURS, (1,)) == (1,)
            and bits in ((8,), (16,))
            and together
            and sum(lengths) == rows * columns * bits[0] // 8,
            f"{self.path} is still written and its pages are not plain grey images of 8 or 16 "
            "bits; read it when it is finished, without watching",
        )
        dtype = np.dtype(f"{self.form.order}u{bits[0] // 8}")
        if not self.offsets:
            self.shape, self.dtype = (rows, columns), dtype
        require(
            (rows, columns) == self.shape and dtype == self.dtype,
            f"{self.path} has a page of {rows}x{columns} {dtype.name} after pages of "
            f"{self.shape[0]}x{self.shape[1]} {self.dtype.name}; give each kind a file of its own",
        )
