import json

import numpy as np
import pytest

from live_smlm.core import F64, Checkpoint, History
from live_smlm.feedback.forecast import Forecast, forecast
from live_smlm.feedback.forecast_curves import Bent, Fourier, Law, Power
from live_smlm.feedback.forecast_growth import growth

FRAMES = np.linspace(100, 4000, 40)
POOL, TAU = 1e5, 8000.0


def counted(frames: F64, tau: float = TAU) -> F64:
    """A pool that bleaches."""
    return np.asarray(POOL * -np.expm1(-frames / tau))


def resolution(molecules: F64) -> F64:
    return np.asarray(24 + 900 * molecules**-0.4)


def history(until: float = 4000, scatter: float = 0.0, seed: int = 0, **more: float) -> History:
    rng, wrong, told = np.random.default_rng(seed), 0.0, []
    for frame in FRAMES[until >= FRAMES]:
        wrong = 0.8 * wrong + 0.6 * scatter * rng.standard_normal()
        molecules = float(counted(frame))
        values = {
            "molecules": molecules,
            "frc_nm": float(resolution(np.array(molecules))) * np.exp(wrong),
            "nena_nm": 9.0,
            "completeness": -np.expm1(-molecules / 3e4),
            **more,
        }
        told.append(Checkpoint(int(frame), frame * 0.02, values))
    return tuple(told)


def spans(told: Forecast) -> list[tuple[float, float, float]]:
    given = (told.now, told.end, told.frames, told.cost)
    return [(s.low, s.value, s.high) for s in given if s is not None]


LAWS: list[Law] = [Fourier(), Power(), Power(norm=2.0), Bent((-0.5, 0.7))]


@pytest.mark.parametrize("law", LAWS, ids=["fourier", "power", "squares", "bent"])
def test_a_law_can_be_read_backwards(law: Law) -> None:
    x = np.linspace(-2, 1, 7)
    for exponent in law.exponents:
        for share in (0.05, 0.5, 0.9):
            given = np.full(7, exponent), np.full(7, share)
            shape = law.shape(*given, x)
            assert np.allclose(law.reached(*given, shape), x, atol=1e-6)


@pytest.mark.parametrize("law", LAWS[:3], ids=["fourier", "power", "squares"])
def test_the_share_is_what_is_no_longer_gained(law: Law) -> None:
    x, step = np.array([-30.0, 0.0]), 1e-4
    exponent, share = np.full(2, 0.7), np.full(2, 0.3)
    slope = law.shape(exponent, share, x + step) - law.shape(exponent, share, x - step)
    assert slope[1] / slope[0] == pytest.approx(0.7, abs=0.01)
    assert np.allclose(law.left(exponent, share, x), [1.0, 0.7], atol=0.01)


def test_the_fourier_law_is_the_ring_correlation_at_its_threshold() -> None:
    d, precision, molecules = 1.0, 8.0, np.geomspace(1e3, 1e6, 9)
    x = np.log(molecules / molecules[-1])
    one = np.ones(9)
    length = 2 * np.pi * precision * np.exp(Fourier().shape(d * one, 0.6 * one, x))
    q = 1 / length
    correlated = molecules * q**-d * np.exp(-((2 * np.pi * precision * q) ** 2))
    assert np.allclose(correlated / correlated[0], 1)


def test_a_forecast_finds_what_is_so() -> None:
    told = forecast(history(), "frc_nm", 34.6, planned=8000)
    truth = resolution(counted(np.array([4000.0, 8000.0, 1e9])))
    for span, exact in zip((told.now, told.planned, told.end), truth, strict=True):
        assert span is not None
        assert span.low < exact < span.high
    frame = -TAU * np.log1p(-((900 / 10.6) ** 2.5) / POOL)
    assert told.frames is not None
    assert told.seconds is not None
    assert told.frames.low < frame < told.frames.high
    assert told.seconds.value == pytest.approx(0.02 * told.frames.value)
    assert told.cost is not None
    assert told.cost.low < truth[0] - truth[1] < told.cost.high


