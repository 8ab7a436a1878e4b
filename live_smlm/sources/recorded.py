"""A movie on disk as a stream of frames.

Knows which reader opens what; must not know the inside of any file format.
A further format is a reader and a line in `_READERS`.
"""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from live_smlm.core import (
    F64,
    CameraModel,
    FrameBatch,
    InputError,
    SourceStatus,
    StreamInfo,
    require,
)
from live_smlm.sources import ndtiff, ome_zarr, raw, tiff
from live_smlm.sources.movie import Movie
from live_smlm.sources.pace import Pace, parts
from live_smlm.sources.tiff_growing import open_growing_tiff

_BATCH_BYTES = 1 << 24
"""Small enough for caches and latency, large enough that calls cost nothing."""
_LOOK_S = 0.02
"""Between two looks at a file that grows."""
_SAMPLE = 100
"""Frames whose times tell the interval between frames."""

Opener: TypeAlias = Callable[[Path], AbstractContextManager[Movie]]


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads one kind of movie."""

    reads: Callable[[Path], bool]
    finished: Opener
    growing: Opener | None = None
    """Opens one that is still written; None if that cannot be read."""


_READERS = (
    Reader(ndtiff.is_ndtiff, ndtiff.open_ndtiff, ndtiff.open_ndtiff),
    Reader(ome_zarr.is_zarr, ome_zarr.open_zarr),
    Reader(Path.is_dir, tiff.open_tiff_folder),
    Reader(tiff.is_tiff, tiff.open_tiff, open_growing_tiff),
    Reader(raw.is_raw, raw.open_raw, raw.open_growing_raw),
)
"""Who reads what; the first whose test holds."""

CameraFor: TypeAlias = CameraModel | Callable[[tuple[int, int]], CameraModel]
"""A camera, or what makes one for frames of (rows, columns)."""


@contextmanager
def open_movie(path: str | Path, *, growing: bool = False) -> Iterator[Movie]:
    """The movie at a path: TIFF, NDTiff, OME-Zarr, Picasso's raw, a folder of TIFFs.

    The first frame is read at once, so what cannot be used is refused here.
    `growing`: it is still being written, so its end is not yet known.
    """
    path = Path(path)
    require(path.exists(), f"{path} does not exist; check the name")
    reader = next((reader for reader in _READERS if reader.reads(path)), None)
    if reader is None:
        known = ", ".join((*tiff.ENDINGS, raw.ENDING))
        raise InputError(
            f"{path} has an unknown ending; movies are {known}, a folder of TIFFs, NDTiff or Zarr"
        )
    opener = reader.growing if growing else reader.finished
    if opener is None:
        raise InputError(
            f"{path} cannot be read while it is written; TIFF, NDTiff and .raw can, or wait until "
            "it is finished"
        )
    with opener(path) as movie:
        movie.read(0, 1)
        yield movie


def movie_shape(path: str | Path) -> tuple[int, int]:
    """Rows, columns of a movie's frames."""
    with open_movie(path) as movie:
        return movie.shape


