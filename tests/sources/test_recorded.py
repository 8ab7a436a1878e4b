"""Movies on disk as sources: every TIFF there is, and one clear line for what is none."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from live_smlm.core import AnyArray, CameraModel, FrameSource, InputError
from live_smlm.sources.recorded import RecordedSource, movie_shape, open_movie
from live_smlm.testing.source import SourceContract

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
FRAMES: AnyArray = np.random.default_rng(3).integers(0, 4000, (13, 33, 47)).astype(np.uint16)


def camera_for(shape: tuple[int, int]) -> CameraModel:
    return CameraModel(shape=shape, pixel_size_nm=100.0)


def pages(path: Path, frames: AnyArray, **options: object) -> None:
    """Page by page, with other bytes between the frames."""
    with tifffile.TiffWriter(path) as writer:
        for frame in frames:
            writer.write(frame, metadata=None, **options)  # type: ignore[arg-type] # tifffile's own


def one_each(path: Path, frames: AnyArray) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("not a frame")
    for k, frame in enumerate(frames):
        tifffile.imwrite(path / f"img_{k}.tif", frame)


Writer = Callable[[Path, AnyArray], object]
VARIANTS: dict[str, tuple[str, Writer]] = {
    "plain": ("m.tif", lambda p, f: tifffile.imwrite(p, f, bigtiff=False)),
    "big": ("m.tif", lambda p, f: tifffile.imwrite(p, f, bigtiff=True)),
    "big endian": ("m.tiff", lambda p, f: tifffile.imwrite(p, f, byteorder=">")),
    "ImageJ": ("m.tif", lambda p, f: tifffile.imwrite(p, f, imagej=True)),
    "OME": ("m.ome.tif", lambda p, f: tifffile.imwrite(p, f, metadata={"axes": "TYX"})),
    "pages": ("m.tif", pages),
    "strips": ("m.tif", lambda p, f: pages(p, f, rowsperstrip=5)),
    "compressed": ("m.tif", lambda p, f: tifffile.imwrite(p, f, compression="zlib")),
    "8 bit": ("m.tif", lambda p, f: tifffile.imwrite(p, (f % 256).astype(np.uint8))),
    "folder": ("frames", one_each),
}


@pytest.fixture(params=VARIANTS)
def movie(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, AnyArray]:
    name, write = VARIANTS[request.param]
    write(tmp_path / name, FRAMES)
    return tmp_path / name, (FRAMES % 256).astype(np.uint8) if "8" in request.param else FRAMES


def streamed(source: FrameSource) -> tuple[AnyArray, AnyArray]:
    with source.open() as stream:
        batches = list(stream)
    return tuple(np.concatenate([getattr(b, p) for b in batches]) for p in ("pixels", "index"))  # type: ignore[return-value] # two of two


class TestRecordedSource(SourceContract):
    @pytest.fixture
    def source(self, movie: tuple[Path, AnyArray]) -> FrameSource:
        return RecordedSource(movie[0], camera_for, batch_frames=5)


def test_frames_are_exactly_those_written(movie: tuple[Path, AnyArray]) -> None:
    path, frames = movie
    source = RecordedSource(path, camera_for)
    found, index = streamed(source)
    np.testing.assert_array_equal(found, frames)
    assert found.dtype == frames.dtype
    assert found.dtype.isnative
    np.testing.assert_array_equal(index, np.arange(13))
    assert source.info.expected_frames == 13
    assert source.info.name == str(path)
    assert movie_shape(path) == source.info.camera.shape == (33, 47)


@pytest.mark.parametrize(
    ("first", "last", "batch"), [(0, None, 1), (3, 3, 7), (2, 11, 4), (12, 12, 1)]
)
def test_a_stretch_keeps_its_numbers(
    movie: tuple[Path, AnyArray], first: int, last: int | None, batch: int
) -> None:
    path, frames = movie
    source = RecordedSource(path, camera_for, first=first, last=last, batch_frames=batch)
    found, index = streamed(source)
    stop = 13 if last is None else last + 1
    np.testing.assert_array_equal(index, np.arange(first, stop))
    np.testing.assert_array_equal(found, frames[first:stop])
    assert source.info.expected_frames == stop - first


def test_files_of_a_folder_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    one_each(tmp_path / "f", FRAMES)  # img_10 sorts before img_2 as text
    found, _ = streamed(RecordedSource(tmp_path / "f", camera_for))
    np.testing.assert_array_equal(found, FRAMES)


def test_one_frame_is_a_movie_too(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.tif", FRAMES[0])
    found, _ = streamed(RecordedSource(tmp_path / "m.tif", camera_for((33, 47))))
    np.testing.assert_array_equal(found, FRAMES[:1])


@pytest.mark.parametrize("dtype", [np.uint32, np.int16, np.int32, np.float32, np.float64, ">f4"])
def test_whole_counts_of_other_types_are_taken_without_loss(tmp_path: Path, dtype: type) -> None:
    tifffile.imwrite(tmp_path / "m.tif", FRAMES.astype(dtype))
    found, _ = streamed(RecordedSource(tmp_path / "m.tif", camera_for))
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, FRAMES)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        *((np.int16, -1), (np.uint32, 65536), (np.int32, 2**16)),
        *((np.float32, 0.5), (np.float32, np.nan), (np.float64, np.inf)),
    ],
)
def test_values_that_are_no_counts_are_refused_by_place(
    tmp_path: Path, dtype: type, value: float
) -> None:
    frames: AnyArray = FRAMES.astype(dtype)
    frames[4, 5, 6] = value
    tifffile.imwrite(tmp_path / "m.tif", frames)
    with pytest.raises(InputError, match=r"frame 4, row 5, column 6; .*save them as uint16"):
        streamed(RecordedSource(tmp_path / "m.tif", camera_for, batch_frames=2))


def two_shapes(path: Path) -> None:
    with tifffile.TiffWriter(path) as writer:
        writer.write(FRAMES, contiguous=False)
        writer.write(FRAMES[:, :20], contiguous=False)


def two_shapes_in_a_folder(path: Path) -> None:
    one_each(path, FRAMES)
    tifffile.imwrite(path / "img_7.tif", FRAMES[0, :20])


def stack_in_a_folder(path: Path) -> None:
    one_each(path, FRAMES)
    tifffile.imwrite(path / "img_7.tif", FRAMES)


REFUSED: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "absent": ("m.tif", lambda _: None, "does not exist"),
    "no movie": ("m.avi", lambda p: p.write_text("x"), r"unknown ending; movies are \.tif"),
    "no bytes": ("m.tif", lambda p: p.write_bytes(b""), "is empty"),
    "no TIFF": ("m.tif", lambda p: p.write_text("x" * 99), "cannot be read as TIFF .not a TIFF"),
    "no pages": ("m.tif", lambda p: p.write_bytes(b"II*\0" + bytes(4)), "TIFF|no frames"),
    "no files": ("folder", lambda p: p.mkdir(), "holds no TIFF files"),
    "colour": (
        "m.tif",
        lambda p: tifffile.imwrite(p, np.zeros((9, 8, 3), np.uint8), photometric="rgb"),
        "is a colour image",
    ),
    "complex": (
        "m.tif",
        lambda p: tifffile.imwrite(p, FRAMES.astype(np.complex64)),
        "pixels of type complex64",
    ),
    "bits": (
        "m.tif",
        lambda p: tifffile.imwrite(p, FRAMES > 9, photometric="minisblack"),
        "pixels of type bool",
    ),
    "two axes": (
        "m.tif",
        lambda p: tifffile.imwrite(p, FRAMES[:12].reshape(6, 2, 33, 47), imagej=True),
        r"has 6 \(.\) x 2 \(.\) frames",
    ),
    "two shapes": ("m.tif", two_shapes, "holds frames of 2 kinds .13x33x47 uint16, 13x20x47"),
    "folder of two shapes": ("f", two_shapes_in_a_folder, r"img_7\.tif is 20x47 uint16 but"),
    "folder of stacks": ("f", stack_in_a_folder, r"img_7\.tif holds 13 frames"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_movie_is_refused_in_one_line(tmp_path: Path, case: str) -> None:
    name, write, message = REFUSED[case]
    write(tmp_path / name)
    with pytest.raises(InputError, match=message) as caught:
        streamed(RecordedSource(tmp_path / name, camera_for))
    assert str(caught.value).startswith(str(tmp_path / name))
    assert "\n" not in str(caught.value)


def is_refused(path: Path, frames: AnyArray) -> bool:
    """Whether a movie is refused; if not, it must hold these frames."""
    try:
        with open_movie(path) as movie:
            np.testing.assert_array_equal(movie.read(0, movie.frames), frames)
    except InputError:
        return True
    return False


def test_a_movie_cut_anywhere_is_whole_or_refused(
    movie: tuple[Path, AnyArray], tmp_path: Path
) -> None:
    """Bytes at the end that only repeat what is known may go; a frame never does silently."""
    path, frames = movie
    if path.is_dir():
        path, frames = path / "img_11.tif", frames[11:12]
    content = path.read_bytes()
    cut = tmp_path / f"cut_{path.name}"
    size = len(content)
    sizes = [*range(0, size, 1009), size - 1, size - 2, size - 8]
    refused = []
    for size in sizes:
        cut.write_bytes(content[:size])
        refused.append(is_refused(cut, frames))
    assert sum(refused) > len(sizes) / 2


def test_a_damaged_movie_is_told_once(tmp_path: Path) -> None:
    """The TIFF library's own complaints do not reach the screen of a plain program."""
    pages(tmp_path / "m.tif", FRAMES)
    content = (tmp_path / "m.tif").read_bytes()
    (tmp_path / "m.tif").write_bytes(content[: len(content) // 2])
    program = (
        "import sys\nfrom live_smlm.sources.recorded import movie_shape\n"
        "try:\n    movie_shape(sys.argv[1])\nexcept ValueError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "m.tif")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    assert "cut short" in done.stdout


@pytest.mark.parametrize(("first", "last"), [(-1, None), (13, None), (5, 4), (0, 13)])
def test_stretches_outside_the_movie_are_refused(
    tmp_path: Path, first: int, last: int | None
) -> None:
    tifffile.imwrite(tmp_path / "m.tif", FRAMES)
    with pytest.raises(InputError, match=r"are not in .* which has 0 to 12"):
        RecordedSource(tmp_path / "m.tif", camera_for, first=first, last=last)


def test_a_camera_of_another_shape_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.tif", FRAMES)
    with pytest.raises(InputError, match="frames of 33x47 but the camera model is 9x9"):
        RecordedSource(tmp_path / "m.tif", camera_for((9, 9)))
    with pytest.raises(InputError, match="batch_frames is -2"):
        RecordedSource(tmp_path / "m.tif", camera_for, batch_frames=-2)


def test_reading_beyond_the_end_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.tif", FRAMES)
    with (
        open_movie(tmp_path / "m.tif") as movie,
        pytest.raises(InputError, match="has frames 0 to 12, not 12 to 13"),
    ):
        movie.read(12, 14)


@pytest.mark.parametrize(
    ("name", "frames", "shape"),
    [
        ("sparse_2d_simulated/frames.tif", 10, (256, 256)),
        ("double_helix_simulated/frames.tif", 5, (200, 300)),
        ("astigmatic_beads/beads.tif", 151, (150, 150)),
        ("tetrapod_mitochondria", 50, (332, 492)),
        ("table_formats/images.tif", 5, (128, 128)),
    ],
)
def test_movies_of_other_laboratories_are_read(
    name: str, frames: int, shape: tuple[int, int]
) -> None:
    if not (SHARED / name).exists():
        pytest.skip(f"data of other laboratories are not here ({name})")
    found, index = streamed(RecordedSource(SHARED / name, camera_for))
    assert found.shape == (frames, *shape)
    assert len(index) == frames
    if (SHARED / name).is_dir():
        np.testing.assert_array_equal(found[9], tifffile.imread(SHARED / name / "10.tif"))
