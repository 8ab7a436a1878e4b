import numpy as np
import pytest

from live_smlm.core import F64, I64, PSF
from live_smlm.fitting import sequence_verdict
from live_smlm.fitting.fields import FIELDS
from live_smlm.fitting.model import draw, fit_model
from live_smlm.fitting.sequence_algebra import add_frame, determinant, invert, solve
from live_smlm.fitting.sequence_fit import Molecules, Movie
from live_smlm.fitting.sequence_link import cells, chances, links
from live_smlm.fitting.sequence_sweep import no_fits, sweep
from live_smlm.fitting.sequence_verdict import judge
from live_smlm.fitting.sequence_window import (
    Optics,
    Window,
    draw_window,
    scratch,
    shine,
    weigh,
    window_around,
)
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.physics.psf.sampling import sample

PIXEL, SIZE = 100.0, 40
ROUND = GaussianPSF(130.0)
ASTIGMATIC = AstigmaticPSF(130.0, 130.0, 250.0, -250.0, 400.0)
NO_GAP = np.array([0, 1, 1, 1])


def optics(psf: PSF) -> Optics:
    model = fit_model(psf, PIXEL)
    depth = np.array(model.z_range or ())
    return Optics(model.kind, model.curve, model.coefficients.copy(), 9, depth)


def positive(rng: np.random.Generator, size: int) -> F64:
    root = rng.normal(size=(size, size + 3))
    return np.asarray(root @ root.T)


def test_rows_are_those_that_written_bundles_give() -> None:
    place, light = "probability x y z", "photons background"
    sigmas = "sigma_x sigma_y sigma_z sigma_photons"
    assert tuple(f"{place} {light} {sigmas}".split()) == FIELDS


def test_systems_of_three_agree_with_numpy() -> None:
    rng = np.random.default_rng(1)
    matrix, right = positive(rng, 3), rng.normal(size=3)
    out, inverse = np.empty(3), np.empty((3, 3))
    solve(np.tril(matrix), right, out)
    invert(np.tril(matrix), inverse)
    np.testing.assert_allclose(out, np.linalg.solve(matrix, right))
    np.testing.assert_allclose(inverse, np.linalg.inv(matrix))
    for axes in (2, 3):
        expected = np.linalg.det(matrix[:axes, :axes])
        assert determinant(matrix, axes) == pytest.approx(expected)


@pytest.mark.parametrize("psf", [ROUND, ASTIGMATIC, sample(ASTIGMATIC, PIXEL, 100.0)])
def test_a_window_shows_the_model(psf: PSF) -> None:
    seen, model, room = optics(psf), fit_model(psf, PIXEL), scratch(optics(psf), 1)
    w, out = Window(7, 20, 11, 13), np.empty((4, 11, 13))
    draw_window(seen, 26.2, 12.4, 120.0, w, room.axes, room.image)
    draw(model.kind, model.curve, model.coefficients, 6.2, 5.4, 120.0, out)
    np.testing.assert_allclose(room.image[:, :143], out.reshape(4, -1), atol=1e-6)


def test_eliminating_the_light_leaves_what_the_whole_matrix_says() -> None:
    seen = optics(ASTIGMATIC)
    room, photons, background, pixels = scratch(seen, 1), 900.0, 11.0, 169
    rng = np.random.default_rng(2)
    w = Window(0, 0, 13, 13)
    draw_window(seen, 6.3, 6.8, -90.0, w, room.axes, room.image)
    image = room.image[:, :pixels].astype(np.float64)
    room.known[0, :pixels] = rng.uniform(0, 5, pixels)
    expected = photons * image[0] + background + room.known[0, :pixels]
    room.data[0, :pixels] = rng.poisson(expected)
    n, b = np.float32(photons), np.float32(background)
    weigh(room.data[0], room.known[0], room.image, n, b, pixels, room.sums[0])
    h, s = np.zeros((3, 3)), np.zeros(3)
    add_frame(room.sums[0], photons, h, s)

    slopes = np.stack([*(photons * image[1:]), image[0], np.ones(pixels)])
    whole = (slopes / expected) @ slopes.T
    score = slopes @ (room.data[0, :pixels] / expected - 1)
    lean = whole[:3, 3:] @ np.linalg.inv(whole[3:, 3:])
    np.testing.assert_allclose(h, np.tril(whole[:3, :3] - lean @ whole[3:, :3]), rtol=1e-4)
    left = score[:3] - lean @ score[3:]
    np.testing.assert_allclose(s, left, rtol=1e-3, atol=1e-3 * np.abs(left).max())


