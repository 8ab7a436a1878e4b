import numpy as np
import pytest

from live_smlm.core import F64, InputError
from live_smlm.metrics.pool import MOST_LOOKS, Growth, Pool, fit, fold


def grown(times: F64, seconds: float, looks: int) -> Growth:
    """What is seen of blinks at given times."""
    growth = Growth()
    for at in np.linspace(seconds / looks, seconds, looks):
        growth = fold(growth, float(at), float(np.count_nonzero(times < at)))
    return growth


@pytest.mark.parametrize("lifetime", [25.0, 50.0, 100.0])
def test_one_exponential_is_found(lifetime: float) -> None:
    rng = np.random.default_rng(2)
    told = fit(grown(rng.exponential(lifetime, 20_000), 100.0, 100))
    assert told is not None
    assert len(told.lifetimes_s) == 1
    assert told.lifetimes_s[0] == pytest.approx(lifetime, rel=0.1)
    assert told.left == pytest.approx(np.exp(-100 / lifetime), rel=0.15)
    assert told.blinks == pytest.approx(20_000, rel=0.1)
    assert told.low < told.left < told.high


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    told = [
        fit(grown(np.random.default_rng(seed).exponential(70, 3000), 100.0, 40))
        for seed in range(20)
    ]
    known = [one for one in told if one is not None]
    assert len(known) == 20
    truth = np.exp(-100 / 70)
    assert np.mean([one.low <= truth <= one.high for one in known]) >= 0.75


def test_two_exponentials_are_told_from_one() -> None:
    rng = np.random.default_rng(4)
    times = np.concatenate([rng.exponential(8, 20_000), rng.exponential(80, 20_000)])
    told = fit(grown(times, 100.0, 60))
    assert told is not None
    assert len(told.lifetimes_s) == 2
    assert told.left == pytest.approx(np.mean(times > 100), rel=0.25)
    assert told.low < np.mean(times > 100) < told.high


@pytest.mark.parametrize("blinks", [150, 20_000], ids=["few", "steady"])
def test_a_history_that_cannot_tell_says_nothing(blinks: int) -> None:
    times = np.random.default_rng(0).uniform(0, 100, blinks)
    told: Pool | None = fit(grown(times, 100.0, 50))
    assert told is None


def test_a_long_history_costs_no_more() -> None:
    times = np.random.default_rng(1).exponential(300, 20_000)
    growth = grown(times, 1000.0, 3000)
    assert len(growth.seconds) <= MOST_LOOKS
    assert growth.seconds[-1] == 1000.0
    assert growth.blinks[-1] == np.count_nonzero(times < 1000)
    told = fit(growth)
    assert told is not None
    assert told.lifetimes_s[0] == pytest.approx(300, rel=0.1)


def test_time_does_not_fall() -> None:
    with pytest.raises(InputError, match="fold in order of time"):
        fold(fold(Growth(), 2.0, 10.0), 1.0, 20.0)
