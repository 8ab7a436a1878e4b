"""Isolated molecules are isolated, and their bound is the one that fits reach."""

import numpy as np
import pytest

from live_smlm.core import EngineContext, from_columns
from live_smlm.engines import registry
from live_smlm.evaluate.isolated import ISOLATED, IsolatedSet, alone, named
from live_smlm.evaluate.standard import PIXEL_NM, quick_psf
from live_smlm.evaluate.trial import run
from live_smlm.physics.crlb import Readout, crlb

CUT_OFF = 0.02
"""By how much more the errors may scatter: light that the default cut-outs leave out."""


def one_of(name: str) -> IsolatedSet:
    (one,) = named(name)
    return one


def test_every_combination_is_there_once() -> None:
    assert len(ISOLATED) == len({s.name for s in ISOLATED}) == 3 * 2 * 3 * 2


def test_alone_means_no_other_molecule_near_in_space_and_time() -> None:
    truth = from_columns(
        {
            "frame": np.array([0, 0, 0, 1, 2, 3, 5, 6]),
            "x": np.array([0.0, 900, 5000, 5000, 5600, 9000, 0, 0]),
            "y": np.zeros(8),
            "molecule": np.array([1, 2, 3, 3, 4, 5, 6, 6]),
        }
    )
    # 1 and 2 share a frame; 3 is followed within a frame by 4, but only in its second frame.
    expected = [False, False, True, False, False, True, True, True]
    np.testing.assert_array_equal(alone(truth, 1000.0), expected)
    backwards = np.arange(8)[::-1]
    np.testing.assert_array_equal(
        alone(truth.where(backwards), 1000.0), np.array(expected)[backwards]
    )


@pytest.mark.parametrize("psf", ["2d", "astigmatic", "double-helix"])
def test_pulses_light_every_cell_for_one_frame_of_two(psf: str) -> None:
    one = one_of(f"{psf}/pulse/low/scmos")
    movie = one.movie(1, 6)
    numbers, counts = np.unique(movie.truth.frame, return_counts=True)
    assert list(numbers) == [0, 2, 4]
    assert set(counts) == {{"2d": 36, "astigmatic": 25, "double-helix": 16}[psf]}
    assert np.all(alone(movie.truth, one.room.spacing_nm / 2))
    np.testing.assert_array_equal(movie.frames.index, np.arange(6))


def test_blinking_molecules_appear_at_ever_new_places_of_their_cells() -> None:
    one = one_of("astigmatic/blink/mid/scmos")
    truth = one.movie(1).truth
    off = np.mod(truth.x - 1250 - (12_800 - 5 * 2500) / 2 + 1250, 2500) - 1250
    assert np.abs(off).max() <= 200
    assert len(np.unique(truth.extra["molecule"])) > 250
    assert len(np.unique(truth.axis("z"))) > 200
    kept = alone(truth, one.room.spacing_nm / 2)
    # Another one comes within the three frames at 0.3 x (1 + 2 / 3) per cell: exp(-0.5) stay.
    assert kept.mean() == pytest.approx(np.exp(-0.5), abs=0.1)


@pytest.mark.parametrize("name", ["astigmatic/pulse/mid/scmos", "double-helix/pulse/mid/emccd"])
def test_the_patch_of_the_bound_holds_the_light(name: str) -> None:
    one = one_of(name)
    truth = one.movie(1, 1).truth.where(slice(0, None, 6))
    side = one.camera.shape
    x, y, z = (truth.axis(axis).astype(np.float64) for axis in "xyz")
    light, background = truth.axis("photons"), truth.axis("background")
    readout = Readout.at(one.camera, 0, 0, side)
    psf = quick_psf(one.psf_name)
    whole = crlb(psf, x, y, z, light, background, side, PIXEL_NM, readout)
    near = one.bound(truth)
    # A background that is known from the whole frame would tell z a little better.
    for axis, rtol in (("x", 0.01), ("y", 0.01), ("z", 0.03)):
        np.testing.assert_allclose(getattr(near, axis), getattr(whole, axis), rtol=rtol)


@pytest.mark.parametrize(
    "name", ["2d/pulse/mid/scmos", "2d/pulse/high/emccd", "2d/blink/mid/scmos"]
)
def test_fits_scatter_as_the_bound_says(name: str) -> None:
    one = one_of(name)
    movie = one.movie(11)
    chain = registry.chain("gauss-mle")
    with chain.open(EngineContext(camera=one.camera, psf=one.psf)) as localize:
        told = one.judge(run(localize, movie.frames, chain.spec.halo).found, movie)
    for axis in "xy":
        ratio, error, pull = (told[key] for key in (axis, f"{axis} error", f"pull {axis}"))
        assert ratio is not None
        assert error is not None
        assert pull is not None
        assert 1 - 4 * error < ratio < 1 + CUT_OFF + 4 * error
        assert 1 - 4 * error < pull < 1 + CUT_OFF + 4 * error
    assert told["recall"] == pytest.approx(1.0, abs=0.01)


def test_an_engine_that_finds_nothing_has_no_spread() -> None:
    one = one_of("2d/pulse/mid/scmos")
    movie = one.movie(1, 2)
    told = one.judge(movie.truth.where(slice(0, 0)), movie)
    assert told == {"n": 0, "recall": 0.0}
