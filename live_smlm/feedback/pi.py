"""A proportional-integral law for plants that answer in proportion, after a while.

Everything is in logarithms: twice the light makes twice the molecules, whatever
the pool that is left, so the gain of the plant is near 1 and bleaching changes
an offset only, which the integral takes up. In steps of one look the plant is
y' = memory y + (1 - memory) (gain x + offset); the law puts the pole of the
closed loop at `POLE` (E. B. Dahlin, Instrum. Control Syst. 41, 77, 1968).
"""

from dataclasses import dataclass

from live_smlm.core import require

POLE = 0.35
"""Share of an error that one look leaves."""
MOST_MEMORY = 0.5
"""A plant that remembers more between two looks is to be looked at less often."""
_CLEAR = 0.1
"""An answer (in logarithms) that is no accident."""
_LEAST_GAIN, _MOST_GAIN = 0.4, 1.25


@dataclass(frozen=True, slots=True)
class Plant:
    """How the logarithm of a density answers to that of the light."""

    gain: float = 1.0
    """1: in proportion; less where something else shines, too, or much is lost in the crowd."""
    memory: float = 0.2
    """Share of an old level that is left after one look."""

    def __post_init__(self) -> None:
        require(self.gain > 0, f"plant has the gain {self.gain:g}; give a number above 0")
        require(0 <= self.memory < 1, f"plant has the memory {self.memory:g}; give 0 to below 1")

    def longer(self, times: int) -> "Plant":
        """The same, looked at less often."""
        return Plant(self.gain, self.memory**times)


def move(plant: Plant, error: float, before: float | None) -> float:
    """By how much to move now; `before` is the error of the last look, if there was one."""
    memory = min(plant.memory, MOST_MEMORY)
    old = error if before is None else before
    return (1 - POLE) / (plant.gain * (1 - memory)) * (error - memory * old)


def identified(step: float, levels: tuple[float, float, float]) -> Plant | None:
    """The plant that answered to a step with these levels: before it, and at two looks after it.

    None where the answer is no larger than chance.
    """
    first, second = levels[1] - levels[0], levels[2] - levels[1]
    if step == 0 or first * step <= 0 or abs(first) < _CLEAR:
        return None
    memory = min(max(second / first, 0.0), 0.9)
    whole = first + second / (1 - memory)
    return Plant(min(max(whole / step, _LEAST_GAIN), _MOST_GAIN), memory)


def looks_needed(plant: Plant) -> int:
    """How many looks to make one of, so that the plant remembers little."""
    times = 1
    while plant.memory**times > MOST_MEMORY:
        times += 1
    return times
