"""Where the follower's thread puts what a run says, for the window to take when it draws.

Molecules go straight into the picture; of everything else only the newest is kept.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from live_smlm.core import Localizations
from live_smlm.transport.viewing import Event
from live_smlm.view import news
from live_smlm.view.follow import LiveFrame
from live_smlm.view.news import News

Draw: TypeAlias = Callable[[Localizations], None]


@dataclass(slots=True)
class Inbox:
    """A `Sink`; any thread may use any method."""

    news: News = field(default_factory=News)
    """As it is now; frozen, so it can be looked at from anywhere."""
    columns: frozenset[str] = frozenset()
    """What is told of every molecule; nothing before there are any."""
    _frame: LiveFrame | None = None
    _draw: Draw | None = None
    _waiting: list[Localizations] = field(default_factory=list)
    """Molecules that came before it was known how large the field is."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def molecules(self, molecules: Localizations) -> None:
        """Into the picture."""
        if not len(molecules):
            return
        told = frozenset(molecules.columns())
        with self._lock:
            self.columns = self.columns & told or told
            draw = self._draw
            if draw is None:
                self._waiting.append(molecules)
        if draw is not None:
            draw(molecules)  # outside the lock: it takes a while, and a window waits for frames

    def state(self, values: Mapping[str, Any]) -> None:
        """The run's numbers."""
        with self._lock:
            self.news = news.with_state(self.news, values, time.time())

    def event(self, event: Event) -> None:
        """Something happened."""
        with self._lock:
            self.news = news.with_event(self.news, event)

    def frame(self, frame: LiveFrame) -> None:
        """A camera frame; one that was not looked at yet is forgotten."""
        with self._lock:
            self._frame = frame

    def lost(self, why: str) -> None:
        """The run has ended or fallen silent."""
        with self._lock:
            self.news = news.with_loss(self.news, why)

    def draw_into(self, draw: Draw) -> None:
        """Give all molecules to `draw` from now on, those that waited first."""
        with self._lock:
            for molecules in self._waiting:
                draw(molecules)
            self._waiting, self._draw = [], draw

    def take_frame(self) -> LiveFrame | None:
        """The newest camera frame, once."""
        with self._lock:
            frame, self._frame = self._frame, None
        return frame
