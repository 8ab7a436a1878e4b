"""Raw recording: other programs read it, and a kill at any moment leaves whole frames."""

import errno
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from live_smlm.core import CameraModel, InputError, RawPixels
from live_smlm.sources.recorded import open_movie
from live_smlm.store import ndtiff_layout
from live_smlm.store.raw import RawRecorder, read_raw

CAMERA = CameraModel(shape=(6, 8), pixel_size_nm=106.7)
SMALL: dict[str, Any] = {"most_frames": 7}
"""So that movies have several files."""


def frames(n: int, dtype: Any = np.uint16) -> RawPixels:
    pixels: RawPixels = np.random.default_rng(n).integers(0, 255, (n, 6, 8)).astype(dtype)
    return pixels


def record(folder: Path, pixels: RawPixels, batch: int = 5, **options: Any) -> None:
    index, time_s = np.arange(len(pixels)) * 3, 0.25 * np.arange(len(pixels), dtype=np.float64)
    with RawRecorder(folder, CAMERA, **options) as recorder:
        for k in range(0, len(pixels), batch):
            part = slice(k, k + batch)
            recorder.write(pixels[part], index[part], time_s[part])
            assert recorder.frames == len(pixels[: k + batch])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("batch", [1, 3, 7, 100])
def test_frames_numbers_and_times_come_back(tmp_path: Path, dtype: Any, batch: int) -> None:
    pixels = frames(23, dtype)
    record(tmp_path / "raw", pixels, batch, **SMALL)
    movie = read_raw(tmp_path / "raw")
    assert (movie.frames, movie.shape, movie.dtype) == (23, (6, 8), dtype)
    np.testing.assert_array_equal(movie.read(0, 23), pixels)
    np.testing.assert_array_equal(movie.read(5, 16), pixels[5:16])
    assert movie.read(4, 4).shape == (0, 6, 8)
    np.testing.assert_array_equal(movie.index, np.arange(23) * 3)
    np.testing.assert_array_equal(movie.time_s, np.arange(23) * 0.25)
    assert len(list((tmp_path / "raw").glob("*.tif"))) == 4


def test_every_file_is_a_tiff_of_its_own(tmp_path: Path) -> None:
    pixels = frames(10)
    record(tmp_path / "raw", pixels, **SMALL)
    for name, wanted in (("NDTiffStack.tif", pixels[:7]), ("NDTiffStack_1.tif", pixels[7:])):
        alone = tmp_path / name
        alone.write_bytes((tmp_path / "raw" / name).read_bytes())
        with tifffile.TiffFile(alone) as tiff:
            assert len(tiff.pages) == len(wanted)
            np.testing.assert_array_equal([page.asarray() for page in tiff.pages], wanted)
            assert tiff.pages.first.resolution == pytest.approx((1e7 / 106.7,) * 2)
            assert tiff.pages.first.tags[51123].value["ImageNumber"] == (21 if "_1" in name else 0)


def test_it_is_an_ndtiff_for_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ndstorage = pytest.importorskip("ndstorage")
    pixels = frames(10)
    record(tmp_path / "raw", pixels, **SMALL, notes={"sample": "µ"})
    with ndstorage.Dataset(str(tmp_path / "raw")) as data:
        assert sorted(data.axes["time"]) == list(range(10))
        np.testing.assert_array_equal([data.read_image(time=k) for k in range(10)], pixels)
        assert data.read_metadata(time=8) == {"ImageNumber": 24, "ElapsedTime-ms": 2000.0}
        told = data.summary_metadata
        assert (told["Width"], told["Height"], told["PixelType"]) == (8, 6, "GRAY16")
        assert told["live-smlm"]["camera"]["pixel_size_nm"] == 106.7
        assert told["live-smlm"]["sample"] == "µ"
    capsys.readouterr()  # what ndstorage prints
    with tifffile.TiffFile(tmp_path / "raw" / "NDTiffStack.tif") as tiff:
        assert tiff.series[0].kind == "ndtiff"
        np.testing.assert_array_equal(tiff.series[0].asarray(), pixels)


def test_a_movie_of_one_file_is_a_source(tmp_path: Path) -> None:
    pixels = frames(6)
    record(tmp_path / "raw", pixels)
    with open_movie(tmp_path / "raw" / "NDTiffStack.tif") as movie:
        np.testing.assert_array_equal(movie.read(0, movie.frames), pixels)


def test_unknown_times_stay_unknown(tmp_path: Path) -> None:
    with RawRecorder(tmp_path / "raw", CAMERA) as recorder:
        recorder.write(frames(2), np.arange(2), np.array([np.nan, 1.0]))
    np.testing.assert_array_equal(read_raw(tmp_path / "raw").time_s, [np.nan, 1.0])


