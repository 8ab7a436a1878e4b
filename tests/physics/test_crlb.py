import math

import numpy as np
import pytest

from live_smlm.core import F64, CameraModel, InputError
from live_smlm.physics.crlb import Readout, crlb, fisher_information, parameters
from live_smlm.physics.noise import expose, scmos_camera
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF

ROUND = GaussianPSF(130.0)
TILTED = AstigmaticPSF(130.0, 130.0, 250.0, -250.0, 400.0)
SHAPE = (13, 13)


def test_without_background_a_gaussian_reaches_sigma_over_root_n() -> None:
    """Pixels of s/13: their area adds pixel²/12 to the variance, 0.05 %."""
    bound = crlb(ROUND, 655.0, 652.0, 0.0, 1000.0, 0.0, (130, 130), 10.0, free_sigma=True)
    widened = math.sqrt(130**2 + 10**2 / 12)
    assert bound.x[0] == pytest.approx(widened / math.sqrt(1000), rel=1e-3)
    assert bound.y[0] == pytest.approx(widened / math.sqrt(1000), rel=1e-3)
    assert bound.photons[0] == pytest.approx(math.sqrt(1000), rel=1e-3)
    assert bound.sigma is not None
    assert bound.sigma[0] == pytest.approx(130 / math.sqrt(4 * 1000), rel=2e-3)
    assert bound.z is None


def test_quantum_efficiency_is_a_loss_of_photons() -> None:
    lossy = Readout(quantum_efficiency=0.25)
    dim = crlb(ROUND, 650.0, 650.0, 0.0, 250.0, 2.0, SHAPE, 100.0)
    lost = crlb(ROUND, 650.0, 650.0, 0.0, 1000.0, 8.0, SHAPE, 100.0, lossy)
    np.testing.assert_allclose(lost.x, dim.x)
    np.testing.assert_allclose(lost.photons, 4 * dim.photons)


def test_spurious_charge_acts_as_background() -> None:
    known = crlb(ROUND, 650.0, 650.0, 0.0, 800.0, 5.0, SHAPE, 100.0)
    charge = crlb(ROUND, 650.0, 650.0, 0.0, 800.0, 2.0, SHAPE, 100.0, Readout(spurious_e=3.0))
    np.testing.assert_allclose(charge.x, known.x)


def scmos() -> CameraModel:
    """Digits so fine that rounding plays no part."""
    model = scmos_camera(SHAPE, 100.0, np.random.default_rng(2), read_noise_e=2.0, hot_share=0.1)
    return CameraModel(
        shape=SHAPE,
        pixel_size_nm=100.0,
        gain_e_per_adu=0.05,
        read_noise_e=model.read_noise_e,
        offset_adu=2000.0,
        quantum_efficiency=0.8,
    )


CAMERAS = {
    "poisson": CameraModel(shape=SHAPE, pixel_size_nm=100.0),
    "scmos": scmos(),
    "emccd": CameraModel(
        shape=SHAPE,
        pixel_size_nm=100.0,
        gain_e_per_adu=5.0,
        em_gain=300.0,
        read_noise_e=74.4,
        quantum_efficiency=0.9,
        spurious_e=0.01,
        offset_adu=500.0,
    ),
}


