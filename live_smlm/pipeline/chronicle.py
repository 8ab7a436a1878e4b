"""The events of a run by number, for those who come late: the newest of them are kept."""

import threading
from collections import deque
from dataclasses import dataclass, field, replace
from itertools import accumulate

from live_smlm.transport.viewing import MOST_TEXT, Event, Happenings

MOST_EVENTS = 1000
_MOST_TEXT = 100_000
"""Characters of one answer."""


@dataclass(slots=True)
class Chronicle:
    """One thread adds, any thread reads."""

    count: int = 0
    """Events so far: the next one's number."""
    _kept: deque[Event] = field(default_factory=lambda: deque(maxlen=MOST_EVENTS))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, event: Event) -> int:
        """Keep an event; its number."""
        kept = replace(event, what=event.what[:MOST_TEXT], detail=event.detail[:MOST_TEXT])
        with self._lock:
            self._kept.append(kept)
            self.count += 1
            return self.count - 1

    def since(self, first: int) -> Happenings:
        """The events from number `first` on: as many as fit into an answer, if still kept."""
        with self._lock:
            oldest = self.count - len(self._kept)
            begin = max(first, oldest)
            rest = list(self._kept)[begin - oldest :]
        sizes = accumulate(len(event.what) + len(event.detail) for event in rest)
        fitting = sum(size <= _MOST_TEXT for size in sizes)
        return Happenings(first=begin, events=tuple(rest[:fitting]))