def test_a_neighbours_doubt_reaches_a_molecule_as_the_matrix_by_blocks_says() -> None:
    seen, room = optics(ASTIGMATIC), scratch(optics(ASTIGMATIC), 1)
    state = np.array([[20.3, 19.8, 60.0, 1500.0, 10.0], [22.4, 20.7, -80.0, 1100.0, 10.0]])
    place = np.zeros(2, np.int64)
    light = np.zeros((1, SIZE, SIZE), np.float32)
    shine(light, seen, state, place, room)
    rng = np.random.default_rng(4)
    scale = np.diag([0.05, 0.05, 15.0])
    doubt = np.zeros((2, 4, 4))
    doubt[1, :3, :3], doubt[1, 3, 3] = scale @ positive(rng, 3) @ scale, 60.0**2
    found = cells(state[:, 0], state[:, 1], place, 1, SIZE, SIZE)
    molecules = Molecules(state, doubt, place, np.full((2, 2), -1))
    movie = Movie(light + 10, np.zeros((SIZE, SIZE), np.float32), light)
    fits = no_fits(2)
    sweep(movie, molecules, seen, found, np.array([0]), np.zeros(1), room, fits)

    w = window_around(seen, 20.3, 19.8, 60.0, (SIZE, SIZE))
    inside = np.s_[w.top : w.top + w.rows, w.left : w.left + w.columns]
    image = ASTIGMATIC.images(*(state[:, :3].T * [[PIXEL], [PIXEL], [1]]), (SIZE, SIZE), PIXEL)  # type: ignore[call-arg]
    slopes = [PIXEL * image.d_x, PIXEL * image.d_y, image.d_z]
    parts = [
        np.stack(
            [*(state[i, 3] * d[i][inside].ravel() for d in slopes), image.value[i][inside].ravel()]
        )
        for i in range(2)
    ]
    mine = np.concatenate([parts[0], np.ones_like(parts[0][:1])])
    weight = 1 / (light[0][inside].ravel() + 10)
    own = np.linalg.inv((mine * weight) @ mine.T)
    cross = (mine * weight) @ parts[1].T
    whole = own + own @ cross @ doubt[1] @ cross.T @ own
    assert np.sqrt(whole[0, 0] / own[0, 0]) > 1.05
    np.testing.assert_allclose(fits.own[0, :3, :3], own[:3, :3], rtol=0.01, atol=1e-6)
    np.testing.assert_allclose(fits.whole[0, :3, :3], whole[:3, :3], rtol=0.01, atol=1e-6)


def linked(position: F64, sigma: float, place: list[int], reach: int = 1, crowd: int = 5) -> I64:
    at = np.array(place)
    found = cells(position[:, 0], position[:, 1], at, 4, SIZE, SIZE)
    cost = chances(np.full(4, crowd), float(SIZE**2), np.zeros(0))
    return links(position, np.full(position.shape, sigma**2), at, NO_GAP, found, cost, reach)


def test_the_same_molecule_is_found_again() -> None:
    position = np.array([[10.0, 10.0], [10.2, 10.1], [31.0, 30.0], [10.1, 9.9], [10.0, 10.0]])
    answer = linked(position, 0.1, [0, 1, 1, 2, 3], reach=2)
    assert answer.tolist() == [
        [-1, -1, 1, 3],
        [0, -1, 3, 4],
        [-1, -1, -1, -1],
        [1, 0, 4, -1],
        [3, 1, -1, -1],
    ]


def test_each_belongs_to_its_nearest_only() -> None:
    position = np.array([[10.0, 10.0], [10.6, 10.0], [10.5, 10.0]])
    assert linked(position, 0.2, [0, 0, 1]).tolist() == [[-1, -1], [-1, 2], [1, -1]]


def test_a_vague_neighbour_in_a_crowd_is_more_likely_a_stranger() -> None:
    position = np.array([[10.0, 10.0], [11.0, 10.0]])
    assert linked(position, 1.0, [0, 1], crowd=5)[0, 1] == 1
    assert linked(position, 1.0, [0, 1], crowd=200)[0, 1] == -1


def test_frames_apart_are_not_linked() -> None:
    position = np.full((2, 2), 10.0)
    assert np.all(linked(position, 0.1, [0, 2]) == -1)


def test_a_fit_counts_by_what_it_adds() -> None:
    """Equal claims are no reason to move; a misfit gives the network its weight back."""
    fits = no_fits(3)
    fits.converged[:] = True
    fits.state[:] = [10.0, 10.0, 0.0, 1000.0, 10.0]
    fits.own[:] = fits.whole[:] = np.diag([0.01, 0.01, 400.0, 900.0])
    fits.frames[:], fits.pixels[:] = 1, 121
    fits.chi2[:] = 116
    fits.chi2[1] = 4000
    fits.stranger[2] = 1
    network = np.array([[10.2, 10.0, 20.0, 1000.0]] * 3)
    verdict = judge(fits, network, 2 * fits.own, 3)
    assert verdict.trusted.tolist() == [True, False, True]
    np.testing.assert_allclose(verdict.value[0], fits.state[0])
    dim = 1 + sequence_verdict._PER_DIM * 900 / 1000**2
    np.testing.assert_allclose(verdict.covariance[0], dim * fits.own[0])
    # As far off as the network may be (0.02), which has 0.01 of its own: 2 of 3 parts.
    assert verdict.value[2, 0] == pytest.approx(10 + 0.2 * 2 / 3)
    assert verdict.covariance[2, 0, 0] == pytest.approx(dim * 0.01 + 0.02 / 3)
