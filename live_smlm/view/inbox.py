"""Where the follower's thread puts what a run says, for the window to take when it draws.

Molecules go straight into the picture; of everything else only the newest is kept.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from live_smlm.core import STILL, DriftCurve, Localizations, Reconstruction
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
    curve: DriftCurve = STILL
    """How the sample has wandered; another object once it is known otherwise."""
    pictures: Mapping[str, Reconstruction] = field(default_factory=dict)
    """The newest of engines, by name."""
    _frame: LiveFrame | None = None
    _draw: Draw | None = None
    _waiting: deque[Localizations] = field(default_factory=deque)
    """Molecules that came before it was known how large the field is, or while those are drawn."""
    _catching_up: threading.Thread | None = None
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

    def drift(self, curve: DriftCurve) -> None:
        """The drift as far as it is known."""
        with self._lock:
            if not curve.same(self.curve):
                self.curve = curve

    def layer(self, name: str, picture: Reconstruction) -> None:
        """A picture of an engine."""
        with self._lock:
            self.pictures = {**self.pictures, name: picture}

    def lost(self, why: str) -> None:
        """The run has ended or fallen silent."""
        with self._lock:
            self.news = news.with_loss(self.news, why)

    def draw_into(self, draw: Draw) -> None:
        """Give all molecules to `draw` from now on, those that waited first.

        What waits is drawn on a thread of its own: a window's would stand still for it.
        """
        with self._lock:
            if not self._waiting:
                self._draw = draw
                return
        self._catching_up = threading.Thread(target=self._catch_up, args=(draw,), name="catch up")
        self._catching_up.start()

    def forget(self) -> None:
        """Nobody looks any more: what still waits is given up."""
        with self._lock:
            self._waiting.clear()
        if self._catching_up is not None:
            self._catching_up.join()

    def _catch_up(self, draw: Draw) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._draw = draw
                    return
                molecules = self._waiting.popleft()
            draw(molecules)

    def take_frame(self) -> LiveFrame | None:
        """The newest camera frame, once."""
        with self._lock:
            frame, self._frame = self._frame, None
        return frame
