"""Recorded movies in time: at a rate, or as they were taken."""

import json
import math
import threading
from pathlib import Path

import numpy as np
import pytest
import tifffile

from live_smlm.core import AnyArray, CameraModel, FrameSource, InputError, LiveSource
from live_smlm.sources import recorded
from live_smlm.sources.pace import Pace, parts
from live_smlm.sources.recorded import RecordedSource
from live_smlm.testing.source import SourceContract

FRAMES: AnyArray = np.arange(40 * 6 * 5, dtype=np.uint16).reshape(40, 6, 5)
TAKEN: AnyArray = 3.0 + 0.005 * np.arange(40) + np.where(np.arange(40) >= 20, 0.1, 0.0)


def camera_for(shape: tuple[int, int]) -> CameraModel:
    return CameraModel(shape=shape, pixel_size_nm=100.0)


@pytest.fixture
def timed(tmp_path: Path) -> Path:
    with tifffile.TiffWriter(tmp_path / "timed.tif") as writer:
        for frame, time_s in zip(FRAMES, TAKEN, strict=True):
            tag = (51123, "s", 0, json.dumps({"ElapsedTime-ms": 1000 * time_s}), False)
            writer.write(frame, metadata=None, extratags=[tag], contiguous=False)
    return tmp_path / "timed.tif"


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    tifffile.imwrite(tmp_path / "plain.tif", FRAMES)
    return tmp_path / "plain.tif"


class TestContract(SourceContract):
    @pytest.fixture(params=[2000.0, "recorded"])
    def source(self, request: pytest.FixtureRequest, timed: Path) -> FrameSource:
        return RecordedSource(timed, camera_for, rate_hz=request.param)


class Clock:
    """Time that passes by waiting only."""

    def __init__(self) -> None:
        self.now = 70.0

    def monotonic(self) -> float:
        return self.now


class Waiting(threading.Event):
    """An event whose waits take the clock's time."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        assert timeout >= 0
        self.clock.now += timeout
        return self.is_set()


def timings(source: RecordedSource, monkeypatch: pytest.MonkeyPatch) -> tuple[AnyArray, AnyArray]:
    """When each frame came, and its time, from the first frame on."""
    clock = Clock()
    monkeypatch.setattr(recorded, "time", clock)
    source._stopping = Waiting(clock)
    came: list[float] = []
    told: list[float] = []
    with source.open() as stream:
        for batch in stream:
            came.extend([clock.now] * len(batch))
            told.extend(batch.time_s)
    return np.array(came) - 70.0, np.array(told)


def test_at_a_rate_frames_come_when_they_would_be_complete(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = RecordedSource(plain, camera_for, rate_hz=100.0)
    assert source.info.frame_interval_s == 0.01
    assert not source.info.can_wait
    came, told = timings(source, monkeypatch)
    np.testing.assert_allclose(told, 0.01 * np.arange(1, 41))
    late = came - (told - told[0])
    assert late.min() >= -1e-9, "no frame comes before its time"
    assert late.max() <= 0.02 + 1e-9, "frames of 20 ms come together at most"


def test_at_the_recorded_rate_the_pauses_come_back(
    timed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = RecordedSource(timed, camera_for, rate_hz="recorded")
    assert source.info.frame_interval_s == pytest.approx(0.005)
    assert not source.info.can_wait
    came, told = timings(source, monkeypatch)
    np.testing.assert_allclose(told, TAKEN)
    late = came - (TAKEN - TAKEN[0])
    assert late.min() >= -1e-9
    assert late.max() <= 0.02 + 1e-9
    assert np.diff(came).max() >= 0.1


def test_a_rate_does_not_change_the_times_that_the_file_tells(
    timed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    came, told = timings(RecordedSource(timed, camera_for, rate_hz=1000.0), monkeypatch)
    np.testing.assert_allclose(told, TAKEN)
    assert came[-1] == pytest.approx(0.039)


def test_a_movie_that_tells_no_times_cannot_run_at_its_own_rate(plain: Path) -> None:
    with pytest.raises(InputError, match=r"plain.tif does not tell when .* \(rate_hz\)"):
        RecordedSource(plain, camera_for, rate_hz="recorded")
    source: LiveSource = RecordedSource(plain, camera_for)
    assert source.info.can_wait
    assert source.info.frame_interval_s is None
    with source.open() as stream:
        assert np.isnan(next(stream).time_s).all()


def test_a_stop_ends_the_waiting(plain: Path) -> None:
    source = RecordedSource(plain, camera_for, rate_hz=0.5)
    with source.open() as stream:
        next(stream)
        threading.Timer(0.05, source.stop).start()
        assert next(stream, None) is None
    assert source.status().frames == 1
    with source.open() as stream:  # a stop holds for one opening
        assert next(stream).index[0] == 0


@pytest.mark.parametrize("rate", [0.0, -1.0, math.inf, math.nan])
def test_rates_that_are_none_are_refused(plain: Path, rate: float) -> None:
    with pytest.raises(InputError, match="rate_hz is"):
        RecordedSource(plain, camera_for, rate_hz=rate)


def test_parts_hold_20_ms_each_and_miss_nothing() -> None:
    due = Pace(1024.0).due_s("movie", 5, np.zeros(50))
    cut = list(parts(due))
    assert [part.stop - part.start for part in cut] == [21, 21, 8]
    np.testing.assert_array_equal(np.concatenate([due[part] for part in cut]), due)
    slow = Pace(1.0).due_s("movie", 0, np.zeros(3))
    assert [part.stop - part.start for part in parts(slow)] == [1, 1, 1]
