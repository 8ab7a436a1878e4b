"""Each molecule adds one count, where it is, as wide as its precision."""

import numpy as np
import pytest

from live_smlm.core import InputError, Localizations, from_columns
from live_smlm.render.splat import splat

FIELD = (2000.0, 3000.0)
PIXEL = 10.0


def molecule(x: float, y: float, sigma: float = 20.0) -> Localizations:
    columns = {"frame": [3], "x": [x], "y": [y], "sigma_x": [sigma], "sigma_y": [sigma]}
    return from_columns(columns)


def moments(image: np.ndarray) -> tuple[float, float, float, float]:
    """Sum, mean x, mean y, standard deviation along x; nm."""
    y, x = (np.indices(image.shape) + 0.5) * PIXEL
    total = image.sum()
    mean_x, mean_y = (image * x).sum() / total, (image * y).sum() / total
    return total, mean_x, mean_y, float(np.sqrt((image * (x - mean_x) ** 2).sum() / total))


def test_a_molecule_lies_where_it_is() -> None:
    drawn = splat(molecule(1203.0, 457.0), FIELD, PIXEL)
    assert drawn.image.shape == (1, 200, 300)
    assert (drawn.first_frame, drawn.last_frame) == (3, 3)
    total, x, y, width = moments(drawn.image[0])
    assert total == pytest.approx(1, abs=0.01)  # 3 sigma hold 99.5 % of a 2D Gaussian
    assert x == pytest.approx(1203, abs=0.2)
    assert y == pytest.approx(457, abs=0.2)
    assert width == pytest.approx(np.hypot(20, PIXEL / np.sqrt(12)), rel=0.03)


def test_one_width_for_all_where_asked() -> None:
    drawn = splat(molecule(1203.0, 457.0, sigma=5.0), FIELD, PIXEL, precision_nm=40.0)
    assert moments(drawn.image[0])[3] == pytest.approx(40, rel=0.03)


def test_a_sharp_molecule_falls_into_its_pixel() -> None:
    image = splat(molecule(1205.0, 455.0, sigma=0.01), FIELD, PIXEL).image[0]
    assert image[45, 120] > 0.8


def test_molecules_at_and_beyond_the_edge() -> None:
    assert splat(molecule(0.0, 0.0), FIELD, PIXEL).image.sum() == pytest.approx(0.25, abs=0.01)
    assert splat(molecule(-500.0, 0.0), FIELD, PIXEL).image.sum() == 0
    assert splat(molecule(9e9, 0.0), FIELD, PIXEL).image.sum() == 0
    assert splat(molecule(float("nan"), 0.0), FIELD, PIXEL).image.sum() == 0


def test_no_molecules_make_an_empty_picture() -> None:
    assert splat(molecule(0, 0).where(np.zeros(1, bool)), FIELD, PIXEL).image.sum() == 0


def test_bad_pictures_are_refused() -> None:
    with pytest.raises(InputError, match="pixel is 0 nm"):
        splat(molecule(0, 0), FIELD, 0.0)
    unsure = from_columns({"frame": [0], "x": [1], "y": [1]})
    with pytest.raises(InputError, match="no column 'sigma_x'"):
        splat(unsure, FIELD, PIXEL)
