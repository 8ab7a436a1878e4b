import numpy as np
import pytest

from live_smlm.render.viewport import Viewport
from live_smlm.view.measure import Line, Region, molecules_in, profile

VIEWPORT = Viewport(shape=(200, 300), pixel_nm=10.0, origin_nm=(1000.0, 500.0))


def test_two_lines_of_molecules_are_measured_where_they_are() -> None:
    image = np.zeros(VIEWPORT.shape, np.float32)
    image[:, 100] = 4  # x = 1505 nm
    image[:, 120] = 2  # x = 1705 nm
    distance, counts = profile(Line((1500.0, 1205.0), (1500.0, 2005.0)), image, VIEWPORT)
    peaks = distance[counts > 1]
    assert peaks == pytest.approx([300, 500], abs=10)
    assert counts[counts > 1] == pytest.approx([4, 2])


def test_a_slanted_profile_holds_what_it_crosses_and_nothing_outside() -> None:
    image = np.ones(VIEWPORT.shape, np.float32)
    distance, counts = profile(Line((900.0, 400.0), (1500.0, 1000.0)), image, VIEWPORT)
    assert distance[-1] == pytest.approx(600 * np.sqrt(2))
    assert counts[distance < 120].max() == 0
    assert counts[distance > 170] == pytest.approx(1)


def test_words_tell_length_and_direction() -> None:
    line = Line((0.0, 0.0), (0.0, 200.0))
    assert line.length_nm == 200
    assert line.words() == "200 nm, 0°"
    assert Line((0.0, 0.0), (1500.0, 0.0)).words() == "1.5 µm, 90°"


def test_a_region_counts_its_molecules_whichever_corner_came_first() -> None:
    image = np.zeros(VIEWPORT.shape, np.float32)
    image[20:30, 40:60] = 0.5
    first, second = (1000.0 + 200, 500.0 + 400), (1000.0 + 300, 500.0 + 600)
    for region in (Region(first, second), Region(second, first)):
        assert molecules_in(region, image, VIEWPORT) == 100
        assert region.words() == "200 nm x 100 nm"
    assert molecules_in(Region((0.0, 0.0), (900.0, 400.0)), image, VIEWPORT) == 0
