import numpy as np
import pytest

from live_smlm.inference.dark import NEAR_PX, lit_tiles
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF

GRID = 32
SIDE = 8 * GRID
EXTRA = np.full((SIDE, SIDE), 1.0, np.float32)


def noise(rng: np.random.Generator, background: float, frames: int = 4) -> np.ndarray:
    shape = frames, SIDE, SIDE
    return (rng.poisson(background, shape) + rng.normal(0, 1, shape)).astype(np.float32)


@pytest.mark.parametrize("background", [1.0, 10.0, 300.0])
def test_noise_alone_rarely_glows(background: float) -> None:
    """5 standard errors in 8000 independent places of each tile; Poisson's tail adds to it."""
    lit = lit_tiles(noise(np.random.default_rng(1), background), EXTRA, GRID)
    assert lit.mean() < 0.2


@pytest.mark.parametrize(
    ("psf", "z_nm"),
    [
        (GaussianPSF(100.0), 0.0),
        (GaussianPSF(130.0), 0.0),
        (GaussianPSF(250.0), 0.0),
        (AstigmaticPSF(130.0, 130.0, 250.0, -250.0, 400.0), 500.0),
    ],
)
@pytest.mark.parametrize("background", [2.0, 30.0])
def test_a_molecule_that_can_be_seen_lights_its_tile(
    psf: GaussianPSF | AstigmaticPSF, z_nm: float, background: float
) -> None:
    """Seen: 12 standard errors for a filter that knows it; boxes have 0.8 of it, light is noisy."""
    rng = np.random.default_rng(2)
    at = rng.uniform(0, 100.0 * SIDE, (2, 60))
    image = psf.images(at[0], at[1], np.full(60, z_nm), (SIDE, SIDE), 100.0).value
    inside = image.sum((1, 2)) > 0.9
    photons = 12 * np.sqrt((background + 1) / (image**2).sum((1, 2)))
    for k in np.flatnonzero(inside):
        frame = rng.poisson(background + photons[k] * image[k]) + rng.normal(0, 1, EXTRA.shape)
        lit = lit_tiles(frame[None].astype(np.float32), EXTRA, GRID)
        column, row = (at[:, k] // (100 * GRID)).astype(int)
        assert lit[row, column]


def test_light_near_a_tile_lights_it_too() -> None:
    frame = np.full((1, SIDE, SIDE), 10.0, np.float32)
    frame[0, GRID - NEAR_PX, 100] = 1000.0
    lit = lit_tiles(frame, EXTRA, GRID)
    assert np.argwhere(lit).tolist() == [[0, 2], [0, 3], [1, 2], [1, 3]]
