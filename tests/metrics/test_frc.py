import numpy as np
import pytest
from scipy.fft import fftfreq, rfft2

from live_smlm.core import F32, F64, I64
from live_smlm.metrics import frc, halves
from live_smlm.metrics.frc import Frc
from live_smlm.metrics.halves import Halves

SIDE, SIGMA = 6000.0, 10.0
FIELD = (0.0, 0.0, SIDE, SIDE)


def both(y: F32, x: F32, began: I64, block_frames: int = 1, pixel_sigma: float = SIGMA) -> Halves:
    empty = halves.start(FIELD, pixel_sigma, y, x, block_frames=block_frames)
    return halves.fold(empty, y, x, began)


def sites(count: int, seed: int) -> F64:
    return np.random.default_rng(seed).uniform(0.15 * SIDE, 0.85 * SIDE, (count, 2))


def molecules(place: F64, each: float, seed: int, sigma: float = SIGMA) -> tuple[F32, F32]:
    """Every site labelled so often on average, each molecule off by the precision."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(place, rng.poisson(each, len(place)), axis=0)
    rows += rng.normal(0, sigma, rows.shape)
    return rows[:, 0].astype(np.float32), rows[:, 1].astype(np.float32)


def plain_curve(one: Halves) -> F64:
    """The ring correlation by its formula, ring by ring."""
    n = one.side
    taper = frc._taper(n)
    first, second = (rfft2((half - half.mean()) * taper) for half in one.images[0])
    ring = np.rint(np.hypot(fftfreq(n, 1 / n)[:, None], np.arange(n // 2 + 1))).astype(int)
    full = np.ones(ring.shape)
    full[n // 2 + 1 :, 0] = 0
    curve = []
    for radius in range(1, n // 2):
        on = full * (ring == radius)
        power = [np.sum(on * np.abs(half) ** 2) for half in (first, second)]
        curve.append(np.sum(on * first * second.conj()).real / np.sqrt(power[0] * power[1]))
    return np.array(curve)


def test_the_curve_is_that_of_the_formula() -> None:
    y, x = molecules(sites(300, 0), 20, 1)
    one = both(y, x, np.arange(len(x)), pixel_sigma=60.0)
    told = frc.correlate(one)
    assert told is not None
    assert told.correlation == pytest.approx(plain_curve(one), abs=2e-4)


def resolution(told: Frc | None) -> float:
    assert told is not None
    assert told.resolution_nm is not None
    return told.resolution_nm


@pytest.mark.parametrize("each", [10.0, 40.0])
def test_random_sites_are_resolved_as_theory_says(each: float) -> None:
    # Each half holds n = each/2 molecules per site. Expected products per site: n + n² g of one
    # half, n² g of both, g = exp(-4 pi² q² s²): 1/7 is reached where n g = 1/6.
    y, x = molecules(sites(800, 2), each, 3)
    half = np.random.default_rng(4).integers(0, 2, len(x))
    q = np.sqrt(np.log(6 * each / 2)) / (2 * np.pi * SIGMA)
    told = frc.correlate(both(y, x, half))
    assert resolution(told) == pytest.approx(1 / q, rel=0.06)
    assert told is not None
    assert told.error_nm is not None
    assert abs(resolution(told) - 1 / q) < 4 * told.error_nm
    assert told.half_bit_nm is not None
    assert told.half_bit_nm > resolution(told)


def test_the_error_is_that_of_repetitions() -> None:
    told = []
    for seed in range(12):
        y, x = molecules(sites(400, seed), 10, 100 + seed, sigma=20.0)
        told.append(frc.correlate(both(y, x, np.arange(len(x)), pixel_sigma=30.0)))
    found = [resolution(one) for one in told]
    errors = [one.error_nm for one in told if one is not None and one.error_nm is not None]
    assert len(errors) == 12
    assert np.mean(errors) == pytest.approx(np.std(found), rel=0.7)


def test_molecules_without_structure_have_no_resolution() -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        y, x = rng.uniform(0, SIDE, (2, 4000)).astype(np.float32)
        told = frc.correlate(both(y, x, rng.integers(0, 2, 4000), pixel_sigma=30.0))
        assert told is not None
        assert told.resolution_nm is None
    nothing = np.zeros(0, np.float32)
    assert frc.correlate(both(nothing, nothing, np.zeros(0, np.int64))) is None


def test_whole_blinks_in_one_half_do_not_correlate_with_themselves() -> None:
    rng = np.random.default_rng(6)
    begin = np.repeat(rng.integers(0, 20_000, 4000), 6)
    place = np.repeat(rng.uniform(0, SIDE, (4000, 2)), 6, axis=0)
    y, x = (place + rng.normal(0, SIGMA, place.shape)).astype(np.float32).T
    frame = begin + np.tile(np.arange(6), 4000)
    blinks = frc.correlate(both(y, x, begin, block_frames=50))
    assert blinks is not None
    assert blinks.resolution_nm is None
    # The same molecules split one by one: a resolution where there is no structure.
    assert resolution(frc.correlate(both(y, x, frame, block_frames=1))) < 60


def test_a_large_field_is_judged_by_tiles_that_molecules_drew() -> None:
    rng = np.random.default_rng(1)
    y, x = rng.uniform(0, 50_000, (2, 2000)).astype(np.float32)
    y[:1500], x[:1500] = y[:1500] / 25 + 30_000, x[:1500] / 25 + 10_000
    empty = halves.start((0.0, 0.0, 50_000.0, 50_000.0), SIGMA, y, x)
    full = halves.fold(empty, y, x, np.arange(2000))
    assert full.images.size <= 2 * halves.MOST_PIXELS
    assert 1200 < full.images.sum() < 2000
