"""Between a run and the widgets: what to show next, decided without any widget.

The window calls `tick` before it draws, and draws only what that brings. All
methods belong to the window's thread; the follower's thread knows the inbox only.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import numpy as np

from live_smlm.core import STILL, DriftCurve
from live_smlm.render.choose import Choice
from live_smlm.render.layer import Picture
from live_smlm.render.layers import Canvas
from live_smlm.render.look import Look
from live_smlm.render.painter import on_the_processor
from live_smlm.render.viewport import Rect, Viewport
from live_smlm.view import news
from live_smlm.view.follow import LiveFrame
from live_smlm.view.hand import Hand
from live_smlm.view.inbox import Inbox
from live_smlm.view.link import Join, Link
from live_smlm.view.news import News
from live_smlm.view.over import Laid, Over, laid
from live_smlm.view.sight import fitted
from live_smlm.view.taste import Taste, shading_of, suited
from live_smlm.view.tone import Shading

_TONED_S = 0.25
"""Least time between two looks at a picture's brightness."""
_ANY_SIZE = (600, 800)
_STEP_S = 0.006
"""Of a drawing's time, for molecules where a card adds them up on this thread."""


@dataclass(slots=True)
class Fresh:
    """What has changed since the last tick; None is as before."""

    news: News | None = None
    hand: Hand | None = None
    taste: Taste | None = None
    near: Picture | None = None
    far: Picture | None = None
    shading: Shading | None = None
    laid: Laid | None = None
    """What is laid over the molecules."""
    frame: LiveFrame | None = None

    def __bool__(self) -> bool:
        return any(getattr(self, name) is not None for name in self.__slots__)