@pytest.mark.parametrize("name", CAMERAS)
@pytest.mark.parametrize("psf", [ROUND, TILTED], ids=["round", "astigmatic"])
def test_information_is_the_variance_of_the_score(
    name: str, psf: GaussianPSF | AstigmaticPSF
) -> None:
    """Over frames of the forward camera; each pixel weighted by its variance."""
    camera, runs = CAMERAS[name], 4000
    x, y, z = np.array([633.0]), np.array([671.0]), np.array([120.0])
    image = psf.images(x, y, z, SHAPE, 100.0)
    mean = 900 * image.value[0] + 8
    readout = Readout.at(camera, 0, 0, SHAPE)
    information = fisher_information(psf, x, y, z, 900.0, 8.0, SHAPE, 100.0, readout)[0]

    light = np.broadcast_to(mean.astype(np.float32), (runs, *SHAPE))
    seen = camera.photons(expose(light, camera, np.random.default_rng(4))).astype(np.float64)
    efficiency = camera.quantum_efficiency
    electrons = efficiency * mean + camera.spurious_e
    variance = (
        camera.excess_noise * electrons / efficiency** 2
        + camera.read_variance_photons().astype(np.float64)
    )
    slopes = [900 * image.d_x[0], 900 * image.d_y[0], image.value[0], np.ones(SHAPE)]
    if psf.z_range_nm is not None:
        slopes.append(900 * image.d_z[0])
    score = np.stack([((seen - mean) * d / variance).sum(axis=(1, 2)) for d in slopes])
    scale = np.sqrt(np.diag(information))
    measured = np.cov(score) / np.outer(scale, scale)
    expected = information / np.outer(scale, scale)
    # A covariance of n normal pairs has the standard error sqrt((1 + r²) / n); tails add a little.
    assert np.abs(measured - expected).max() < 5 * math.sqrt(2 / runs)


def one_pixel_information(mean: float, read_noise: float, *, multiplied: bool) -> float:
    """Exact, by integrating the density of what is read (read noise in input electrons)."""
    step = min(read_noise / 25, 0.02)
    top = mean + 40 + 14 * math.sqrt(mean + 20)
    q = np.float64(step) * np.arange(-int(10 * read_noise / step), int(top / step))
    density, slope = np.zeros((2, len(q)))
    for k in range(int(mean + 30 + 12 * math.sqrt(mean))):
        weight = math.exp(k * math.log(mean) - mean - math.lgamma(k + 1))
        part = _read_out(k, q, read_noise, step, multiplied=multiplied)
        density += weight * part
        slope += weight * (k / mean - 1) * part
    if multiplied:
        density, slope = (_blur(values, read_noise, step) for values in (density, slope))
        nothing = math.exp(-mean) * _bell(q, read_noise)
        density, slope = density + nothing, slope - nothing
    assert density.sum() * step == pytest.approx(1, abs=1e-4)
    some = density > 1e-13
    return float((slope[some] ** 2 / density[some]).sum() * step)


def _bell(q: F64, sigma: float) -> F64:
    return np.asarray(np.exp(-0.5 * (q / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi)))


def _read_out(k: int, q: F64, read_noise: float, step: float, *, multiplied: bool) -> F64:
    """Density of k electrons: with their noise, or after the multiplication only."""
    if not multiplied:
        return _bell(q - k, read_noise)
    if k == 0:
        return np.zeros(len(q))
    after = np.maximum(q, 1e-300)
    gamma = np.exp((k - 1) * np.log(after) - after - math.lgamma(k))
    return np.asarray(gamma * np.select([q > step / 4, q > -step / 4], [1.0, 0.5], 0.0))


def _blur(values: F64, sigma: float, step: float) -> F64:
    reach = int(10 * sigma / step)
    kernel = _bell(np.float64(step) * np.arange(-reach, reach + 1), sigma) * step
    size = len(values) + len(kernel)
    both = np.fft.rfft(values, size) * np.fft.rfft(kernel, size)
    return np.asarray(np.fft.irfft(both, size)[reach : reach + len(values)])


@pytest.mark.parametrize(
    ("mean", "read_excess", "emccd_excess"),
    [(0.1, 0.19, 0.41), (0.3, 0.14, 0.27), (1, 0.07, 0.19), (3, 0.02, 0.09), (10, 0.002, 0.03)],
)
def test_the_approximations_err_by_what_the_docstring_says(
    mean: float, read_excess: float, emccd_excess: float
) -> None:
    approximate = 1 / (mean + 1.6**2)
    exact = one_pixel_information(mean, 1.6, multiplied=False)
    assert exact / approximate == pytest.approx(1 + read_excess, abs=0.005)
    approximate = 1 / (2 * mean + (74 / 300) ** 2)
    exact = one_pixel_information(mean, 74 / 300, multiplied=True)
    assert exact / approximate == pytest.approx(1 + emccd_excess, abs=0.006)


