"""The width score finds how much wider the light is than the PSF, and knows its own error."""

from collections.abc import Callable

import numpy as np
import pytest

from live_smlm.core import F32, F64, PSF, CameraModel, EngineContext
from live_smlm.fitting.shadow import Shadow, open_shadow
from live_smlm.fitting.width_score import POWER, WIDTH, WIDTH_ERROR
from live_smlm.physics.noise import expose
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.physics.psf.sampling import sample

SIDE, PIXEL_NM, MOLECULES = 25, 100.0, 400
SCMOS = CameraModel(
    shape=(SIDE, SIDE), pixel_size_nm=PIXEL_NM, offset_adu=100.0, read_noise_e=1.6,
    quantum_efficiency=0.8,
)  # fmt: skip
EMCCD = CameraModel(
    shape=(SIDE, SIDE), pixel_size_nm=PIXEL_NM, offset_adu=100.0, read_noise_e=50.0,
    em_gain=300.0, gain_e_per_adu=20.0,
)  # fmt: skip


def gaussian(scale: float) -> PSF:
    return GaussianPSF(130.0 * scale)


def astigmatic(scale: float) -> PSF:
    return AstigmaticPSF(130 * scale, 130 * scale, 200, -200, 400, z_min_nm=-600, z_max_nm=600)


def spline(scale: float) -> PSF:
    return sample(astigmatic(scale), PIXEL_NM)


def scores(believed: PSF, seen: PSF, camera: CameraModel, z_half_nm: float) -> F64:
    """Scores of molecules that `seen` images and `believed` explains."""
    shadow = open_shadow(EngineContext(camera=camera, psf=believed))
    assert isinstance(shadow, Shadow)
    rng = np.random.default_rng(7)
    x, y = SIDE * PIXEL_NM / 2 + rng.uniform(-60, 60, (2, MOLECULES))
    z = rng.uniform(-z_half_nm, z_half_nm, MOLECULES)
    light: F32 = (10 + 2000 * seen.images(x, y, z, (SIDE, SIDE), PIXEL_NM).value).astype(np.float32)
    pixels = expose(light, camera, rng)
    corner = np.full(MOLECULES, SIDE // 2 - shadow.size // 2, np.int32)
    inner = slice(corner[0], corner[0] + shadow.size)
    counts = (pixels[:, inner, inner] - shadow.fitter.scale.offset) * shadow.fitter.scale.gain
    _, found = shadow.fit(counts.astype(np.float32), corner, corner)
    return found


@pytest.mark.parametrize("camera", [SCMOS, EMCCD], ids=["scmos", "emccd"])
@pytest.mark.parametrize(
    ("psf", "z_half_nm"), [(gaussian, 0.0), (astigmatic, 350.0), (spline, 350.0)]
)
@pytest.mark.parametrize("wider", [-0.1, 0.0, 0.1])
def test_a_width_that_is_off_is_found_with_an_honest_error(
    camera: CameraModel, psf: Callable[[float], PSF], z_half_nm: float, wider: float
) -> None:
    found = scores(psf(1.0), psf(1.0 + wider), camera, z_half_nm)
    width, error = found[:, WIDTH], found[:, WIDTH_ERROR]
    told = error < 0.3
    assert np.mean(told) > 0.8
    middle = np.median(width[told])
    doubt = 1.2533 * np.std(width[told]) / np.sqrt(np.count_nonzero(told))
    # First order in the change, on pixels that do not widen with it: right to a fifth of it.
    assert abs(middle - wider) < 4 * doubt + 0.2 * abs(wider)
    if not wider:
        pull = width[told] / error[told]
        spread = 1.4826 * np.median(np.abs(pull - np.median(pull)))
        # 4 standard errors of the spread of 400 values, and 6 % for the expansion.
        assert abs(spread - 1) < 4 * 1.17 / np.sqrt(MOLECULES) + 0.06
    assert np.all(found[:, POWER] > 0)