@dataclass(slots=True)
class Presenter:
    """The state of a window."""

    taste: Taste = field(default_factory=Taste)
    hand: Hand | None = None
    """None before it is known how large the field is."""
    link: Link = field(default_factory=Link)
    near: Picture | None = None
    far: Picture | None = None
    shading: Shading | None = None
    drawer: Callable[[], Choice | None] = lambda: Choice(on_the_processor, "the processor draws")
    """Who adds molecules up; None as long as that is not known."""
    over: Over = field(default_factory=Over)
    """The picture of an engine that is laid over the molecules."""
    choice: Choice | None = None
    """Who does, once there is something to draw."""
    _inbox: Inbox = field(default_factory=Inbox)
    _canvas: Canvas | None = None
    _held: ExitStack = field(default_factory=ExitStack)
    _size: tuple[int, int] = _ANY_SIZE
    _pixels_per_point: float = 1.0
    _shown: Fresh = field(default_factory=Fresh)
    _columns: frozenset[str] = frozenset()
    _curve: DriftCurve = STILL
    _laid: tuple[object, Over, Laid | None] = (None, Over(), None)
    """Of which picture, how it was wanted, and what came of it."""
    _toned_s: float = 0.0
    _toned: Look | None = None
    """When the brightness was looked at, and how that picture was drawn."""

    @property
    def news(self) -> News:
        """What is known of the run."""
        return self._inbox.news

    def join(self, join: Join, run: str) -> None:
        """Show this run from now on."""
        self.leave()
        self._inbox = Inbox(news.joining(run))
        self.link.join(join, self._inbox)

    def leave(self) -> None:
        """Hear no more of the run, and forget its picture."""
        try:
            self.link.leave()
        finally:
            self._inbox.forget()
            self._held.close()
            self._canvas = self.hand = self.near = self.far = self.shading = None
            self._inbox, self._columns, self._curve = Inbox(), frozenset(), STILL
            self._shown = Fresh()
            self.over, self._laid = Over(), (None, Over(), None)

    def resized(self, size: tuple[int, int], pixels_per_point: float) -> None:
        """The picture has another size (rows, columns) in points, or is on another screen."""
        self._size, self._pixels_per_point = size, pixels_per_point
        if self.hand is not None:
            self.hand = self.hand.resized(size)
            self._ask_place()

    def steer(self, change: Callable[[Hand], Hand]) -> None:
        """Mouse or keys do something to the picture; without one, nothing."""
        if self.hand is None:
            return
        before, self.hand = self.hand, change(self.hand)
        if self.hand.sight != before.sight:
            self._ask_place()

    def choose(self, taste: Taste) -> None:
        """The picture is to look so from now on."""
        self.taste = taste
        self._ask_look()
        self._toned_s = 0.0

    def lay(self, over: Over) -> None:
        """Lay this picture of an engine over the molecules from now on."""
        self.over = over
        self.link.show(over.name)

    def dim(self, factor: float) -> None:
        """Set the contrast by hand: the brightest shade is at so many times as many molecules."""
        if self.shading is None:
            return
        low, high = self.shading.limits
        fixed = (low, max(high * factor, low + 1e-9))
        self.choose(replace(self.taste, tone=replace(self.taste.tone, fixed=fixed)))

    def tick(self) -> Fresh:
        """What is new."""
        self._open_canvas()
        self._draw()
        told = self._inbox.columns, self._inbox.curve
        if told[0] != self._columns or told[1] is not self._curve:
            self._columns, self._curve = told
            self._ask_look()
        now = Fresh(
            news=self.news,
            hand=self.hand,
            taste=self.taste,
            near=None if self._canvas is None else self._canvas.picture(),
            far=None if self._canvas is None else self._canvas.overview(),
        )
        self.near, self.far = now.near, now.far
        now.laid = self._lay_over()
        if now.far is not None:
            self._shade(now.near or now.far)
        now.shading = self.shading
        before, self._shown = self._shown, now
        names = Fresh.__slots__
        changed = {n: getattr(now, n) for n in names if getattr(now, n) is not getattr(before, n)}
        return Fresh(**{**changed, "frame": self._inbox.take_frame()})

    def _lay_over(self) -> Laid | None:
        """What lies over the molecules now; None: nothing does."""
        told, before = self._inbox.pictures.get(self.over.name), self._laid
        if told is None:
            return None
        if before[0] is not told or before[1] != self.over:
            self._laid = told, self.over, laid(told, self.over)
        return self._laid[2]

    def _open_canvas(self) -> None:
        """Begin to draw once it is known how large the field is."""
        size_nm = self.news.field_nm
        if self._canvas is not None or size_nm is None or (choice := self.drawer()) is None:
            return
        self.choice, rect = choice, Rect(0.0, 0.0, *size_nm)
        own_thread = not choice.by_card
        canvas = Canvas(self.look[0], field=rect, make=choice.make, own_thread=own_thread)
        self._canvas = self._held.enter_context(canvas)
        self._inbox.draw_into(self._canvas.add)
        self.hand = Hand(sight=fitted(size_nm, self._size))
        self._ask_place()

    def _draw(self) -> None:
        """Let a card add up what came; where it fails, the processor takes over for good."""
        if self._canvas is None or self._canvas.own_thread:
            return
        try:
            self._canvas.step(_STEP_S)
        except Exception as error:  # noqa: BLE001 - whatever a driver does, pictures are drawn
            why = f"the processor draws: the graphics card failed ({error})"
            instead = self.choice = Choice(on_the_processor, why, failed=True)
            self.drawer = lambda: instead
            self._canvas.turn_to_the_processor()

    @property
    def curve(self) -> DriftCurve:
        """How the sample has wandered, as far as the run has told."""
        return self._curve

    @property
    def redrawing(self) -> bool:
        """Whether old molecules are being drawn by what is known of the drift by now."""
        return self._canvas is not None and self._canvas.redrawing

    @property
    def look(self) -> tuple[Look, str]:
        """How molecules are drawn: as is liked, as far as they tell it; and what they do not."""
        return suited(self.taste, self._columns, self._curve)

    @property
    def wanted(self) -> tuple[Look, Viewport] | None:
        """How the picture is to be drawn and where it is to lie; None without a field."""
        if self.hand is None:
            return None
        return self.look[0], self.hand.sight.viewport(self._pixels_per_point)

    def _ask_look(self) -> None:
        if self._canvas is not None:
            self._canvas.ask(look=self.look[0])

    def _ask_place(self) -> None:
        if self._canvas is not None and self.hand is not None:
            self._canvas.ask(viewport=self.hand.sight.viewport(self._pixels_per_point))

    def _shade(self, picture: Picture) -> None:
        """Follow the picture's brightness, now and then."""
        now = time.monotonic()
        if now - self._toned_s < _TONED_S and picture.look is self._toned:
            return
        self._toned_s, self._toned = now, picture.look
        new = shading_of(picture, self.taste)
        if self.shading is None or not _same(new, self.shading):
            self.shading = new


def canvas_limits(presenter: Presenter) -> tuple[float, float]:
    """Molecules per µm² of the darkest and the brightest shade now."""
    return (0.0, 1.0) if presenter.shading is None else presenter.shading.limits


def _same(a: Shading, b: Shading) -> bool:
    plain = (a.limits, a.gamma, a.value_limits) == (b.limits, b.gamma, b.value_limits)
    return plain and bool(np.array_equal(a.shades, b.shades))
