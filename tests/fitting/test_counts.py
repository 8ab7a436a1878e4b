import numpy as np
import pytest

from live_smlm.core import F32, CameraModel
from live_smlm.fitting.counts import count_scale
from live_smlm.physics.noise import expose


def test_counts_have_the_variance_of_their_mean() -> None:
    model = CameraModel(
        shape=(64, 64),
        pixel_size_nm=100,
        gain_e_per_adu=45,
        em_gain=300,
        read_noise_e=74,
        quantum_efficiency=0.9,
        spurious_e=0.002,
    )
    pixels = expose(np.full((50, 64, 64), 20.0), model, np.random.default_rng(7))
    scale = count_scale(model)
    counts: F32 = (pixels - scale.offset) * scale.gain + scale.extra
    mean = 20 * scale.per_photon + float(scale.extra[0, 0])
    assert np.mean(counts) == pytest.approx(mean, rel=0.01)
    assert np.var(counts) == pytest.approx(mean, rel=0.02)
