"""The pupil PSF against what optics says of it."""

import numpy as np
import pytest

from live_smlm.core import F64, InputError
from live_smlm.physics.psf import pupil as pupil_module
from live_smlm.physics.psf.pupil import PupilPSF
from live_smlm.physics.psf.zernike import coefficients, order, zernike


def bessel_j1(x: F64) -> F64:
    """From its integral, by the midpoint rule: exact to rounding for a periodic integrand."""
    angle = (np.arange(400) + 0.5) * np.pi / 400
    return np.asarray(np.cos(angle - x[..., None] * np.sin(angle)).mean(axis=-1))


def at_middle(psf: PupilPSF, z: F64, side: int = 61, pixel: float = 50.0) -> F64:
    middle = np.full(len(z), side * pixel / 2)
    return psf.images(middle, middle, z, (side, side), pixel).value


def peak_z(psf: PupilPSF, z: F64) -> float:
    """Where the image is brightest in its middle, by a parabola."""
    bright = at_middle(psf, z, 3).max(axis=(1, 2))
    i = int(np.argmax(bright))
    assert 0 < i < len(z) - 1
    before, now, after = bright[i - 1 : i + 2]
    return float(z[i] + (z[1] - z[0]) * 0.5 * (before - after) / (before - 2 * now + after))


