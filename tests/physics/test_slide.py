"""A sample larger than the field: moves of the stage, and a pool that fades."""

import numpy as np
import pytest

from live_smlm.core import CameraModel, InputError, Localizations, concatenate
from live_smlm.physics.blinking import FourState
from live_smlm.physics.psf.gaussian import GaussianPSF
from live_smlm.physics.scenario import Scenario
from live_smlm.physics.simulator import Acquisition, Simulator
from live_smlm.physics.slide import HOME, Shift

SIDE_NM = 4800.0


def simulator(specimen: str = "filaments") -> Simulator:
    camera = CameraModel(shape=(48, 48), pixel_size_nm=100.0)
    return Scenario(
        camera=camera,
        psf=GaussianPSF(130.0),
        density=2.0,
        specimen=specimen,
        blinking="four-state",
        seed=5,
    ).simulator()


def sites(acquisition: Acquisition, shift: Shift, frames: int = 40) -> dict[int, tuple[float, ...]]:
    """Place by identity."""
    _, truth = acquisition.advance(frames, shift=shift)
    identity = truth.extra["molecule"].astype(np.int64)
    return dict(zip(identity.tolist(), zip(truth.x, truth.y, strict=True), strict=True))


def test_a_small_move_shifts_the_molecules_exactly() -> None:
    still, moved = simulator().start(), simulator().start()
    before, after = sites(still, HOME), sites(moved, (250.0, -130.0))
    both = before.keys() & after.keys()
    assert len(both) > 30
    for molecule in both:
        shift = np.subtract(after[molecule], before[molecule])
        np.testing.assert_allclose(shift, (250.0, -130.0), atol=1e-2)


def test_what_comes_into_view_is_the_neighbour() -> None:
    truth: Localizations = concatenate(
        [simulator("uniform").start().advance(100, shift=(1200.0, 0.0))[1]]
    )
    quarter = np.count_nonzero(truth.x < 1200.0) / len(truth.x)
    assert quarter == pytest.approx(0.25, abs=0.06)


def test_a_far_place_is_another_field_and_the_same_from_wherever_one_comes() -> None:
    far = 10 * SIDE_NM, -3 * SIDE_NM
    home = sites(simulator().start(), HOME)
    straight = sites(simulator().start(), far)
    way = simulator().start()
    way.advance(5, shift=(3 * SIDE_NM, 3 * SIDE_NM))
    round_about = sites(way, far)
    # Identities are numbered in the order in which fields were seen; places are not.
    places = {tuple(np.round(place, 1)) for place in straight.values()}
    again = {tuple(np.round(place, 1)) for place in round_about.values()}
    assert places == again
    assert not places & {tuple(np.round(place, 1)) for place in home.values()}


def test_a_field_that_is_out_of_view_does_not_bleach() -> None:
    """It goes on where it was left."""
    gone, stayed = simulator().start(), simulator().start()
    gone.advance(10)
    gone.advance(50, shift=(5 * SIDE_NM, 0.0))
    stayed.advance(10)
    _, back = gone.advance(10)
    _, here = stayed.advance(10)
    np.testing.assert_array_equal(back.x, here.x)


def test_the_pool_fades_without_being_seen() -> None:
    model = FourState(fade_frames=100.0)
    run = model.start(10.0, 100_000, np.random.default_rng(1))
    for _ in range(100):
        run.step(0.0)
    assert run.off == pytest.approx(100_000 / np.e, rel=0.02)
    assert run.bleached == pytest.approx(100_000 - run.off, rel=0.01)
    with pytest.raises(InputError, match="fade_frames is 0"):
        FourState(fade_frames=0.0)
