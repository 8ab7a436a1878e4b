import numpy as np
import pytest

from live_smlm.core import F32, F64, I64
from live_smlm.metrics import linking, neighbours
from live_smlm.metrics.appearances import Appearances, appearances
from live_smlm.metrics.neighbours import Blinks
from live_smlm.physics.blinking import FourState
from live_smlm.physics.emitters import Brightness, start_emitters
from live_smlm.physics.field import Field
from live_smlm.physics.specimens import Clusters, Specimen, Uniform
from live_smlm.physics.structures import Filaments

SIDE, FRAMES, SIGMA = 4000.0, 3000, 8.0
FIELD = Field(SIDE, SIDE)


def seen(specimen: Specimen, blinking: FourState) -> tuple[F32, I64, I64]:
    """Place, frame and molecule of each localization of a run."""
    count = len(specimen.positions(np.random.default_rng(1), FIELD))
    visible = count * blinking.visible_frames / (2 * FRAMES)
    emitters = start_emitters(
        specimen, blinking, Brightness(1000.0), FIELD, visible, np.random.SeedSequence(1)
    )
    on = [emitters.step() for _ in range(FRAMES)]
    frame = np.repeat(np.arange(FRAMES), [len(one.molecule) for one in on])
    place: F64 = np.concatenate([one.position[:, :2] for one in on])
    place = place + np.random.default_rng(2).normal(0, SIGMA, place.shape)
    return place.astype(np.float32), frame, np.concatenate([one.molecule for one in on])


def told(place: F32, frame: I64) -> tuple[Appearances, Blinks]:
    """What the blinks of localizations tell."""
    x, y = place.T
    _, linked = linking.fold(linking.Links(reach_nm=4 * SIGMA), frame, x, y)
    new = linked.new
    sigma = np.full(np.count_nonzero(new), SIGMA, np.float32)
    blinks = neighbours.fold(Blinks(most=10**6), y[new], x[new], sigma, frame[new])
    return appearances(blinks.place, blinks.sigma, blinks.frame), blinks


@pytest.mark.parametrize(
    "specimen",
    [Uniform(100.0), Filaments(count=5), Clusters(clusters_per_um2=5.0, sigma_nm=20.0)],
    ids=lambda one: one.name,
)
@pytest.mark.parametrize(
    "blinking",
    [FourState(blinks=1.0), FourState(), FourState(blinks=3.0), FourState(3.0, 30.0, 2.0)],
    ids=["once", "usual", "often", "slowly"],
)
def test_molecules_are_counted_however_they_blink(specimen: Specimen, blinking: FourState) -> None:
    place, frame, molecule = seen(specimen, blinking)
    count, (some, blinks) = len(np.unique(molecule)), told(place, frame)
    assert abs(some.molecules - count) < 3 * some.error + 0.03 * count
    assert some.molecules == pytest.approx(count, rel=0.12)
    assert some.molecules == pytest.approx(np.sum(1 - some.again), rel=0.01)
    assert some.mean == pytest.approx(len(blinks.place) / some.molecules)


def test_spacing_is_that_of_molecules_and_not_of_blinks() -> None:
    place, frame, molecule = seen(Filaments(count=5), FourState(blinks=3.0))
    first = np.unique(molecule, return_index=True)[1]
    x, y = place[first].T
    truth = neighbours.measure(neighbours.fold(Blinks(most=10**6), y, x))
    some, blinks = told(place, frame)
    ours = neighbours.measure(blinks, again=some.again)
    raw = neighbours.measure(blinks)
    assert truth is not None
    assert ours is not None
    assert raw is not None
    assert ours.nyquist_nm == pytest.approx(truth.nyquist_nm, rel=0.1)
    assert raw.nyquist_nm < 0.85 * truth.nyquist_nm


def test_two_at_one_place_at_any_times_are_two() -> None:
    rng = np.random.default_rng(3)
    place = np.repeat(rng.uniform(0, SIDE, (1000, 2)), 2, axis=0).astype(np.float32)
    frame = rng.integers(0, 100_000, 2000)
    some = appearances(place, np.full(2000, SIGMA, np.float32), frame)
    assert some.molecules == pytest.approx(2000, rel=0.02)


def test_errors_that_are_claimed_too_small_are_made_up_for() -> None:
    place, frame, molecule = seen(Uniform(100.0), FourState(blinks=3.0))
    _, blinks = told(place, frame)
    some = appearances(blinks.place, blinks.sigma / 1.4, blinks.frame)
    assert some.molecules == pytest.approx(len(np.unique(molecule)), rel=0.1)


def test_none_are_none() -> None:
    none = appearances(np.zeros((0, 2), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    assert len(none.again) == 0
