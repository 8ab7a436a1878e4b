import numpy as np
import pytest

from live_smlm.core import F32
from live_smlm.metrics.neighbours import Blinks, _chosen, fold, measure, overall_nm

SIDE = 20_000.0


def plane(count: int, seed: int) -> F32:
    return np.random.default_rng(seed).uniform(0, SIDE, (count, 2)).astype(np.float32)


def lines(count: int, seed: int) -> F32:
    place = plane(count, seed)
    place[:, 0] = 2000 * np.floor(place[:, 0] / 2000) + 500
    return place


@pytest.mark.parametrize("count", [2000, 40_000])
def test_a_plane_has_two_dimensions_and_its_density(count: int) -> None:
    place = plane(count, 1)
    told = measure(fold(Blinks(), place[:, 0], place[:, 1]))
    assert told is not None
    assert abs(told.dimension - 2) < 3 * told.dimension_error + 0.05
    density = count / SIDE**2
    assert told.density_per_um2 == pytest.approx(1e6 * density, rel=0.1)
    assert told.nyquist_nm == pytest.approx(2 / np.sqrt(density), rel=0.08)


def test_lines_have_one_dimension_and_their_density() -> None:
    place = lines(8000, 2)
    told = measure(fold(Blinks(), place[:, 0], place[:, 1]))
    assert told is not None
    assert abs(told.dimension - 1) < 3 * told.dimension_error + 0.05
    assert told.nyquist_nm == pytest.approx(2 * 10 * SIDE / 8000, rel=0.15)


def test_lone_molecules_beside_the_structure_do_not_matter() -> None:
    clean = lines(6000, 3)
    both = np.concatenate([clean, plane(300, 4)])
    told = [measure(fold(Blinks(), place[:, 0], place[:, 1])) for place in (clean, both)]
    assert told[0] is not None
    assert told[1] is not None
    assert told[1].nyquist_nm == pytest.approx(told[0].nyquist_nm, rel=0.15)


def test_memory_is_bounded_and_patches_are_whole() -> None:
    place = plane(60_000, 5)
    blinks = Blinks(most=5000)
    for part in np.array_split(place, 30):
        blinks = fold(blinks, part[:, 0], part[:, 1])
    assert 0 < len(blinks.place) <= 5000
    assert blinks.halvings > 2
    whole = _chosen(place, blinks.patch_nm, 0, blinks.halvings)
    assert np.array_equal(blinks.place, place[whole])
    told = measure(blinks)
    assert told is not None
    assert told.nyquist_nm == pytest.approx(2 * SIDE / np.sqrt(60_000), rel=0.1)


def test_few_or_coinciding_molecules_tell_nothing() -> None:
    place = plane(200, 0)
    assert measure(fold(Blinks(), place[:, 0], place[:, 1])) is None
    same = np.ones(1000, np.float32)
    assert measure(fold(Blinks(), same, same)) is None


def test_precision_and_density_add_up() -> None:
    assert overall_nm(10.0, 0.0) == pytest.approx(23.55, abs=0.01)
    assert overall_nm(10.0, 23.55) == pytest.approx(33.3, abs=0.02)
