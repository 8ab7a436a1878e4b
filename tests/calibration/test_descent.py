"""The descent finds minima, and says so when it does not."""

import numpy as np
import pytest

from live_smlm.calibration.descent import descend, poisson, squares
from live_smlm.core import F64

TIME = np.linspace(0, 4, 80)


def decay(at: F64) -> tuple[F64, F64] | None:
    height, rate, level = at
    if height <= 0 or rate <= 0:
        return None
    curve = np.exp(-rate * TIME)
    jacobian = np.stack([curve, -height * TIME * curve, np.ones_like(TIME)])
    return height * curve + level, jacobian


TRUTH = np.array([50.0, 1.3, 4.0])


def expected() -> F64:
    answer = decay(TRUTH)
    assert answer is not None
    return answer[0]


@pytest.mark.parametrize("loss", [squares, poisson])
def test_clean_data_give_the_truth(loss: object) -> None:
    start = np.array([10.0, 4.0, 10.0])
    fitted = descend(decay, start, expected(), loss, tolerance=1e-12)  # type: ignore[arg-type]
    assert fitted.converged
    np.testing.assert_allclose(fitted.parameters, TRUTH, rtol=1e-5)


def test_poisson_fits_scatter_as_the_bound_says() -> None:
    """400 fits: the mean within 4 standard errors, the variance within 4 of its own."""
    answer = decay(TRUTH)
    assert answer is not None
    mean, jacobian = answer
    bound = np.linalg.inv((jacobian / mean) @ jacobian.T)
    rng = np.random.default_rng(2)
    data = rng.poisson(mean, (400, mean.size)).astype(np.float64)
    found = np.array([descend(decay, TRUTH, d, poisson).parameters for d in data])
    pull = (found - TRUTH) / np.sqrt(np.diag(bound))
    # The curvature of the model biases the rate by a tenth of its deviation.
    assert np.all(np.abs(pull.mean(axis=0)) < 0.1 + 4 / np.sqrt(400))
    assert np.all(np.abs(pull.var(axis=0) - 1) < 4 * np.sqrt(2 / 400))


def test_an_impossible_start_is_not_a_fit() -> None:
    fitted = descend(decay, np.array([-1.0, 1.0, 0.0]), expected(), squares)
    assert not fitted.converged
    assert fitted.loss == np.inf


def test_too_few_steps_are_not_a_fit() -> None:
    assert not descend(decay, np.array([1.0, 9.0, 0.0]), expected(), squares, limit=2).converged


def test_nan_in_the_data_is_not_a_fit() -> None:
    data = expected()
    data[3] = np.nan
    assert not descend(decay, TRUTH, data, squares).converged
