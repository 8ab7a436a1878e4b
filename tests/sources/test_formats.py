"""Movies of other programs: NDTiff, OME-Zarr, Picasso's raw; finished and still growing."""

import json
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from ndstorage import NDTiffDataset  # type: ignore[import-untyped] # it has no types

from live_smlm.core import AnyArray, CameraModel, FrameSource, InputError
from live_smlm.sources.recorded import RecordedSource, open_movie
from live_smlm.testing.source import SourceContract

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
FRAMES: AnyArray = np.random.default_rng(5).integers(1, 4000, (13, 33, 47)).astype(np.uint16)
TIMES: AnyArray = 0.25 + 0.02 * np.arange(13)


@pytest.fixture(scope="module", autouse=True)
def _zarrs_own_threads(tmp_path_factory: pytest.TempPathFactory) -> None:
    """They start at the first use of many chunks and stay as long as the process."""
    path = str(tmp_path_factory.mktemp("z"))
    array = zarr.create_array(path, shape=(64, 64, 64), chunks=(1, 64, 64), dtype="u2")
    array[...] = 1


def camera_for(shape: tuple[int, int]) -> CameraModel:
    return CameraModel(shape=shape, pixel_size_nm=100.0)


class NDTiff:
    """A writer as Micro-Manager's, frame by frame."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.dataset = NDTiffDataset(f"{path}/", summary_metadata={}, writable=True)
        self.dataset.initialize({})
        self.count = 0

    def add(self, frame: AnyArray, **axes: int | str) -> None:
        self.put(frame, {"time": self.count, **axes})

    def put(self, frame: AnyArray, axes: dict[str, int | str]) -> None:
        told = {"ElapsedTime-ms": 1000 * (0.25 + 0.02 * self.count)}
        self.dataset.put_image(axes, frame, told)
        self.dataset._index_file.flush()
        self.count += 1

    def close(self) -> None:
        writer = self.dataset.current_writer
        self.dataset.finish()
        self.dataset.close()
        if writer is not None:
            writer.reader.close()


def ndtiff(path: Path, frames: AnyArray) -> None:
    writer = NDTiff(path)
    for frame in frames:
        writer.add(frame)
    writer.close()


def ome_zarr(path: Path, frames: AnyArray, zarr_format: int = 3, **options: Any) -> None:
    group = zarr.open_group(str(path), mode="w", zarr_format=zarr_format)  # type: ignore[arg-type] # 2 or 3
    shape = (len(frames), 1, 1, *frames.shape[1:])
    options = {"chunks": (2, 1, 1, *frames.shape[1:]), **options}
    array = group.create_array("s0", shape=shape, dtype=frames.dtype, **options)
    array[...] = frames.reshape(shape)
    axes = [{"name": a} for a in "tczyx"]
    axes[0] |= {"type": "time", "unit": "millisecond"}
    scale = {"type": "scale", "scale": [20.0, 1, 1, 0.1, 0.1]}
    images = [{"axes": axes, "datasets": [{"path": "s0", "coordinateTransformations": [scale]}]}]
    told: dict[str, Any] = {"multiscales": images}
    group.attrs.update(told if zarr_format == 2 else {"ome": {"version": "0.5", **told}})


def bare_zarr(path: Path, frames: AnyArray) -> None:
    array = zarr.create_array(str(path), shape=frames.shape, dtype=frames.dtype)
    array[...] = frames


def described(path: Path, frames: AnyArray, order: str, data_type: str = "uint16") -> None:
    lines = {
        "Byte Order": order,
        "Camera": "Simulation",
        "Data Type": data_type,
        "Frames": len(frames),
        "Height": frames.shape[1],
        "Width": frames.shape[2],
    }
    text = "".join(f"{name}: {value}\n" for name, value in lines.items())
    path.with_suffix(".yaml").write_text(f"{text}---\nFrames: 99\n")


def raw(path: Path, frames: AnyArray, order: str = "<", data_type: str = "uint16") -> None:
    described(path, frames, order if order == "<" else f"'{order}'", data_type)
    path.write_bytes(frames.astype(np.dtype(data_type).newbyteorder(order)).tobytes())  # type: ignore[arg-type] # < or >


Writer = Callable[[Path, AnyArray], object]
VARIANTS: dict[str, tuple[str, Writer]] = {
    "NDTiff": ("nd", ndtiff),
    "NDTiff of 8 bit": ("nd", lambda p, f: ndtiff(p, (f % 256).astype(np.uint8))),
    "OME-Zarr 0.4": ("m.zarr", lambda p, f: ome_zarr(p, f, 2)),
    "OME-Zarr 0.5": ("m.ome.zarr", ome_zarr),
    "sharded": ("m.zarr", lambda p, f: ome_zarr(p, f, 3, shards=(4, 1, 1, 33, 47))),
    "uncompressed": ("m.zarr", lambda p, f: ome_zarr(p, f, 3, compressors=None)),
    "bare Zarr": ("m.zarr", bare_zarr),
    "raw": ("m.raw", raw),
    "raw, other byte order": ("m.raw", lambda p, f: raw(p, f, ">")),
    "raw of float": ("m.raw", lambda p, f: raw(p, f, "<", "float32")),
}


@pytest.fixture(params=VARIANTS)
def movie(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, AnyArray]:
    name, write = VARIANTS[request.param]
    write(tmp_path / name, FRAMES)
    return tmp_path / name, (FRAMES % 256).astype(np.uint8) if "8" in request.param else FRAMES


class TestContract(SourceContract):
    @pytest.fixture
    def source(self, movie: tuple[Path, AnyArray]) -> FrameSource:
        return RecordedSource(movie[0], camera_for, batch_frames=5)


def test_frames_are_exactly_those_written(movie: tuple[Path, AnyArray]) -> None:
    path, frames = movie
    source = RecordedSource(path, camera_for, batch_frames=4, first=1, last=11)
    with source.open() as stream:
        batches = list(stream)
    found = np.concatenate([batch.pixels for batch in batches])
    np.testing.assert_array_equal(found, frames[1:12])
    assert found.dtype == frames.dtype
    np.testing.assert_array_equal(np.concatenate([b.index for b in batches]), np.arange(1, 12))


def mm_tiff(path: Path) -> None:
    with tifffile.TiffWriter(path) as writer:
        for frame, time_s in zip(FRAMES, TIMES, strict=True):
            text = json.dumps({"ElapsedTime-ms": 1000 * time_s})
            extra = (51123, "s", 0, text, False)
            writer.write(frame, metadata=None, extratags=[extra], contiguous=False)


def ome_tiff(path: Path) -> None:
    plane = {"DeltaT": list(TIMES), "DeltaTUnit": ["s"] * len(TIMES)}
    tifffile.imwrite(path, FRAMES, metadata={"axes": "TYX", "Plane": plane})


@pytest.mark.parametrize(
    ("name", "write", "begin"),
    [
        ("nd", lambda p: ndtiff(p, FRAMES), 0.25),
        ("m.ome.zarr", lambda p: ome_zarr(p, FRAMES), 0.0),
        ("m.tif", mm_tiff, 0.25),
        ("m.ome.tif", ome_tiff, 0.25),
    ],
)
def test_times_are_those_that_the_file_tells(
    tmp_path: Path, name: str, write: Callable[[Path], None], begin: float
) -> None:
    write(tmp_path / name)
    source = RecordedSource(tmp_path / name, camera_for, batch_frames=5)
    assert source.info.frame_interval_s == pytest.approx(0.02)
    with source.open() as stream:
        times = np.concatenate([batch.time_s for batch in stream])
    np.testing.assert_allclose(times, begin + 0.02 * np.arange(13))


def test_a_stack_along_any_one_axis_is_a_movie(tmp_path: Path) -> None:
    writer = NDTiff(tmp_path / "nd")
    for k, frame in enumerate(FRAMES):
        writer.put(frame, {"z": k, "channel": "DAPI"})
    writer.close()
    with open_movie(tmp_path / "nd") as movie:
        assert movie.frames == len(FRAMES)
        np.testing.assert_array_equal(movie.fetch(0, movie.frames), FRAMES)


def two_channels(path: Path) -> None:
    writer = NDTiff(path)
    writer.add(FRAMES[0], channel=0)
    writer.add(FRAMES[1], channel=1)
    writer.close()


def two_shapes(path: Path) -> None:
    writer = NDTiff(path)
    writer.add(FRAMES[0])
    writer.add(np.ascontiguousarray(FRAMES[1, :20]))
    writer.close()


def cut_ndtiff(path: Path) -> None:
    ndtiff(path, FRAMES)
    [file] = path.glob("*.tif")
    file.write_bytes(file.read_bytes()[:2000])


def outside(path: Path) -> None:
    path.mkdir()
    axes, name = b'{"time":0}', b"../x.tif"
    entry = struct.pack("<I", len(axes)) + axes + struct.pack("<I", len(name)) + name
    (path / "NDTiff.index").write_bytes(entry + struct.pack("<8I", 0, 3, 3, 1, 0, 0, 0, 0))


def no_index(path: Path) -> None:
    path.mkdir()
    (path / "NDTiff.index").write_bytes(b"")


def without_a_chunk(path: Path) -> None:
    ome_zarr(path, FRAMES)
    (path / "s0" / "c" / "3" / "0" / "0" / "0" / "0").unlink()


def with_a_short_chunk(path: Path) -> None:
    ome_zarr(path, FRAMES)
    chunk = path / "s0" / "c" / "0" / "0" / "0" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:100])


def two_axes(path: Path) -> None:
    array = zarr.create_array(str(path), shape=(3, 2, 8, 8), dtype="u2")
    array[...] = 1


def short_raw(path: Path) -> None:
    raw(path, FRAMES)
    path.write_bytes(path.read_bytes()[:-1])


def undescribed(path: Path) -> None:
    raw(path, FRAMES)
    path.with_suffix(".yaml").unlink()


def misdescribed(what: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        raw(path, FRAMES)
        beside = path.with_suffix(".yaml")
        name = what.split(":", maxsplit=1)[0]
        lines = [line for line in beside.read_text().splitlines() if not line.startswith(name)]
        beside.write_text("\n".join([what, *lines] if what.endswith("x") else lines))

    return write


REFUSED: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "two channels": ("nd", two_channels, "at several channel and time; save those along one axis"),
    "two shapes": ("nd", two_shapes, "frames of 20x47 uint16 after frames of 33x47 uint16"),
    "cut NDTiff": ("nd", cut_ndtiff, r"NDTiffStack.tif is cut short"),
    "outside": ("nd", outside, "its index names the file '../x.tif' outside"),
    "no index": ("nd", no_index, "holds no frames"),
    "missing chunk": ("m.zarr", without_a_chunk, "lacks 1 of its 7 chunks; copy it again"),
    "short chunk": ("m.zarr", with_a_short_chunk, "cannot be read as OME-Zarr"),
    "two axes": ("m.zarr", two_axes, r"has 3 \(\?\) x 2 \(\?\) frames; save one channel"),
    "no image": ("m.zarr", lambda p: zarr.open_group(str(p), mode="w"), "holds 0 images"),
    "short raw": ("m.raw", short_raw, "has 40325 bytes but 13 frames of 33x47 uint16 need 40326"),
    "undescribed": ("m.raw", undescribed, "needs its description m.yaml beside it"),
    "no height": ("m.raw", misdescribed("Height: "), "does not say 'Height'"),
    "odd height": ("m.raw", misdescribed("Height: x"), "has Height 'x'; it is a number above 0"),
    "odd order": ("m.raw", misdescribed("Byte Order: x"), "has Byte Order 'x'; it is < or >"),
    "odd type": ("m.raw", misdescribed("Data Type: x"), "has Data Type 'x'; it is a type as"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_movie_is_refused_in_one_line(tmp_path: Path, case: str) -> None:
    name, write, message = REFUSED[case]
    write(tmp_path / name)
    with pytest.raises(InputError, match=message) as caught, open_movie(tmp_path / name) as movie:
        movie.read(0, movie.frames)
    assert str(caught.value).startswith(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_an_image_may_lie_one_folder_deeper(tmp_path: Path) -> None:
    zarr.open_group(str(tmp_path / "m.zarr"), mode="w", zarr_format=2)
    ome_zarr(tmp_path / "m.zarr" / "0", FRAMES, 2)
    with open_movie(tmp_path / "m.zarr") as movie:
        np.testing.assert_array_equal(movie.read(0, 13), FRAMES)


def test_a_movie_of_picasso_is_read() -> None:
    path = SHARED / "picasso_origami" / "testdata.raw"
    if not path.exists():
        pytest.skip("data of other laboratories are not here (picasso_origami)")
    with open_movie(path) as movie:
        assert (movie.frames, movie.shape) == (100, (32, 32))
        np.testing.assert_array_equal(
            movie.read(0, 100), np.fromfile(path, "<u2").reshape(100, 32, 32)
        )


class Growing:
    """A file that the test lets grow; `add` writes a frame, `part` half of one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, frame: AnyArray) -> None:
        raise NotImplementedError

    def part(self, frame: AnyArray) -> None:
        raise NotImplementedError


