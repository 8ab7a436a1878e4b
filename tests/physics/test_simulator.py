import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from live_smlm.core import PSF, CameraModel, InputError, Localizations, concatenate
from live_smlm.physics.background import Background
from live_smlm.physics.blinking import Blinking, Exponential, FourState, Single
from live_smlm.physics.drift import Jumps, Linear, RandomWalk
from live_smlm.physics.emitters import Brightness
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.physics.simulator import Simulator
from live_smlm.physics.specimens import Clusters, Grid, Specimen, Uniform
from live_smlm.physics.structures import Filaments, Rings

CAMERA = CameraModel(shape=(64, 80), pixel_size_nm=100.0, read_noise_e=1.0, gain_e_per_adu=0.5)
ASTIGMATIC = AstigmaticPSF(130.0, 130.0, 250.0, -250.0, 400.0)
EMPTY = Simulator(
    camera=CAMERA,
    psf=GaussianPSF(130.0),
    specimen=Uniform(),
    blinking=Single(),
    brightness=Brightness(1000.0),
    visible_per_um2=0.0,
    background=Background(10.0),
    seed=3,
)


def movie(
    simulator: Simulator, frames: int, batch: int | None = None
) -> tuple[np.typing.NDArray[np.float64], Localizations]:
    """Photons and truth."""
    parts = list(simulator.stream(frames, batch))
    pixels = np.concatenate([b.pixels for b, _ in parts])
    index = np.concatenate([b.index for b, _ in parts])
    np.testing.assert_array_equal(index, np.arange(frames))
    return simulator.camera.photons(pixels).astype(np.float64), concatenate([t for _, t in parts])


@dataclass(frozen=True)
class Case:
    psf: PSF
    specimen: Specimen
    blinking: Blinking
    density: float


CASES = {
    "uniform": Case(GaussianPSF(130.0), Uniform(), Single(), 1.0),
    "grid": Case(ASTIGMATIC, Grid(1000.0, z_half_nm=300.0), Single(), 1.0),
    "filaments": Case(ASTIGMATIC, Filaments(), Exponential(2.0), 0.3),
    "rings": Case(GaussianPSF(150.0), Rings(), FourState(), 0.5),
    "clusters": Case(ASTIGMATIC, Clusters(z_half_nm=200.0), Exponential(1.0), 0.5),
}


@pytest.mark.parametrize("name", CASES)
def test_the_same_seed_gives_the_same_movie_in_any_batches(name: str) -> None:
    case = CASES[name]
    simulator = replace(
        EMPTY,
        psf=case.psf,
        specimen=case.specimen,
        blinking=case.blinking,
        visible_per_um2=case.density,
        brightness=Brightness(800.0, 0.4),
        background=Background(5.0, amplitude=0.4, bleach_frames=30.0),
        drift=Jumps(20.0, 5.0),
    )
    pixels, truth = movie(simulator, 23)
    assert len(truth) > 100
    for batch in (1, 7, 23):
        again, same_truth = movie(simulator, 23, batch)
        np.testing.assert_array_equal(again, pixels)
        for column, values in truth.columns().items():
            np.testing.assert_array_equal(values, same_truth.columns()[column])
    other, _ = movie(replace(simulator, seed=4), 23)
    assert (other != pixels).mean() > 0.5


def test_a_uniform_field_shows_a_poisson_number_of_fresh_molecules() -> None:
    simulator = replace(EMPTY, visible_per_um2=2.0)
    _, truth = movie(simulator, 400)
    expected = 2.0 * 6.4 * 8.0
    counts = np.bincount(truth.frame, minlength=400)
    assert counts.mean() == pytest.approx(expected, abs=5 * math.sqrt(expected / 400))
    assert counts.var() == pytest.approx(expected, rel=5 * math.sqrt(2 / 400))
    assert len(set(truth.axis("molecule"))) == len(truth)
    np.testing.assert_array_equal(truth.photons, np.float32(1000))
    np.testing.assert_array_equal(truth.background, np.float32(10))


def test_the_light_in_a_frame_is_that_of_background_and_molecules() -> None:
    """The truth, drawn with the PSF over the whole frame, is what the camera saw on average."""
    simulator = replace(
        EMPTY, psf=ASTIGMATIC, specimen=Grid(1600.0, z_half_nm=300.0), visible_per_um2=1.0
    )
    pixels, truth = movie(simulator, 60)
    expected = np.full(pixels.shape, 10.0)
    assert truth.z is not None
    whole = ASTIGMATIC.images(truth.x, truth.y, truth.z, CAMERA.shape, 100.0).value
    np.add.at(expected, truth.frame, 1000 * whole)
    variance = expected + 1.0 + 0.5**2 / 12
    pull = (pixels - expected) / np.sqrt(variance)
    error = 1 / math.sqrt(pull.size)
    assert abs(pull.mean()) < 5 * error
    assert pull.var() == pytest.approx(1, abs=5 * math.sqrt(2) * error + 1e-3)
    # Where the molecules are, too: the brightest one percent of the pixels.
    bright = expected > np.quantile(expected, 0.99)
    assert abs(pull[bright].mean()) < 5 / math.sqrt(bright.sum())


def test_truth_photons_are_those_of_the_frame() -> None:
    simulator = replace(EMPTY, blinking=Exponential(0.5), visible_per_um2=0.5)
    simulator = replace(simulator, background=Background(0.0))
    pixels, truth = movie(simulator, 300)
    assert truth.photons is not None
    assert truth.photons.min() < 50
    assert truth.photons.max() <= 1000
    total = truth.photons.sum()
    inside = ((truth.x > 600) & (truth.x < 7400) & (truth.y > 600) & (truth.y < 5800)).mean()
    noise = math.sqrt(pixels.size * 1.1 + total)
    assert total * (0.5 + inside / 2) - 5 * noise < pixels.sum() < total + 5 * noise


