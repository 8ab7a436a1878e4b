import numpy as np
import pytest

from live_smlm.core import CameraModel, InputError
from live_smlm.physics.noise import expose, scmos_camera

SIZE = (64, 64)


def camera(**kwargs: object) -> CameraModel:
    return CameraModel(shape=SIZE, pixel_size_nm=100.0, **kwargs)  # type: ignore[arg-type] # cases


def rng(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


CAMERAS = {
    "plain": camera(read_noise_e=1.0),
    "scmos": camera(gain_e_per_adu=0.46, read_noise_e=1.6, quantum_efficiency=0.82),
    "coarse": camera(gain_e_per_adu=2.0, read_noise_e=1.6),
    "spurious": camera(spurious_e=0.3, read_noise_e=0.7, quantum_efficiency=0.5),
    "emccd": camera(
        gain_e_per_adu=45.0,
        em_gain=300.0,
        read_noise_e=74.4,
        quantum_efficiency=0.9,
        spurious_e=0.002,
    ),
    "maps": scmos_camera(SIZE, 100.0, rng()),
}


@pytest.mark.parametrize("name", CAMERAS)
@pytest.mark.parametrize("level", [2.0, 9.7, 300.0])
def test_the_camera_model_turns_counts_back_into_photons(name: str, level: float) -> None:
    model = CAMERAS[name]
    light = np.full((50, *SIZE), level, np.float32)
    counts = expose(light, model, rng())
    photons = model.photons(counts).astype(np.float64)

    efficiency = model.quantum_efficiency
    electrons = efficiency * level + model.spurious_e
    digits = np.asarray(model.gain_e_per_adu, np.float64) / model.em_gain
    variance = (
        model.excess_noise * electrons / efficiency**2
        + model.read_variance_photons().astype(np.float64)
        + digits**2 / 12 / efficiency**2
    )
    assert counts.dtype == np.uint16
    mean_error = np.sqrt(np.mean(variance) / photons.size)
    assert photons.mean() == pytest.approx(level, abs=5 * mean_error)

    # The 4th moment of Poisson x gamma stays below 9 variances² (an exponential's).
    spread = np.sqrt(8 / photons.size) * np.mean(variance)
    per_pixel = ((photons - level) ** 2).mean()
    assert per_pixel == pytest.approx(np.mean(variance), abs=6 * spread)


@pytest.mark.parametrize("gain", [0.5, 1.0, 2.0, 4.0])
def test_rounding_adds_no_bias_even_without_read_noise(gain: float) -> None:
    model = camera(gain_e_per_adu=gain)
    light = np.full((100, *SIZE), 40.0, np.float32)
    photons = model.photons(expose(light, model, rng())).astype(np.float64)
    assert photons.mean() == pytest.approx(40, abs=5 * np.sqrt(42 / photons.size))


def test_each_pixel_has_its_own_offset_gain_and_noise() -> None:
    model = CAMERAS["maps"]
    light = np.full((2000, *SIZE), 10.0, np.float32)
    photons = model.photons(expose(light, model, rng())).astype(np.float64)
    variance = 10 / model.quantum_efficiency + model.read_variance_photons().astype(np.float64)
    pull = (photons.mean(axis=0) - 10) / np.sqrt(variance / 2000)
    assert abs(pull).max() < 5.5
    assert pull.std() == pytest.approx(1, abs=5 / np.sqrt(2 * pull.size))
    noisy = model.read_variance_photons() > 20
    assert noisy.any()
    ratio = photons.var(axis=0)[noisy] / variance[noisy]
    assert ratio.mean() == pytest.approx(1, abs=5 * np.sqrt(2 / 2000 / noisy.sum()) + 1e-3)


def test_a_movie_is_the_same_in_whatever_batches_it_is_made() -> None:
    light = rng().uniform(0, 200, (7, *SIZE)).astype(np.float32)
    for model in CAMERAS.values():
        at_once = expose(light, model, rng(5))
        source = rng(5)
        parts = [expose(light[a:b], model, source) for a, b in ((0, 1), (1, 5), (5, 7))]
        np.testing.assert_array_equal(at_once, np.concatenate(parts))
    assert (at_once[0] != expose(light[:1], model, rng(6))[0]).any()


def test_frames_of_the_same_light_are_independent() -> None:
    counts = expose(np.full((2, *SIZE), 20.0, np.float32), camera(), rng()).astype(np.float64)
    correlation = np.corrcoef(counts[0].ravel(), counts[1].ravel())[0, 1]
    assert abs(correlation) < 5 / 64


@pytest.mark.parametrize(
    ("bits", "dtype", "top"), [(8, np.uint8, 255), (12, np.uint16, 4095), (16, np.uint16, 65535)]
)
def test_counts_end_at_zero_and_at_saturation(bits: int, dtype: type, top: int) -> None:
    model = camera(bits=bits, offset_adu=3.0, read_noise_e=5.0)
    light = np.zeros((2, *SIZE), np.float32)
    light[1] = 1e9
    counts = expose(light, model, rng())
    assert counts.dtype == dtype
    assert counts[0].min() == 0
    assert (counts[1] == top).all()


def test_light_below_zero_is_darkness() -> None:
    light = np.full((1, *SIZE), -4.0, np.float32)
    assert (expose(light, camera(offset_adu=7.0), rng()) == 7).all()


def test_light_that_is_no_number_or_has_another_shape_is_refused() -> None:
    light = np.zeros((1, *SIZE), np.float32)
    light[0, 3, 4], light[0, 5, 6] = np.nan, np.inf
    with pytest.raises(InputError, match="2 values that are not finite"):
        expose(light, camera(), rng())
    with pytest.raises(InputError, match=r"shape \(1, 5, 5\); give \(frames, 64, 64\)"):
        expose(np.zeros((1, 5, 5), np.float32), camera(), rng())


def test_a_simulated_scmos_has_a_tail_of_noisy_pixels() -> None:
    model = scmos_camera((256, 256), 100.0, rng(), read_noise_e=1.2, hot_share=0.02)
    noise = np.asarray(model.read_noise_e)
    assert np.median(noise) == pytest.approx(1.2, rel=0.01)
    assert 5 < noise.max() < 100
    assert np.mean(noise > 2.4) == pytest.approx(0.015, abs=0.006)
    assert np.std(model.gain_e_per_adu) == pytest.approx(0.0046, rel=0.05)
    with pytest.raises(InputError, match="hot_share is 2"):
        scmos_camera((8, 8), 100.0, rng(), hot_share=2)
