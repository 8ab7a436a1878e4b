import dataclasses
import multiprocessing

import numpy as np
import pytest

from live_smlm.core import CameraModel, InputError
from live_smlm.testing.scenes import DEEP, FLAT
from live_smlm.training import scene
from live_smlm.training.ahead import batches
from live_smlm.training.molecules import Molecules
from live_smlm.training.scene import SIDE, Batch, Scene, sample

HALO = (1, 1)


def draw(scene: Scene, step: int = 0, seed: int = 1, movies: int = 6) -> Batch:
    return sample(scene, seed, step, movies=movies, frames=4, halo=HALO)


def same(one: Batch, other: Batch) -> bool:
    return all(
        np.array_equal(getattr(one, f.name), getattr(other, f.name))
        for f in dataclasses.fields(Batch)
    )


def test_a_batch_is_a_function_of_seed_and_step() -> None:
    assert same(draw(DEEP), draw(DEEP))
    assert not same(draw(DEEP), draw(DEEP, step=1))
    assert not same(draw(DEEP), draw(DEEP, seed=2))


SMALL = Molecules(architecture="glint", scene=DEEP, options={"width": 4}, movies=1, frames=2)


def test_processes_that_draw_ahead_draw_the_same_in_the_same_order() -> None:
    with batches(SMALL, 1, range(3, 9), 2) as drawn:
        ahead = list(drawn)
    with batches(SMALL, 1, range(3, 9), 0) as drawn:
        here = list(drawn)
    assert [step for step, _ in ahead] == list(range(3, 9))
    for (_, a), (_, b) in zip(ahead, here, strict=True):
        assert a.keys() == b.keys()
        assert all(np.array_equal(a[name], b[name]) for name in a)


def drawn_by_a_process_that_dies() -> None:
    with batches(SMALL, 1, range(50), 1) as drawn:
        next(drawn)
        for child in multiprocessing.active_children():
            child.kill()
        list(drawn)


def test_a_process_that_dies_is_told_with_its_cure() -> None:
    with pytest.raises(InputError, match="give fewer"):
        drawn_by_a_process_that_dies()


def test_the_density_is_the_one_that_was_asked_for() -> None:
    counts = [len(draw(FLAT, step).window) for step in range(12)]
    windows = 12 * 6 * 4
    area = (SIDE * 0.1) ** 2
    # Molecules stay for some frames: their number scatters more than Poisson's, by on-times + 1.
    error = np.sqrt(6 * windows * area)
    assert abs(sum(counts) - windows * area) < 4 * error


def test_movies_differ_in_density_and_background() -> None:
    batch = draw(DEEP, movies=16)
    per_movie = np.bincount(batch.window // 4, minlength=16)
    assert per_movie.min() < 0.5 * per_movie.max()
    level = batch.background.reshape(16, -1).mean(1)
    assert level.min() < 0.7 * level.max()


def test_counts_without_molecules_vary_as_much_as_they_amount_to() -> None:
    dark = dataclasses.replace(
        DEEP, density_per_um2=(1e-6, 1e-6), background=(50.0, 50.0), label_photons=0.0
    )
    batch = draw(dark, movies=40)
    rest = batch.frames[:, 1:-1].reshape(-1, SIDE, SIDE) - batch.background
    ratio = (rest**2).mean() / batch.background.mean()
    # Read noise adds 1.6² to some 40 counts in half of the movies; hot pixels a little more.
    assert 1.0 < ratio < 1.2
    assert abs(rest.mean()) < 0.1


def test_molecules_lie_where_the_light_is() -> None:
    batch = draw(dataclasses.replace(FLAT, density_per_um2=(0.01, 0.01)), movies=200)
    frames = batch.frames[:, 1:-1].reshape(-1, SIDE, SIDE)
    well = np.all((batch.molecule[:, :2] > 5) & (batch.molecule[:, :2] < SIDE - 5), axis=1)
    well &= batch.molecule[:, 3] > 1000
    assert well.sum() > 10
    for window, (x, y, _, _) in zip(batch.window[well], batch.molecule[well], strict=True):
        row, column = int(y), int(x)
        near = frames[window, row - 2 : row + 3, column - 2 : column + 3]
        assert near.sum() > 500


def test_dim_molecules_are_known_but_not_labelled() -> None:
    batch = draw(DEEP, movies=16)
    assert 0 < batch.labelled.sum() < len(batch.labelled)
    assert np.array_equal(batch.labelled, batch.molecule[:, 3] >= DEEP.label_photons)


def test_a_molecule_hardly_inside_lies_in_a_pixel() -> None:
    almost = np.nextafter(SIDE * 100.0, 0.0)
    place = np.array([[almost, 50.0, 0.0], [50.0, almost, 0.0], [50.0, 50.0, 0.0]])
    truth = scene._Truth(np.array([1, 1, 1]), place, np.full(3, 500.0))
    empty = np.zeros((3, SIDE, SIDE), np.float32)
    batch = scene._core(FLAT, empty, empty, truth, 1, HALO)
    assert batch.molecule[:, :2].max() < SIDE
    assert len(batch.molecule) == 1


def test_a_chip_of_the_camera_s_kind_has_its_charge_and_its_bits() -> None:
    dark = CameraModel(
        shape=(SIDE, SIDE), pixel_size_nm=100.0, read_noise_e=1.6, spurious_e=20.0, bits=12
    )
    chip = scene._camera(dark, np.random.default_rng(1))
    assert (chip.spurious_e, chip.bits) == (20.0, 12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cameras": ()}, "give at least one"),
        ({"photons": (0.0, 100.0)}, "photons is 0 to 100"),
        ({"photons": (200.0, 100.0)}, "low before high"),
        ({"density_per_um2": (1.0, 100.0)}, "reaches 100"),
        ({"z_nm": (-9000.0, 9000.0)}, "stay within it"),
        ({"photons": (10.0, 30.0)}, "photons reach 30, at most 53 effective counts"),
    ],
)
def test_what_cannot_be_simulated_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        dataclasses.replace(DEEP, **change)  # type: ignore[arg-type]


def test_a_psf_without_z_refuses_a_range_of_z() -> None:
    with pytest.raises(InputError, match="stay within it"):
        dataclasses.replace(FLAT, z_nm=(-100.0, 100.0))
