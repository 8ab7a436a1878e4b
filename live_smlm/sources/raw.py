"""Picasso's movies: bare pixels in a .raw file, described by the .yaml file of the same name.

The description is YAML that may hold anything; the five lines that matter are
read and the rest is left alone.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from live_smlm.core import InputError, RawPixels, require
from live_smlm.sources.movie import Movie, as_counts, counts_type

ENDING = ".raw"
_ORDERS = ("<", ">")


def is_raw(path: Path) -> bool:
    """Whether the ending says so."""
    return path.suffix.lower() == ENDING


@dataclass(frozen=True, slots=True)
class _Layout:
    shape: tuple[int, int]
    dtype: "np.dtype[np.generic]"
    frames: int

    @property
    def frame_bytes(self) -> int:
        return self.shape[0] * self.shape[1] * self.dtype.itemsize


@contextmanager
def open_raw(path: Path) -> Iterator[Movie]:
    """A finished movie: as many frames as its description says."""
    layout = _layout(path)
    size, due = path.stat().st_size, layout.frames * layout.frame_bytes
    require(
        size == due,
        f"{path} has {size} bytes but {layout.frames} frames of {layout.shape[0]}x"
        f"{layout.shape[1]} {layout.dtype.name} need {due}; copy it again",
    )
    with _opened(path, layout, growing=False) as movie:
        yield movie


@contextmanager
def open_growing_raw(path: Path) -> Iterator[Movie]:
    """A movie that is still written: as many frames as there are whole ones."""
    with _opened(path, _layout(path), growing=True) as movie:
        yield movie


@contextmanager
def _opened(path: Path, layout: _Layout, *, growing: bool) -> Iterator[Movie]:
    def whole() -> int:
        return path.stat().st_size // layout.frame_bytes

    with path.open("rb", buffering=0) as file:

        def fetch(first: int, stop: int) -> RawPixels:
            file.seek(first * layout.frame_bytes)
            data = file.read((stop - first) * layout.frame_bytes)
            pixels = np.frombuffer(data, layout.dtype).reshape(-1, *layout.shape)
            require(len(pixels) == stop - first, f"{path} was cut short; copy it again")
            return as_counts(str(path), first, pixels.astype(layout.dtype.newbyteorder("=")))

        yield Movie(
            name=str(path),
            shape=layout.shape,
            dtype=counts_type(str(path), layout.dtype),
            frames=whole() if growing else layout.frames,
            fetch=fetch,
            grown=whole if growing else None,
        )


def _layout(path: Path) -> _Layout:
    beside = path.with_suffix(".yaml")
    require(beside.is_file(), f"{path} needs its description {beside.name} beside it; copy both")
    text = beside.read_text(encoding="utf-8", errors="replace")
    order = _value(beside, text, "Byte Order").strip("'\"")
    require(order in _ORDERS, f"{beside} has Byte Order {order!r}; it is < or >")
    name = _value(beside, text, "Data Type").strip("'\"")
    try:
        dtype = np.dtype(name).newbyteorder(order)  # type: ignore[arg-type] # one of _ORDERS
    except TypeError as error:
        raise InputError(f"{beside} has Data Type {name!r}; it is a type as uint16") from error
    rows, columns, frames = (_number(beside, text, name) for name in ("Height", "Width", "Frames"))
    return _Layout((rows, columns), dtype, frames)


def _number(path: Path, text: str, name: str) -> int:
    value = _value(path, text, name)
    require(
        value.isdigit() and int(value) > 0, f"{path} has {name} {value!r}; it is a number above 0"
    )
    return int(value)


def _value(path: Path, text: str, name: str) -> str:
    """Of the first line that gives it; processing steps append documents of their own."""
    told = re.search(rf"^{name}:\s*(.+?)\s*$", text, re.MULTILINE)
    if told is None:
        raise InputError(f"{path} does not say {name!r}; it is not a description by Picasso")
    return told[1]
