"""A movie on disk as a stream of frames.

Knows which reader opens what; must not know the inside of any file format.
A further format is a reader and a line in `_READERS`.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np

from live_smlm.core import CameraModel, FrameBatch, InputError, StreamInfo, require
from live_smlm.sources import tiff
from live_smlm.sources.movie import Movie

_BATCH_BYTES = 1 << 24
"""Small enough for caches and latency, large enough that calls cost nothing."""

_READERS: tuple[
    tuple[Callable[[Path], bool], Callable[[Path], AbstractContextManager[Movie]]], ...
] = (
    (Path.is_dir, tiff.open_tiff_folder),
    (tiff.is_tiff, tiff.open_tiff),
)
"""Who reads what; the first whose test holds."""

CameraFor: TypeAlias = CameraModel | Callable[[tuple[int, int]], CameraModel]
"""A camera, or what makes one for frames of (rows, columns)."""


@contextmanager
def open_movie(path: str | Path) -> Iterator[Movie]:
    """The movie at a path: a TIFF file, or a folder with one per frame.

    The first frame is read at once, so what cannot be used is refused here.
    """
    path = Path(path)
    require(path.exists(), f"{path} does not exist; check the name")
    opened = next((opened for reads, opened in _READERS if reads(path)), None)
    if opened is None:
        known = ", ".join(tiff.ENDINGS)
        raise InputError(f"{path} has an unknown ending; movies are {known} or a folder of them")
    with opened(path) as movie:
        movie.read(0, 1)
        yield movie


def movie_shape(path: str | Path) -> tuple[int, int]:
    """Rows, columns of a movie's frames."""
    with open_movie(path) as movie:
        return movie.shape


class RecordedSource:
    """Frames `first` to `last` (inclusive; None: to the end) of a movie, as a `FrameSource`.

    Frames are numbered from 0 at the movie's beginning. Their times are NaN:
    files do not tell them. `camera_for` is the camera, or makes it for frames
    of a shape. Batches hold `batch_frames` frames, or as many as fill 16 MiB.
    """

    def __init__(
        self,
        path: str | Path,
        camera_for: CameraFor,
        *,
        batch_frames: int | None = None,
        first: int = 0,
        last: int | None = None,
    ) -> None:
        self._path = Path(path)
        with open_movie(path) as movie:
            shape, frames, frame_bytes = movie.shape, movie.frames, movie.read(0, 1).nbytes
        last = frames - 1 if last is None else last
        require(
            0 <= first <= last < frames,
            f"frames {first} to {last} are not in {path}, which has 0 to {frames - 1}",
        )
        self._first, self._stop = first, last + 1
        self._batch = batch_frames or max(1, _BATCH_BYTES // frame_bytes)
        require(self._batch > 0, f"batch_frames is {batch_frames}; give at least 1")
        camera = camera_for if isinstance(camera_for, CameraModel) else camera_for(shape)
        require(
            camera.shape == shape,
            f"{path} has frames of {shape[0]}x{shape[1]} but the camera model is "
            f"{camera.shape[0]}x{camera.shape[1]}; give a model of the same region",
        )
        self._info = StreamInfo(
            name=str(path), camera=camera, expected_frames=self._stop - self._first
        )

    @property
    def info(self) -> StreamInfo:
        """What will be streamed."""
        return self._info

    @contextmanager
    def open(self) -> Iterator[Iterator[FrameBatch]]:
        """The frames in order; the file is closed on exit, and no batch comes after it."""
        with open_movie(self._path) as movie:
            stream = self._batches(movie)
            try:
                yield stream
            finally:
                stream.close()

    def _batches(self, movie: Movie) -> Generator[FrameBatch]:
        for start in range(self._first, self._stop, self._batch):
            stop = min(start + self._batch, self._stop)
            index = np.arange(start, stop, dtype=np.int64)
            yield FrameBatch(movie.read(start, stop), index, np.full(len(index), np.nan))
