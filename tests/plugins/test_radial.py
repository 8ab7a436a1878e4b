"""Radial symmetry: exact on symmetric spots, close to the bound on noisy ones."""

import numpy as np
from live_smlm_radial import RadialSymmetry, centres, edge_median, sound

from live_smlm.core import EngineContext, RoiBatch
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.testing.engine import CAMERA, EngineContract

SIZE = 11
PIXEL_NM = 100.0


def spots(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y = rng.uniform(500, 600, (2, n))
    image = GaussianPSF(130.0).images(x, y, x, (SIZE, SIZE), PIXEL_NM).value
    return x, y, image


class TestRadialSymmetry(EngineContract):
    engine = RadialSymmetry()


def test_noise_free_spots_are_found_within_a_fiftieth_of_a_pixel() -> None:
    x, y, image = spots(np.random.default_rng(1), 200)
    cx, cy = centres((1000 * image).astype(np.float32))
    assert np.abs(cx * PIXEL_NM - x).max() < PIXEL_NM / 50
    assert np.abs(cy * PIXEL_NM - y).max() < PIXEL_NM / 50


def test_noisy_spots_are_found_without_bias() -> None:
    rng = np.random.default_rng(2)
    x, y, image = spots(rng, 2000)
    cx, cy = centres(rng.poisson(1000 * image + 5).astype(np.float32))
    for error in (cx * PIXEL_NM - x, cy * PIXEL_NM - y):
        assert abs(error.mean()) < 4 * error.std() / np.sqrt(len(error))
        assert error.std() < 15  # the bound is near 5 nm; the method is known not to reach it


def test_flat_images_answer_with_their_middle() -> None:
    cx, cy = centres(np.full((2, SIZE, SIZE), 7, np.float32))
    np.testing.assert_allclose([cx, cy], SIZE / 2)


def test_background_is_the_rims_median() -> None:
    image = np.full((1, SIZE, SIZE), 3, np.float32)
    image[0, 4:7, 4:7] = 500
    assert edge_median(image) == 3


def test_what_is_no_molecule_is_left_out() -> None:
    rng = np.random.default_rng(3)
    _, _, image = spots(rng, 400)
    light = rng.poisson(1000 * image + 5).astype(np.float32)
    light[0] = np.nan
    light[1] = 20 - light[1] / 100
    light[2:200] = rng.poisson(5, (198, SIZE, SIZE))
    zero = np.zeros(len(light), np.int32)
    with RadialSymmetry().open(EngineContext(camera=CAMERA)) as process:
        found = process(RoiBatch(light, np.arange(len(light)), zero, zero))
    assert not {0, 1}.intersection(found.frame)
    assert set(range(200, 400)) <= set(found.frame)
    assert found.axis("photons").min() > 0
    for axis in ("x", "y"):
        assert np.all((found.axis(axis) >= 0) & (found.axis(axis) <= SIZE * PIXEL_NM))


def test_centres_outside_are_left_out() -> None:
    x, y = np.array([5.0, -0.1, 5.0, np.nan]), np.array([5.0, 5.0, 11.1, 5.0])
    assert sound(x, y, np.full(4, 9, np.float32), SIZE).tolist() == [True, False, False, False]


def test_shaped_psfs_are_refused() -> None:
    context = EngineContext(camera=CAMERA, psf=AstigmaticPSF(130, 130, 250, -250, 400))
    assert "round PSF" in str(RadialSymmetry().unsupported(context))
