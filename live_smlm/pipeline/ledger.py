"""What became of every frame: the ledger that must balance.

Frames are counted by stream number: 0, 1, 2 … in the order in which they got
a slot of the ring. A frame that never got one is lost, and is counted apart.
"""

from dataclasses import dataclass, field
from enum import Enum

from live_smlm.core import require
from live_smlm.core.ranges import Ranges


class Fate(Enum):
    """The three ways in which a captured frame can end."""

    LOCALIZED = "localized"
    DEFERRED = "deferred"
    """To be localized later from the raw record."""
    SHED = "shed"
    """Given up, by the rule that the run's configuration names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The ledger's line on the screen."""

    captured: int
    localized: int
    deferred: int
    shed: int
    lost: int

    @property
    def waiting(self) -> int:
        """Captured frames whose fate is not yet known."""
        return self.captured - self.localized - self.deferred - self.shed

    @property
    def balanced(self) -> bool:
        """Whether every captured frame is accounted for."""
        return self.waiting == 0


@dataclass(slots=True)
class Ledger:
    """Fates by stream number; written by the dispatcher only."""

    captured: int = 0
    lost: int = 0
    _fates: dict[Fate, Ranges] = field(default_factory=lambda: {fate: Ranges() for fate in Fate})

    def settle(self, first: int, count: int, fate: Fate) -> None:
        """Write down what became of these frames; once, for ever."""
        require(
            count > 0 and first >= 0 and first + count <= self.captured,
            f"frames {first} to {first + count - 1} were never captured; there are {self.captured}",
        )
        self._fates[fate].add(first, first + count)

    def ranges(self, fate: Fate) -> list[tuple[int, int]]:
        """(first, stop) of the frames with this fate."""
        return list(self._fates[fate])

    @property
    def tally(self) -> Tally:
        """The numbers now."""
        return Tally(
            captured=self.captured,
            localized=len(self._fates[Fate.LOCALIZED]),
            deferred=len(self._fates[Fate.DEFERRED]),
            shed=len(self._fates[Fate.SHED]),
            lost=self.lost,
        )
