import numpy as np
import pytest

from live_smlm.core import PSF
from live_smlm.fitting.model import draw, fit_model
from live_smlm.fitting.width import effective_sigma
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.physics.psf.pupil import PupilPSF
from live_smlm.physics.psf.sampling import sample

PIXEL = 100.0
ROUND = GaussianPSF(130.0)
ASTIGMATIC = AstigmaticPSF(130.0, 130.0, 250.0, -250.0, 400.0)


@pytest.mark.parametrize("psf", [ROUND, ASTIGMATIC, sample(ASTIGMATIC, PIXEL, 100.0)])
def test_the_model_is_the_psf(psf: PSF) -> None:
    model = fit_model(psf, PIXEL)
    out = np.empty((4, 11, 13))
    draw(model.kind, model.curve, model.coefficients, 6.3, 5.1, 170.0, out)
    at = (np.array([v]) for v in (630.0, 510.0, 170.0))
    x, y, z = at
    image = psf.images(x, y, z, (11, 13), PIXEL)
    exact = np.stack([image.value, image.d_x * PIXEL, image.d_y * PIXEL, image.d_z])[:, 0]
    np.testing.assert_allclose(out, exact, atol=1e-6)


def test_a_pupil_may_have_a_short_range_of_z() -> None:
    pupil = PupilPSF(z_min_nm=-60, z_max_nm=60)
    assert fit_model(pupil, PIXEL).z_range == pytest.approx((-60, 60))


def test_effective_sigma_is_the_gaussian_s_own() -> None:
    assert effective_sigma(GaussianPSF(300.0), PIXEL) == pytest.approx(3.0, rel=0.03)
    astigmatic = AstigmaticPSF(130.0, 130.0, 250.0, -250.0, 400.0)
    assert 1.5 < effective_sigma(astigmatic, PIXEL) < 2.5