class GrowingRaw(Growing):
    def __init__(self, path: Path) -> None:
        super().__init__(path / "m.raw")
        described(self.path, FRAMES, "<")

    def _append(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)

    def add(self, frame: AnyArray) -> None:
        self._append(frame.tobytes())

    def part(self, frame: AnyArray) -> None:
        self._append(frame.tobytes()[:100])


class GrowingNDTiff(Growing):
    def __init__(self, path: Path) -> None:
        self.writer = NDTiff(path / "nd")
        super().__init__(path / "nd")

    def add(self, frame: AnyArray) -> None:
        self.writer.add(frame)

    def part(self, frame: AnyArray) -> None:
        self.add(frame)
        self.writer.close()
        index = self.path / "NDTiff.index"
        index.write_bytes(index.read_bytes()[:-10])


class GrowingTiff(Growing):
    """As the file of a finished movie appears byte by byte."""

    options: dict[str, Any] = {}  # noqa: RUF012 - never written to

    def __init__(self, path: Path) -> None:
        super().__init__(path / "m.tif")
        self.sizes = []
        for count in range(1, len(FRAMES) + 1):
            with tifffile.TiffWriter(path / "whole.tif", **self.options) as writer:
                for frame in FRAMES[:count]:
                    writer.write(frame, metadata=None, contiguous=False)
            self.sizes.append((path / "whole.tif").stat().st_size)
        self.data = (path / "whole.tif").read_bytes()
        self.count = 0

    def add(self, frame: AnyArray) -> None:
        np.testing.assert_array_equal(frame, FRAMES[self.count])
        self.path.write_bytes(self.data[: self.sizes[self.count]])
        self.count += 1

    def part(self, frame: AnyArray) -> None:
        del frame
        self.path.write_bytes(self.data[: self.sizes[self.count] - 40])