def test_drift_moves_all_molecules_and_is_known() -> None:
    simulator = replace(
        EMPTY,
        specimen=Rings(spacing_nm=3000.0),
        blinking=FourState(on_frames=50.0),
        visible_per_um2=0.2,
        drift=Linear(3.0, -2.0, 0.5),
    )
    _, truth = movie(simulator, 40)
    path = simulator.drift_path(40)
    np.testing.assert_allclose(path[-1], [39 * 3, -39 * 2, 39 * 0.5])
    assert truth.z is not None
    still = np.stack([truth.x, truth.y, truth.z], axis=1) - path[truth.frame]
    for molecule in np.unique(truth.axis("molecule")):
        places = still[truth.axis("molecule") == molecule]
        np.testing.assert_allclose(places, places[:1].repeat(len(places), axis=0), atol=2e-3)


def test_a_random_drift_is_known_too() -> None:
    simulator = replace(
        EMPTY,
        specimen=Grid(3000.0),
        blinking=Exponential(20.0),
        visible_per_um2=0.1,
        drift=RandomWalk(5.0),
    )
    _, truth = movie(simulator, 30, batch=4)
    still_x = truth.x - simulator.drift_path(30)[truth.frame, 0]
    for molecule in np.unique(truth.axis("molecule")):
        assert np.ptp(still_x[truth.axis("molecule") == molecule]) < 2e-3


def test_molecules_that_drift_out_of_the_frame_leave_the_truth() -> None:
    simulator = replace(EMPTY, visible_per_um2=1.0, drift=Linear(100.0, 0.0))
    _, truth = movie(simulator, 60)
    assert (truth.x >= 0).all()
    assert (truth.x < 8000).all()
    assert truth.x[truth.frame > 50].min() >= 5100


def test_the_background_of_the_truth_is_that_of_its_pixel() -> None:
    simulator = replace(
        EMPTY, visible_per_um2=1.0, background=Background(20.0, 0.8, 1000.0, bleach_frames=10.0)
    )
    _, truth = movie(simulator, 20)
    dark, _ = movie(replace(simulator, visible_per_um2=0.0), 20)
    assert truth.background is not None
    row, column = (truth.y // 100).astype(int), (truth.x // 100).astype(int)
    seen = dark[truth.frame, row, column]
    pull = (seen - truth.background) / np.sqrt(truth.background + 1.02)
    assert abs(pull.mean()) < 5 / math.sqrt(len(pull))
    assert pull.std() == pytest.approx(1, abs=5 / math.sqrt(len(pull)))
    assert np.corrcoef(seen, truth.background)[0, 1] > 0.8


def test_another_camera_sees_the_same_molecules() -> None:
    simulator = replace(EMPTY, visible_per_um2=1.0, blinking=Exponential())
    emccd = replace(CAMERA, em_gain=300.0, gain_e_per_adu=45.0, read_noise_e=74.0)
    _, truth = movie(simulator, 10)
    _, same = movie(replace(simulator, camera=emccd), 10)
    np.testing.assert_array_equal(truth.x, same.x)


def test_an_acquisition_goes_on_at_the_laser_power_of_the_moment() -> None:
    acquisition = replace(EMPTY, blinking=Exponential(1.0), visible_per_um2=2.0).start()
    counts = [
        np.mean([len(acquisition.advance(1, power)[1]) for _ in range(60)][20:])
        for power in (1.0, 0.0, 3.0)
    ]
    assert acquisition.frame == 180
    assert counts[0] == pytest.approx(102, abs=5 * math.sqrt(102 / 15))
    assert counts[1] < 0.1
    assert counts[2] == pytest.approx(307, abs=5 * math.sqrt(307 / 15))
    batch, _ = acquisition.advance(3)
    np.testing.assert_array_equal(batch.index, [180, 181, 182])
    np.testing.assert_allclose(batch.time_s, 0.02 * batch.index)


def test_an_eight_bit_camera_gives_bytes() -> None:
    batch, _ = next(replace(EMPTY, camera=replace(CAMERA, bits=8)).stream(2))
    assert batch.pixels.dtype == np.uint8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"visible_per_um2": -1.0}, "density is -1; it must be 0 or more"),
        ({"visible_per_um2": math.nan}, "density is nan"),
        ({"visible_per_um2": 1e9}, r"density 1e\+09 per um2 makes 5\.12e\+10 molecules"),
        ({"seed": -1}, "seed is -1"),
        ({"frame_interval_s": 0.0}, "frame_interval_s is 0"),
        (
            {"camera": CameraModel(shape=(100_000, 100_000), pixel_size_nm=1.0)},
            "frame size 100000x100000 is more than",
        ),
        (
            {"psf": ASTIGMATIC, "specimen": Uniform(z_half_nm=800.0)},
            "specimen 'uniform' reaches 800 nm above and below the focus but the astigmatic psf",
        ),
    ],
)
def test_what_cannot_be_simulated_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(EMPTY, **changes)  # type: ignore[arg-type] # cases


def test_no_frames_are_refused() -> None:
    with pytest.raises(InputError, match="frames is 0; give at least one"):
        next(EMPTY.stream(0))
    with pytest.raises(InputError, match="batch is 0"):
        next(EMPTY.stream(1, batch=0))
    with pytest.raises(InputError, match="frames is 0"):
        EMPTY.start().advance(0)
