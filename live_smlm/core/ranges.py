"""Sets of frame numbers, kept as ranges from a first number to before a stop."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator


class Ranges:
    """A set of whole numbers; small however many numbers lie in a row."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._ranges: list[tuple[int, int]] = []
        self._count = 0
        for first, stop in ranges:
            self.add(first, stop)

    def overlaps(self, first: int, stop: int) -> bool:
        """Whether any number from `first` to before `stop` is in the set."""
        at = bisect_right(self._ranges, (first, stop))
        near = self._ranges[max(0, at - 1) : at + 1]
        return any(low < stop and first < high for low, high in near)

    def add(self, first: int, stop: int) -> None:
        """Add numbers of which none is in the set."""
        if first >= stop or self.overlaps(first, stop):
            raise ValueError(f"frames {first} to {stop - 1} are none or in the set already")
        at = bisect_right(self._ranges, (first, stop))
        joins_before = at > 0 and self._ranges[at - 1][1] == first
        joins_after = at < len(self._ranges) and self._ranges[at][0] == stop
        low = self._ranges[at - 1][0] if joins_before else first
        high = self._ranges[at][1] if joins_after else stop
        self._ranges[at - joins_before : at + joins_after] = [(low, high)]
        self._count += stop - first

    def missing(self, stop: int) -> "list[tuple[int, int]]":
        """Ranges of the numbers from 0 to before `stop` that are not in the set."""
        ends = [0, *(edge for pair in self._ranges for edge in pair)]
        starts = [min(low, stop) for low, _ in self._ranges] + [stop]
        return [(a, b) for a, b in zip(ends[::2], starts, strict=True) if a < b]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Ranges (first, stop) in rising order."""
        return iter(self._ranges)

    def __len__(self) -> int:
        return self._count
