"""A witness takes a small share of the lane's time, and its failure is told once."""

import numpy as np
import pytest

from live_smlm.core import F32, CameraModel, EngineContext, FrameBatch, Localizations, empty
from live_smlm.pipeline import witness
from live_smlm.pipeline.witness import AT_ONCE_S, SHARE, Heard, Witness, opened

FRAMES = FrameBatch(np.zeros((1, 4, 4), np.uint16), np.zeros(1, np.int64), np.zeros(1))
PLACE = EngineContext(camera=CameraModel(shape=(4, 4), pixel_size_nm=100.0))


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s

    def thread_time(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(witness, "time", made)
    return made


def slow(clock: Clock, seconds: float) -> Witness:
    def look(frames: FrameBatch, found: Localizations) -> F32:
        clock.now_s += seconds
        return np.full((len(found), len(frames)), 1.0, np.float32)

    return look


def test_it_takes_no_more_than_its_share(clock: Clock) -> None:
    heard = Heard(slow(clock, 0.01), since_s=clock.now_s)
    looks = 0
    for _ in range(20_000):
        clock.now_s += 0.02  # the engine's own time
        looks += heard(FRAMES, empty()) is not None
    lane_s = clock.now_s - 100.0
    assert heard.spent_s == pytest.approx(0.01 * looks)
    assert heard.spent_s <= AT_ONCE_S + SHARE * lane_s + 0.01
    assert heard.spent_s >= SHARE * lane_s


def test_the_beginning_is_looked_at_without_pause(clock: Clock) -> None:
    heard = Heard(slow(clock, 0.001), since_s=clock.now_s)
    assert all(heard(FRAMES, empty()) is not None for _ in range(int(AT_ONCE_S / 0.001)))


def test_a_failure_is_told_once_and_ends_it() -> None:
    calls = []

    def fail(frames: FrameBatch, found: Localizations) -> F32:
        calls.append((frames, found))
        raise ValueError("no")

    heard = Heard(fail)
    assert heard(FRAMES, empty()) is None
    assert heard.told() == "ValueError: no"
    assert heard(FRAMES, empty()) is None
    assert heard.told() is None
    assert len(calls) == 1


def test_one_that_cannot_be_made_says_why() -> None:
    def make(place: EngineContext) -> Witness:
        raise OSError(f"{place.camera.shape} is too small")

    heard = opened(make, PLACE)
    assert heard(FRAMES, empty()) is None
    assert heard.told() == "OSError: (4, 4) is too small"


def test_nobody_is_no_failure() -> None:
    for heard in (opened(None, PLACE), opened(lambda _: None, PLACE)):
        assert heard(FRAMES, empty()) is None
        assert heard.told() is None
