import math

import pytest

from live_smlm.core import InputError
from live_smlm.view.sight import FINEST_NM, fitted, length_words, round_length

FIELD = (20_000.0, 40_000.0)
SIZE = (600, 800)


def test_the_whole_field_stands_in_the_middle_and_fits() -> None:
    sight = fitted(FIELD, SIZE)
    assert sight.point((10_000.0, 20_000.0)) == pytest.approx((300, 400))
    for corner in ((0.0, 0.0), FIELD):
        row, column = sight.point(corner)
        assert 0 <= row <= 600
        assert 0 <= column <= 800


def test_place_and_point_are_inverse() -> None:
    sight = fitted(FIELD, SIZE).zoomed(7.3, (120, 650)).panned((31, -17))
    assert sight.point(sight.place((12.5, 99.25))) == pytest.approx((12.5, 99.25))


def test_what_is_under_the_mouse_stays_there_when_zooming() -> None:
    sight = fitted(FIELD, SIZE)
    at = (200.0, 500.0)
    held = sight.place(at)
    for factor in (3.0, 0.5, 10.0):
        sight = sight.zoomed(factor, at)
        assert sight.place(at) == pytest.approx(held)


def test_the_sample_follows_the_mouse() -> None:
    sight = fitted(FIELD, SIZE).zoomed(4)
    moved = sight.panned((10, -20))
    place = sight.place((300.0, 400.0))
    assert moved.point(place) == pytest.approx((310, 380))


def test_one_can_neither_leave_the_field_nor_zoom_without_end() -> None:
    sight = fitted(FIELD, SIZE)
    assert sight.panned((1e9, -1e9)).centre_nm == (0.0, 40_000.0)
    assert sight.zoomed(1e12).nm_per_point == FINEST_NM
    assert sight.zoomed(1e-12).nm_per_point < 5 * sight.nm_per_point


def test_a_viewport_is_the_same_place_in_the_screens_pixels() -> None:
    sight = fitted(FIELD, SIZE).zoomed(9, (10, 10))
    viewport = sight.viewport(2.0)
    assert viewport.shape == (1200, 1600)
    assert viewport.origin_nm == sight.place((0.0, 0.0))
    assert viewport.pixel_nm == sight.nm_per_point / 2
    assert viewport.rect[2:] == pytest.approx(sight.place((600.0, 800.0)))


def test_a_region_is_made_to_fit() -> None:
    sight = fitted(FIELD, SIZE).over((1000.0, 3000.0), (500.0, 2000.0))
    assert sight.centre_nm == (750.0, 2500.0)
    row, column = sight.point((1000.0, 3000.0))
    assert max(row / 600, column / 800) == pytest.approx(0.985, abs=1e-9)


@pytest.mark.parametrize("most", [1.0, 1.99, 2.0, 4.999, 5.0, 9.99, 10.0, 999.0, 1000.0, 0.3])
def test_scale_bars_are_the_longest_round_length_that_fits(most: float) -> None:
    length = round_length(most)
    first = length / 10 ** math.floor(math.log10(length) + 1e-9)
    assert round(first, 9) in {1, 2, 5}
    assert length <= most < 2.5 * length * (1 + 1e-12)


def test_lengths_are_told_in_the_unit_that_reads_best() -> None:
    assert [length_words(nm) for nm in (20, 999.5, 2000, 5e6)] == [
        "20 nm",
        "999.5 nm",
        "2 µm",
        "5 mm",
    ]


def test_an_impossible_field_is_refused() -> None:
    with pytest.raises(InputError, match="both must be above 0"):
        fitted((0.0, 100.0), SIZE)
