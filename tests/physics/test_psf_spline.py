"""The spline PSF: exact at its samples, close between them, 0 beyond its edges."""

import numpy as np
import pytest

from live_smlm.core import F64, InputError
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.physics.psf.sampling import interpolate, sample, smooth_along_z
from live_smlm.physics.psf.spline import SplinePSF, patch, plane_weights

PIXEL = 100.0
TRUTH = AstigmaticPSF(sx0_nm=130, sy0_nm=130, gx_nm=250, gy_nm=-250, d_nm=400)


def volume(shape: tuple[int, int, int] = (7, 9, 11)) -> F64:
    return np.random.default_rng(3).normal(size=shape)


def spline(data: F64) -> SplinePSF:
    return interpolate(data, pixel_size_nm=PIXEL, z_step_nm=50.0, z0_nm=-100.0)


def spread(count: int, low: float, high: float, seed: int) -> F64:
    return np.random.default_rng(seed).uniform(low, high, count)


def test_every_sample_is_met() -> None:
    data = volume()
    planes, rows, columns = data.shape
    z = -100.0 + 50.0 * np.arange(planes)
    x, y = np.full(planes, columns * PIXEL / 2), np.full(planes, rows * PIXEL / 2)
    image = spline(data).images(x, y, z, (rows, columns), PIXEL).value
    # Coefficients are held in single precision.
    np.testing.assert_allclose(image, data, rtol=0, atol=1e-6 * np.abs(data).max() * 10)


def test_cubics_along_z_are_met_between_planes_too() -> None:
    z = np.arange(8.0)
    data = np.zeros((8, 5, 5))
    data[:, 2, 2] = 1 + 0.3 * z - 0.2 * z**2 + 0.02 * z**3
    at = np.linspace(0, 7, 57)
    middle = np.full(len(at), 2.5 * PIXEL)
    image = spline(data).images(middle, middle, -100 + 50 * at, (5, 5), PIXEL)
    expected = 1 + 0.3 * at - 0.2 * at**2 + 0.02 * at**3
    slope = (0.3 - 0.4 * at + 0.06 * at**2) / 50
    scale = np.abs(data).max()
    np.testing.assert_allclose(image.value[:, 2, 2], expected, rtol=0, atol=1e-6 * scale)
    np.testing.assert_allclose(image.d_z[:, 2, 2], slope, rtol=0, atol=1e-6 * scale)


def test_no_light_beyond_the_edges() -> None:
    psf = spline(volume((5, 7, 7)))
    out = np.ones((4, 6, 6))
    for x, y in ((30.0, 3.0), (3.0, -30.0), (1e9, 3.0), (3.0, -1e300)):
        out[:] = 1
        patch(psf.coefficients, x, y, 2.0, out)
        assert not np.any(out)


def test_an_unknown_position_gives_an_unknown_image() -> None:
    out = np.ones((4, 6, 6), np.float32)
    patch(spline(volume()).coefficients, np.nan, 3.0, 2.0, out)
    assert np.all(np.isnan(out))


def test_single_precision_agrees_with_double() -> None:
    psf = sample(TRUTH, PIXEL)
    exact, quick = np.empty((4, 13, 13)), np.empty((4, 13, 13), np.float32)
    patch(psf.coefficients, 6.37, 6.81, 4.44, exact)
    patch(psf.coefficients, 6.37, 6.81, 4.44, quick)
    for a, b in zip(exact, quick, strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=2e-6 * np.abs(a).max())


def test_between_samples_the_error_of_a_sampled_gaussian_is_small() -> None:
    """sigma 130 nm, 100 nm pixels: measured 0.35 % of the peak, 2.5 % of the steepest slope."""
    psf = sample(TRUTH, PIXEL, 50.0)
    x, y = spread(100, 650, 750, 1), spread(100, 650, 750, 2)
    z = spread(100, -750, 750, 3)
    exact, found = (p.images(x, y, z, (14, 14), PIXEL) for p in (TRUTH, psf))
    for name, limit in (("value", 0.004), ("d_x", 0.03), ("d_y", 0.03), ("d_z", 0.03)):
        truth = getattr(exact, name)
        error = np.abs(getattr(found, name) - truth).max(axis=(1, 2))
        assert np.all(error <= limit * np.abs(truth).max(axis=(1, 2))), name


