"""Order restored: frames leave in the order in which they were captured."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(slots=True)
class Sequencer(Generic[Item]):
    """Holds what came early until what lies before it has come."""

    next: int = 0
    """The first stream number that has not left."""
    _early: dict[int, tuple[int, Item]] = field(default_factory=dict)

    def push(self, first: int, count: int, item: Item) -> Iterator[Item]:
        """Take the item for frames `first` … and yield all that may leave now, in order."""
        if first < self.next or first in self._early:
            raise ValueError(f"frames from {first} on came twice; {self.next} is next")
        self._early[first] = count, item
        while self.next in self._early:
            length, ready = self._early.pop(self.next)
            self.next += length
            yield ready

    def __len__(self) -> int:
        return len(self._early)
