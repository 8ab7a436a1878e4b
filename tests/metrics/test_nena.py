import numpy as np
import pytest
from scipy.spatial import KDTree

from live_smlm.core import F32, F64, I64
from live_smlm.metrics.nena import Pairs, fit, fold


def seen_twice(
    molecules: int, frames: int, sigma: F64 | float, side_nm: float, seed: int
) -> tuple[I64, F32, F32]:
    """Molecules on in two adjacent frames or more, with a precision of their own."""
    rng = np.random.default_rng(seed)
    on = 1 + rng.geometric(0.4, molecules)
    begin = rng.integers(0, frames, molecules)
    place = np.repeat(rng.uniform(0, side_nm, (molecules, 2)), on, axis=0)
    place += np.repeat(np.broadcast_to(sigma, molecules), on)[:, None] * rng.normal(
        size=place.shape
    )
    frame = np.repeat(begin, on) + np.concatenate([np.arange(k) for k in on])
    order = np.argsort(frame, kind="stable")
    return frame[order], *(place[order, k].astype(np.float32) for k in (1, 0))


@pytest.mark.parametrize("sigma", [6.0, 15.0])
@pytest.mark.parametrize("crowd", [0.5, 5.0], ids=["sparse", "crowded"])
def test_a_known_precision_is_found(sigma: float, crowd: float) -> None:
    frames, side = 400, 10_000.0
    table = seen_twice(int(frames * crowd * 10), frames, sigma, side, seed=1)
    told = fit(fold(Pairs(12 * sigma), *table, most=10**9))
    assert told is not None
    assert told.sigma_nm == pytest.approx(sigma, rel=0.05)
    assert abs(told.sigma_nm - sigma) < 4 * told.error_nm


def test_the_error_is_that_of_repetitions() -> None:
    told = [
        fit(fold(Pairs(120.0), *seen_twice(800, 400, 10.0, 1e4, seed), most=10**9))
        for seed in range(12)
    ]
    known = [one for one in told if one is not None]
    assert len(known) == 12
    scatter = float(np.std([one.sigma_nm for one in known]))
    assert np.mean([one.error_nm for one in known]) == pytest.approx(scatter, rel=0.6)
    assert np.mean([one.sigma_nm for one in known]) == pytest.approx(10.0, rel=0.02)


def test_molecules_of_many_precisions_have_about_the_median() -> None:
    spread = 10.0 * np.exp(np.random.default_rng(3).normal(0, 0.3, 4000))
    told = fit(fold(Pairs(120.0), *seen_twice(4000, 2000, spread, 1e4, 3), most=10**9))
    assert told is not None
    assert told.sigma_nm == pytest.approx(10.0, rel=0.1)


def test_pairs_are_those_of_a_tree() -> None:
    rng = np.random.default_rng(0)
    frame = np.sort(rng.integers(0, 30, 600))
    x, y = rng.uniform(0, 1000, (2, 600)).astype(np.float32)
    expected = 0
    for one in range(30):
        here, there = (np.stack([x[frame == f], y[frame == f]], 1) for f in (one, one + 1))
        if len(here) and len(there):
            expected += KDTree(here).count_neighbors(KDTree(there), 150.0)
    assert fold(Pairs(150.0), frame, x, y).counts.sum() == expected


def test_nothing_is_said_of_molecules_that_are_never_seen_twice() -> None:
    rng = np.random.default_rng(0)
    frame = np.sort(rng.integers(0, 200, 20_000))
    x, y = rng.uniform(0, 5000, (2, 20_000)).astype(np.float32)
    pairs = fold(Pairs(120.0), frame, x, y, most=10**9)
    assert pairs.counts.sum() > 500
    assert fit(pairs) is None
    assert fit(Pairs(120.0)) is None
