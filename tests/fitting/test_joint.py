import numpy as np
import pytest

from live_smlm.core import F64
from live_smlm.fitting.cholesky import factorise, invert_diagonal, substitute
from live_smlm.fitting.group import PER_MOLECULE, fit_group
from live_smlm.fitting.groups import BACKGROUND, COLUMNS, add_light, refit_groups
from live_smlm.fitting.link import LARGEST, groups
from live_smlm.fitting.model import FitModel, fit_model
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF

PIXEL, REACH = 100.0, 6
ROUND = fit_model(GaussianPSF(130.0), PIXEL)
DEEP = fit_model(AstigmaticPSF(130.0, 130.0, 250.0, -250.0, 400.0), PIXEL)


def expected(model: FitModel, rows: F64, shape: tuple[int, int], background: float) -> F64:
    """Counts of molecules x, y (px), photons, z."""
    light = np.zeros(shape)
    for row in rows:
        add_light(light, model.kind, model.curve, model.coefficients, REACH, row, 1.0)
    return light + background


def fit(
    model: FitModel, counts: F64, start: F64, *, flat: bool = True
) -> tuple[F64, F64, tuple[float, float, int, bool]]:
    theta, error = start.copy(), np.empty(start.size)
    depth = np.array(model.z_range or ())
    dark = np.zeros(counts.shape)
    verdict = fit_group(
        counts, dark, model.kind, model.curve, model.coefficients, REACH, depth, flat, 0.01, 60,
        theta, error,
    )  # fmt: skip
    return theta, error, verdict


def test_two_overlapping_molecules_are_told_apart_without_noise() -> None:
    truth = np.array([[6.0, 6.5, 900.0, 0.0], [8.1, 7.2, 1500.0, 0.0]])
    counts = expected(ROUND, truth, (15, 15), 8.0)
    start = np.array([5.5, 6.2, 700.0, 0.0, 8.6, 7.5, 1100.0, 0.0, 12.0])
    theta, _, (_, chi2, _, converged) = fit(ROUND, counts, start)
    assert converged
    np.testing.assert_allclose(theta, [*truth.ravel(), 8.0], rtol=2e-3, atol=2e-3)
    assert chi2 < 0.01


def test_joint_errors_are_honest() -> None:
    truth = np.array([[6.0, 7.5, 1500.0, -150.0], [9.5, 7.0, 1500.0, 200.0]])
    counts = expected(DEEP, truth, (15, 16), 8.0)
    rng = np.random.default_rng(3)
    exact = np.array([*truth.ravel(), 8.0])
    n = 300
    pulls = []
    for _ in range(n):
        start = exact + rng.normal(0, 1, 9) * [0.3, 0.3, 300, 60, 0.3, 0.3, 300, 60, 2]
        theta, error, verdict = fit(DEEP, rng.poisson(counts).astype(np.float64), start)
        assert verdict[3]
        pulls.append((theta - exact) / error)
    # 4 standard errors of a standard deviation, and 5 % that a bound at 1,500 photons may miss.
    assert np.all(np.abs(np.std(pulls, axis=0) - 1) < 0.05 + 4 * (2 * n) ** -0.5)
    assert np.all(np.abs(np.mean(pulls, axis=0)) < 0.1 + 4 * n**-0.5)


def test_a_background_that_is_not_fitted_stays() -> None:
    truth = np.array([[6.0, 6.5, 900.0, 0.0]])
    counts = expected(ROUND, truth, (13, 13), 5.0)
    start = np.array([6.3, 6.1, 500.0, 0.0, 5.0])
    theta, _, _ = fit(ROUND, counts, start, flat=False)
    assert theta[-1] == 5.0
    np.testing.assert_allclose(theta[:3], [6.0, 6.5, 900.0], rtol=1e-3)


