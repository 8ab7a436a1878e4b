import numpy as np
import pytest

from live_smlm.core import PSF, CameraModel, EngineContext, Localizations, RoiBatch
from live_smlm.engines.phasor_engine import Phasor
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.physics.psf.pupil import PupilPSF
from live_smlm.physics.psf.sampling import sample
from live_smlm.testing.engine import EngineContract

PIXEL, SIZE = 100.0, 13
ROUND = GaussianPSF(130.0)
ASTIGMATIC = AstigmaticPSF(130.0, 130.0, 250.0, -250.0, 400.0)
CAMERA = CameraModel(shape=(64, 64), pixel_size_nm=PIXEL)


class TestPhasorContract(EngineContract):
    engine = Phasor()


def localize(
    psf: PSF, x: float, y: float, z: float, photons: float, background: float, noisy: int = 0
) -> Localizations:
    """One molecule without noise, or `noisy` with; pixels from the corner, at (20, 30)."""
    n = max(noisy, 1)
    at_x, at_y, at_z = (np.full(n, value) for value in (x * PIXEL, y * PIXEL, z))
    expected = photons * psf.images(at_x, at_y, at_z, (SIZE, SIZE), PIXEL).value + background
    light = np.random.default_rng(1).poisson(expected) if noisy else expected
    corner = np.full(n, 20, np.int32), np.full(n, 30, np.int32)
    rois = RoiBatch(light.astype(np.float32), np.arange(n), *corner)
    with Phasor().open(EngineContext(camera=CAMERA, psf=psf)) as process:
        return process(rois)


@pytest.mark.parametrize("x", [5.6, 6.5, 7.4])
@pytest.mark.parametrize("y", [5.8, 6.5, 7.1])
def test_position_and_light_are_exact_without_noise(x: float, y: float) -> None:
    found = localize(ROUND, x, y, 0.0, 800.0, 12.0)
    assert found.x[0] == pytest.approx((30 + x) * PIXEL, abs=0.5)
    assert found.y[0] == pytest.approx((20 + y) * PIXEL, abs=0.5)
    assert found.axis("photons")[0] == pytest.approx(800, rel=0.01)
    assert found.axis("background")[0] == pytest.approx(12, abs=0.1)
    assert found.z is None
    assert found.sigma_x is None


def test_background_does_not_move_it() -> None:
    dark, bright = (localize(ROUND, 6.2, 6.9, 0.0, 800.0, b) for b in (0.0, 500.0))
    assert bright.x[0] == pytest.approx(dark.x[0], abs=0.05)


@pytest.mark.parametrize("z", [-400.0, -150.0, 0.0, 220.0, 400.0])
def test_the_ratio_of_sizes_tells_z(z: float) -> None:
    found = localize(ASTIGMATIC, 6.5, 6.5, z, 2000.0, 10.0)
    assert found.axis("z")[0] == pytest.approx(z, abs=3.0)
    assert found.axis("photons")[0] == pytest.approx(2000, rel=0.01)


def test_noise_scatters_it_about_the_truth() -> None:
    found = localize(ROUND, 6.4, 6.6, 0.0, 1000.0, 10.0, noisy=2000)
    errors = found.x - (30 + 6.4) * PIXEL
    # The bound is 7.4 nm; a cut-out of 13 pixels lets in much background.
    assert np.std(errors) < 15
    assert abs(np.mean(errors)) < 4 * np.std(errors) / 2000**0.5


def test_a_known_background_is_taken_off() -> None:
    slope = np.broadcast_to(np.linspace(0, 60, SIZE, dtype=np.float32), (1, SIZE, SIZE))
    at = np.array([650.0])
    light = 900 * ROUND.images(at, at, at, (SIZE, SIZE), PIXEL).value + slope
    zero = np.zeros(1, np.int32)
    rois = RoiBatch(light.astype(np.float32), np.zeros(1, np.int64), zero, zero, slope.copy())
    with Phasor().open(EngineContext(camera=CAMERA, psf=ROUND)) as process:
        found = process(rois)
    assert found.x[0] == pytest.approx(650, abs=0.5)
    assert found.axis("background")[0] == pytest.approx(30, abs=0.1)


def test_drops_what_has_no_light() -> None:
    rng = np.random.default_rng(2)
    zero = np.zeros(50, np.int32)
    light = rng.normal(0, 1, (50, SIZE, SIZE)).astype(np.float32)
    with Phasor().open(EngineContext(camera=CAMERA, psf=ROUND)) as process:
        found = process(RoiBatch(light, np.arange(50), zero, zero))
    assert np.all(found.axis("photons") > 0)


def test_says_which_psf_it_cannot_read() -> None:
    helix = sample(PupilPSF(mask="double_helix"), PIXEL, 100.0)
    assert "use mle" in str(Phasor().unsupported(EngineContext(camera=CAMERA, psf=helix)))
    assert "give --psf" in str(Phasor().unsupported(EngineContext(camera=CAMERA)))
    assert Phasor().unsupported(EngineContext(camera=CAMERA, psf=ASTIGMATIC)) is None
