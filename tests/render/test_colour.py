"""Known counts and values have known colours."""

import numpy as np
import pytest
from vispy.color import get_colormap

from live_smlm.core import InputError
from live_smlm.render.colour import (
    COLORMAPS,
    brightness,
    colour,
    colour_by_value,
    shades,
    usual_range,
    value_shades,
)

WEIGHTS = (0.2126, 0.7152, 0.0722)
"""Of red, green and blue in what the eye sees as light."""


@pytest.mark.parametrize("name", COLORMAPS)
def test_lightness_rises_all_the_way(name: str) -> None:
    table = shades(name)
    assert table.shape == (256, 3)
    linear = (table / 255.0) ** 2.2
    light = linear @ np.array(WEIGHTS)
    assert np.all(light[8:] > light[:-8])
    assert light[-1] > 0.7


def test_viridis_is_what_others_call_so() -> None:
    ours, theirs = shades("viridis"), 255 * get_colormap("viridis")[np.linspace(0, 1, 256)].rgb
    assert np.abs(ours - theirs).max() <= 3
    assert shades("viridis")[[0, -1]].tolist() == [[0x44, 0x01, 0x54], [0xFD, 0xE7, 0x25]]


def test_brightness_is_counts_to_the_power_of_gamma() -> None:
    image = np.array([[0, 1, 4, 8]], np.float32)
    np.testing.assert_allclose(brightness(image, 100, 0.5), [[0, 8**-0.5, 0.5**0.5, 1]])
    np.testing.assert_allclose(brightness(image, 50, 1.0), [[0, 0.25, 1, 1]])
    assert not brightness(np.zeros((2, 2), np.float32)).any()


def test_values_have_their_colours_and_counts_their_light() -> None:
    image = np.array([[2, 2, 2, 2, 1, 0, 2]], np.float32)
    values = np.array([[0, 100, 50, 999, 100, np.nan, np.nan]], np.float32)
    ends = value_shades("viridis")
    picture = colour_by_value(image, values, (0, 100), percentile=100)
    middle = ends[round(0.5 * 255)]
    assert picture[0, 0].tolist() == ends[0].tolist()
    assert picture[0, 1].tolist() == picture[0, 3].tolist() == ends[-1].tolist()
    assert picture[0, 2].tolist() == middle.tolist()
    np.testing.assert_allclose(picture[0, 4], ends[-1] / 2, atol=0.6)
    assert not picture[0, 5:].any()
    same = colour_by_value(image, values, (100, 100), percentile=100)
    assert same[0, 0].tolist() == middle.tolist()


@pytest.mark.parametrize("name", COLORMAPS)
def test_no_value_is_black(name: str) -> None:
    assert value_shades(name).max(axis=1).min() > 60


def test_the_usual_range_leaves_strays_out() -> None:
    values = np.linspace(0, 100, 1001, dtype=np.float32)
    low, high = usual_range(np.append(values, [np.nan]).astype(np.float32))
    assert (low, high) == pytest.approx((1.0, 99.0))
    with pytest.raises(InputError, match="no molecule has the value"):
        usual_range(np.full(3, np.nan, np.float32))


def test_bad_looks_are_refused() -> None:
    image = np.ones((2, 2), np.float32)
    with pytest.raises(InputError, match="'jet' is unknown; use grays, hot, viridis"):
        colour(image, "jet")
    with pytest.raises(InputError, match="percentile is 101"):
        colour(image, percentile=101)
    with pytest.raises(InputError, match="gamma is 0"):
        colour(image, gamma=0)
    with pytest.raises(InputError, match="runs backwards"):
        colour_by_value(image, image, (2, 1))
