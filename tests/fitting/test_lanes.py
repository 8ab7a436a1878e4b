import numpy as np

from live_smlm.fitting.axis import LANES, axis_profile
from live_smlm.fitting.lanes import PARAMETERS
from live_smlm.fitting.solve import solve
from live_smlm.physics.psf.profile import profile


def test_axis_profile_agrees_with_double_precision() -> None:
    rng = np.random.default_rng(1)
    k = 9
    centre = rng.uniform(-1, k + 1, LANES).astype(np.float32)
    sigma = rng.uniform(0.4, 4, LANES).astype(np.float32)
    slope = rng.uniform(-2, 2, LANES).astype(np.float32)
    out = np.zeros(3 * k * LANES, np.float32)
    axis_profile(centre, sigma, slope, k, out)
    for lane in range(LANES):
        share, by_centre, by_sigma = np.empty(k), np.empty(k), np.empty(k)
        profile(float(centre[lane]), float(sigma[lane]), share, by_centre, by_sigma)
        exact = np.stack([share, by_centre, by_sigma * slope[lane]], axis=1)
        np.testing.assert_allclose(out.reshape(k, 3, LANES)[:, :, lane], exact, atol=2e-6)


def test_solve_agrees_with_numpy() -> None:
    rng = np.random.default_rng(2)
    root = rng.normal(size=(LANES, PARAMETERS, 8))
    matrix, right = root @ root.transpose(0, 2, 1), rng.normal(size=(LANES, PARAMETERS))
    packed = [matrix[:, i, j] for i in range(PARAMETERS) for j in range(i + 1)]
    m = np.concatenate([np.stack(packed), right.T]).astype(np.float32).ravel()
    out = np.empty(2 * PARAMETERS * LANES, np.float32)
    solve(m, out)
    steps, diagonal = out.reshape(2, PARAMETERS, LANES)
    inverse = np.linalg.inv(matrix)
    np.testing.assert_allclose(steps.T, (inverse @ right[..., None])[..., 0], rtol=0.02, atol=1e-3)
    np.testing.assert_allclose(diagonal.T, np.einsum("nii->ni", inverse), rtol=0.02)
