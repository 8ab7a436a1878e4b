"""A viewport covers what it should and no more."""

import numpy as np
import pytest

from live_smlm.core import InputError, from_columns
from live_smlm.render.viewport import Viewport, around, covering


def test_a_field_is_covered_with_the_fewest_pixels() -> None:
    view = covering((95.0, 200.0), 10.0, (5.0, -5.0))
    assert view == Viewport(shape=(10, 20), pixel_nm=10.0, origin_nm=(5.0, -5.0))


def test_all_molecules_lie_in_the_view_around_them() -> None:
    x, y = [-12.0, 47.0, np.nan], [25.0, 31.0, 9e9]
    found = from_columns({"frame": [0, 1, 2], "x": x, "y": y})
    view = around(found, 10.0)
    assert view.origin_nm == (20.0, -20.0)
    assert view.shape == (2, 7)
    wider = around(found, 10.0, margin_nm=25.0)
    assert wider.origin_nm == (0.0, -40.0)
    assert wider.shape == (6, 12)


@pytest.mark.parametrize(
    ("shape", "pixel", "origin", "message"),
    [
        ((10, 10), 0.0, (0.0, 0.0), "pixel is 0 nm"),
        ((10, 10), float("nan"), (0.0, 0.0), "pixel is nan nm"),
        ((0, 10), 10.0, (0.0, 0.0), "0 x 10 pixels"),
        ((10**6, 10**6), 10.0, (0.0, 0.0), "1000000 x 1000000 pixels"),
        ((10, 10), 10.0, (0.0, float("inf")), "origin is"),
    ],
)
def test_bad_views_are_refused(
    shape: tuple[int, int], pixel: float, origin: tuple[float, float], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Viewport(shape=shape, pixel_nm=pixel, origin_nm=origin)


def test_nothing_and_no_size_are_refused() -> None:
    with pytest.raises(InputError, match="no molecule has a position"):
        around(from_columns({"frame": [0], "x": [np.nan], "y": [1.0]}), 10.0)
    with pytest.raises(InputError, match="nan nm high"):
        covering((float("nan"), 10.0), 10.0)
