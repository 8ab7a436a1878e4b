"""A picture that grows from the store: it draws what came since it last looked, once each."""

import math
import time
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

import numpy as np

from live_smlm.core import F32, DriftCurve, Localizations
from live_smlm.render.accumulator import CpuAccumulator, means
from live_smlm.render.look import Look
from live_smlm.render.resample import resampled
from live_smlm.render.store import START, Mark, MoleculeStore
from live_smlm.render.viewport import Rect, Viewport

MOST_FIELD_PIXELS = 2**24
_ROOM = 0.25
"""Of the field's sides: how much farther it grows than it must, so that it seldom grows."""
_DEPTH_COUNTS = 0.2
"""Of a distance along z, where it can be seen at all: colours are not so sharp."""
_FARTHEST_NM = 5e6
"""What lies farther off than any chip reaches makes no field grow."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """A finished picture; its arrays are the reader's."""

    image: F32
    values: F32 | None
    """Mean per pixel of the value that the look tells; NaN where there is none."""
    viewport: Viewport
    look: Look
    molecules: int
    """As many of the store's, in the order of coming, have been looked at for it."""
    complete: bool = True
    """Whether these were all that had come when it was asked for."""


def picture_of(
    sums: F32, viewport: Viewport, look: Look, molecules: int, *, complete: bool = True
) -> Picture:
    """From the sums of an accumulator."""
    values = means(sums) if look.by is not None else None
    return Picture(
        image=sums[0],
        values=values,
        viewport=viewport,
        look=look,
        molecules=molecules,
        complete=complete,
    )


class Growing(Protocol):
    """What a layer draws on: an accumulator, or the field."""

    def add(self, molecules: Localizations) -> None:
        """Draw on top."""
        ...

    def sums(self) -> F32:
        """A copy of what has been drawn."""
        ...


Target = TypeVar("Target", bound=Growing)


class Field:
    """The whole sample in pixels that are as fine as memory allows.

    It is as large as it was told, or grows with what comes.
    """

    def __init__(self, look: Look, pixel_nm: float, told: Rect | None = None) -> None:
        self.look = look
        self._told = told
        rect = told or Rect(0.0, 0.0, 0.0, 0.0)
        self.viewport = _over(rect, pixel_nm)
        self._picture = self._fresh()

    def add(self, molecules: Localizations) -> None:
        """See `Growing`."""
        if self._told is None:
            self._make_room(_extent(molecules, self.look.reach_nm))
        self._picture.add(molecules)

    def sums(self) -> F32:
        """See `Growing`."""
        return self._picture.sums()

    def seen_through(self, viewport: Viewport) -> F32:
        """The sums on a coarser grid."""
        return resampled(self._picture.peek(), self.viewport, viewport)

    def _make_room(self, extent: Rect | None) -> None:
        here = self.viewport.rect
        if extent is None or here.holds(extent):
            return
        empty = not self._picture.peek().any()
        wanted = extent if empty else here.joined(extent)
        room = _ROOM * max(wanted.y1 - wanted.y0, wanted.x1 - wanted.x0)
        before = self.viewport
        self.viewport = _over(_pushed(wanted, here, room), before.pixel_nm)
        sums = self._picture.peek()
        self._picture = self._fresh()
        if not empty:
            self._picture.start(resampled(sums, before, self.viewport))

    def _fresh(self) -> CpuAccumulator:
        return CpuAccumulator(self.viewport, self.look.drawing, by=self.look.by)


@dataclass(frozen=True, slots=True)
class Drawn:
    """By which drift molecules were drawn: that of their time, as far as it was known then."""

    by: DriftCurve
    last: int = 0
    """The last frame of which one was drawn."""
    off_nm: float = 0.0
    """How far one of them at most lies from where it would be drawn now."""

    def upto(self, frame: int) -> "Drawn":
        """After molecules of frames up to this one."""
        return self if frame <= self.last else replace(self, last=frame)

    def onwards(self, look: Look) -> "Drawn":
        """What comes is drawn by another drift."""
        across, deep = self.by.apart_nm(look.drift, self.last)
        off_nm = max(across, _DEPTH_COUNTS * deep) if look.tells_depth else across
        return Drawn(self.by.followed_by(look.drift, self.last), self.last, off_nm)


class Layer(Generic[Target]):
    """One picture on its way through the store."""

    def __init__(
        self,
        store: MoleculeStore,
        look: Look,
        target: Target,
        *,
        mark: Mark = START,
        drawn: Drawn | None = None,
    ) -> None:
        self.look = look
        self.target = target
        self.mark = mark
        self.drawn = drawn or Drawn(look.drift)
        self._store = store

    def go_on_by(self, look: Look) -> None:
        """Draw what comes by another drift; all else must be as it was."""
        self.look, self.drawn = look, self.drawn.onwards(look)

    def advance(self, rect: Rect, deadline: float) -> bool:
        """Draw what came since; False where time ran out before all was drawn."""
        look = self.look
        pieces = self._store.pieces(
            rect,
            look.filters,
            look.drift,
            after=self.mark,
            columns=look.columns(),
            reaching=True,
        )
        for piece in pieces:
            if len(piece.molecules) and look.drawable(piece.molecules):
                self.target.add(piece.molecules)
                self.drawn = self.drawn.upto(int(piece.molecules.frame.max()))
            self.mark = piece.mark
            if time.monotonic() > deadline:
                return self.mark.count >= len(self._store)
        return True


def reached_from(viewport: Viewport, look: Look) -> Rect:
    """Where molecules lie that reach into a view; those of great width aside."""
    return viewport.rect.grown(max(look.reach_nm, viewport.pixel_nm))


def draw(store: MoleculeStore, viewport: Viewport, look: Look) -> Picture:
    """All molecules of a store that are seen in a viewport, at once."""
    layer = Layer(store, look, CpuAccumulator(viewport, look.drawing, by=look.by))
    layer.advance(reached_from(viewport, look), math.inf)
    return picture_of(layer.target.sums(), viewport, look, layer.mark.count)


def _extent(molecules: Localizations, reach_nm: float) -> Rect | None:
    """The smallest rectangle that holds all that lie somewhere, as they are drawn."""
    x, y = molecules.x, molecules.y
    known = (np.abs(x) < _FARTHEST_NM) & (np.abs(y) < _FARTHEST_NM)
    if not known.any():
        return None
    x, y = x[known], y[known]
    # What lies at the far end of a grid lies outside.
    around = Rect(float(y.min()), float(x.min()), float(y.max()) + 1, float(x.max()) + 1)
    return around.grown(reach_nm)


def _pushed(wanted: Rect, here: Rect, room: float) -> Rect:
    """With room on the sides that were pushed outwards."""
    return Rect(
        wanted.y0 - room * (wanted.y0 < here.y0),
        wanted.x0 - room * (wanted.x0 < here.x0),
        wanted.y1 + room * (wanted.y1 > here.y1),
        wanted.x1 + room * (wanted.x1 > here.x1),
    )


def _over(rect: Rect, pixel_nm: float) -> Viewport:
    """A grid over a rectangle, on the sample's own; coarser by twos until it is small enough."""
    while True:
        y0, x0 = (math.floor(side / pixel_nm) * pixel_nm for side in (rect.y0, rect.x0))
        view_shape = [max(1, math.ceil(side / pixel_nm)) for side in (rect.y1 - y0, rect.x1 - x0)]
        if math.prod(view_shape) <= MOST_FIELD_PIXELS:
            return Viewport(
                shape=(view_shape[0], view_shape[1]), pixel_nm=pixel_nm, origin_nm=(y0, x0)
            )
        pixel_nm *= 2