def test_a_file_ends_before_it_is_too_large_for_a_tiff(tmp_path: Path) -> None:
    room = 4096 + 400 + 5 * (96 + 306)
    record(tmp_path / "raw", frames(23), most_bytes=room)
    files = list((tmp_path / "raw").glob("*.tif"))
    assert len(files) > 4
    assert max(file.stat().st_size for file in files) <= room
    np.testing.assert_array_equal(read_raw(tmp_path / "raw").read(0, 23), frames(23))
    large = ndtiff_layout.Layout(
        shape=(2048, 2048), dtype=np.dtype(np.uint16), summary=b"{}", pixel_size_nm=1
    )
    assert large.frame_at(large.capacity) < 2**32 < large.frame_at(large.capacity + 1) + 2**23


class Journal:
    """Every write of a program, in order, to be played again up to any byte."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.writes: list[tuple[str, int, bytes]] = []
        self._names: dict[int, str] = {}
        self._open, self._write = os.open, os.write
        patch.setattr(os, "open", self.open)
        patch.setattr(os, "write", self.write)

    def open(self, path: Path, *how: int) -> int:
        descriptor = self._open(path, *how)
        self._names[descriptor] = Path(path).name
        return descriptor

    def write(self, descriptor: int, data: bytes) -> int:
        at = os.lseek(descriptor, 0, os.SEEK_CUR)
        self.writes.append((self._names[descriptor], at, bytes(data)))
        return self._write(descriptor, data)

    def play(self, folder: Path, size: int) -> None:
        """What a kill after `size` bytes leaves."""
        contents: dict[str, bytearray] = {}
        for name, at, data in self.writes:
            content = contents.setdefault(name, bytearray())
            part = data[: max(0, size)]
            if part:
                content.extend(bytes(max(0, at + len(part) - len(content))))
                content[at : at + len(part)] = part
            size -= len(data)
            if size <= 0:
                break
        folder.mkdir()
        for name, content in contents.items():
            (folder / name).write_bytes(content)


def test_a_kill_after_any_byte_leaves_whole_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = frames(10)
    with monkeypatch.context() as patch:
        journal = Journal(patch)
        record(tmp_path / "raw", pixels, batch=4, **SMALL)
    total = sum(len(data) for _, _, data in journal.writes)
    seen = set()
    edges = np.cumsum([len(data) for _, _, data in journal.writes])
    for size in sorted({*range(0, total, 131), *edges, *(edges - 1), *(edges + 2)}):
        folder = tmp_path / f"killed_{size}"
        journal.play(folder, size)
        seen.add(_whole_frames(folder, pixels))
    assert {0, 4, 7, 8, 10} <= seen


def _whole_frames(folder: Path, pixels: RawPixels) -> int:
    """How many a kill has left; all that any reader sees is right."""
    for path in folder.glob("*.tif"):
        first = 7 if "_1" in path.name else 0
        if path.stat().st_size > 8 and path.read_bytes()[4:8] != bytes(4):
            with tifffile.TiffFile(path) as tiff:
                shown = np.array([page.asarray() for page in tiff.pages])
            np.testing.assert_array_equal(shown, pixels[first : first + len(shown)])
    try:
        movie = read_raw(folder)
    except InputError:
        assert len(_bytes(folder / "frames.index")) < 24
        return 0
    np.testing.assert_array_equal(movie.read(0, movie.frames), pixels[: movie.frames])
    np.testing.assert_array_equal(movie.index, 3 * np.arange(movie.frames))
    return movie.frames


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


RECORDER = """
import sys
import numpy as np
from pathlib import Path
from live_smlm.core import CameraModel
from live_smlm.store.raw import RawRecorder

camera = CameraModel(shape=(64, 64), pixel_size_nm=100)
with RawRecorder(Path(sys.argv[1]), camera, most_frames=50) as recorder:
    for k in range(0, 10**6, 8):
        index = np.arange(k, k + 8)
        pixels = np.broadcast_to(index[:, None, None], (8, 64, 64)).astype(np.uint16)
        recorder.write(pixels, index, index * 0.5)
        print(k, flush=True)
