import math

import numpy as np
import pytest

from live_smlm.core import F64, AnyArray
from live_smlm.physics.jit import jit
from live_smlm.physics.sampling import gamma, normal, poisson, poisson_table, uniform

DRAWS = 400_000


@jit
def _many(kind: int, parameter: float, table: AnyArray, state: AnyArray, out: F64) -> None:
    for i in range(out.size):
        if kind == 0:
            out[i] = uniform(state)
        elif kind == 1:
            out[i] = normal(state)
        elif kind == 2:
            out[i] = poisson(parameter, table, state)
        else:
            out[i] = gamma(parameter, state)


def draws(kind: str, parameter: float = 0.0, count: int = DRAWS, seed: int = 7) -> F64:
    out = np.empty(count)
    kinds = ("uniform", "normal", "poisson", "gamma")
    state = np.array([seed], np.uint64)
    _many(kinds.index(kind), parameter, poisson_table(), state, out)
    return out


def kolmogorov_distance(sample: F64, cdf: F64) -> float:
    """sqrt(n) times the largest deviation; above 2.2 once in 8000 true samples."""
    steps = np.arange(len(sample) + 1) / len(sample)
    return float(
        np.sqrt(len(sample)) * max(np.abs(cdf - steps[:-1]).max(), np.abs(cdf - steps[1:]).max())
    )


def test_uniform_is_uniform_and_successive_numbers_are_unrelated() -> None:
    u = draws("uniform")
    ordered = np.sort(u)
    assert kolmogorov_distance(ordered, ordered) < 2.2
    correlation = np.corrcoef(u[:-1], u[1:])[0, 1]
    assert abs(correlation) < 5 / np.sqrt(DRAWS)
    assert u.min() >= 0
    assert u.max() < 1


def test_normal_follows_its_distribution_out_to_the_tail() -> None:
    x = np.sort(draws("normal", count=2_000_000))
    cdf = np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in x[::20]])
    assert kolmogorov_distance(x[::20], cdf) < 2.2
    for edge in (3.0, 3.6541528853610088, 4.2):
        expected = math.erfc(edge / math.sqrt(2)) * len(x)
        assert np.count_nonzero(np.abs(x) > edge) == pytest.approx(expected, abs=5 * expected**0.5)


@pytest.mark.parametrize("mean", [0.03, 0.12, 0.99, 5.3, 9.96, 37.2, 63.99, 64.0, 200.0, 3000.0])
def test_poisson_counts_fit_their_probabilities(mean: float) -> None:
    counts = np.bincount(draws("poisson", mean).astype(np.int64))
    k = np.arange(len(counts))
    lgamma = np.array([math.lgamma(v + 1) for v in k])
    expected = DRAWS * np.exp(k * np.log(mean) - mean - lgamma)
    often = expected > 25
    observed = np.append(counts[often], counts[~often].sum())
    wanted = np.append(expected[often], DRAWS - expected[often].sum())
    chi2 = float((((observed - wanted) ** 2) / np.maximum(wanted, 1)).sum())
    freedom = len(wanted) - 1
    assert abs(chi2 - freedom) < 5 * np.sqrt(2 * freedom) + 5


def test_poisson_of_nothing_is_nothing_and_of_very_much_stays_near() -> None:
    assert draws("poisson", 0.0, 1000).max() == 0
    much = draws("poisson", 1e12, 1000)
    assert np.abs(much - 1e12).max() < 6e6


@pytest.mark.parametrize("shape", [1, 2, 7, 40])
def test_gamma_of_whole_shape_is_a_sum_of_exponentials(shape: int) -> None:
    x = np.sort(draws("gamma", float(shape)))
    terms = [np.exp(k * np.log(x) - x - math.lgamma(k + 1)) for k in range(shape)]
    assert kolmogorov_distance(x, 1 - np.sum(terms, axis=0)) < 2.2
