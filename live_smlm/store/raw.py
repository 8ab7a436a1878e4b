"""The camera's frames on disk as they come: an NDTiff folder that a kill cannot spoil.

NDTiff is what Micro-Manager and pycromanager write and read; its files are TIFF
of at most 4 GiB that Fiji, tifffile and Picasso open. Its own writer keeps the
index in memory and closes the chain of pages at the end only, so we write the
same format in another order (`store.ndtiff_layout`): after each batch the
files are whole. OME-TIFF would need its XML rewritten, and OME-Zarr a file per
chunk and a shape rewritten, at every batch.

Beside it, `frames.index` has a record of 24 bytes per frame: the camera's
number (int64), its time in s (float64), the file and the place in it (uint32),
little-endian. It is written last: what it tells of is there. What was written
survives the kill of any process; against a power cut nothing is promised until
the recorder is left, when all is synchronized to the disk.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import tifffile

from live_smlm.core import F64, I64, CameraModel, InputError, RawPixels, require
from live_smlm.store import ndtiff_layout
from live_smlm.store.append_file import AppendFile, sync_folder, write_whole
from live_smlm.store.json_text import plain
from live_smlm.store.ndtiff_layout import Layout

FRAMES_INDEX = "frames.index"
NDTIFF_INDEX = "NDTiff.index"
_RECORD = np.dtype([("index", "<i8"), ("time_s", "<f8"), ("file", "<u4"), ("place", "<u4")])


class RawRecorder:
    """A movie being recorded into a folder of its own; one thread writes."""

    def __init__(
        self,
        folder: Path,
        camera: CameraModel,
        *,
        notes: Mapping[str, Any] | None = None,
        most_bytes: int = ndtiff_layout.MOST_BYTES,
        most_frames: int = ndtiff_layout.MOST_FRAMES,
    ) -> None:
        """Files end at `most_bytes` or `most_frames`; `notes` go into their headers."""
        self._folder = folder
        self._camera = camera
        self._notes = plain({"camera": camera.describe(), **(notes or {})})
        self._most = {"most_bytes": most_bytes, "most_frames": most_frames}
        self._layout: Layout | None = None
        self._file = -1
        self._number = -1
        self._place = 0  # frames in the file
        self._frames = 0
        self._indices: list[AppendFile] = []

    @property
    def frames(self) -> int:
        """Frames in the record."""
        return self._frames

    def __enter__(self) -> Self:
        require(
            not self._folder.exists() or not any(self._folder.iterdir()),
            f"folder {self._folder} is not empty; record into a new one",
        )
        self._folder.mkdir(parents=True, exist_ok=True)
        self._indices = [AppendFile(self._folder / n) for n in (NDTIFF_INDEX, FRAMES_INDEX)]
        return self

    def write(self, pixels: RawPixels, index: I64, time_s: F64) -> None:
        """Add frames (n, rows, columns) with the camera's numbers and times.

        On return they are with the operating system. After an OSError (a full
        disk) `frames` tells how many of all are in the record, and the rest may
        be tried again.
        """
        require(
            len(pixels) == len(index) == len(time_s),
            f"{len(pixels)} frames have {len(index)} numbers and {len(time_s)} times; "
            "give one of each per frame",
        )
        layout = self._layout_for(pixels)
        done = 0
        while done < len(pixels):
            if self._file < 0 or self._place == layout.capacity:
                self._next_file(layout)
            count = min(len(pixels) - done, layout.capacity - self._place)
            part = slice(done, done + count)
            self._write_part(layout, pixels[part], index[part], time_s[part])
            done += count

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._close_file()
            self._sync()
        finally:
            for file in self._indices:
                file.close()

    def _layout_for(self, pixels: RawPixels) -> Layout:
        shape, dtype = pixels.shape[1:], pixels.dtype
        if self._layout is None:
            self._camera.check_frame(pixels)
            require(dtype in (np.uint8, np.uint16), f"frames are {dtype}; give uint8 or uint16")
            self._layout = Layout(
                shape=self._camera.shape,
                dtype=dtype,
                summary=ndtiff_layout.summary_json(self._camera.shape, dtype, self._notes),
                pixel_size_nm=self._camera.pixel_size_nm,
                **self._most,
            )
        require(
            shape == self._layout.shape and dtype == self._layout.dtype,
            f"frames of {shape} {dtype} follow frames of {self._layout.shape} "
            f"{self._layout.dtype}; record them as a movie of their own",
        )
        return self._layout

    def _next_file(self, layout: Layout) -> None:
        self._close_file()
        how = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        path = self._folder / _file_name(self._number + 1)
        self._file = os.open(path, how, 0o666)
        try:
            self._put(0, ndtiff_layout.header(layout))
        except OSError:
            os.close(self._file)
            self._file = -1
            path.unlink()
            raise
        self._number, self._place = self._number + 1, 0

    def _close_file(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _sync(self) -> None:
        """All to the disk itself: at the end only, as it may take as long as the movie."""
        for number in range(self._number + 1):
            with (self._folder / _file_name(number)).open("rb+") as file:
                os.fsync(file.fileno())
        for index in self._indices:
            index.sync()
        sync_folder(self._folder)

    def _write_part(self, layout: Layout, pixels: RawPixels, index: I64, time_s: F64) -> None:
        """Pixels, their descriptions, and last the pointer that shows them."""
        place, count = self._place, len(pixels)
        data = np.ascontiguousarray(pixels, layout.dtype.newbyteorder("<"))
        self._put(layout.frame_at(place), data.reshape(-1).view(np.uint8).data)
        self._put(layout.page_at(place), ndtiff_layout.pages(layout, place, index, time_s))
        self._put(layout.pointer_at(place), layout.page_at(place).to_bytes(4, "little"))
        name = _file_name(self._number)
        records = np.empty(count, _RECORD)
        records["index"], records["time_s"] = index, time_s
        records["file"], records["place"] = self._number, np.arange(place, place + count)
        ndtiff, ours = self._indices
        before = ndtiff.size
        ndtiff.append(ndtiff_layout.index_entries(layout, name, self._frames, place, count))
        try:
            ours.append(records.tobytes())
        except OSError:
            ndtiff.cut(before)
            raise
        self._place += count
        self._frames += count

    def _put(self, at: int, data: bytes | memoryview) -> None:
        os.lseek(self._file, at, os.SEEK_SET)
        write_whole(self._file, data)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RawMovie:
    """A recorded movie, possibly still growing: the frames there were when it was opened."""

    folder: Path
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    index: I64
    """The camera's numbers."""
    time_s: F64
    _at: int
    """Where each file's first frame lies."""
    _file: I64
    _place: I64

    @property
    def frames(self) -> int:
        """How many there are; stream numbers are 0 to before it."""
        return len(self.index)

    def read(self, first: int, stop: int) -> RawPixels:
        """Frames `first` to before `stop` by stream number (n, rows, columns)."""
        require(
            0 <= first <= stop <= self.frames,
            f"{self.folder} has frames 0 to {self.frames - 1}, not {first} to {stop - 1}",
        )
        frames: RawPixels = np.empty((stop - first, *self.shape), self.dtype)
        done = first
        while done < stop:
            number = self._file[done]
            end = min(stop, int(np.searchsorted(self._file, number, side="right")))
            frames[done - first : end - first] = self._of_file(int(number), done, end - done)
            done = end
        return frames

    def _of_file(self, number: int, first: int, count: int) -> RawPixels:
        path = self.folder / _file_name(number)
        require(path.is_file(), f"{path} is missing; copy the movie with all its parts")
        pixels = self.shape[0] * self.shape[1]
        at = self._at + int(self._place[first]) * pixels * self.dtype.itemsize
        values: RawPixels = np.fromfile(
            path, self.dtype.newbyteorder("<"), count * pixels, offset=at
        )
        require(
            len(values) == count * pixels,
            f"{path} is cut short within frames {first} to {first + count - 1}; copy it again",
        )
        return values.reshape(count, *self.shape)


