import math

import numpy as np
import pytest

from live_smlm.core import InputError
from live_smlm.physics.background import Background

SHAPE = (96, 128)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_without_structure_it_is_the_level_everywhere() -> None:
    assert (Background(7.0).pattern(SHAPE, 100.0, rng()) == 7).all()
    assert (Background(7.0).fading(np.arange(5)) == 1).all()


def test_structure_keeps_the_mean_and_reaches_the_amplitude() -> None:
    pattern = Background(20.0, amplitude=0.6, scale_nm=1500.0).pattern(SHAPE, 100.0, rng())
    assert pattern.dtype == np.float32
    assert pattern.mean() == pytest.approx(20, rel=1e-5)
    assert np.abs(pattern / 20 - 1).max() == pytest.approx(0.6, rel=1e-5)
    assert pattern.min() > 0


def test_structures_have_the_scale_asked_for() -> None:
    """Blurred by s/2, white noise has the autocorrelation exp(-d² / s²)."""
    shape = (512, 512)
    pattern = Background(1.0, amplitude=0.5, scale_nm=800.0).pattern(shape, 100.0, rng()) - 1
    correlation = (pattern[:, 8:] * pattern[:, :-8]).mean() / (pattern**2).mean()
    # Some (512 / 8)² / 2 pi independent spots.
    assert correlation == pytest.approx(math.exp(-1), abs=5 / math.sqrt(4096 / 6.3))


def test_opposite_edges_are_unrelated() -> None:
    edges = [
        Background(1.0, amplitude=0.5, scale_nm=800.0).pattern((8, 32), 100.0, rng(seed))
        for seed in range(300)
    ]
    left, right = (np.array([edge[4, at] for edge in edges]) for at in (0, -1))
    assert abs(np.corrcoef(left, right)[0, 1]) < 0.5


def test_it_bleaches_exponentially() -> None:
    fading = Background(5.0, bleach_frames=100.0).fading(np.array([0, 100, 200]))
    np.testing.assert_allclose(fading, np.exp([0.0, -1.0, -2.0]), rtol=1e-6)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"level": -1.0}, "background is -1"),
        ({"level": math.nan}, "background is nan"),
        ({"amplitude": 1.0}, "background amplitude is 1"),
        ({"scale_nm": 0.0}, "background scale_nm is 0"),
        ({"bleach_frames": 0.0}, r"background bleach_frames is 0\.0"),
    ],
)
def test_what_no_background_is_is_refused(kwargs: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Background(**kwargs)