class RecordedSource:
    """Frames `first` to `last` (inclusive; None: to the end) of a movie, as a `FrameSource`.

    Frames are numbered from 0 at the movie's beginning. Their times are those
    that the file tells, else those of the rate, else NaN. `camera_for` is the
    camera, or makes it for frames of a shape. Batches hold at most
    `batch_frames` frames, or as many as fill 16 MiB.

    `rate_hz`: hand frames out at so many per second, or as the file says they
    were taken ("recorded"); None: as fast as they are asked for. `watch_s`: the
    file is still written; go on until it has not grown for so long, or `last`.
    """

    def __init__(
        self,
        path: str | Path,
        camera_for: CameraFor,
        *,
        batch_frames: int | None = None,
        first: int = 0,
        last: int | None = None,
        rate_hz: float | Literal["recorded"] | None = None,
        watch_s: float | None = None,
    ) -> None:
        self._path, self._watch_s = Path(path), watch_s
        self._pace = None if rate_hz is None else Pace(None if rate_hz == "recorded" else rate_hz)
        require(
            watch_s is None or (bool(np.isfinite(watch_s)) and watch_s > 0),
            f"watch_s is {watch_s}; give seconds above 0, or none for a finished movie",
        )
        with open_movie(path, growing=watch_s is not None) as movie:
            shape, frames, frame_bytes = movie.shape, movie.frames, movie.read(0, 1).nbytes
            interval = self._interval_s(movie)
        self._first, self._stop = first, self._end(first, last, frames)
        self._batch = batch_frames or max(1, _BATCH_BYTES // frame_bytes)
        require(self._batch > 0, f"batch_frames is {batch_frames}; give at least 1")
        camera = camera_for if isinstance(camera_for, CameraModel) else camera_for(shape)
        require(
            camera.shape == shape,
            f"{path} has frames of {shape[0]}x{shape[1]} but the camera model is "
            f"{camera.shape[0]}x{camera.shape[1]}; give a model of the same region",
        )
        self._stopping = threading.Event()
        self._given = 0
        self._info = StreamInfo(
            name=str(path),
            camera=camera,
            frame_interval_s=interval,
            expected_frames=None if self._stop is None else self._stop - first,
            can_wait=self._pace is None,
        )

    @property
    def info(self) -> StreamInfo:
        """What will be streamed."""
        return self._info

    def stop(self) -> None:
        """Hand out no further frames; returns at once."""
        self._stopping.set()

    def status(self) -> SourceStatus:
        """How the stream stands now."""
        return SourceStatus(frames=self._given)

    @contextmanager
    def open(self) -> Iterator[Iterator[FrameBatch]]:
        """The frames in order; the file is closed on exit, and no batch comes after it."""
        self._stopping.clear()
        self._given = 0
        with open_movie(self._path, growing=self._watch_s is not None) as movie:
            stream = self._batches(movie)
            try:
                yield stream
            finally:
                stream.close()

    def _batches(self, movie: Movie) -> Generator[FrameBatch]:
        begun: float | None = None
        for first, stop in self._stretches(movie):
            pixels, taken = movie.read(first, stop), movie.times_s(first, stop)
            index = np.arange(first, stop, dtype=np.int64)
            if self._pace is None:
                self._given += len(index)
                yield FrameBatch(pixels, index, taken)
                continue
            due = self._pace.due_s(movie.name, first, taken)
            times = taken if np.isfinite(taken).all() else due
            begun = time.monotonic() - float(due[0]) if begun is None else begun
            for part in parts(due):
                if self._stopping.wait(max(0.0, begun + float(due[part][-1]) - time.monotonic())):
                    return
                self._given += len(index[part])
                yield FrameBatch(pixels[part], index[part], times[part])

    def _stretches(self, movie: Movie) -> Iterator[tuple[int, int]]:
        """First and end of what can be read now, until there is no more."""
        start, grew = self._first, time.monotonic()
        while not self._stopping.is_set() and (self._stop is None or start < self._stop):
            there = movie.frames if self._watch_s is None else movie.now()
            stop = min(start + self._batch, there if self._stop is None else self._stop, there)
            if stop > start:
                yield start, stop
                start, grew = stop, time.monotonic()
            elif self._watch_s is None or time.monotonic() - grew > self._watch_s:
                return
            else:
                self._stopping.wait(_LOOK_S)

    def _end(self, first: int, last: int | None, frames: int) -> int | None:
        """The number after the last frame's; None while it is not known."""
        if self._watch_s is not None:
            require(
                first >= 0 and (last is None or first <= last),
                f"frames {first} to {last} are none; give a first and a last in their order",
            )
            return None if last is None else last + 1
        last = frames - 1 if last is None else last
        require(
            0 <= first <= last < frames,
            f"frames {first} to {last} are not in {self._path}, which has 0 to {frames - 1}",
        )
        return last + 1

    def _interval_s(self, movie: Movie) -> float | None:
        """From the rate, or else from the times of the first frames."""
        if self._pace is not None and self._pace.rate_hz is not None:
            return 1 / self._pace.rate_hz
        taken: F64 = movie.times_s(0, min(movie.frames, _SAMPLE))
        if self._pace is not None:
            self._pace.due_s(movie.name, 0, taken)
        steps = np.diff(taken)
        told = len(steps) > 0 and bool(np.isfinite(steps).all()) and float(np.median(steps)) > 0
        return float(np.median(steps)) if told else None
