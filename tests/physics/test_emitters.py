import math

import numpy as np
import pytest

from live_smlm.core import InputError
from live_smlm.physics.blinking import Blinking, Exponential, FourState, Single
from live_smlm.physics.emitters import Brightness, Emission, Emitters, start_emitters
from live_smlm.physics.field import Field
from live_smlm.physics.specimens import Clusters, Grid, Specimen, Uniform
from live_smlm.physics.structures import Rings

FIELD = Field(10_000.0, 10_000.0)


def start(specimen: Specimen, blinking: Blinking, visible: float = 30.0) -> Emitters:
    seed = np.random.SeedSequence(4)
    return start_emitters(specimen, blinking, Brightness(1000.0, 0.3), FIELD, visible, seed)


def run(emitters: Emitters, frames: int) -> list[Emission]:
    return [emitters.step() for _ in range(frames)]


CASES: list[tuple[Specimen, Blinking]] = [
    (Uniform(30.0), Single()),
    (Uniform(30.0), Exponential(3.0)),
    (Uniform(30.0), FourState(3.0)),
    (Grid(500.0), Single()),
    (Rings(), Single()),
    (Rings(), Exponential(3.0)),
    (Rings(), FourState(3.0)),
]


@pytest.mark.parametrize(
    ("specimen", "blinking"), CASES, ids=[f"{case[0].name}-{case[1].name}" for case in CASES]
)
def test_a_molecule_keeps_its_place_and_the_asked_number_is_seen(
    specimen: Specimen, blinking: Blinking
) -> None:
    emissions = run(start(specimen, blinking), 60)
    ids = np.concatenate([e.molecule for e in emissions])
    position = np.concatenate([e.position for e in emissions])
    assert all(len(set(e.molecule)) == len(e.molecule) for e in emissions)
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    np.testing.assert_array_equal(position, position[first][inverse])
    # Some four frames share their molecules.
    assert len(ids) / 60 == pytest.approx(30, abs=5 * math.sqrt(30 / 15))


def test_a_flash_of_an_activation_is_as_bright_as_its_time() -> None:
    emissions = run(start(Uniform(), Exponential(20.0)), 200)
    ids = np.concatenate([e.molecule for e in emissions])
    photons = np.concatenate([e.photons for e in emissions])
    brightest = np.zeros(ids.max() + 1)
    np.maximum.at(brightest, ids, photons)
    lasting = np.bincount(ids) > 5
    full = photons == brightest[ids]
    assert full[lasting[ids]].mean() > 0.8
    logarithm = np.log(brightest[lasting] / 1000)
    n = int(lasting.sum())
    assert logarithm.std() == pytest.approx(0.3, abs=5 * 0.3 / math.sqrt(2 * n))
    assert logarithm.mean() == pytest.approx(-0.045, abs=5 * 0.3 / math.sqrt(n))


def test_brightness_keeps_its_mean_when_it_spreads() -> None:
    drawn = Brightness(500.0, 0.5).draw(100_000, np.random.default_rng(0))
    spread = 500 * math.sqrt(math.expm1(0.25))
    assert drawn.mean() == pytest.approx(500, abs=5 * spread / math.sqrt(1e5))
    assert (Brightness(500.0).draw(10, np.random.default_rng(0)) == 500).all()


def test_single_grid_molecules_are_all_seen_at_new_places_in_each_frame() -> None:
    first, second = run(start(Grid(1000.0), Single(), visible=1000.0), 2)
    assert len(first.molecule) == len(second.molecule) == 100
    assert (first.position != second.position).any(axis=1).all()
    assert not set(first.molecule) & set(second.molecule)


def test_structures_stay_where_they_are() -> None:
    specimen = Clusters(0.2, 50.0)
    emissions = run(start(specimen, Exponential(2.0), visible=200.0), 20)
    places = np.unique(np.concatenate([e.position for e in emissions]), axis=0)
    assert len(places) < 1600
    seen = np.concatenate([e.position for e in emissions])
    assert len(seen) > 2 * len(places)


def test_what_does_not_shine_is_refused() -> None:
    with pytest.raises(InputError, match="photons is 0; it must be above 0"):
        Brightness(0.0)
    with pytest.raises(InputError, match="photons is nan; give a finite number"):
        Brightness(math.nan)
    with pytest.raises(InputError, match="photons_spread is 4; give 0 to 3"):
        Brightness(10.0, 4.0)
    with pytest.raises(InputError, match="specimen 'clusters' has no molecule in the field"):
        start(Clusters(1e-9), Exponential())
    assert len(start(Uniform(), Exponential(), visible=0.0).step().molecule) == 0
