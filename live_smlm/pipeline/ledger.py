"""What became of every frame: the ledger that must balance.

Frames are counted by stream number: 0, 1, 2 … in the order in which they got
a slot of the ring. A frame that never got one is lost, and is counted apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from live_smlm.core import require


class Fate(Enum):
    """The three ways in which a captured frame can end."""

    LOCALIZED = "localized"
    DEFERRED = "deferred"
    """To be localized later from the raw record."""
    SHED = "shed"
    """Given up, by the rule that the run's configuration names."""


class Intervals:
    """A set of whole numbers, kept as ranges."""

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int]] = []

    def add(self, first: int, count: int) -> None:
        """Add `first` … `first + count - 1`, none of which may be in it already."""
        stop = first + count
        at = len(self._ranges)
        while at and self._ranges[at - 1][0] > first:
            at -= 1
        before = self._ranges[at - 1] if at else None
        after = self._ranges[at] if at < len(self._ranges) else None
        if (before and before[1] > first) or (after and stop > after[0]):
            raise ValueError(f"frames {first} to {stop - 1} are in the set already, in part")
        joins_before = before is not None and before[1] == first
        joins_after = after is not None and after[0] == stop
        low = before[0] if before is not None and joins_before else first
        high = after[1] if after is not None and joins_after else stop
        self._ranges[at - joins_before : at + joins_after] = [(low, high)]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Ranges (first, stop) in rising order."""
        return iter(self._ranges)

    def __len__(self) -> int:
        return sum(stop - first for first, stop in self._ranges)


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
    _fates: dict[Fate, Intervals] = field(
        default_factory=lambda: {fate: Intervals() for fate in Fate}
    )

    def settle(self, first: int, count: int, fate: Fate) -> None:
        """Write down what became of these frames; once, for ever."""
        require(
            count > 0 and first >= 0 and first + count <= self.captured,
            f"frames {first} to {first + count - 1} were never captured; there are {self.captured}",
        )
        self._fates[fate].add(first, count)

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
