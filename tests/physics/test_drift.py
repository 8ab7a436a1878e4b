import math
from itertools import islice

import numpy as np
import pytest

from live_smlm.core import InputError
from live_smlm.physics.drift import (
    DRIFTS,
    Drift,
    Jumps,
    Linear,
    NoDrift,
    RandomWalk,
    displacements,
    drift_path,
)


def rng(seed: int = 5) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("drift", [NoDrift(), Linear(), RandomWalk(), Jumps(every_frames=3.0)])
def test_the_table_is_the_stream_and_starts_at_zero(drift: Drift) -> None:
    path = drift_path(drift, 50, rng())
    stream = np.array(list(islice(displacements(drift, rng()), 50)))
    np.testing.assert_array_equal(path, stream)
    assert (path[0] == 0).all()


def test_linear_drift_has_a_constant_speed() -> None:
    path = drift_path(Linear(0.2, -0.1, 0.05), 101, rng())
    np.testing.assert_allclose(path[-1], [20, -10, 5])
    np.testing.assert_allclose(path[50], [10, -5, 2.5])


def test_a_random_walk_spreads_with_the_root_of_time() -> None:
    path = drift_path(RandomWalk(0.5, 0.2), 20_001, rng())
    steps = np.diff(path, axis=0)
    np.testing.assert_allclose(steps.std(axis=0), [0.5, 0.5, 0.2], rtol=5 / math.sqrt(40_000))
    ends = np.array([drift_path(RandomWalk(0.5), 101, rng(i))[-1, 0] for i in range(200)])
    assert ends.std() == pytest.approx(0.5 * 10, rel=5 / math.sqrt(400))


def test_jumps_are_rare_lateral_and_of_one_size() -> None:
    steps = np.diff(drift_path(Jumps(size_nm=40.0, every_frames=50.0), 20_001, rng()), axis=0)
    size = np.hypot(steps[:, 0], steps[:, 1])
    jumped = size > 0
    np.testing.assert_allclose(size[jumped], 40)
    assert jumped.sum() == pytest.approx(400, abs=5 * 20)
    assert (steps[:, 2] == 0).all()
    direction = steps[jumped, :2].mean(axis=0) / 40
    assert np.abs(direction).max() < 5 * math.sqrt(0.5 / 400)


def test_what_no_sample_does_is_refused() -> None:
    with pytest.raises(InputError, match=r"linear drift has the value \[nan\]"):
        Linear(x=math.nan)
    with pytest.raises(InputError, match="random-walk drift has the step -1"):
        RandomWalk(-1.0)
    with pytest.raises(InputError, match="jumps drift every_frames is 0"):
        Jumps(every_frames=0.0)
    with pytest.raises(InputError, match="jumps drift size_nm is -5"):
        Jumps(size_nm=-5.0)


def test_the_models_are_known_by_name() -> None:
    assert list(DRIFTS) == ["none", "linear", "random-walk", "jumps"]
    assert DRIFTS["linear"](x=1.0) == Linear(x=1.0)