def test_the_width_s_derivative_is_that_of_the_image() -> None:
    """`fisher_information` of the width and photons alone, from central differences."""
    at = np.array([630.0]), np.array([660.0]), np.array([0.0])
    wide, narrow = (GaussianPSF(130.0 + d).images(*at, SHAPE, 100.0).value[0] for d in (0.1, -0.1))
    slope = 500 * (wide - narrow) / 0.2
    mean = 500 * ROUND.images(*at, SHAPE, 100.0).value[0] + 3
    information = fisher_information(ROUND, *at, 500.0, 3.0, SHAPE, 100.0, free_sigma=True)
    assert parameters(ROUND, free_sigma=True)[-1] == "sigma"
    assert information[0, -1, -1] == pytest.approx((slope**2 / mean).sum(), rel=1e-5)


def test_each_molecule_has_the_read_noise_of_its_own_pixels() -> None:
    camera = scmos_camera((40, 60), 100.0, np.random.default_rng(1), hot_share=0.2)
    row, column = np.array([0, 27, 10]), np.array([47, 3, 20])
    together = crlb(
        TILTED, 640.0, 650.0, 50.0, 700.0, 5.0, SHAPE, 100.0, Readout.at(camera, row, column, SHAPE)
    )
    assert together.z is not None
    for i in range(3):
        part = camera.crop(int(row[i]), int(column[i]), *SHAPE)
        alone = crlb(
            TILTED, 640.0, 650.0, 50.0, 700.0, 5.0, SHAPE, 100.0, Readout.at(part, 0, 0, SHAPE)
        )
        assert alone.z is not None
        assert together.z[i] == pytest.approx(alone.z[0])
        assert together.x[i] == pytest.approx(alone.x[0])
    assert len(set(together.x)) == 3


def test_many_molecules_are_as_each_alone() -> None:
    x = np.linspace(500, 800, 5000)
    many = crlb(ROUND, x, 650.0, 0.0, 500.0, 5.0, SHAPE, 100.0)
    for i in (0, 2366, 4999):
        one = crlb(ROUND, x[i : i + 1], 650.0, 0.0, 500.0, 5.0, SHAPE, 100.0)
        assert many.x[i] == pytest.approx(one.x[0], rel=1e-12)


def test_what_a_patch_does_not_determine_has_no_bound() -> None:
    one_pixel = crlb(ROUND, 50.0, 50.0, 0.0, 500.0, 5.0, (1, 1), 100.0)
    assert np.isinf([one_pixel.x[0], one_pixel.photons[0]]).all()
    flat = AstigmaticPSF(130.0, 130.0, 0.0, 0.0, 400.0)
    focus = crlb(flat, 650.0, 650.0, 0.0, 500.0, 5.0, SHAPE, 100.0)
    plain = crlb(ROUND, 650.0, 650.0, 0.0, 500.0, 5.0, SHAPE, 100.0)
    assert focus.z is not None
    assert np.isinf(focus.z[0])
    assert focus.x[0] == pytest.approx(plain.x[0])


def test_what_has_no_bound_is_refused() -> None:
    with pytest.raises(InputError, match="photons has the value 0"):
        crlb(ROUND, 650.0, 650.0, 0.0, 0.0, 5.0, SHAPE, 100.0)
    with pytest.raises(InputError, match="background has the value -1"):
        crlb(ROUND, 650.0, 650.0, 0.0, 10.0, -1.0, SHAPE, 100.0)
    with pytest.raises(InputError, match="x_nm holds 1 values"):
        crlb(ROUND, np.array([1.0, np.nan]), 650.0, 0.0, 10.0, 1.0, SHAPE, 100.0)
    with pytest.raises(InputError, match="free_sigma needs a gaussian"):
        crlb(TILTED, 650.0, 650.0, 0.0, 10.0, 1.0, SHAPE, 100.0, free_sigma=True)
    with pytest.raises(InputError, match="leaves the camera's 13x13"):
        Readout.at(CAMERAS["poisson"], 1, 0, SHAPE)
    with pytest.raises(InputError, match="read_variance_e has the value -1"):
        Readout(read_variance_e=-1.0)
