"""One line of `bench/engines.py`: what a paper claims, how it is tested, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A claim with its gate and a value per seed; it is met where every seed meets it."""

    engine: str
    claim: str
    test: str
    measured: Sequence[float]
    gate: float
    sense: Literal["at least", "at most"]
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether every seed meets the gate."""
        values = np.asarray(self.measured, float)
        held = values >= self.gate if self.sense == "at least" else values <= self.gate
        return bool(len(values) and held.all())

    @property
    def spread(self) -> float:
        """Standard error of the mean over seeds; NaN of fewer than two."""
        values = np.asarray(self.measured, float)
        return float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else float("nan")