def test_a_goal_that_is_behind_is_where_it_was_passed() -> None:
    told = forecast(history(), "frc_nm", 45.0)
    frame = -TAU * np.log1p(-((900 / 21) ** 2.5) / POOL)
    assert told.frames is not None
    assert told.frames.value == pytest.approx(frame, rel=0.1)
    assert told.chance == 1


def test_what_the_pool_does_not_hold_is_never_reached() -> None:
    told = forecast(history(), "molecules", 2 * POOL)
    assert told.chance == 0
    assert told.frames is not None
    assert told.frames.low == np.inf
    text = json.loads(json.dumps(told.plain(), allow_nan=False))
    assert text["frames"] == {"low": None, "value": None, "high": None}
    assert forecast(history(), "molecules", 0.6 * POOL).chance == 1


def test_intervals_are_wide_when_little_is_known() -> None:
    def width(until: float, scatter: float) -> float:
        told = forecast(history(until, scatter), "frc_nm", 36.0)
        assert told.end is not None
        return float(np.log(told.end.high / told.end.low))

    assert width(700, 0.03) > 1.5 * width(4000, 0.03)
    assert width(4000, 0.2) > 1.2 * width(4000, 0.01)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    held, exact = [], resolution(counted(np.array([4000.0])))[0]
    for seed in range(25):
        told = forecast(history(2000, 0.03, seed), "frc_nm", exact)
        assert told.frames is not None
        held.append(told.frames.low <= 4000 <= told.frames.high)
    assert 0.65 <= np.mean(held) <= 0.98


def test_completeness_is_forecast_and_never_above_all() -> None:
    told = forecast(history(), "completeness", 0.9)
    frame = -TAU * np.log1p(3e4 * np.log(0.1) / POOL)
    assert told.frames is not None
    assert told.frames.low * 0.95 < frame < told.frames.high * 1.05
    assert told.end is not None
    assert told.end.high <= 1.05
    assert told.limit == "density"


def test_what_limits_is_told() -> None:
    def limit(precision: float, law: float) -> str | None:
        told = [
            Checkpoint(
                i * 100,
                i * 2.0,
                {
                    "molecules": 1e3 * i,
                    "nena_nm": precision,
                    "resolution_nm": float(np.hypot(2.355 * precision, law * (1e3 * i) ** -0.5)),
                },
            )
            for i in range(1, 30)
        ]
        return forecast(tuple(told), "resolution_nm").limit

    assert limit(1.0, 1e4) == "density"
    assert limit(20.0, 1e3) == "precision"
    assert forecast(history(drift_error_nm=12.0), "frc_nm").limit == "drift"
    assert forecast(history(drift_error_nm=3.0), "frc_nm").limit != "drift"
    spent = tuple(
        Checkpoint(i * 1000, i * 20.0, {"molecules": float(counted(np.array(i * 1000.0)))})
        for i in range(1, 30)
    )
    assert forecast(spent, "molecules").limit == "pool"


def test_an_unknown_value_is_not_forecast() -> None:
    assert "is not forecast" in str(forecast(history(), "photons").why)
    assert "4 are needed" in str(forecast(history(300), "frc_nm").why)
    assert forecast((), "frc_nm").now is None


def test_errors_that_are_known_weigh() -> None:
    sure, unsure = (
        forecast(history(2000, 0.0, frc_error_nm=sd), "frc_nm", 36.0) for sd in (0.3, 6.0)
    )
    assert sure.now is not None
    assert unsure.now is not None
    assert unsure.now.high - unsure.now.low > 2 * (sure.now.high - sure.now.low)


def test_a_rate_that_stays_needs_no_end() -> None:
    futures = growth(FRAMES, 5.0 * FRAMES, 200)
    ahead = futures.frames(np.full(200, 5.0 * 8000))
    assert np.quantile(ahead, 0.5) == pytest.approx(8000, rel=0.03)
    assert np.quantile(ahead, 0.9) > 8000
    assert np.allclose(futures.at(2000.0), 10000.0)


def test_intervals_are_in_order() -> None:
    for name, goal in (("frc_nm", 36.0), ("completeness", 0.9), ("molecules", 8e4)):
        for low, value, high in spans(forecast(history(2000, 0.05), name, goal)):
            assert low <= value <= high
