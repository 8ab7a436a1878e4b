"""Spread and bias in units of a bound, and that their standard errors are true."""

import numpy as np
import pytest

from live_smlm.core import InputError
from live_smlm.evaluate.precision import precision


def test_known_spread_and_bias_are_found_within_their_errors() -> None:
    rng = np.random.default_rng(2)
    bound = rng.uniform(5, 30, 20_000)
    error = bound * rng.normal(0.1, 1.2, 20_000)
    p = precision(error, bound)
    for estimate, expected in ((p.bias, 0.1), (p.std, 1.2), (p.robust_std, 1.2)):
        assert estimate.value == pytest.approx(expected, abs=4 * estimate.standard_error)
    assert p.n == 20_000


def test_standard_errors_match_the_scatter_over_repetitions() -> None:
    rng = np.random.default_rng(3)
    repetitions = 1500
    parts = [precision(rng.normal(0, 1, 400), np.ones(400)) for _ in range(repetitions)]
    for name in ("bias", "std", "robust_std"):
        estimates = [getattr(p, name) for p in parts]
        scatter = np.std([e.value for e in estimates], ddof=1)
        claimed = np.sqrt(np.mean([e.standard_error**2 for e in estimates]))
        # 4 standard errors of a standard deviation from 1500, and 2 % for the finite sample.
        assert claimed == pytest.approx(scatter, rel=4 / np.sqrt(2 * repetitions) + 0.02)


def test_the_plain_error_of_std_holds_for_heavy_tails() -> None:
    rng = np.random.default_rng(4)
    parts = [precision(rng.standard_t(12, 2000), np.ones(2000)) for _ in range(600)]
    scatter = np.std([p.std.value for p in parts], ddof=1)
    claimed = np.mean([p.std.standard_error for p in parts])
    # 4 standard errors of a standard deviation from 600, and 3 % for the slow fourth moment.
    assert claimed == pytest.approx(scatter, rel=4 / np.sqrt(1200) + 0.03)


def test_outliers_move_the_plain_std_only() -> None:
    rng = np.random.default_rng(5)
    error = rng.normal(0, 1, 5000)
    error[:50] = 100
    p = precision(error, np.ones(5000))
    assert p.std.value > 5
    assert p.robust_std.value == pytest.approx(1.0, abs=0.08)  # 1 % of outliers shift MAD 1.6 %


def test_errors_all_alike_have_no_spread() -> None:
    p = precision(np.full(5, 2.0), np.full(5, 4.0))
    assert p.bias.value == 0.5
    assert p.std.value == p.std.standard_error == p.robust_std.value == 0


@pytest.mark.parametrize(
    ("error", "bound", "message"),
    [
        ([1.0, 2.0], [1.0], "shape"),
        ([1.0], [1.0], "1 molecules is not defined"),
        ([1.0, 2.0], [1.0, 0.0], "1 bounds are not finite and above 0"),
        ([1.0, 2.0], [1.0, np.nan], "1 bounds"),
        ([1.0, np.inf], [1.0, 1.0], "1 errors are not finite"),
    ],
)
def test_unusable_input_is_refused(error: list[float], bound: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        precision(np.array(error), np.array(bound))