"""


def test_a_killed_recorder_leaves_what_it_acknowledged(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RECORDER, str(tmp_path / "raw")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= 400:
                os.kill(process.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
                break
        last = max([int(rest) for rest in process.stdout] + [400])
    movie = read_raw(tmp_path / "raw")
    assert movie.frames >= last + 8
    pixels = movie.read(0, movie.frames)
    np.testing.assert_array_equal(pixels, np.broadcast_to(movie.index[:, None, None], pixels.shape))
    with tifffile.TiffFile(tmp_path / "raw" / "NDTiffStack.tif") as tiff:
        assert tiff.series[0].shape[0] >= last + 8


@pytest.mark.parametrize("room", [0, 100, 400, 600, 2000, 2500, 5000])
def test_a_full_disk_keeps_whole_frames_and_the_rest_can_be_tried_again(
    tmp_path: Path, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels, index, time_s = frames(20), np.arange(20), np.zeros(20)
    write, left = os.write, [room]

    def few(descriptor: int, data: bytes) -> int:
        if left[0] <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = write(descriptor, bytes(data)[: left[0]])
        left[0] -= taken
        return taken

    monkeypatch.setattr(os, "write", few)
    with RawRecorder(tmp_path / "raw", CAMERA, **SMALL) as recorder:
        with pytest.raises(OSError, match="No space"):
            recorder.write(pixels, index, time_s)
        done = recorder.frames
        assert done % 7 == 0
        if done:
            movie = read_raw(tmp_path / "raw")
            np.testing.assert_array_equal(movie.read(0, movie.frames), pixels[:done])
        left[0] = 10**6
        recorder.write(pixels[done:], index[done:], time_s[done:])
    movie = read_raw(tmp_path / "raw")
    np.testing.assert_array_equal(movie.read(0, 20), pixels)
    np.testing.assert_array_equal(movie.index, index)
    with tifffile.TiffFile(tmp_path / "raw" / "NDTiffStack.tif") as tiff:
        np.testing.assert_array_equal(tiff.series[0].asarray(), pixels)


def test_a_growing_movie_is_read_as_far_as_it_is(tmp_path: Path) -> None:
    pixels = frames(9)
    with RawRecorder(tmp_path / "raw", CAMERA, **SMALL) as recorder:
        with pytest.raises(InputError, match="holds no frames"):
            read_raw(tmp_path / "raw")
        for k in range(9):
            recorder.write(pixels[k : k + 1], np.array([k]), np.array([0.0]))
            movie = read_raw(tmp_path / "raw")
            np.testing.assert_array_equal(movie.read(0, k + 1), pixels[: k + 1])


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    one = np.arange(1)
    now, twice = np.zeros(1), np.zeros(2)
    with RawRecorder(tmp_path / "raw", CAMERA) as recorder:
        with pytest.raises(InputError, match="frame is 6x9"):
            recorder.write(np.zeros((1, 6, 9), np.uint16), one, now)
        with pytest.raises(InputError, match="frames are int32"):
            recorder.write(np.zeros((1, 6, 8), np.int32), one, now)  # type: ignore[arg-type] # that is the case
        with pytest.raises(InputError, match="2 frames have 1 numbers"):
            recorder.write(frames(2), one, twice)
        recorder.write(frames(1), one, now)
        with pytest.raises(InputError, match="uint8 follow frames"):
            recorder.write(frames(1, np.uint8), one, now)
    with (
        pytest.raises(InputError, match="is not empty; record into a new one"),
        RawRecorder(tmp_path / "raw", CAMERA),
    ):
        pass
    movie = read_raw(tmp_path / "raw")
    with pytest.raises(InputError, match="has frames 0 to 0, not 0 to 1"):
        movie.read(0, 2)
    with pytest.raises(InputError, match=r"has no frames\.index"):
        read_raw(tmp_path)
    with pytest.raises(InputError, match="do not fit into a TIFF"):
        ndtiff_layout.Layout(
            shape=(60_000, 60_000), dtype=np.dtype(np.uint16), summary=b"{}", pixel_size_nm=1
        )


def test_a_movie_with_a_part_missing_or_cut_is_refused(tmp_path: Path) -> None:
    record(tmp_path / "raw", frames(20), **SMALL)
    movie = read_raw(tmp_path / "raw")
    (tmp_path / "raw" / "NDTiffStack_1.tif").unlink()
    with pytest.raises(InputError, match=r"NDTiffStack_1\.tif is missing"):
        movie.read(0, 20)
    last = tmp_path / "raw" / "NDTiffStack_2.tif"
    last.write_bytes(last.read_bytes()[:-1])
    assert len(movie.read(14, 19)) == 5
    with pytest.raises(InputError, match="is cut short within frames 14 to 19"):
        movie.read(14, 20)
    (tmp_path / "raw" / "NDTiffStack.tif").write_bytes(struct.pack("<2sHI", b"XX", 1, 0))
    with pytest.raises(InputError, match="cannot be read"):
        read_raw(tmp_path / "raw")