class GrowingBigTiff(GrowingTiff):
    options = {"bigtiff": True, "byteorder": ">"}  # noqa: RUF012 - never written to


@pytest.fixture(params=[GrowingRaw, GrowingNDTiff, GrowingTiff, GrowingBigTiff])
def growing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Growing]:
    made = request.param(tmp_path)
    yield made
    if isinstance(made, GrowingNDTiff):
        made.writer.close()


def test_frames_that_are_written_later_come_later(growing: Growing) -> None:
    for frame in FRAMES[:2]:
        growing.add(frame)
    source = RecordedSource(growing.path, camera_for, watch_s=0.2)
    assert source.info.expected_frames is None
    with source.open() as stream:
        batches = [next(stream)]
        for frame in FRAMES[2:6]:
            growing.add(frame)
            batches.append(next(stream))
        growing.part(FRAMES[6])
        batches.extend(stream)  # ends when nothing has come for a while
    np.testing.assert_array_equal(np.concatenate([b.index for b in batches]), np.arange(6))
    np.testing.assert_array_equal(np.concatenate([b.pixels for b in batches]), FRAMES[:6])


def test_a_watched_file_ends_at_a_stop_or_the_last_frame_wanted(growing: Growing) -> None:
    for frame in FRAMES[:3]:
        growing.add(frame)
    with RecordedSource(growing.path, camera_for, watch_s=60.0, last=1).open() as stream:
        assert [len(batch) for batch in stream] == [2]
    source = RecordedSource(growing.path, camera_for, watch_s=60.0)
    with source.open() as stream:
        assert len(next(stream)) == 3
        threading.Timer(0.05, source.stop).start()
        assert next(stream, None) is None
    assert source.status().frames == 3


def test_a_growing_tiff_that_cannot_be_followed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.tif"
    tifffile.imwrite(path, FRAMES[:2], compression="zlib", metadata=None)
    with pytest.raises(InputError, match="its pages are not plain grey images"):
        RecordedSource(path, camera_for, watch_s=1.0)
    path.write_bytes(b"II*\0" + bytes(4))
    with pytest.raises(InputError, match="holds no whole frame yet"):
        RecordedSource(path, camera_for, watch_s=1.0)
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="does not begin as a TIFF file"):
        RecordedSource(path, camera_for, watch_s=1.0)


def test_what_cannot_grow_is_refused(tmp_path: Path) -> None:
    bare_zarr(tmp_path / "m.zarr", FRAMES)
    with pytest.raises(InputError, match="cannot be read while it is written"):
        RecordedSource(tmp_path / "m.zarr", camera_for, watch_s=1.0)
    with pytest.raises(InputError, match=r"watch_s is 0\.0"):
        RecordedSource(tmp_path / "m.zarr", camera_for, watch_s=0.0)
