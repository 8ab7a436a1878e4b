"""Sums, places and widths are what was asked for; growing and drawing at once agree.

One suite for the processor and the graphics card, which here is Mesa's.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from live_smlm.core import InputError, Localizations, from_columns
from live_smlm.render.accumulator import Accumulator, CpuAccumulator, Drawing, Mode, reach_nm
from live_smlm.render.viewport import Viewport
from live_smlm.testing.opengl import opengl

PIXEL = 5.0
VIEW = Viewport(shape=(160, 200), pixel_nm=PIXEL, origin_nm=(1000.0, -300.0))
CUT = math.sqrt(1 - 6 * math.exp(-4.5) / math.sqrt(2 * math.pi) / math.erf(3 / math.sqrt(2)))
"""Standard deviation of a normal cut at 3 sigma, in sigma."""


def molecules(n: int = 500, seed: int = 1) -> Localizations:
    """Inside the view with room for 3 sigma around them."""
    rng = np.random.default_rng(seed)
    columns = {
        "frame": np.arange(n),
        "x": rng.uniform(-150, 550, n),
        "y": rng.uniform(1150, 1650, n),
        "z": rng.uniform(-400, 400, n),
        "sigma_x": rng.uniform(10, 40, n),
        "sigma_y": rng.uniform(10, 40, n),
    }
    return from_columns(columns)


def one(x: float = 203.0, y: float = 1402.0, sx: float = 15.0, sy: float = 30.0) -> Localizations:
    columns = {"frame": [7], "x": [x], "y": [y], "sigma_x": [sx], "sigma_y": [sy]}
    return from_columns(columns)


Make = Callable[..., Accumulator]


@pytest.fixture(scope="module", params=["processor", "card"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    if request.param == "processor":
        yield CpuAccumulator
        return
    with opengl() as accumulator:
        yield accumulator


def drawn(
    make: Make, found: Localizations, mode: Mode, view: Viewport = VIEW, **changes: int
) -> np.ndarray:
    picture = make(view, Drawing(mode=mode, **changes))
    picture.add(found)
    return picture.image()


def moments(image: np.ndarray) -> tuple[float, float, float, float]:
    """Mean x, y and standard deviation along x, y; nm."""
    image = image.astype(np.float64)
    y = VIEW.origin_nm[0] + (np.arange(image.shape[0]) + 0.5) * PIXEL
    x = VIEW.origin_nm[1] + (np.arange(image.shape[1]) + 0.5) * PIXEL
    across, along = image.sum(0) / image.sum(), image.sum(1) / image.sum()
    mean_x, mean_y = across @ x, along @ y
    return mean_x, mean_y, across @ (x - mean_x) ** 2, along @ (y - mean_y) ** 2


@pytest.mark.parametrize("mode", Mode)
def test_every_molecule_adds_its_weight(make: Make, mode: Mode) -> None:
    # Dithered points may leave by more than the 3 sigma of room: 1 in 10^9 of them here.
    found = molecules()
    assert drawn(make, found, mode).sum(dtype=float) == pytest.approx(len(found), rel=1e-5)
    picture = make(VIEW, Drawing(mode=mode))
    weights = np.linspace(0, 3, len(found), dtype=np.float32)
    picture.add(found, weights)
    assert picture.image().sum(dtype=float) == pytest.approx(weights.sum(dtype=float), rel=1e-5)


def test_a_count_lies_in_its_pixel(make: Make) -> None:
    image = drawn(make, one(x=203.0, y=1402.0), Mode.HISTOGRAM)
    assert np.argwhere(image).tolist() == [[(1402 - 1000) // 5, (203 + 300) // 5]]
    corners = from_columns({"frame": [0, 0, 0], "x": [-300, 700, -300.01], "y": [1000, 1799, 1000]})
    assert np.argwhere(drawn(make, corners, Mode.HISTOGRAM)).tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("mode", "sx", "sy"), [(Mode.PRECISION, 15.0, 30.0), (Mode.GAUSSIAN, 20.0, 20.0)]
)
def test_a_gaussian_is_where_and_as_wide_as_it_says(
    make: Make, mode: Mode, sx: float, sy: float
) -> None:
    x, y, var_x, var_y = moments(drawn(make, one(), mode))
    assert (x, y) == pytest.approx((203.0, 1402.0), abs=0.01)
    # A pixel spreads what it holds over its own width.
    assert var_x == pytest.approx((CUT * sx) ** 2 + PIXEL**2 / 12, rel=0.005)
    assert var_y == pytest.approx((CUT * sy) ** 2 + PIXEL**2 / 12, rel=0.005)


def test_pixels_hold_the_integral_of_the_gaussian(make: Make) -> None:
    def left_of(edges: np.ndarray, centre: float, sigma: float) -> np.ndarray:
        t = np.clip((edges - centre) / sigma, -3, 3)
        whole = math.erf(3 / math.sqrt(2))
        return np.array([(math.erf(v / math.sqrt(2)) + whole) / (2 * whole) for v in t])

    along = np.diff(left_of(1000 + PIXEL * np.arange(161), 1402.0, 30.0))
    across = np.diff(left_of(-300 + PIXEL * np.arange(201), 203.0, 15.0))
    truth = np.outer(along, across)
    np.testing.assert_allclose(drawn(make, one(), Mode.PRECISION), truth, atol=2e-7)


def test_scattered_points_have_the_spread_of_the_molecule(make: Make) -> None:
    n, copies = 4000, 5
    many = one().where(np.zeros(n, int))
    image = drawn(make, many, Mode.DITHERED, copies=copies)
    assert image.sum(dtype=float) == pytest.approx(n, rel=1e-4)
    points = n * copies
    x, y, var_x, var_y = moments(image)
    for mean, truth, sigma in ((x, 203.0, 15.0), (y, 1402.0, 30.0)):
        assert mean == pytest.approx(truth, abs=5 * sigma / math.sqrt(points))
    for variance, sigma in ((var_x, 15.0), (var_y, 30.0)):
        truth = sigma**2 + PIXEL**2 / 12
        assert variance == pytest.approx(truth, rel=5 * math.sqrt(2 / points))


def test_scattering_is_the_same_for_the_same_seed_only(make: Make) -> None:
    found = molecules()
    first = drawn(make, found, Mode.DITHERED, seed=3)
    np.testing.assert_array_equal(first, drawn(make, found, Mode.DITHERED, seed=3))
    assert (first != drawn(make, found, Mode.DITHERED, seed=4)).any()


@pytest.mark.parametrize("mode", Mode)
def test_growing_is_drawing_at_once(make: Make, mode: Mode) -> None:
    found = molecules()
    grown = make(VIEW, Drawing(mode=mode), by="z")
    for first in range(0, len(found), 37):
        grown.add(found.where(slice(first, first + 37)))
    whole = make(VIEW, Drawing(mode=mode), by="z")
    whole.add(found)
    if mode is Mode.HISTOGRAM:
        np.testing.assert_array_equal(grown.image(), whole.image())
    np.testing.assert_allclose(grown.image(), whole.image(), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(grown.values(), whole.values(), rtol=1e-4, atol=1e-3)
    grown.reset()
    assert not grown.image().any()
    grown.add(found)
    np.testing.assert_array_equal(grown.image(), whole.image())


@pytest.mark.parametrize("mode", Mode)
def test_a_smaller_window_shows_the_same(make: Make, mode: Mode) -> None:
    found = molecules()
    part = Viewport(shape=(40, 60), pixel_nm=PIXEL, origin_nm=(1250.0, 0.0))
    cut = drawn(make, found, mode)[50:90, 60:120]
    # Places are float32 nm: beside a pixel's edge a point may fall to either side of it.
    np.testing.assert_allclose(drawn(make, found, mode, part), cut, atol=1e-6)


def test_values_are_weighted_means(make: Make) -> None:
    columns = {"frame": [0, 1, 2], "x": [0, 0, 100], "y": [1100] * 3, "z": [-100, 300, np.nan]}
    picture = make(VIEW, Drawing(mode=Mode.HISTOGRAM), by="z")
    picture.add(from_columns(columns), np.array([3, 1, 1], np.float32))
    values = picture.values()
    assert values[20, 60] == pytest.approx(0.0)
    assert np.isfinite(values).sum() == 1
    assert picture.image().sum() == 4  # the molecule without a z is not drawn


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    "lost",
    [
        one(x=float("nan")),
        one(y=float("inf")),
        one(x=1e30, y=-1e30),
        one(x=-400.0, sx=10.0),
        one(y=2000.0, sy=10.0),
    ],
)
def test_what_lies_nowhere_or_outside_adds_nothing(
    make: Make, mode: Mode, lost: Localizations
) -> None:
    assert not drawn(make, lost, mode).any()


@pytest.mark.parametrize("mode", [Mode.PRECISION, Mode.DITHERED])
def test_a_molecule_of_unknown_width_adds_nothing(make: Make, mode: Mode) -> None:
    assert not drawn(make, one(sx=float("nan")), mode).any()


def test_an_image_is_the_caller_s_to_keep(make: Make) -> None:
    picture = make(VIEW)
    picture.add(one())
    before = picture.image()
    picture.add(one())
    assert before.sum() == pytest.approx(1, rel=1e-5)


def test_the_usual_reach_is_that_of_three_sigma() -> None:
    found = from_columns({"frame": [0, 1], "x": [0, 0], "y": [0, 0], **_widths(10, np.nan)})
    reaches = {mode: reach_nm(found, Drawing(mode=mode, width_nm=7.0)) for mode in Mode}
    assert list(reaches.values()) == [0, 21, 30, 30]
    assert reach_nm(found.where(slice(1, 2)), Drawing()) == 0


def _widths(*sigmas: float) -> dict[str, tuple[float, ...]]:
    return {"sigma_x": sigmas, "sigma_y": sigmas}


def test_no_molecules_need_no_columns(make: Make) -> None:
    picture = make(VIEW, by="z")
    picture.add(from_columns({"frame": [], "x": [], "y": []}))
    assert not picture.image().any()


def test_what_cannot_be_drawn_is_refused(make: Make) -> None:
    with pytest.raises(InputError, match="width of a molecule is 0 nm"):
        Drawing(width_nm=0.0)
    with pytest.raises(InputError, match="points per molecule are 0; give 1 to"):
        Drawing(copies=0)
    with pytest.raises(InputError, match="seed is -1"):
        Drawing(seed=-1)
    picture = make(VIEW)
    with pytest.raises(InputError, match="no column 'sigma_x'"):
        picture.add(from_columns({"frame": [0], "x": [1], "y": [1]}))
    with pytest.raises(InputError, match="weights have shape"):
        picture.add(one(), np.ones(2, np.float32))
    with pytest.raises(InputError, match="was not told by which value"):
        picture.values()


@pytest.mark.parametrize("mode", Mode)
def test_a_picture_goes_on_from_another_one(make: Make, mode: Mode) -> None:
    found = molecules()
    first, second, whole = (make(VIEW, Drawing(mode=mode), by="z") for _ in range(3))
    first.add(found.where(slice(200)))
    second.start(first.sums())
    second.add(found.where(slice(200, 500)))
    if mode is Mode.DITHERED:  # scatters by the molecule's number in the picture
        assert second.image().sum(dtype=float) == pytest.approx(500, rel=1e-5)
    else:
        whole.add(found)
        np.testing.assert_allclose(second.sums(), whole.sums(), rtol=1e-4, atol=1e-4)
    fresh = make(VIEW, Drawing(mode=mode), by="z")
    fresh.start(first.sums())
    np.testing.assert_array_equal(fresh.sums(), first.sums())
    with pytest.raises(InputError, match="sums to start from have shape"):
        second.start(np.zeros((2, 5, 5), np.float32))


@pytest.mark.parametrize("pixel_nm", [1.0, 20.0, 300.0])
@pytest.mark.parametrize("mode", Mode)
def test_a_card_draws_what_the_processor_draws(make: Make, mode: Mode, pixel_nm: float) -> None:
    view = Viewport(shape=(90, 150), pixel_nm=pixel_nm, origin_nm=(1333.3, 77.7))
    found = molecules(700)
    drawing = Drawing(mode=mode, width_nm=33)
    pictures = [kind(view, drawing, by="z") for kind in (make, CpuAccumulator)]
    for picture in pictures:
        picture.add(found)
    image, truth = (picture.sums() for picture in pictures)
    for plane in (0, 1):
        most = np.abs(truth[plane]).max()
        assert most > 0
        assert np.abs(image[plane] - truth[plane]).max() <= 1e-3 * most
    assert image[0].sum(dtype=float) == pytest.approx(truth[0].sum(dtype=float), rel=1e-4)


def test_a_molecule_beyond_the_edge_reaches_in(make: Make) -> None:
    half = drawn(make, one(x=-300.0, sx=200.0), Mode.PRECISION)
    assert half.sum(dtype=float) == pytest.approx(0.5, abs=1e-4)
    far = drawn(make, one(x=-300.0 - 400.0, sx=200.0), Mode.PRECISION)
    tail = 0.5 * (math.erf(3 / math.sqrt(2)) - math.erf(2 / math.sqrt(2)))
    assert far.sum(dtype=float) == pytest.approx(tail / math.erf(3 / math.sqrt(2)), abs=1e-5)
