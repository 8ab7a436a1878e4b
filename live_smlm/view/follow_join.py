"""How a viewer that comes late, or was too slow, gets everything once and in order.

The stream's messages are numbered without holes: each says what it answers for,
from `first` to before `stop`. What is missing is asked of the desk, whose
answers end where a message of the stream begins, so none is ever cut. Pure: no
sockets, no clock.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar


class Numbered(Protocol):
    """Something that answers for numbers in a row."""

    @property
    def first(self) -> int:
        """The first number."""

    @property
    def stop(self) -> int:
        """The number after the last."""


Item = TypeVar("Item", bound=Numbered)


@dataclass(slots=True)
class Joint(Generic[Item]):
    """History and stream, joined without a gap or anything twice."""

    most_held: int = 200
    """Messages that wait for what lies before them; the rest is asked of the desk again."""
    have: int = 0
    """All before this number was handed on."""
    told: int = 0
    """All before this number has been said on the stream."""
    _held: deque[Item] = field(default_factory=deque)

    def heard(self, item: Item) -> list[Item]:
        """What may be handed on now that the stream said this, in order."""
        self.told = max(self.told, item.stop)
        if item.stop > self.have:
            self._held.append(item)
        if len(self._held) > self.most_held:
            self._held.popleft()
        return self._ready()

    def knows(self, stop: int) -> None:
        """The stream has said all before `stop`, whether it was heard or not."""
        self.told = max(self.told, stop)

    def missing(self) -> tuple[int, int] | None:
        """What to ask the desk for, first and stop."""
        stop = self._held[0].first if self._held else self.told
        return (self.have, stop) if self.have < stop else None

    def fetched(self, item: Item) -> list[Item]:
        """What may be handed on now that the desk answered this; it may have forgotten a part."""
        if item.first < self.have or item.stop <= self.have:
            return []
        self.have = item.stop
        return [item, *self._ready()]

    def forgo(self, stop: int) -> list[Item]:
        """Go on without what lies before `stop`: nobody has it any more."""
        self.have = max(self.have, stop)
        return self._ready()

    def _ready(self) -> list[Item]:
        ready = []
        while self._held and self._held[0].first <= self.have:
            item = self._held.popleft()
            if item.first == self.have:
                self.have = item.stop
                ready.append(item)
        return ready
