from dataclasses import replace

import numpy as np
import pytest

from live_smlm.core import CameraModel, FrameSource, InputError
from live_smlm.physics.psf.gaussian import GaussianPSF
from live_smlm.physics.scenario import Scenario
from live_smlm.physics.simulator import Simulator
from live_smlm.sources import simulated
from live_smlm.sources.simulated import SimulatedSource
from live_smlm.testing.source import SourceContract


def simulator() -> Simulator:
    camera = CameraModel(shape=(32, 40), pixel_size_nm=100.0)
    return Scenario(camera=camera, psf=GaussianPSF(130.0), density=1.0, seed=2).simulator()


class TestContract(SourceContract):
    @pytest.fixture(params=[None, 5000.0])
    def source(self, request: pytest.FixtureRequest) -> FrameSource:
        return SimulatedSource(simulator(), 150, rate_hz=request.param)


def test_it_says_that_it_is_simulated() -> None:
    source: FrameSource = SimulatedSource(simulator(), 5)
    assert source.info.simulated
    assert source.info.expected_frames == 5
    assert source.info.camera.shape == (32, 40)
    assert source.info.frame_interval_s == 0.02


def test_frames_come_in_order_each_once_and_the_same_at_every_opening() -> None:
    source = SimulatedSource(simulator(), 250)
    movies = []
    for _ in range(2):
        with source.open() as frames:
            batches = list(frames)
        np.testing.assert_array_equal(np.concatenate([b.index for b in batches]), np.arange(250))
        assert all(b.halo == (0, 0) for b in batches)
        movies.append(np.concatenate([b.pixels for b in batches]))
    np.testing.assert_array_equal(movies[0], movies[1])
    assert len(batches) > 1


def test_the_truth_is_that_of_the_frames_handed_out() -> None:
    source = SimulatedSource(simulator(), 250)
    with source.open() as frames:
        first = next(frames)
        assert len(source.truth) == 1
        assert source.truth[0].frame.max() <= first.index[-1]
        list(frames)
    seen = np.concatenate([truth.frame for truth in source.truth])
    assert len(seen) == pytest.approx(250 * 12.8, abs=5 * np.sqrt(250 * 12.8))
    assert (np.diff(seen) >= 0).all()


def test_leaving_early_ends_the_stream() -> None:
    source = SimulatedSource(simulator(), 1000)
    with source.open() as frames:
        next(frames)
    assert list(frames) == []
    assert len(source.truth) == 1


def test_truth_is_kept_only_where_there_is_some_and_it_is_wanted() -> None:
    unwanted = SimulatedSource(simulator(), 250, keep_truth=False)
    dark = replace(simulator().camera, shape=(1, 1))
    nothing = Scenario(camera=dark, psf=GaussianPSF(130.0), density=1e-9, seed=2).simulator()
    for source in (unwanted, SimulatedSource(nothing, 250)):
        with source.open() as frames:
            assert sum(len(batch) for batch in frames) == 250
        assert source.truth == []


class Clock:
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


def test_at_a_rate_each_batch_comes_when_its_last_frame_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(simulated, "time", clock)
    source = SimulatedSource(simulator(), 30, rate_hz=200.0)
    assert source.info.frame_interval_s == 0.005
    with source.open() as frames:
        for batch in frames:
            assert len(batch) <= 4
            assert clock.now == pytest.approx(100 + (batch.index[-1] + 1) / 200)
            np.testing.assert_allclose(batch.time_s, batch.index / 200)
            if batch.index[-1] == 11:
                break
        clock.now += 0.1
        late = next(frames)
        assert clock.now == pytest.approx(100 + 12 / 200 + 0.1)
        assert late.index[0] == 12


def test_a_rate_or_length_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match=r"rate_hz is 0\.0; give frames per second"):
        SimulatedSource(simulator(), 5, rate_hz=0.0)
    with pytest.raises(InputError, match="rate_hz is nan"):
        SimulatedSource(simulator(), 5, rate_hz=float("nan"))
    with pytest.raises(InputError, match="source 'simulated' has 0 frames"):
        SimulatedSource(simulator(), 0)
