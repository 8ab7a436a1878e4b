"""What is drawn coarsely first is where, as wide and as bright as what is drawn exactly."""

import numpy as np
import pytest

from live_smlm.core import Localizations, from_columns
from live_smlm.render.accumulator import CpuAccumulator, Drawing, Mode
from live_smlm.render.quick import QuickAccumulator
from live_smlm.render.viewport import Viewport

VIEW = Viewport(shape=(161, 203), pixel_nm=2.0, origin_nm=(1000.0, -300.0))


def molecules(n: int, sigma: tuple[float, float], seed: int = 1) -> Localizations:
    """In the view and around it."""
    rng = np.random.default_rng(seed)
    columns = {
        "frame": np.arange(n),
        "x": rng.uniform(-400, 200, n),
        "y": rng.uniform(900, 1400, n),
        "z": rng.uniform(-400, 400, n),
        "sigma_x": rng.uniform(*sigma, n),
        "sigma_y": rng.uniform(*sigma, n),
    }
    return from_columns(columns)


def both(found: Localizations, drawing: Drawing, by: str | None = None) -> list[np.ndarray]:
    pictures = [kind(VIEW, drawing, by=by) for kind in (QuickAccumulator, CpuAccumulator)]
    for picture in pictures:
        picture.add(found)
    return [picture.sums() for picture in pictures]


@pytest.mark.parametrize("sigma", [(1, 6), (4, 9), (8, 20), (16, 400)])
def test_many_make_the_same_picture(sigma: tuple[float, float]) -> None:
    image, truth = both(molecules(3000, sigma), Drawing(), "z")
    for plane in (0, 1):
        most = np.abs(truth[plane]).max()
        assert np.abs(image[plane] - truth[plane]).max() <= 8e-3 * most
    assert image[0].min() >= 0
    assert image[0].sum(dtype=float) == pytest.approx(truth[0].sum(dtype=float), rel=5e-4)


@pytest.mark.parametrize("width_nm", [4.1, 5.6, 7.9, 8.1, 16.1, 35.0])
@pytest.mark.parametrize("place", [(-100.0, 1160.0), (-99.1, 1161.7)])
def test_one_place_has_the_same_molecule(place: tuple[float, float], width_nm: float) -> None:
    one = {"frame": np.zeros(2000), "x": np.full(2000, place[0]), "y": np.full(2000, place[1])}
    drawing = Drawing(mode=Mode.GAUSSIAN, width_nm=width_nm)
    image, truth = both(from_columns(one), drawing)
    # The edge where a Gaussian is cut, a hundredth of its top, is rounded.
    assert np.abs(image - truth).max() <= 8e-3 * truth.max()
    assert image.sum(dtype=float) == pytest.approx(truth.sum(dtype=float), rel=1e-4)
    for axis in (1, 2):
        along = np.arange(truth.shape[axis])
        ours, theirs = (i[0].sum(2 - axis, dtype=float) / 2000 for i in (image, truth))
        assert ours @ along == pytest.approx(theirs @ along, abs=2e-3)
        spread = [s @ along**2 - (s @ along) ** 2 for s in (ours, theirs)]
        assert spread[0] == pytest.approx(spread[1], rel=6e-3)


def test_few_and_points_are_drawn_exactly() -> None:
    for found, drawing in (
        (molecules(300, (8, 20)), Drawing()),
        (molecules(3000, (8, 20)), Drawing(mode=Mode.HISTOGRAM)),
        (molecules(3000, (8, 20)), Drawing(mode=Mode.DITHERED)),
    ):
        image, truth = both(found, drawing)
        np.testing.assert_array_equal(image, truth)


def test_batches_weights_and_pictures_between_change_nothing() -> None:
    found, weights = molecules(6000, (3, 40)), np.linspace(0, 2, 6000, dtype=np.float32)
    parts, whole, again = (QuickAccumulator(VIEW, by="z") for _ in range(3))
    for first in range(0, 6000, 2000):
        rows = slice(first, first + 2000)
        parts.add(found.where(rows), weights[rows])
        parts.image()
    whole.add(found, weights)
    np.testing.assert_allclose(parts.sums(), whole.sums(), rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(parts.values()[80], whole.values()[80], atol=0.1)
    again.add(found)
    again.start(parts.sums())
    np.testing.assert_array_equal(again.sums(), parts.sums())
    again.add(found)
    again.reset()
    assert not again.image().any()


def test_unknown_widths_add_nothing() -> None:
    found = molecules(2000, (8, 20))
    unknown = found.with_columns(sigma_x=np.full(2000, np.nan, np.float32))
    image, _ = both(unknown, Drawing())
    assert not image.any()