def recorded_frames(folder: Path) -> int:
    """How many frames lie there; 0 where nothing was recorded."""
    path = folder / FRAMES_INDEX
    return path.stat().st_size // _RECORD.itemsize if path.is_file() else 0


def read_raw(folder: str | Path) -> RawMovie:
    """The movie that a `RawRecorder` has written into the folder, so far."""
    folder = Path(folder)
    path = folder / FRAMES_INDEX
    require(path.is_file(), f"{folder} has no {FRAMES_INDEX}; give the folder of a recorded movie")
    content = path.read_bytes()
    records = np.frombuffer(content, _RECORD, len(content) // _RECORD.itemsize)
    require(len(records) > 0, f"{folder} holds no frames; record it again")
    try:
        with tifffile.TiffFile(folder / _file_name(0), _multifile=False) as tiff:
            page = tiff.pages.first
            shape, dtype, at = page.shape, page.dtype, page.dataoffsets[0]
    except (tifffile.TiffFileError, OSError, LookupError) as error:
        raise InputError(
            f"{folder / _file_name(0)} cannot be read ({error}); copy it again"
        ) from error
    require(len(shape) == 2 and dtype is not None, f"{folder} holds no grey frames")
    return RawMovie(
        folder=folder,
        shape=(int(shape[0]), int(shape[1])),
        dtype=np.dtype(dtype),
        index=records["index"].astype(np.int64),
        time_s=records["time_s"].astype(np.float64),
        _at=int(at),
        _file=records["file"].astype(np.int64),
        _place=records["place"].astype(np.int64),
    )


def _file_name(number: int) -> str:
    """As NDTiff names its files."""
    return f"NDTiffStack_{number}.tif" if number else "NDTiffStack.tif"