def refit(
    counts: F64, rows: F64, groups_ends: tuple[list[int], list[int]], significance: float = 20.0
) -> tuple[F64, F64]:
    """Molecules that stay, and their light."""
    molecules = np.zeros((len(rows), COLUMNS))
    molecules[:, :PER_MOLECULE] = rows
    molecules[:, BACKGROUND] = 5.0
    light = expected(ROUND, rows, counts.shape, 0.0)
    alive = np.ones(len(rows), np.bool_)
    members, ends = (np.array(a, np.int64) for a in groups_ends)
    refit_groups(
        counts, np.zeros(counts.shape), light, ROUND.kind, ROUND.curve, ROUND.coefficients, REACH,
        np.zeros(0), significance, 60, members, ends, molecules, alive,
    )  # fmt: skip
    return molecules[alive], light


def test_a_molecule_that_explains_nothing_is_dropped() -> None:
    truth = np.array([[20.3, 15.8, 1000.0, 0.0]])
    counts = np.random.default_rng(4).poisson(expected(ROUND, truth, (32, 40), 8.0))
    doubled = np.array([[19.8, 15.5, 600.0, 0.0], [21.5, 16.5, 400.0, 0.0]])
    kept, _ = refit(counts.astype(np.float64), doubled, ([0, 1], [2]))
    assert len(kept) == 1
    np.testing.assert_allclose(kept[0, :2], truth[0, :2], atol=0.4)


def test_a_true_neighbour_stays() -> None:
    truth = np.array([[19.5, 15.5, 1000.0, 0.0], [21.7, 16.5, 1000.0, 0.0]])
    counts = np.random.default_rng(5).poisson(expected(ROUND, truth, (32, 40), 8.0))
    kept, _ = refit(counts.astype(np.float64), truth + 0.2, ([0, 1], [2]))
    assert len(kept) == 2


def test_light_follows_the_molecules() -> None:
    truth = np.array([[10.5, 12.5, 900.0, 0.0], [30.5, 20.5, 700.0, 0.0]])
    counts = expected(ROUND, truth, (32, 40), 8.0)
    kept, light = refit(counts, truth * [1, 1, 0.7, 1] + [0.4, -0.3, 0, 0], ([1, 0], [1, 2]))
    total = np.zeros(light.shape)
    for row in kept:
        add_light(total, ROUND.kind, ROUND.curve, ROUND.coefficients, REACH, row, 1.0)
    np.testing.assert_allclose(light, total, atol=1e-9)
    np.testing.assert_allclose(light + 8.0, counts, atol=0.5)


def test_groups_hang_together() -> None:
    x = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 30.0])
    members, ends = groups(x, np.zeros(6), 1.5)
    parts = [sorted(part) for part in np.split(members, ends[:-1])]
    assert sorted(parts) == [[0, 1, 2], [3, 4], [5]]


def test_groups_stay_small_in_a_crowd() -> None:
    x, y = np.random.default_rng(6).uniform(0, 20, (2, 400))
    members, ends = groups(x, y, 5.0)
    assert np.array_equal(np.sort(members), np.arange(400))
    assert np.max(np.diff(ends, prepend=0)) <= LARGEST


def test_no_molecules_make_no_groups() -> None:
    members, ends = groups(np.zeros(0), np.zeros(0), 5.0)
    assert (members.size, ends.size) == (0, 0)


@pytest.mark.parametrize("size", [1, 4, 13])
def test_cholesky_agrees_with_numpy(size: int) -> None:
    rng = np.random.default_rng(size)
    root = rng.normal(size=(size, size + 3))
    matrix, right = root @ root.T, rng.normal(size=size)
    factor, out, error = matrix.copy(), np.empty(size), np.empty(size)
    factorise(factor)
    substitute(factor, right, out)
    invert_diagonal(factor, error)
    np.testing.assert_allclose(out, np.linalg.solve(matrix, right), rtol=1e-8)
    np.testing.assert_allclose(error, np.sqrt(np.diag(np.linalg.inv(matrix))), rtol=1e-8)
