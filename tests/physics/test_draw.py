import numpy as np
import pytest

from live_smlm.core import F32, F64
from live_smlm.physics.draw import draw
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF

ASTIGMATIC = AstigmaticPSF(130.0, 130.0, 250.0, -250.0, 400.0)
SHAPE = (40, 50)


def molecules(count: int, margin_nm: float) -> F64:
    u = np.random.default_rng(1).random((count, 3))
    low = np.array([-margin_nm, -margin_nm, -300.0])
    return np.asarray(low + u * (np.array([5000 + margin_nm, 4000 + margin_nm, 300.0]) - low))


def drawn(psf: GaussianPSF | AstigmaticPSF, position: F64, image: int = 0) -> F32:
    images = np.zeros((2, *SHAPE), np.float32)
    count = len(position)
    draw(images, psf, 100.0, np.full(count, image), position, np.full(count, 1000.0))
    assert (images[1 - image] == 0).all()
    return np.asarray(images[image])


@pytest.mark.parametrize("psf", [GaussianPSF(130.0), GaussianPSF(60.0), ASTIGMATIC])
@pytest.mark.parametrize("margin_nm", [-800.0, 0.0, 900.0])
def test_only_light_beyond_the_extent_is_left_out(
    psf: GaussianPSF | AstigmaticPSF, margin_nm: float
) -> None:
    """Alone, every molecule's image is the PSF's wherever the extent reaches, else nothing."""
    for place in molecules(60, margin_nm):
        x, y, z = place[None].T
        whole = 1000 * psf.images(x, y, z, SHAPE, 100.0).value[0]
        image = drawn(psf, place[None], image=1)
        dx = np.abs(100 * np.arange(50) + 50 - x)
        dy = np.abs(100 * np.arange(40)[:, None] + 50 - y)
        within = np.maximum(dx, dy) <= psf.extent_nm - 50
        np.testing.assert_allclose(image[within], whole[within], rtol=1e-6)
        beyond = np.maximum(dx, dy) > psf.extent_nm + 150
        assert (image[beyond] == 0).all()


def test_light_of_many_adds_up() -> None:
    """More patches than one call to the PSF takes."""
    position = molecules(6000, -900.0)
    together = drawn(ASTIGMATIC, position)
    apart = drawn(ASTIGMATIC, position[:2500]) + drawn(ASTIGMATIC, position[2500:])
    np.testing.assert_allclose(together, apart, rtol=1e-4)
    assert together.sum(dtype=np.float64) == pytest.approx(6e6, rel=2e-3)


def test_nothing_to_draw_leaves_the_image_as_it_is() -> None:
    assert (drawn(GaussianPSF(130.0), np.zeros((0, 3))) == 0).all()
