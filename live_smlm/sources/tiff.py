"""Movies in TIFF: one file (plain, Big, OME, ImageJ, Micro-Manager), or one file per frame.

Frames that lie in one piece are read straight from the file, others page by
page. The only module that reads through tifffile. Files are read, not mapped
into memory: a mapped file that someone cuts short kills the process.
"""

import logging
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tifffile

from live_smlm.core import AnyArray, InputError, RawPixels, require
from live_smlm.sources.movie import Movie, as_counts, counts_type
from live_smlm.sources.tiff_times import times_of

# Its complaints about damage are checked for here; without a handler they would be printed.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

ENDINGS = (".tif", ".tiff", ".btf", ".tf8")
_DESCRIBED = ("shaped", "imagej", "ome")
"""Kinds whose number of frames is told by a description, so pages need not be counted."""
_DAMAGE = (
    tifffile.TiffFileError,
    ValueError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    AttributeError,
    struct.error,
    zlib.error,
)
"""What tifffile raises on damaged files."""


@contextmanager
def open_tiff(path: Path) -> Iterator[Movie]:
    """The frames of one TIFF file."""
    require(path.stat().st_size > 0, f"{path} is empty; record it again")
    with _explained(path):
        tiff = tifffile.TiffFile(path)
    with tiff:
        with _explained(path):
            series = _only_series(path, tiff)
            frames, shape = _frames_and_shape(path, series)
            _check_whole(path, tiff, series)
            times = times_of(tiff, frames)
        raw = _paged(series, shape) if series.dataoffset is None else _in_one_piece(series, shape)

        def fetch(first: int, stop: int) -> RawPixels:
            with _explained(path):
                return as_counts(str(path), first, raw(first, stop))

        dtype = counts_type(str(path), series.dtype)
        yield Movie(
            name=str(path), shape=shape, dtype=dtype, frames=frames, fetch=fetch, times=times
        )


@contextmanager
def open_tiff_folder(folder: Path) -> Iterator[Movie]:
    """The frames of a folder with one file each, in the order of the numbers in the names."""
    files = sorted((p for p in folder.iterdir() if is_tiff(p)), key=_natural)
    require(bool(files), f"{folder} holds no TIFF files ({', '.join(ENDINGS)}); check the name")
    with open_tiff(files[0]) as movie:
        shape, dtype = movie.shape, movie.dtype

    def fetch(first: int, stop: int) -> RawPixels:
        frames: RawPixels = np.empty((stop - first, *shape), dtype)
        for k, path in enumerate(files[first:stop]):
            with open_tiff(path) as one:
                _check_alike(one, shape, dtype)
                frames[k] = one.read(0, 1)[0]
        return frames

    yield Movie(name=str(folder), shape=shape, dtype=dtype, frames=len(files), fetch=fetch)


def is_tiff(path: Path) -> bool:
    """Whether the ending says so; hidden files are none."""
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".")


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorts img_2 before img_10."""
    return [(int(p), "") if p.isdigit() else (-1, p) for p in re.split(r"(\d+)", path.name)]


def _check_alike(one: Movie, shape: tuple[int, int], dtype: np.dtype[np.generic]) -> None:
    require(
        one.frames == 1,
        f"{one.name} holds {one.frames} frames; a folder is read as one frame per file, "
        "give the file itself",
    )
    require(
        one.shape == shape and one.dtype == dtype,
        f"{one.name} is {one.shape[0]}x{one.shape[1]} {one.dtype} but the folder's first frame "
        f"is {shape[0]}x{shape[1]} {dtype}; move it elsewhere",
    )


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Any complaint about the file's inside as one line."""
    try:
        yield
    except InputError:
        raise
    except _DAMAGE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path} cannot be read as TIFF ({reason}); it is cut short, damaged or of another kind"
        ) from error


def _only_series(path: Path, tiff: tifffile.TiffFile) -> tifffile.TiffPageSeries:
    require(bool(tiff.series), f"{path} holds no frames; record it again")
    told = ", ".join(f"{'x'.join(map(str, s.shape))} {s.dtype}" for s in tiff.series[:4])
    require(
        len(tiff.series) == 1,
        f"{path} holds frames of {len(tiff.series)} kinds ({told}, ...); "
        "save those wanted as a file of their own",
    )
    return tiff.series[0]


def _frames_and_shape(path: Path, series: tifffile.TiffPageSeries) -> tuple[int, tuple[int, int]]:
    axes, shape = series.axes, series.shape
    require("S" not in axes, f"{path} is a colour image; save one channel as uint16")
    require(axes.endswith("YX"), f"{path} has axes {axes}; frames are rows by columns (YX) each")
    several = [(a, n) for a, n in zip(axes[:-2], shape[:-2], strict=True) if n > 1]
    require(
        len(several) <= 1,
        f"{path} has {' x '.join(f'{n} ({a})' for a, n in several)} frames; "
        "save one channel, plane or position as a file of its own",
    )
    rows, columns = shape[-2:]
    return int(np.prod(shape[:-2], dtype=np.int64)), (int(rows), int(columns))


def _check_whole(path: Path, tiff: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> None:
    """Refuse a file that ends before its frames do."""
    size = tiff.filehandle.size
    if series.dataoffset is not None:
        end = series.dataoffset + series.nbytes
        require(
            end <= size,
            f"{path} is cut short: its frames need {end} bytes, it has {size}; copy it again",
        )
        if series.kind in _DESCRIBED:
            return
    missing = sum(page is None for page in series.pages)
    require(
        missing == 0 and _next_page(tiff) == 0,
        f"{path} is cut short or a part is missing; copy it again with all its parts",
    )


def _next_page(tiff: tifffile.TiffFile) -> int:
    """Where the file says that the page after the last one found begins; 0 for none."""
    kind, handle = tiff.tiff, tiff.filehandle
    handle.seek(tiff.pages[-1].offset)
    (tags,) = struct.unpack(kind.tagnoformat, handle.read(kind.tagnosize))
    handle.seek(tags * kind.tagsize, 1)
    return int(struct.unpack(kind.offsetformat, handle.read(kind.offsetsize))[0])


def _in_one_piece(
    series: tifffile.TiffPageSeries, shape: tuple[int, int]
) -> Callable[[int, int], AnyArray]:
    parent = series.keyframe.parent
    dtype = series.dtype.newbyteorder(parent.byteorder)
    pixels = shape[0] * shape[1]
    begin = series.dataoffset or 0

    def raw(first: int, stop: int) -> AnyArray:
        at = begin + first * pixels * dtype.itemsize
        values = parent.filehandle.read_array(dtype, (stop - first) * pixels, at)
        return np.asarray(values.reshape(stop - first, *shape), dtype.newbyteorder("="))

    return raw


def _paged(
    series: tifffile.TiffPageSeries, shape: tuple[int, int]
) -> Callable[[int, int], AnyArray]:
    def raw(first: int, stop: int) -> AnyArray:
        frames = np.empty((stop - first, *shape), series.dtype)
        for k in range(first, stop):
            page = series.pages[k]
            if page is None:
                raise IndexError(f"frame {k} is missing")
            frames[k - first] = page.asarray()
        return frames

    return raw
