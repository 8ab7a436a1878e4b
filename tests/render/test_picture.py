"""Counts become colours; pictures are not black."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from vispy.io import read_png

from live_smlm.core import InputError
from live_smlm.render.colour import colour
from live_smlm.render.picture import (
    enlarged,
    fitting_bar_nm,
    save,
    save_tiff,
    side_by_side,
    with_scale_bar,
)
from live_smlm.render.viewport import Viewport


def ramp() -> np.ndarray:
    return np.linspace(0, 100, 64 * 80, dtype=np.float32).reshape(64, 80)


def test_dark_stays_dark_and_bright_gets_bright() -> None:
    picture = colour(ramp(), percentile=100)
    assert picture.shape == (64, 80, 3)
    assert picture[0, 0].max() < 30
    assert picture[-1, -1].mean() > 200
    assert np.all(np.diff(picture[32].sum(1, dtype=int)) >= 0)


def test_the_percentile_is_of_lit_pixels() -> None:
    image = np.zeros((10, 10), np.float32)
    image[0, :2] = [1, 100]
    assert colour(image, percentile=0)[0, 0].mean() > 200


def test_an_empty_image_is_black() -> None:
    assert colour(np.zeros((4, 4), np.float32)).max() < 30


def test_a_scale_bar_is_as_long_as_it_says() -> None:
    marked = with_scale_bar(np.zeros((64, 80, 3), np.uint8), pixel_nm=10.0, bar_nm=400.0)
    rows, columns = np.nonzero(marked[..., 0])
    assert np.ptp(columns) + 1 == 40
    assert rows.min() > 32
    with pytest.raises(InputError, match="does not fit"):
        with_scale_bar(marked, pixel_nm=10.0, bar_nm=4000.0)


@pytest.mark.parametrize(
    ("columns", "pixel_nm", "bar_nm"),
    [(800, 10.0, 2000), (999, 10.0, 2000), (100, 1.0, 20), (200, 0.5, 20), (40, 100.0, 1000)],
)
def test_a_fitting_bar_is_round_and_fits(columns: int, pixel_nm: float, bar_nm: float) -> None:
    assert fitting_bar_nm((600, columns), pixel_nm) == pytest.approx(bar_nm)
    with_scale_bar(np.zeros((600, columns, 3), np.uint8), pixel_nm, bar_nm)


def test_a_tiny_picture_has_no_bar() -> None:
    assert fitting_bar_nm((600, 30), 10.0) is None
    assert fitting_bar_nm((20, 600), 10.0) is None


def test_a_tiff_keeps_counts_and_scale(tmp_path: Path) -> None:
    view = Viewport(shape=(64, 80), pixel_nm=2.5, origin_nm=(30.0, -7.5))
    save_tiff(tmp_path / "p.tif", ramp(), view, {"mode": "histogram"})
    with tifffile.TiffFile(tmp_path / "p.tif") as file:
        np.testing.assert_array_equal(file.asarray(), ramp())
        assert file.imagej_metadata is not None
        assert file.imagej_metadata["unit"] == "um"
        told = json.loads(file.imagej_metadata["Info"])
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        for axis in "XY":
            above, below = page.tags[f"{axis}Resolution"].value
            assert above / below == pytest.approx(1000 / 2.5)
    assert (told["pixel_nm"], told["origin_yx_nm"]) == (2.5, [30.0, -7.5])
    assert told["mode"] == "histogram"


def test_a_tiff_may_have_pages(tmp_path: Path) -> None:
    pages = np.stack([ramp(), -ramp()])
    save_tiff(tmp_path / "p.tif", pages, Viewport(shape=(64, 80), pixel_nm=2.5), {})
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "p.tif"), pages)


def test_a_png_tells_its_scale(tmp_path: Path) -> None:
    save(tmp_path / "p.png", colour(ramp()), pixel_nm=2.5)
    with Image.open(tmp_path / "p.png") as picture:
        picture.load()
        # Pillow tells dots per inch.
        assert 0.0254e9 / picture.info["dpi"][0] == pytest.approx(2.5)
        np.testing.assert_array_equal(np.asarray(picture), colour(ramp()))


def test_a_saved_picture_reads_back(tmp_path: Path) -> None:
    picture = side_by_side(colour(enlarged(ramp()[:32, :40], 2)), colour(ramp()))
    save(tmp_path / "p.png", picture)
    np.testing.assert_array_equal(read_png(str(tmp_path / "p.png"))[..., :3], picture)
    assert picture.max() > 200
