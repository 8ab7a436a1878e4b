import numpy as np
import pytest

from live_smlm.core import F32, I64
from live_smlm.metrics.completeness import Cells, Completeness, estimate, fold, start

CELLS = 10_000


def tally(hits: I64) -> Cells:
    counts = np.bincount(np.minimum(hits, 255), minlength=256)
    return Cells(cell_nm=20.0, origin_nm=(0, 0), hits=np.zeros((1, 1), np.uint8), tally=counts)


@pytest.mark.parametrize(
    ("mean", "shape", "rain"),
    [(0.7, 1e4, 0.0), (2.0, 2.0, 0.0), (4.0, 1.0, 0.0), (2.0, 4.0, 0.02), (6.0, 4.0, 0.03)],
)
def test_the_share_seen_is_that_of_cells_seen_and_not_seen(
    mean: float, shape: float, rain: float
) -> None:
    rng = np.random.default_rng(5)
    rate = rng.gamma(shape, mean / shape, CELLS)
    hits = rng.poisson(rate)
    told = estimate(tally(np.concatenate([hits, rng.poisson(rain, 20 * CELLS)])))
    assert told is not None
    truth = float(np.mean(hits >= 2))
    slack = 0.02 + (told.high - told.low)
    assert told.low - slack / 2 < truth < told.high + slack / 2
    assert told.high - told.low < 0.2
    assert told.cells == pytest.approx(CELLS, rel=0.2)


def test_alike_cells_fill_as_poisson_says() -> None:
    rng = np.random.default_rng(1)
    told = estimate(tally(rng.poisson(2.0, CELLS)), enough=1)
    assert told is not None
    assert told.share == pytest.approx(1 - np.exp(-2), abs=0.02)
    # Of Poisson's cells 1 - exp(-mean) are hit: 99 % at a mean of 4.6.
    assert told.factor_to(0.99) == pytest.approx(-np.log(0.01) / 2, rel=0.1)
    assert told.after(told.factor_to(0.9)) == pytest.approx(0.9, abs=1e-6)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    held = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        hits = rng.poisson(rng.gamma(2.0, 1.0, 3000))
        told = estimate(tally(hits))
        assert told is not None
        expected = 1 - (1 / 4) * (1 + 2 * 0.5)
        held.append(told.low <= expected <= told.high)
    assert np.mean(held) >= 0.75


def test_hits_are_counted_as_a_histogram_counts() -> None:
    rng = np.random.default_rng(0)
    y, x = rng.uniform(-100, 2100, (2, 5000)).astype(np.float32)
    cells = start((0.0, 0.0, 2000.0, 2000.0), 50.0)
    for part in np.array_split(np.arange(5000), 7):
        cells = fold(cells, y[part], x[part])
    edges = np.arange(0, 2050, 50)
    expected, _, _ = np.histogram2d(y, x, bins=(edges, edges))
    assert np.array_equal(cells.hits, expected)
    assert np.array_equal(cells.tally, np.bincount(cells.hits.ravel(), minlength=256))


def test_counting_stops_where_the_cell_is_full() -> None:
    there: F32 = np.full(300, 5.0, np.float32)
    cells = fold(start((0.0, 0.0, 100.0, 100.0), 10.0), there, there)
    assert cells.hits[0, 0] == 255
    assert cells.tally.sum() == 100


def test_cells_become_larger_where_there_would_be_too_many() -> None:
    cells = start((0.0, 0.0, 200_000.0, 200_000.0), 10.0)
    assert cells.cell_nm == pytest.approx(200_000 / 2**12)


def test_few_hits_tell_nothing() -> None:
    few: I64 = np.random.default_rng(0).poisson(0.05, 2000)
    told: Completeness | None = estimate(tally(few))
    assert told is None
