"""The standard sets are what they say, and the same whenever they are made."""

import numpy as np
import pytest

from live_smlm.core import InputError
from live_smlm.evaluate import standard
from live_smlm.evaluate.standard import PIXEL_NM, SETS, TEST_SEEDS, TUNING_SEEDS, StandardSet, named

SOME = [*named("2d/low/mid/scmos"), *named("astigmatic/high/high/emccd")]


def test_every_combination_is_there_once() -> None:
    assert len(SETS) == len({s.name for s in SETS}) == 3 * 2 * 3 * 2
    assert len(named("astigmatic/*")) == 12
    assert [s.name for s in named("double-helix/low/mid/emccd")] == ["double-helix/low/mid/emccd"]


def test_what_is_scored_is_never_tuned_on() -> None:
    assert len(TEST_SEEDS) == 3
    assert not set(TEST_SEEDS) & set(TUNING_SEEDS)


@pytest.mark.parametrize("one", SETS, ids=lambda s: s.name)
def test_a_seed_makes_a_movie_once_and_for_all(one: StandardSet) -> None:
    first, again, other = (one.movie(seed, 2) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.frames.pixels, again.frames.pixels)
    np.testing.assert_array_equal(first.truth.x, again.truth.x)
    assert not np.array_equal(first.frames.pixels, other.frames.pixels)


def test_cameras_see_the_same_molecules() -> None:
    emccd, scmos = (s.movie(3, 4).truth for s in named("astigmatic/low/mid/*"))
    np.testing.assert_array_equal(emccd.x, scmos.x)
    np.testing.assert_array_equal(emccd.photons, scmos.photons)


@pytest.mark.parametrize("one", SOME, ids=lambda s: s.name)
def test_movies_are_as_crowded_as_they_say(one: StandardSet) -> None:
    movie = one.movie(1)
    assert len(movie.frames) == one.frames
    area = np.prod(one.camera.shape) * (PIXEL_NM / 1000) ** 2
    _, seen = np.unique(movie.truth.extra["molecule"], return_counts=True)
    # Molecules come as a Poisson process, each for some frames.
    error = np.sqrt(np.sum(seen.astype(float) ** 2)) / one.frames
    assert len(movie.truth) / one.frames == pytest.approx(one.density_per_um2 * area, abs=4 * error)


@pytest.mark.parametrize("one", SOME, ids=lambda s: s.name)
def test_molecules_are_as_bright_as_they_say(one: StandardSet) -> None:
    truth = one.movie(1).truth
    order = np.lexsort((truth.frame, truth.extra["molecule"]))
    molecule, photons = truth.extra["molecule"][order], truth.axis("photons")[order]
    # Seen before and after: on for the whole frame. One such frame of each molecule.
    whole = (molecule[:-2] == molecule[1:-1]) & (molecule[1:-1] == molecule[2:])
    _, at = np.unique(molecule[1:-1][whole], return_index=True)
    bright = photons[1:-1][whole][at]
    assert len(bright) > 100
    error = bright.std() / np.sqrt(len(bright))
    assert bright.mean() == pytest.approx(one.signal.photons, abs=4 * error)
    wide = np.log(bright).std()
    assert wide == pytest.approx(standard.SPREAD, abs=4 * standard.SPREAD / np.sqrt(2 * len(at)))
    np.testing.assert_array_equal(truth.axis("background"), one.signal.background)


def test_depth_is_that_of_the_psfs_that_tell_it() -> None:
    flat, deep = (named(f"{psf}/low/low/scmos")[0].movie(2, 40) for psf in ("2d", "double-helix"))
    assert np.all(flat.truth.axis("z") == 0)
    z = deep.truth.axis("z")
    assert np.abs(z).max() <= 500
    assert np.ptp(z) > 800


def test_dim_molecules_are_neither_required_nor_counted_against() -> None:
    (one,) = named("2d/low/high/emccd")
    movie = one.movie(4, 60)
    bright = movie.truth.where(movie.truth.axis("photons") >= one.signal.min_photons)
    assert 0 < len(bright) < len(movie.truth)
    for found in (movie.truth, bright):
        told = one.judge(found, movie)
        assert told["jaccard"] == 1
        assert told["efficiency"] == 100
        assert told["n_truth"] == len(bright)


def test_the_camera_with_maps_has_maps_and_stays_the_same() -> None:
    scmos, emccd = standard.camera("scmos"), standard.camera("emccd")
    assert np.shape(scmos.read_noise_e) == (64, 64)
    assert np.median(scmos.read_noise_e) == pytest.approx(1.6, rel=0.02)
    assert scmos.quantum_efficiency == 0.82
    assert emccd.excess_noise == 2
    assert standard.camera("scmos") is scmos


def test_unknown_names_are_refused() -> None:
    with pytest.raises(InputError, match="no standard psf 'airy'"):
        standard.psf("airy")
    with pytest.raises(InputError, match="no standard camera 'ccd'"):
        standard.camera("ccd")
