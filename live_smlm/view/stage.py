"""The picture's part of the window: brings what is new onto the screen, with what it means."""

import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PySide6.QtGui import QImage

from live_smlm.render.colour import Rgb
from live_smlm.render.layer import Picture
from live_smlm.render.picture import pooled
from live_smlm.view import measure, paint
from live_smlm.view.hand import Hand
from live_smlm.view.over import Laid, warning
from live_smlm.view.presenter import Fresh, Presenter
from live_smlm.view.regions import outlines
from live_smlm.view.sight import Place
from live_smlm.view.surface import Surface
from live_smlm.view.taste import TITLES
from live_smlm.view.tone import Shading, Tone, coloured, density, limits

_MAP_PIXELS = 264
_MAP_S = 0.9
"""Least time between two minimaps."""


class Stage:
    """Surface and presenter, put together; no decisions."""

    def __init__(self, presenter: Presenter) -> None:
        self._presenter = presenter
        self._mapped_s, self._map_is_old = 0.0, False
        self._is_laid = False
        self.surface = Surface(self.steer, self._resized)
        presenter.drawer = self.surface.drawer

    def steer(self, change: Callable[[Hand], Hand]) -> None:
        """Mouse or keys; seen at once, not with the next picture."""
        self._presenter.steer(change)
        if self._presenter.hand is not None:
            self._mark(self._presenter.hand)
            self.surface.show_hand(self._presenter.hand)

    def show(self, fresh: Fresh) -> None:
        """What has changed."""
        overlay = self.surface.glass.overlay
        if fresh.near is not None:
            self.surface.upload("near", fresh.near)
        if fresh.far is not None:
            self.surface.upload("far", fresh.far)
        if fresh.shading is not None:
            self.surface.shade(fresh.shading)
            self._explain()
        self._lay_over(fresh.laid)
        mapped = self._draw_map(fresh)
        hand = self._presenter.hand
        if hand is None:
            return
        if fresh.hand is not None:
            self.surface.show_hand(hand)
        before = overlay.said
        overlay.judged = outlines(self._presenter.news)
        overlay.crosshair = self._presenter.taste.crosshair
        self._mark(hand)
        # Marks are painted only when they change: it costs as much as the picture.
        marked = hand.line is not None and fresh.near is not None
        if marked or mapped or overlay.said != before or fresh.shading:
            self.surface.glass.update()

    def forget(self) -> None:
        """Nothing is there yet."""
        self.surface.forget("waiting for the run's first word")

    def _resized(self, size: tuple[int, int]) -> None:
        self._presenter.resized(size, self.surface.devicePixelRatioF())
        if self._presenter.hand is not None:
            self.surface.show_hand(self._presenter.hand)

    def _lay_over(self, changed: Laid | None) -> None:
        """What an engine has drawn; taken away once nobody wants it any more."""
        wanted = bool(self._presenter.over.name)
        if changed is not None:
            self.surface.lay_over(changed)
        elif self._is_laid and not wanted:
            self.surface.lay_over(None)
        self._is_laid = wanted and (self._is_laid or changed is not None)

    def _explain(self) -> None:
        """The colour bar's words."""
        overlay, shading = self.surface.glass.overlay, self._presenter.shading
        if shading is None:
            return
        told = shading.value_limits
        low, high = shading.limits if told is None else told
        overlay.shades = shading.shades
        overlay.ends = paint.fraction(low), paint.fraction(high)
        overlay.colours_title = TITLES[None if told is None else self._presenter.taste.by]

    def _draw_map(self, fresh: Fresh) -> bool:
        """Draw the minimap anew where it is old; says whether."""
        self._map_is_old |= fresh.far is not None or fresh.taste is not None
        now = time.monotonic()
        if not self._map_is_old or now - self._mapped_s < _MAP_S:
            return False
        self._mapped_s, self._map_is_old = now, False
        self.surface.glass.overlay.whole = self._whole()
        return True

    def _whole(self) -> QImage | None:
        """The minimap."""
        far, shading = self._presenter.far, self._presenter.shading
        if far is None or shading is None:
            return None
        return paint.image_of(_small(far, shading))

    def _mark(self, hand: Hand) -> None:
        """Words and curves of what is pointed at and marked."""
        overlay, near = self.surface.glass.overlay, self._presenter.near
        overlay.readout = _readout(hand, near)
        said = (self._presenter.look[1], warning(self._presenter.over, self._presenter.news))
        overlay.warning = "; ".join(filter(None, said))
        overlay.profile = None
        line, region = hand.line, hand.region
        if line is not None and line.length_nm > 0:
            seen = self._holding(line.start, line.end)
            if seen is not None:
                overlay.profile = measure.profile(line, seen.image, seen.viewport)
        if region is not None and (seen := self._holding(region.first, region.second)) is not None:
            inside = measure.molecules_in(region, seen.image, seen.viewport)
            overlay.region_words = f"{region.words()}, {inside:,.0f} molecules"

    def _holding(self, first: Place, second: Place) -> Picture | None:
        """The finest picture that holds both places."""
        for picture in (self._presenter.near, self._presenter.far):
            if picture is not None and all(_inside(at, picture) for at in (first, second)):
                return picture
        return self._presenter.far


def _inside(place: Place, picture: Picture) -> bool:
    rect = picture.viewport.rect
    return bool(rect.y0 <= place[0] <= rect.y1 and rect.x0 <= place[1] <= rect.x1)


def _small(far: Picture, shading: Shading) -> Rgb:
    """The field in few pixels, as bright as it is itself."""
    image = pooled(far.image, _MAP_PIXELS)
    values = None
    if far.values is not None and shading.value_limits is not None:
        with np.errstate(invalid="ignore", divide="ignore"):
            values = pooled(far.image * np.nan_to_num(far.values), _MAP_PIXELS) / image
    else:
        shading = replace(shading, value_limits=None)
    tone = Tone(percentile=97.0)
    shown = replace(shading, limits=limits(image, far.viewport.pixel_nm, tone), gamma=tone.gamma)
    return coloured(image, values, far.viewport.pixel_nm, shown)


def _readout(hand: Hand, near: Picture | None) -> str:
    scale = f"{hand.sight.nm_per_point:.3g} nm / px"
    if hand.pointer is None:
        return scale
    y, x = hand.sight.place(hand.pointer)
    words = f"x {x:,.1f} nm   y {y:,.1f} nm   ·   {scale}"
    if near is None:
        return words
    grid = near.viewport
    row, column = (
        int((at - origin) // grid.pixel_nm)
        for at, origin in zip((y, x), grid.origin_nm, strict=True)
    )
    if not (0 <= row < grid.shape[0] and 0 <= column < grid.shape[1]):
        return words
    here = float(near.image[row, column]) * density(grid.pixel_nm)
    value = math.nan if near.values is None else float(near.values[row, column])
    told = "" if math.isnan(value) else f"   ·   {TITLES[near.look.by]} {value:,.4g}"
    return f"{words}   ·   {here:,.4g} / µm²{told}"