def test_scalar_focus_is_the_airy_pattern() -> None:
    """Points of 5 nm, so that the pixel's own width plays no part; rings included."""
    psf = PupilPSF(model="scalar", na=1.2, wavelength_nm=600)
    side, pixel = 301, 5.0
    image = at_middle(psf, np.zeros(1), side, pixel)[0]
    radius = np.abs(np.arange(side) - side // 2) * pixel + 1e-9
    v = 2 * np.pi / 600 * 1.2 * radius
    airy = np.pi * (1.2 / 600) ** 2 * (2 * bessel_j1(v) / v) ** 2 * pixel**2
    # The edge of the aperture, on a grid of 64, costs less than this.
    assert np.abs(image[side // 2] - airy).max() < 5e-4 * airy.max()
    assert np.abs(image[:, side // 2] - airy).max() < 5e-4 * airy.max()


def test_vectorial_becomes_scalar_at_low_aperture() -> None:
    options = {"na": 0.15, "z_min_nm": -10000.0, "z_max_nm": 10000.0}
    z = np.array([0.0, 6000.0])
    scalar = at_middle(PupilPSF(model="scalar", **options), z, 41, 200.0)  # type: ignore[arg-type]
    vector = at_middle(PupilPSF(model="vectorial", **options), z, 41, 200.0)  # type: ignore[arg-type]
    # The difference goes with the squared sine of the angle: 0.01.
    assert np.abs(vector - scalar).max() < 0.01 * scalar.max()


def test_vectorial_focus_is_wider_at_high_aperture() -> None:
    scalar = at_middle(PupilPSF(model="scalar"), np.zeros(1), 61, 20.0)[0]
    vector = at_middle(PupilPSF(model="vectorial"), np.zeros(1), 61, 20.0)[0]
    assert vector.max() < 0.85 * scalar.max()


@pytest.mark.parametrize("model", ["scalar", "vectorial"])
def test_without_aberration_both_sides_of_focus_look_alike(model: str) -> None:
    psf = PupilPSF(model=model)  # type: ignore[arg-type] # a parameter of the test
    above, below = at_middle(psf, np.array([400.0, -400.0]))
    np.testing.assert_allclose(above, below, rtol=0, atol=1e-9 * above.max())


def test_spherical_aberration_tells_them_apart() -> None:
    above, below = at_middle(PupilPSF(zernike={11: 0.7}), np.array([400.0, -400.0]))
    assert np.abs(above - below).max() > 0.2 * above.max()


def test_all_light_is_counted() -> None:
    """A patch of 8 um holds nearly all; Airy's tails fall off as 1 / radius."""
    total = at_middle(PupilPSF(), np.array([0.0, 300.0]), 81, 100.0).sum(axis=(1, 2))
    assert np.all((total > 0.97) & (total < 1))


def test_pixels_are_integrated_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three points per axis in a pixel of 100 nm against ten: below 1e-3 of the peak."""
    psf = PupilPSF(model="scalar", na=1.45, wavelength_nm=600)
    at, z = np.array([1033.0]), np.zeros(1)
    nodes, weights = np.polynomial.legendre.leggauss(10)
    for pixel in (100.0, 160.0, 250.0):
        few = psf.images(at, at, z, (21, 21), pixel).value
        with monkeypatch.context() as patched:
            fine = ((nodes + 1) / 2 * pixel, weights / 2 * pixel)
            patched.setattr(pupil_module, "_quadrature", lambda *_, fine=fine: fine)
            many = psf.images(at, at, z, (21, 21), pixel).value
        assert np.abs(few - many).max() < 1e-3 * many.max()


def test_double_helix_turns_with_z() -> None:
    """One way, by more than 90 degrees over 1.2 um; two lobes, 2-fold symmetric."""
    z = np.linspace(-600, 600, 25)
    images = at_middle(PupilPSF(mask="double_helix"), z)
    axis = np.arange(61) - 30
    x, y = np.meshgrid(axis, axis)
    bright = np.where(images > 0.5 * images.max(axis=(1, 2), keepdims=True), images, 0)
    doubled = np.angle((bright * (x + 1j * y) ** 2).sum(axis=(1, 2)))
    angle = np.degrees(np.unwrap(doubled)) / 2
    step = np.diff(angle)
    assert np.all(step > 0) or np.all(step < 0)
    assert abs(angle[-1] - angle[0]) > 90
    np.testing.assert_allclose(images, images[:, ::-1, ::-1], rtol=0, atol=1e-9 * images.max())
    # Between the lobes it is dark.
    assert np.all(images[:, 30, 30] < 0.5 * images.max(axis=(1, 2)))


def test_tetrapod_lobes_lie_across_each_other() -> None:
    """Along one axis on one side of focus, along the other on the other, far apart."""
    psf = PupilPSF(mask="tetrapod", z_min_nm=-1500, z_max_nm=1500)
    images = at_middle(psf, np.array([-1200.0, 1200.0]))
    axis = (np.arange(61) - 30) * 50.0
    core = np.where(images > 0.3 * images.max(axis=(1, 2), keepdims=True), images, 0)
    total = core.sum(axis=(1, 2))
    along_x = np.sqrt((core.sum(axis=1) * axis**2).sum(axis=1) / total)
    along_y = np.sqrt((core.sum(axis=2) * axis**2).sum(axis=1) / total)
    assert along_x[0] / along_y[0] == pytest.approx(along_y[1] / along_x[1], rel=1e-6)
    assert max(along_x[0] / along_y[0], along_y[0] / along_x[0]) > 3
    assert max(along_x.max(), along_y.max()) > 500


def test_mismatch_draws_the_focus_to_the_cover_slip() -> None:
    """Paraxially, moving the stage by 3 um into water moves the focus by 3 um n_water/n_oil."""
    z = np.linspace(0, 6000, 121)
    psf = PupilPSF(
        model="scalar",
        na=0.5,
        n_immersion=1.518,
        n_medium=1.33,
        z_stage_nm=3000,
        z_min_nm=0,
        z_max_nm=6000,
    )
    # Beyond paraxial optics the ratio of the cosines moves it by up to sin^2/4: 3 %.
    assert peak_z(psf, z) == pytest.approx(3000 * 1.33 / 1.518, rel=0.03)


def test_matched_stage_is_a_shift_of_z() -> None:
    moved = PupilPSF(z_stage_nm=300, zernike={8: 0.5})
    still = PupilPSF(zernike={8: 0.5})
    np.testing.assert_allclose(
        at_middle(moved, np.array([500.0])), at_middle(still, np.array([200.0])), atol=1e-12
    )


def test_evanescent_light_leaves_with_distance() -> None:
    """Total light stays one photon, so the centre's share follows the lost apertures."""
    psf = PupilPSF(na=1.49, n_medium=1.33, z_min_nm=0, z_max_nm=500)
    near, far = at_middle(psf, np.array([0.0, 300.0]), 161, 50.0).sum(axis=(1, 2))
    assert near == pytest.approx(far, abs=0.03)


def test_a_shift_below_a_pixel_is_exact() -> None:
    """A finer grid's pixels add up to those of a coarser one, wherever the molecule is."""
    psf = PupilPSF(zernike={5: 0.5})
    at, z = np.array([1037.0]), np.array([120.0])
    coarse = psf.images(at, at, z, (21, 21), 100.0).value
    fine = psf.images(at, at, z, (84, 84), 25.0).value.reshape(1, 21, 4, 21, 4).sum(axis=(2, 4))
    assert np.abs(coarse - fine).max() < 2e-4 * coarse.max()


def test_zernikes_are_orthonormal_on_the_disc() -> None:
    axis = (np.arange(400) + 0.5) / 200 - 1
    x, y = np.meshgrid(axis, axis)
    inside = np.hypot(x, y) <= 1
    rho, phi = np.hypot(x, y)[inside], np.arctan2(y, x)[inside]
    found = np.array([zernike(j, rho, phi) for j in range(1, 29)])
    np.testing.assert_allclose(found @ found.T / rho.size, np.eye(28), atol=5e-3)


@pytest.mark.parametrize(
    ("noll", "expected"),
    [(1, (0, 0)), (4, (2, 0)), (5, (2, -2)), (6, (2, 2)), (8, (3, 1)), (9, (3, -3)), (11, (4, 0))],
)
def test_indices_are_nolls(noll: int, expected: tuple[int, int]) -> None:
    assert order(noll) == expected


def test_coefficients_come_as_table_or_text() -> None:
    assert dict(coefficients("11:-0.2/5:0.3")) == {5: 0.3, 11: -0.2}
    assert dict(coefficients({"5": 0.3})) == {5: 0.3}
    assert dict(coefficients("")) == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"na": 1.6}, "na is 1.6; it must be at least 0.05 and below n_immersion 1.518"),
        ({"na": np.nan}, "na is nan"),
        ({"wavelength_nm": 20.0}, "wavelength_nm is 20"),
        ({"model": "gauss"}, "give scalar or vectorial"),
        ({"z_min_nm": 100.0, "z_max_nm": 0.0}, "not below z_max_nm"),
        ({"n_medium": 1.33}, "count z from the cover slip"),
        ({"mask": "helix"}, "none, double_helix, tetrapod or a .npy"),
        ({"mask": "nowhere.npy"}, "does not exist"),
        ({"zernike": {0: 0.1}}, "Zernike index is 0"),
        ({"zernike": "5=0.1"}, "is not index:rad"),
        ({"zernike": {5: 1e3}}, "Zernike 5 is 1000 rad"),
    ],
)
def test_bad_optics_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PupilPSF(**options)  # type: ignore[arg-type] # bad on purpose
