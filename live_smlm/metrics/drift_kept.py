"""Some molecules of all times, for looking back: never more than fit, thinned evenly."""

from dataclasses import dataclass, field

import numpy as np

from live_smlm.core import F64
from live_smlm.metrics.drift_map import Places

MOST = 2**18


@dataclass(slots=True)
class Kept:
    """Columns frame, x, y, z, weight of z, in order of frames."""

    three_d: bool
    stride: int = 1
    """One of so many is kept."""
    _count: int = 0
    _phase: int = 0
    _rows: F64 = field(default_factory=lambda: np.zeros((5, 4096)))

    def add(self, places: Places) -> None:
        """Keep some of a block's molecules."""
        columns = [places.frame, places.x, places.y]
        if self.three_d:
            columns += [places.z, places.weight]
        self._make_room(len(places))
        chosen = slice(self._phase, None, self.stride)
        taken = len(places.x[chosen])
        for row, column in zip(self._rows, columns, strict=False):
            row[self._count : self._count + taken] = column[chosen]
        self._count += taken
        self._phase = (self._phase - len(places)) % self.stride

    def _make_room(self, molecules: int) -> None:
        while self._count + molecules // self.stride >= self._rows.shape[1]:
            if 2 * self._rows.shape[1] <= MOST:
                self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)], axis=1)
                continue
            half = self._rows[:, : self._count : 2].copy()
            self._count = half.shape[1]
            self._rows[:, : self._count] = half
            self.stride *= 2

    def places(self) -> Places:
        """All that is kept; views."""
        rows = self._rows[:, : self._count]
        deep = self._count if self.three_d else 0
        return Places(rows[0], rows[1], rows[2], rows[3, :deep], rows[4, :deep])
