from dataclasses import dataclass, field

import pytest

from live_smlm.core import InputError, drift_curve
from live_smlm.session.recentre import Axes, Recentre, read_axes


@dataclass
class Sample:
    """A stage under a sample that has drifted; `axes` is how they truly lie."""

    axes: Axes = field(default_factory=Axes)
    drift: list[float] = field(default_factory=lambda: [400.0, -300.0])
    at: tuple[float, float] = (10.0, 20.0)
    stuck: bool = False

    def move(self, x_um: float, y_um: float) -> None:
        if self.stuck:
            raise InputError("the stage is locked")
        moved = {"x": 1000 * (x_um - self.at[0]), "y": 1000 * (y_um - self.at[1])}
        self.at = x_um, y_um
        self.drift[0] += self.axes.x[1] * moved[self.axes.x[0]]
        self.drift[1] += self.axes.y[1] * moved[self.axes.y[0]]

    def position(self) -> tuple[float, float]:
        return self.at

    def look(self, recentre: Recentre) -> None:
        x, y = self.drift
        recentre.look(drift_curve([0, 10], [0, x], [0, y]))


@pytest.mark.parametrize("axes", ["x,y", "-x,y", "y,x", "-y, x", "y,-x"])
def test_a_sample_that_is_far_is_taken_back(axes: str) -> None:
    sample = Sample(read_axes(axes))
    recentre = Recentre(sample, 450, read_axes(axes))
    sample.look(recentre)
    assert sample.drift == pytest.approx([0, 0], abs=1e-6)
    sample.look(recentre)
    sample.drift = [0.0, 500.0]
    sample.look(recentre)
    assert sample.drift == pytest.approx([0, 0], abs=1e-6)
    assert recentre.failure is None


def test_a_sample_that_is_near_is_left_alone() -> None:
    sample = Sample()
    sample.look(Recentre(sample, 501, Axes()))
    assert sample.at == (10.0, 20.0)


def test_a_move_the_wrong_way_is_the_last() -> None:
    sample, told = Sample(read_axes("-x,-y")), list[str]()
    recentre = Recentre(sample, 450, Axes(), tell=lambda what, _: told.append(what))
    for _ in range(4):
        sample.look(recentre)
    assert sample.drift == pytest.approx([800, -600])
    assert "check stage_axes" in str(recentre.failure)
    assert told == ["stage moved", "recentring failed"]


def test_an_engine_that_lags_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("live_smlm.session.recentre.time.monotonic", lambda: now[0])
    sample = Sample()
    recentre = Recentre(sample, 450, Axes(), captured=lambda: 5000)
    sample.look(recentre)
    moved = sample.at
    old = drift_curve([0, 4999], [0, 400], [0, -300])  # frames from before the move
    for _ in range(3):
        now[0] += 60.0
        recentre.look(old)
    assert recentre.failure is None
    assert sample.at == moved
    new = drift_curve([0, 5000], [0, 400], [0, -300])
    recentre.look(new)
    now[0] += 11.0
    recentre.look(new)
    assert "500 nm away after a move" in str(recentre.failure)


def test_a_stage_that_does_not_move_is_told() -> None:
    sample = Sample(stuck=True)
    recentre = Recentre(sample, 450, Axes())
    sample.look(recentre)
    assert "the stage is locked" in str(recentre.failure)


@pytest.mark.parametrize("text", ["x", "x,x", "x,z", "x,y,x", ""])
def test_axes_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="stage_axes"):
        read_axes(text)
