"""What an operator's mouse and keys do to the picture, as plain values in and out."""

import math
from dataclasses import dataclass, replace
from enum import Enum

from live_smlm.view.measure import Line, Region
from live_smlm.view.sight import Place, Sight, fitted

_PER_NOTCH = 1.2
"""Magnification per step of the wheel."""
_KEY_SHARE = 0.1
"""Of the screen that an arrow key moves."""
_LEAST_DRAG = 3.0
"""Points below which a drag is a click."""


class Tool(Enum):
    """What dragging does."""

    PAN = "pan"
    MEASURE = "measure"
    REGION = "region"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """A sight, what is marked on it, and what is being done to it."""

    sight: Sight
    tool: Tool = Tool.PAN
    pointer: Place | None = None
    """Where the mouse is on the screen; None while it is elsewhere."""
    held: Place | None = None
    """Where on the screen a drag has come to; None while there is none."""
    line: Line | None = None
    region: Region | None = None

    def pressed(self, point: Place) -> "Hand":
        """The main button goes down."""
        place = self.sight.place(point)
        if self.tool is Tool.MEASURE:
            return replace(self, held=point, line=Line(place, place))
        if self.tool is Tool.REGION:
            return replace(self, held=point, region=Region(place, place))
        return replace(self, held=point)

    def moved(self, point: Place | None) -> "Hand":
        """The mouse moves to a point, or leaves."""
        hand = replace(self, pointer=point)
        if self.held is None or point is None:
            return hand
        if self.tool is Tool.PAN:
            by = point[0] - self.held[0], point[1] - self.held[1]
            return replace(hand, sight=self.sight.panned(by), held=point)
        place = self.sight.place(point)
        if self.tool is Tool.MEASURE and self.line is not None:
            return replace(hand, line=Line(self.line.start, place))
        if self.tool is Tool.REGION and self.region is not None:
            return replace(hand, region=Region(self.region.first, place))
        return hand

    def released(self) -> "Hand":
        """The main button goes up; a mark too small to be meant is gone."""
        line, region = self.line, self.region
        least = _LEAST_DRAG * self.sight.nm_per_point
        if line is not None and line.length_nm < least:
            line = None
        if region is not None and math.hypot(*region.sides_nm) < least:
            region = None
        return replace(self, held=None, line=line, region=region)

    def wheeled(self, notches: float, at: Place | None = None) -> "Hand":
        """The wheel turns; what is under the mouse stays there."""
        return replace(self, sight=self.sight.zoomed(_PER_NOTCH**notches, at))

    def stepped(self, down: int, right: int) -> "Hand":
        """The view moves by a share of the screen."""
        rows, columns = self.sight.size
        by = -down * _KEY_SHARE * rows, -right * _KEY_SHARE * columns
        return replace(self, sight=self.sight.panned(by))

    def resized(self, size: tuple[int, int]) -> "Hand":
        """On a screen of another size; a whole field stays whole."""
        whole = self.sight.nm_per_point == fitted(self.sight.field_nm, self.sight.size).nm_per_point
        hand = replace(self, sight=self.sight.resized(size))
        return hand.fitted() if whole else hand

    def fitted(self) -> "Hand":
        """The whole field."""
        return replace(self, sight=fitted(self.sight.field_nm, self.sight.size))

    def closer(self) -> "Hand":
        """The marked region as large as fits; nothing happens without one."""
        if self.region is None:
            return self
        sight = self.sight.over(self.region.first, self.region.second)
        return replace(self, sight=sight)

    def with_tool(self, tool: Tool) -> "Hand":
        """Another tool; the same one again is given back for the plain hand."""
        return replace(self, tool=Tool.PAN if tool is self.tool else tool, held=None)

    def cleared(self) -> "Hand":
        """No tool and no marks."""
        return replace(self, tool=Tool.PAN, held=None, line=None, region=None)
