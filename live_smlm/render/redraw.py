"""When all molecules are drawn once more since the drift became better known.

It costs as much as all there is; so it is done seldom enough to take a small
share of the time, and the picture shown stays meanwhile.
"""

import math
import time
from dataclasses import dataclass

LEAST_S = 3.0
"""Between two of them."""
SHARE = 0.1
"""Of the time, at most."""


@dataclass(slots=True)
class Redraw:
    """What is left to do of one, and when the next may begin."""

    field: bool = False
    """Is to be begun."""
    window: bool = False
    under_way: bool = False
    _begun_s: float = 0.0
    _due_s: float = 0.0

    def hurry(self) -> None:
        """The next may begin at once."""
        self._due_s = 0.0

    def begin(self, off: tuple[bool, bool]) -> None:
        """Where field or window lie wrong, and it is time."""
        if self.under_way or not any(off) or time.monotonic() < self._due_s:
            return
        self.under_way = True
        self.field, self.window = off
        self._begun_s = time.monotonic()

    def end(self) -> None:
        """All is drawn."""
        self.under_way = False
        now = time.monotonic()
        self._due_s = now + max(LEAST_S, (now - self._begun_s) * (1 / SHARE - 1))

    def waits(self, off: tuple[bool, bool]) -> float:
        """After how many seconds there is something to do; infinite where there is nothing."""
        if self.under_way:
            return 0.0
        return max(0.0, self._due_s - time.monotonic()) if any(off) else math.inf
