"""What a viewer sees of a store: the whole field, and a window as fine as the screen.

The window is drawn anew whenever it is moved, or molecules are to be looked at
otherwise; the picture before stays until the new one is complete, or shows
after a tenth of a second what has been drawn of it. A window
finer than the field's pixels is drawn from the store; a coarser one starts
from the field. Where only the drift became better known, what comes is drawn by it
at once, and the rest beside the picture that is shown, now and then (`redraw`).
No thread here: whoever has time calls `step`.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from live_smlm.core import STILL
from live_smlm.render.accumulator import Accumulator, Drawing
from live_smlm.render.layer import Field, Layer, Picture, picture_of, reached_from
from live_smlm.render.look import Look
from live_smlm.render.quick import QuickAccumulator
from live_smlm.render.redraw import Redraw
from live_smlm.render.store import MoleculeStore
from live_smlm.render.viewport import EVERYWHERE, Rect, Viewport, covering

FIELD_PIXEL_NM = 20.0
_PICTURE_S = 1 / 30
_OVERVIEW_S = 0.5
"""Least time between two pictures of the same view, and of the field."""
_PREVIEW_S = 0.1
"""An incomplete window is shown when it has been under way for so long, and again after it."""
_MOST_OVERVIEW_PIXELS = 2**20
_LEAST_OFF_NM, _OFF_SHARE = 2.0, 0.25
"""Molecules that lie wrong by less, in nm or in pixels, need not be drawn again."""
_ALIKE = 1.5
"""A window under way is completed where the one wanted now is finer or coarser by less."""
IDLE = math.inf

MakeAccumulator = Callable[[Viewport, Drawing, str | None], Accumulator]


def on_the_processor(viewport: Viewport, drawing: Drawing, by: str | None) -> Accumulator:
    """The accumulator that is always there."""
    return QuickAccumulator(viewport, drawing, by=by)


@dataclass(slots=True, eq=False)
class _Window:
    viewport: Viewport
    layer: Layer[Accumulator]
    preview_due: float
    shown: int = -1
    """Molecules of the newest picture of it."""

    @property
    def rect(self) -> Rect:
        """Where its molecules lie."""
        return reached_from(self.viewport, self.layer.look)

    def picture(self, *, complete: bool) -> Picture:
        """What has been drawn."""
        self.shown = self.layer.mark.count
        sums, look = self.layer.target.sums(), self.layer.look
        return picture_of(sums, self.viewport, look, self.shown, complete=complete)


class Painter:
    """Draws in small steps; all but `ask`, `picture` and `overview` belong to one thread."""

    def __init__(
        self,
        store: MoleculeStore,
        look: Look,
        *,
        field: Rect | None = None,
        pixel_nm: float = FIELD_PIXEL_NM,
        make: MakeAccumulator = on_the_processor,
    ) -> None:
        self._store = store
        self._make = make
        self._told = field
        self._pixel_nm = pixel_nm
        self._wanted_lock = Lock()
        self._wanted: tuple[Look, Viewport | None] = (look, None)
        self._field = self._new_field(look)
        self._next_field: Layer[Field] | None = None
        self._window: _Window | None = None
        self._next_window: _Window | None = None
        self._picture: Picture | None = None
        self._overview = self._look_over()
        self._picture_due = self._overview_due = 0.0
        self._redraw = Redraw()

    def ask(self, *, look: Look | None = None, viewport: Viewport | None = None) -> None:
        """What is to be seen from now on; what is not told stays."""
        with self._wanted_lock:
            old_look, old_viewport = self._wanted
            self._wanted = (look or old_look, viewport or old_viewport)

    def draw_windows_with(self, make: MakeAccumulator) -> None:
        """Begin the window anew on another accumulator; its picture stays until it is drawn."""
        self._make = make
        self._window = self._next_window = None

    def picture(self) -> Picture | None:
        """The newest picture of a window; of the one wanted, or of one before."""
        return self._picture

    def overview(self) -> Picture:
        """The whole field, coarse enough for a map."""
        return self._overview

    @property
    def redrawing(self) -> bool:
        """Whether old molecules are drawn by a newer drift at the moment."""
        return self._redraw.under_way

    def step(self, seconds: float) -> float:
        """Draw for about so long; after how many seconds there is more to do, or `IDLE`."""
        look, viewport = self._wanted
        self._go_on_by(look)
        self._plan(look, viewport)
        self._plan_redraw(look)
        # The window goes first, but a store that is read for long must not starve the field.
        window_done = self._draw_window(time.monotonic() + seconds)
        field_done = self._draw_field(time.monotonic() + seconds)
        waits = min(self._publish(), self._redraw.waits(self._off))
        return waits if window_done and field_done else 0.0

    def _go_on_by(self, look: Look) -> None:
        """Where only the drift is another, draw what comes by it."""
        windows = [w.layer for w in (self._window, self._next_window) if w is not None]
        fields = [f for f in (self._field, self._next_field) if f is not None]
        layers: list[Layer[Field] | Layer[Accumulator]] = [*windows, *fields]
        for layer in layers:
            if layer.look != look and layer.look.but_for_drift(look):
                if (layer.look.drift is STILL) != (look.drift is STILL):
                    self._redraw.hurry()
                layer.go_on_by(look)
                if self._window is not None:
                    self._window.shown = -1

    @property
    def _off(self) -> tuple[bool, bool]:
        """Whether molecules of the field, and of the window, lie visibly wrong."""
        window = self._window
        here = window is not None and _visible(window.layer.drawn.off_nm, window.viewport)
        return _visible(self._field.drawn.off_nm, self._field.target.viewport), here

    def _plan_redraw(self, look: Look) -> None:
        """Begin to draw field and window once more, beside what is shown of them."""
        redraw, window = self._redraw, self._window
        redraw.begin(self._off)
        if not redraw.under_way:
            return
        coarse = window is not None and self._is_coarse(window.viewport)
        if redraw.field and self._next_field is None:
            self._next_field, redraw.field = self._new_field(look), False
        elif redraw.window and self._next_window is None:
            redraw.window = coarse and self._next_field is not None
            if window is not None and not redraw.window:
                self._next_window = self._new_window(look, window.viewport)
        elif self._next_field is None and self._next_window is None:
            # It may have been moved meanwhile, and been started from the old field.
            redraw.window = coarse and self._off == (False, True)
            if not redraw.window:
                redraw.end()

    def _plan(self, look: Look, viewport: Viewport | None) -> None:
        """Begin what is wanted and neither there nor under way; drop what is no longer."""
        begun = self._next_field or self._field
        if begun.look != look:
            self._next_field = None if self._field.look == look else self._new_field(look)
        if viewport is None or self._is(self._next_window or self._window, look, viewport):
            return
        coming, shown = self._next_window, self._window
        once_more = coming is not None and shown is not None and _once_more(coming, shown)
        if coming is not None and not once_more and _worth_completing(coming, look, viewport):
            return
        self._next_window = None
        if not self._is(self._window, look, viewport):
            self._next_window = self._new_window(look, viewport)

    @staticmethod
    def _is(window: _Window | None, look: Look, viewport: Viewport) -> bool:
        return window is not None and window.viewport == viewport and window.layer.look == look

    def _new_field(self, look: Look) -> Layer[Field]:
        return Layer(self._store, look, Field(look, self._pixel_nm, self._told))

    def _new_window(self, look: Look, viewport: Viewport) -> _Window | None:
        """None where it must wait for the field."""
        coarse = self._is_coarse(viewport)
        if coarse and self._field.look != look:
            return None
        picture, due = self._make(viewport, look.drawing, look.by), time.monotonic() + _PREVIEW_S
        if not coarse:
            return _Window(viewport, Layer(self._store, look, picture), due)
        field = self._field
        picture.start(field.target.seen_through(viewport))
        layer = Layer(self._store, look, picture, mark=field.mark, drawn=field.drawn)
        return _Window(viewport, layer, due)

    def _is_coarse(self, viewport: Viewport) -> bool:
        """Whether the field is fine enough for it."""
        return viewport.pixel_nm >= self._field.target.viewport.pixel_nm

    def _draw_window(self, deadline: float) -> bool:
        window, shown = self._next_window or self._window, self._window
        if window is None:
            return True
        if window is not shown and shown is not None and _once_more(window, shown):
            shown.layer.advance(shown.rect, deadline)  # meanwhile it goes on
        complete = window.layer.advance(window.rect, deadline)
        if complete and window is self._next_window:
            self._window, self._next_window = window, None
            self._picture_due = 0.0
        return complete

    def _draw_field(self, deadline: float) -> bool:
        field = self._next_field or self._field
        if field is not self._field and field.look == self._field.look:
            self._field.advance(EVERYWHERE, deadline)  # meanwhile it goes on
        complete = field.advance(EVERYWHERE, deadline)
        if complete and field is self._next_field:
            self._field, self._next_field = field, None
            self._overview_due = 0.0
            return False  # a window may have waited for it
        return complete

    def _publish(self) -> float:
        """Show what has changed and is due; how long until the next is, or `IDLE`."""
        waits, window, field = IDLE, self._window, self._field
        begun = self._next_window
        if begun is not None and window is not None and _once_more(begun, window):
            begun = None
        if begun is not None and begun.preview_due <= time.monotonic():
            self._picture = begun.picture(complete=False)
            begun.preview_due = time.monotonic() + _PREVIEW_S
        elif window is not None and window.shown != window.layer.mark.count:
            waits = self._picture_due - time.monotonic()
            if waits <= 0:
                waits, self._picture_due = IDLE, time.monotonic() + _PICTURE_S
                self._picture = window.picture(complete=True)
        overview = self._overview
        if (overview.molecules, overview.look) != (field.mark.count, field.look):
            left = self._overview_due - time.monotonic()
            if left <= 0:
                left, self._overview_due = IDLE, time.monotonic() + _OVERVIEW_S
                self._overview = self._look_over()
            waits = min(waits, left)
        return waits

    def _look_over(self) -> Picture:
        field = self._field.target
        rows, columns = field.viewport.shape
        factor = max(1, math.ceil(math.sqrt(rows * columns / _MOST_OVERVIEW_PIXELS)))
        pixel_nm = field.viewport.pixel_nm
        whole = rows * pixel_nm, columns * pixel_nm
        viewport = covering(whole, factor * pixel_nm, field.viewport.origin_nm)
        mark = self._field.mark
        return picture_of(field.seen_through(viewport), viewport, self._field.look, mark.count)


def _visible(off_nm: float, viewport: Viewport) -> bool:
    return off_nm > max(_LEAST_OFF_NM, _OFF_SHARE * viewport.pixel_nm)


def _once_more(begun: _Window, shown: _Window) -> bool:
    """Whether a window under way is the one that is shown, by a newer drift."""
    return begun.viewport == shown.viewport and begun.layer.look == shown.layer.look


def _worth_completing(window: _Window, look: Look, viewport: Viewport) -> bool:
    """Whether a window under way still shows something of what is wanted now.

    So a view that is moved all the time is followed, a little late.
    """
    finer = max(window.viewport.pixel_nm, viewport.pixel_nm)
    alike = finer < _ALIKE * min(window.viewport.pixel_nm, viewport.pixel_nm)
    return window.layer.look == look and alike and window.viewport.rect.meets(viewport.rect)
