"""The picture that a viewer holds, drawn on a thread of its own.

A graphics card draws on the thread that its context belongs to; there the
viewer itself calls `step` between its own frames.

What is added goes into the store at once; the store is the queue, so nothing
is dropped and no queue can fill: a picture that has fallen behind catches up
by reading on.
"""

import threading
import time
from types import TracebackType
from typing import Self

from live_smlm.core import Localizations, require
from live_smlm.render.layer import Picture
from live_smlm.render.look import Look
from live_smlm.render.painter import (
    FIELD_PIXEL_NM,
    IDLE,
    MakeAccumulator,
    Painter,
    on_the_processor,
)
from live_smlm.render.store import MoleculeStore
from live_smlm.render.viewport import Rect, Viewport

_STEP_S = 0.03


class Canvas:
    """A store and its pictures; every method may be called from any thread.

    Draws while it is entered. What goes wrong while drawing is told by the
    next call.
    """

    def __init__(
        self,
        look: Look | None = None,
        *,
        store: MoleculeStore | None = None,
        field: Rect | None = None,
        pixel_nm: float = FIELD_PIXEL_NM,
        make: MakeAccumulator = on_the_processor,
        own_thread: bool = True,
    ) -> None:
        self.store = MoleculeStore() if store is None else store
        self._painter = Painter(
            self.store, look or Look(), field=field, pixel_nm=pixel_nm, make=make
        )
        self._adding = threading.Lock()
        self._news = threading.Condition()
        self._asked = 1
        self._answered = 0
        self._failure: Exception | None = None
        self._own_thread = own_thread
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        require(self._thread is None, "this canvas has been entered before; make a new one")
        if not self._own_thread:
            return self
        self._thread = threading.Thread(target=self._draw, name="painter", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        thread, self._thread = self._thread, None
        self._tell()
        if thread is not None:
            thread.join()

    def add(self, molecules: Localizations) -> None:
        """Keep molecules, and draw them soon."""
        with self._adding:
            self.store.add(molecules)
        self._tell()

    def ask(self, *, look: Look | None = None, viewport: Viewport | None = None) -> None:
        """What is to be seen from now on; what is not told stays."""
        self._painter.ask(look=look, viewport=viewport)
        self._tell()

    def picture(self) -> Picture | None:
        """The newest picture of a window; of the one wanted, or of one before.

        None until a viewport has been asked for and drawn.
        """
        self._check()
        return self._painter.picture()

    def overview(self) -> Picture:
        """The whole field, in a million pixels at most; twice a second at most a new one."""
        self._check()
        return self._painter.overview()

    def step(self, seconds: float) -> bool:
        """Draw for about so long, on a canvas without a thread; whether all is shown."""
        require(not self._own_thread, "this canvas draws on its own thread; do not step it")
        return self._painter.step(seconds) == IDLE

    @property
    def redrawing(self) -> bool:
        """Whether molecules are drawn once more, for the drift became better known."""
        return self._painter.redrawing

    @property
    def own_thread(self) -> bool:
        """Whether it draws by itself; otherwise it is to be stepped."""
        return self._own_thread

    def turn_to_the_processor(self) -> None:
        """On a canvas without a thread: draw all that was added anew, on a thread of its own.

        For when the card has failed in the middle. The pictures before stay until then.
        """
        require(not self._own_thread, "this canvas is the processor's already")
        self._painter.draw_windows_with(on_the_processor)
        self._own_thread = True
        self.__enter__()

    def settle(self, timeout_s: float) -> bool:
        """Wait until all that was added and asked for so far is shown; False where it is not."""
        end = time.monotonic() + timeout_s
        if not self._own_thread:
            while not (shown := self.step(_STEP_S)) and time.monotonic() < end:
                pass
            return shown
        with self._news:
            asked = self._asked
            while self._answered < asked and self._failure is None:
                if not self._news.wait(end - time.monotonic()) and time.monotonic() >= end:
                    return False
        self._check()
        return True

    def _tell(self) -> None:
        with self._news:
            self._asked += 1
            self._news.notify_all()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _draw(self) -> None:
        try:
            while self._thread is threading.current_thread():
                self._once()
        except Exception as error:  # noqa: BLE001 - told by the next call
            with self._news:
                self._failure = error
                self._news.notify_all()

    def _once(self) -> None:
        with self._news:
            asked = self._asked
        waits = self._painter.step(_STEP_S)
        with self._news:
            if waits == IDLE:
                self._answered = asked
                self._news.notify_all()
            if waits > 0 and asked == self._asked and self._thread is not None:
                self._news.wait(None if waits == IDLE else waits)
