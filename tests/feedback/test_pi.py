"""The proportional-integral law and how it learns its plant."""

import math
from itertools import pairwise

import pytest

from live_smlm.core import InputError
from live_smlm.feedback import pi
from live_smlm.feedback.pi import Plant


@pytest.mark.parametrize("gain", [0.5, 1.0])
@pytest.mark.parametrize("memory", [0.0, 0.2, 0.5])
def test_a_new_set_point_is_come_near_by_the_pole_at_each_look(gain: float, memory: float) -> None:
    plant = Plant(gain, memory)
    light, level, before = 0.0, -1.0, 0.0
    errors = []
    for _ in range(6):
        error = -level
        errors.append(error)
        light += pi.move(plant, error, before)
        before = error
        level = memory * level + (1 - memory) * (gain * light - 1.0)
    falls = [b / a for a, b in pairwise(errors)]
    assert falls == pytest.approx([pi.POLE] * len(falls))


@pytest.mark.parametrize(("gain", "memory"), [(1.0, 0.0), (0.6, 0.4), (0.9, 0.7)])
def test_a_step_tells_the_plant(gain: float, memory: float) -> None:
    step = math.log(2)
    first = (1 - memory) * gain * step
    plant = pi.identified(step, (-1.0, -1.0 + first, -1.0 + first * (1 + memory)))
    assert plant is not None
    assert plant.gain == pytest.approx(gain)
    assert plant.memory == pytest.approx(memory)


def test_an_answer_like_chance_tells_nothing() -> None:
    assert pi.identified(0.7, (0.0, 0.05, 0.7)) is None
    assert pi.identified(0.7, (0.0, -0.5, -0.6)) is None
    assert pi.identified(0.0, (0.0, 0.5, 0.6)) is None


def test_a_slow_plant_is_looked_at_less_often() -> None:
    assert pi.looks_needed(Plant(1.0, 0.3)) == 1
    slow = Plant(1.0, 0.8)
    looks = pi.looks_needed(slow)
    assert slow.longer(looks).memory <= pi.MOST_MEMORY < slow.longer(looks - 1).memory


def test_plants_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match="gain 0"):
        Plant(0.0)
    with pytest.raises(InputError, match="memory 1"):
        Plant(1.0, 1.0)
