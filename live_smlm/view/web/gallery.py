"""Pictures for several pages at once: each has its own view, all share one store.

A picture is drawn while its page waits for it, and for so long at most; so a
page that does not ask costs nothing, and one that asks much delays two others
at most. What is not finished is drawn on when it asks again.
"""

import hashlib
import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from live_smlm.render import png
from live_smlm.render.layer import Picture
from live_smlm.render.layers import Canvas
from live_smlm.render.look import Look
from live_smlm.render.painter import FIELD_PIXEL_NM
from live_smlm.render.store import MoleculeStore
from live_smlm.render.viewport import Rect
from live_smlm.view import tone
from live_smlm.view.inbox import Inbox
from live_smlm.view.taste import Taste, shading_of, suited
from live_smlm.view.tone import Shading
from live_smlm.view.web.asked import Asked

MOST_VIEWERS = 6
"""Pages that are drawn for; each holds a picture of the whole field."""
AWAY_S = 20.0
"""Who has not asked for so long has gone."""
_MOST_AT_ONCE = 2
_DRAWING_S = 0.25
_STEP_S = 0.03
_PATIENCE_S = 3.0
_MOST_FIELD_PIXELS = 2**22


class BusyError(Exception):
    """So many pages are drawn for that this one must wait; says so in words."""


@dataclass(frozen=True, slots=True)
class Print:
    """A picture as it goes to a page."""

    png: bytes = field(repr=False)
    about: str
    """Where it lies and what its colours tell, as JSON."""
    tag: str
    """The same for the same picture."""


@dataclass(slots=True, eq=False)
class _Viewer:
    canvas: Canvas
    seen_s: float
    drawing: threading.Lock = field(default_factory=threading.Lock)
    newest: tuple[Picture, Taste, Print] | None = None


class Gallery:
    """Any thread may ask."""

    def __init__(self, inbox: Inbox, now: Callable[[], float] = time.monotonic) -> None:
        self._inbox = inbox
        self._now = now
        self._store = MoleculeStore()
        self._viewers: dict[str, _Viewer] = {}
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(_MOST_AT_ONCE)
        inbox.draw_into(self._store.add)

    def picture(self, asked: Asked) -> Print | None:
        """The newest picture of what is asked; of what was asked before, where that takes long.

        None before anything can be seen.
        """
        field_nm = self._inbox.news.field_nm
        if field_nm is None:
            return None
        viewer = self._viewer(asked, field_nm)
        with self._place(viewer):
            look = self._look(asked)
            viewer.canvas.ask(look=look, viewport=asked.viewport)
            picture = self._drawn(viewer.canvas, asked, look)
            return None if picture is None else _printed(viewer, picture, asked.taste)

    def _viewer(self, asked: Asked, field_nm: tuple[float, float]) -> _Viewer:
        """The page's own; a new one where there is room."""
        with self._lock:
            now = self._now()
            here = {k: v for k, v in self._viewers.items() if now - v.seen_s < AWAY_S}
            if asked.viewer not in here:
                if len(here) >= MOST_VIEWERS:
                    raise BusyError(
                        f"{MOST_VIEWERS} pages watch this run already; close one, "
                        f"or wait {AWAY_S:g} s after it is closed"
                    )
                canvas = self._canvas(self._look(asked), field_nm)
                here[asked.viewer] = _Viewer(canvas, now)
            self._viewers = here
            here[asked.viewer].seen_s = now
            return here[asked.viewer]

    def _look(self, asked: Asked) -> Look:
        return suited(asked.taste, self._inbox.columns, self._inbox.curve)[0]

    def _canvas(self, look: Look, field_nm: tuple[float, float]) -> Canvas:
        pixel_nm = max(FIELD_PIXEL_NM, math.sqrt(math.prod(field_nm) / _MOST_FIELD_PIXELS))
        rect = Rect(0.0, 0.0, *field_nm)
        return Canvas(look, store=self._store, field=rect, pixel_nm=pixel_nm, own_thread=False)

    @contextmanager
    def _place(self, viewer: _Viewer) -> Iterator[None]:
        """Among the few that are drawn for at this moment."""
        if not viewer.drawing.acquire(timeout=_PATIENCE_S):
            raise BusyError("this page's picture is being drawn; ask for one after the other")
        try:
            if not self._places.acquire(timeout=_PATIENCE_S):
                raise BusyError("pictures are being drawn for others; ask again")
            try:
                yield
            finally:
                self._places.release()
        finally:
            viewer.drawing.release()

    def _drawn(self, canvas: Canvas, asked: Asked, look: Look) -> Picture | None:
        """What can be drawn in the time."""
        count, deadline = len(self._store), time.monotonic() + _DRAWING_S
        while True:
            canvas.step(_STEP_S)
            picture = canvas.picture()
            done = (
                picture is not None
                and picture.complete
                and picture.viewport == asked.viewport
                and picture.look.but_for_drift(look)
                and not canvas.redrawing
                and picture.molecules >= count
            )
            if done or time.monotonic() > deadline:
                return picture
            time.sleep(0.001)  # it may wait for nothing but its time


def _printed(viewer: _Viewer, picture: Picture, taste: Taste) -> Print:
    if viewer.newest is not None and viewer.newest[0] is picture and viewer.newest[1] == taste:
        return viewer.newest[2]
    made = print_of(picture, taste)
    viewer.newest = picture, taste, made
    return made


def print_of(picture: Picture, taste: Taste) -> Print:
    """A picture as it is to be seen, its contrast set by what is in it."""
    shading = shading_of(picture, taste)
    data = _encoded(picture, shading)
    view = picture.viewport
    about = json.dumps(
        {
            "y": view.origin_nm[0],
            "x": view.origin_nm[1],
            "nm": view.pixel_nm,
            "rows": view.shape[0],
            "columns": view.shape[1],
            "by": picture.look.by if shading.value_limits else None,
            "mode": picture.look.drawing.mode.value,
            "limits": shading.value_limits or shading.limits,
            "contrast": shading.limits,
            "complete": picture.complete,
        },
        allow_nan=False,
    )
    tag = hashlib.blake2b(data + about.encode(), digest_size=12).hexdigest()
    return Print(data, about, tag)


def _encoded(picture: Picture, shading: Shading) -> bytes:
    pixel_nm = picture.viewport.pixel_nm
    if picture.values is not None and shading.value_limits is not None:
        seen = tone.coloured(picture.image, picture.values, pixel_nm, shading)
        return png.encoded(seen, quick=True)
    return png.indexed(tone.shade_numbers(picture.image, pixel_nm, shading), shading.shades)
