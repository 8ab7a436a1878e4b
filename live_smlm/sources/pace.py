"""When a recorded frame is due, so that a movie runs as the camera once did."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from live_smlm.core import F64, InputError, require

PART_S = 0.02
"""Frames of so long a time are handed out together."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Replay in time: at a rate, or at the times that the frames were taken."""

    rate_hz: float | None
    """None: at the recorded times."""

    def __post_init__(self) -> None:
        require(
            self.rate_hz is None or (bool(np.isfinite(self.rate_hz)) and self.rate_hz > 0),
            f"rate_hz is {self.rate_hz}; give frames per second above 0, or 'recorded'",
        )

    def due_s(self, name: str, first: int, taken: F64) -> F64:
        """When frames `first` and on are complete, on a clock that begins anywhere."""
        if self.rate_hz is not None:
            return (first + np.arange(1, len(taken) + 1)) / np.float64(self.rate_hz)
        if not np.isfinite(taken).all() or (np.diff(taken) < 0).any():
            raise InputError(
                f"{name} does not tell when its frames were taken, so it cannot run at the "
                "recorded rate; give frames per second (rate_hz)"
            )
        return taken


def parts(due_s: F64) -> Iterator[slice]:
    """Stretches that are handed out together."""
    start = 0
    while start < len(due_s):
        stop = int(np.searchsorted(due_s, due_s[start] + PART_S, side="left"))
        stop = max(stop, start + 1)
        yield slice(start, stop)
        start = stop
