import numpy as np
import pytest

from live_smlm.core import InputError, from_columns
from live_smlm.metrics.regions import Polygon, Rectangle, inside

RNG = np.random.default_rng(0)
SOME = from_columns(
    {"frame": np.zeros(4000), "y": RNG.uniform(0, 100, 4000), "x": RNG.uniform(0, 100, 4000)}
)


def test_a_rectangle_holds_what_lies_between_its_sides() -> None:
    found = inside(Rectangle(10, 20, 50, 90), SOME)
    expected = (SOME.y >= 10) & (SOME.y < 50) & (SOME.x >= 20) & (SOME.x < 90)
    assert np.array_equal(found, expected)


def test_a_triangle_holds_what_lies_on_the_right_side_of_all_its_sides() -> None:
    found = inside(Polygon(((10, 10), (90, 10), (10, 90))), SOME)
    expected = (SOME.y > 10) & (SOME.x > 10) & (SOME.x + SOME.y < 100)
    assert np.array_equal(found, expected)


def test_a_notch_is_outside() -> None:
    notched = Polygon(((0, 0), (0, 100), (100, 100), (50, 50), (100, 0)))
    found = inside(notched, SOME)
    assert np.array_equal(found, SOME.y < np.maximum(SOME.x, 100 - SOME.x))
    assert notched.area_nm2 == pytest.approx(7500)
    assert found.mean() == pytest.approx(0.75, abs=0.03)


def test_what_holds_no_area_is_refused() -> None:
    with pytest.raises(InputError, match="give top, left, bottom, right"):
        Rectangle(10, 0, 10, 5)
    with pytest.raises(InputError, match="at least 3"):
        Polygon(((0, 0), (1, 1)))
    with pytest.raises(InputError, match="not on one line"):
        Polygon(((0, 0), (1, 1), (2, 2)))
