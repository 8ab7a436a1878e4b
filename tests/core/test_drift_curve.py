"""Drift is straight between its knots and is taken off."""

import numpy as np
import pytest

from live_smlm.core import STILL, InputError, drift_curve, from_columns

CURVE = drift_curve([10, 20, 40], [0, 100, 60], [5, 5, -15], [0, 10, 20])


def test_between_and_beyond_the_knots() -> None:
    x, y, z = CURVE.at(np.array([0, 10, 15, 20, 30, 40, 99]))
    assert x.tolist() == [0, 0, 50, 100, 80, 60, 60]
    assert y.tolist() == [5, 5, 5, 5, -5, -15, -15]
    assert z.tolist() == [0, 0, 5, 10, 15, 20, 20]


def test_its_bounds_hold_between_frames() -> None:
    assert CURVE.between(0, 99) == (-15, 0, 5, 100)
    assert CURVE.between(15, 30) == (-5, 50, 5, 100)
    assert STILL.between(3, 5) == (0, 0, 0, 0)


def test_molecules_are_put_back() -> None:
    found = from_columns({"frame": [15, 30], "x": [1000, 1000], "y": [7, 7]})
    put = CURVE.corrected(found)
    assert put.x.tolist() == [950, 920]
    assert put.y.tolist() == [2, 12]
    assert put.z is None
    deep = CURVE.corrected(found.with_columns(z=np.array([1.0, 1.0])))
    assert deep.z is not None
    assert deep.z.tolist() == [-4, -14]


@pytest.mark.parametrize(
    ("frame", "x", "message"),
    [
        ([0, 0], [1, 2], "frames do not rise"),
        ([0, 5], [1, np.nan], "drift x is not finite"),
        ([0, 5], [1, 2, 3], "drift x has shape"),
        ([], [], "at least 1"),
    ],
)
def test_curves_that_are_none_are_refused(frame: list[float], x: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        drift_curve(frame, x, np.zeros(len(frame)))


def test_what_is_known_later_follows_what_was_known() -> None:
    later = drift_curve([0, 30, 60], [7, 7, 37], [0, 0, 0])
    both = CURVE.followed_by(later, 22)
    x, y, _ = both.at(np.array([5, 15, 20, 22, 23, 30, 45, 99]))
    np.testing.assert_allclose(x, [0, 50, 100, 96, 7, 7, 22, 37], atol=1e-4)
    np.testing.assert_allclose(y[:5], [5, 5, 5, 3, 0], atol=1e-4)
    assert both.apart_nm(later, 22)[0] == pytest.approx(np.hypot(93, 5))
    assert both.apart_nm(CURVE, 22) == (0, 0)
    assert both.apart_nm(CURVE, 23)[0] > 80
    assert both.followed_by(later, 22).same(both)
    assert not both.same(CURVE)
