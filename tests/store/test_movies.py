"""Movies to disk: what is in them, and that nothing is left of one that fails."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

from live_smlm.core import CameraModel, FrameBatch, InputError, RawPixels
from live_smlm.store.movies import check_movie_writable, write_tiff

CAMERA = CameraModel(shape=(5, 7), pixel_size_nm=106.7, offset_adu=np.full((5, 7), 99, np.float32))


def pixels(n: int = 12, dtype: type = np.uint16) -> RawPixels:
    frames: RawPixels = np.random.default_rng(1).integers(0, 255, (n, 5, 7)).astype(dtype)
    return frames


def batches(frames: RawPixels, size: int = 5) -> Iterator[FrameBatch]:
    for k in range(0, len(frames), size):
        part = frames[k : k + size]
        yield FrameBatch(part, np.arange(k, k + len(part)), np.zeros(len(part)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("most", [None, 12, 100])
def test_frames_come_back_one_per_page(tmp_path: Path, dtype: type, most: int | None) -> None:
    frames = pixels(dtype=dtype)
    path = tmp_path / "movie.tif"
    assert write_tiff(path, batches(frames), most_frames=most) == 12
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_bigtiff == (most is None)
        assert len(tiff.pages) == 12
        assert tiff.series[0].dataoffset is not None  # in one piece
        np.testing.assert_array_equal(tiff.asarray(), frames)
        assert tiff.pages[0].dtype == dtype


def test_large_movies_are_big(tmp_path: Path) -> None:
    write_tiff(tmp_path / "movie.tif", batches(pixels()), most_frames=10**8)
    with tifffile.TiffFile(tmp_path / "movie.tif") as tiff:
        assert tiff.is_bigtiff


def test_the_camera_and_notes_are_told_in_json(tmp_path: Path) -> None:
    path = tmp_path / "movie.tif"
    write_tiff(path, batches(pixels()), camera=CAMERA, notes={"seed": 3})
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        said = json.loads(page.description)
        assert page.resolution == pytest.approx((1e7 / 106.7,) * 2)
    assert said["camera"]["pixel_size_nm"] == 106.7
    assert said["camera"]["offset_adu"] == 99
    assert said["seed"] == 3


def test_halos_are_left_out(tmp_path: Path) -> None:
    frames = pixels(6)
    batch = FrameBatch(frames, np.arange(6), np.zeros(6), halo=(1, 2))
    assert write_tiff(tmp_path / "movie.tif", [batch]) == 3
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "movie.tif"), frames[1:4])


def fails(frames: RawPixels) -> Iterator[FrameBatch]:
    yield from batches(frames)
    raise RuntimeError("the camera went away")


@pytest.mark.parametrize("there", [True, False])
def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path: Path, there: bool) -> None:  # noqa: FBT001 - a case
    path = tmp_path / "movie.tif"
    if there:
        write_tiff(path, batches(pixels()))
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(RuntimeError, match="went away"):
        write_tiff(path, fails(pixels()))
    with pytest.raises(InputError, match="no frames came"):
        write_tiff(path, [])
    with pytest.raises(InputError, match="was to hold 11 frames at most"):
        write_tiff(path, batches(pixels()), most_frames=11)
    mixed = [*batches(pixels()), *batches(pixels(dtype=np.uint8))]
    with pytest.raises(InputError, match=r"frames of \(5, 7\) uint8 follow frames of .* uint16"):
        write_tiff(path, mixed)
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_the_place_of_a_movie_is_checked_before_the_work(tmp_path: Path) -> None:
    check_movie_writable(tmp_path / "movie.tif")
    with pytest.raises(InputError, match=r"unknown ending '\.avi'; movies are written as \.tif"):
        check_movie_writable(tmp_path / "movie.avi")
    with pytest.raises(InputError, match="does not exist; create it"):
        write_tiff(tmp_path / "none" / "movie.tif", fails(pixels()))