def test_interpolation_moves_no_molecule() -> None:
    """First-order bias of a Poisson fit with the sampled model: below 0.1 nm."""
    psf = sample(GaussianPSF(sigma_nm=130), PIXEL, z_range_nm=(-100, 100))
    x = 650 + np.linspace(-50, 50, 41)
    y, z = np.full(41, 660.0), np.zeros(41)
    exact = GaussianPSF(sigma_nm=130).images(x, y, z, (13, 13), PIXEL).value
    model = psf.images(x, y, z, (13, 13), PIXEL)
    weight = 1 / (exact + 0.01)
    bias = (weight * model.d_x * (exact - model.value)).sum((1, 2))
    bias /= (weight * model.d_x**2).sum((1, 2))
    assert np.abs(bias).max() < 0.1


def test_smoothing_lessens_noise_and_keeps_the_shape() -> None:
    """One knot per five planes keeps about a fifth of the variance."""
    z = np.linspace(-500, 500, 101)
    middle = np.full(101, 7.5 * PIXEL)
    exact = TRUTH.images(middle, middle, z, (15, 15), PIXEL).value
    noise = np.random.default_rng(0).normal(scale=1e-3, size=exact.shape)
    known = {"pixel_size_nm": PIXEL, "z_step_nm": 10.0, "z0_nm": -500.0}
    clean = smooth_along_z(exact, 5, **known).images(middle, middle, z, (15, 15), PIXEL).value
    noisy = smooth_along_z(exact + noise, 5, **known).images(middle, middle, z, (15, 15), PIXEL)
    assert np.abs(clean - exact).max() < 1e-3 * exact.max()
    kept = np.var(noisy.value - clean) / 1e-6
    # 21 + 2 - 2 free coefficients for 101 planes.
    assert kept == pytest.approx(21 / 101, rel=0.05)


def test_plane_weights_add_up_to_one() -> None:
    weights = plane_weights(np.linspace(0, 6, 61), 7)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-12)


def test_the_middle_of_an_even_volume_is_between_pixels() -> None:
    data = np.zeros((4, 6, 6))
    data[:, 2:4, 2:4] = 0.25
    centre = np.array([3 * PIXEL])
    image = spline(data).images(centre, centre, centre * 0, (6, 6), PIXEL).value[0]
    np.testing.assert_allclose(image, data[0], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"coefficients": np.zeros((3, 9, 9), np.float32)}, "4 or more"),
        ({"coefficients": np.full((4, 9, 9), np.nan, np.float32)}, "324 values"),
        ({"pixel_size_nm": 0.0}, "pixel_size_nm is 0"),
        ({"z_step_nm": -5.0}, "z_step_nm is -5"),
        ({"z0_nm": np.nan}, "z0_nm is nan"),
    ],
)
def test_bad_splines_are_refused(change: dict[str, object], message: str) -> None:
    good: dict[str, object] = {
        "coefficients": np.zeros((4, 9, 9), np.float32),
        "pixel_size_nm": 100.0,
        "z_step_nm": 50.0,
        "z0_nm": 0.0,
    }
    with pytest.raises(InputError, match=message):
        SplinePSF(**(good | change))  # type: ignore[arg-type] # bad on purpose


def test_another_pixel_size_is_refused() -> None:
    at = np.array([500.0])
    with pytest.raises(InputError, match="pixels of 100 nm and cannot serve 108 nm"):
        spline(volume()).images(at, at, at, (9, 9), 108.0)


def test_a_psf_without_z_needs_a_range() -> None:
    with pytest.raises(InputError, match="give a range of z"):
        sample(GaussianPSF(sigma_nm=130), PIXEL)
    with pytest.raises(InputError, match="at most a third"):
        sample(TRUTH, PIXEL, 900.0)


def test_too_few_planes_to_smooth_are_refused() -> None:
    known = {"pixel_size_nm": PIXEL, "z_step_nm": 10.0, "z0_nm": 0.0}
    with pytest.raises(InputError, match="4 are needed"):
        smooth_along_z(volume((9, 5, 5)), 5, **known)
    with pytest.raises(InputError, match="planes_per_knot is 0"):
        smooth_along_z(volume((9, 5, 5)), 0, **known)
    with pytest.raises(InputError, match="PSF volume has shape"):
        interpolate(np.zeros((9, 5)), **known)
