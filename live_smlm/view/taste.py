"""What an operator chose of a picture's looks; frozen, so that a change is a new one."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from live_smlm.core import STILL, DriftCurve, require
from live_smlm.render.accumulator import Drawing, Mode
from live_smlm.render.colour import COLORMAPS, Rgb, shades, value_shades
from live_smlm.render.filters import ALL, Filters
from live_smlm.render.layer import Picture
from live_smlm.render.look import Look
from live_smlm.render.values import columns_of
from live_smlm.view import tone
from live_smlm.view.tone import Shading, Tone

Range: TypeAlias = tuple[float, float]
Word = TypeVar("Word")
MODES = tuple(Mode)
BY: Mapping[str, str | None] = MappingProxyType(
    {
        "counts": None,
        "z": "z",
        "time": "frame",
        "photons": "photons",
        "precision": "precision",
        "dye": "channel",
    }
)
"""What colours can tell, in words, and the value behind it."""
TITLES: Mapping[str | None, str] = MappingProxyType(
    {
        None: "molecules / µm²",
        "z": "z, nm",
        "frame": "frame",
        "photons": "photons",
        "precision": "precision, nm",
        "channel": "dye",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taste:
    """How molecules are chosen, drawn and coloured."""

    drawing: Drawing = field(default_factory=Drawing)
    by: str | None = None
    count_map: str = "inferno"
    value_map: str = "viridis"
    tone: Tone = field(default_factory=Tone)
    value_range: Range | None = None
    """Values of the first and the last colour; None: what is seen decides."""
    filters: Filters = ALL
    crosshair: bool = True
    drift: bool = True
    """Whether the sample's drift is taken off, where it is known."""

    def __post_init__(self) -> None:
        require(self.by in TITLES, f"colour by {self.by!r} is unknown; use {', '.join(BY)}")
        low, high = self.value_range or (0.0, 1.0)
        require(low < high, f"colours run from {low:g} to {high:g}; the end must be above")
        require(
            math.isfinite(low) and math.isfinite(high),
            f"colours run from {low:g} to {high:g}; give both ends",
        )

    def drawn(self, **changes: Any) -> "Taste":
        """Drawn otherwise."""
        return replace(self, drawing=replace(self.drawing, **changes))

    @property
    def colormap(self) -> str:
        """The one in use."""
        return self.count_map if self.by is None else self.value_map

    @property
    def shades(self) -> Rgb:
        """(256, 3) bytes from the first to the last colour."""
        return shades(self.count_map) if self.by is None else value_shades(self.value_map)

    def with_colormap(self, name: str) -> "Taste":
        """Another map for what colours tell at the moment."""
        if self.by is None:
            return replace(self, count_map=name)
        return replace(self, value_map=name)

    def next_mode(self) -> "Taste":
        """Drawn in the next way."""
        return self.drawn(mode=after(MODES, self.drawing.mode))

    def next_by(self) -> "Taste":
        """Coloured by the next value."""
        return replace(self, by=after(tuple(BY.values()), self.by), value_range=None)

    def next_colormap(self) -> "Taste":
        """In the next colours."""
        return self.with_colormap(after(COLORMAPS, self.colormap))


def suited(taste: Taste, columns: frozenset[str], drift: DriftCurve = STILL) -> tuple[Look, str]:
    """How molecules with these columns are drawn, and in words what they do not tell.

    Without a precision of their own all are equally wide; a value that is unknown
    colours nothing. Nothing is said before there are molecules.
    """
    look = Look(
        drawing=taste.drawing,
        by=taste.by,
        filters=taste.filters,
        drift=drift if taste.drift else STILL,
    )
    words = []
    if columns and look.by is not None and not columns_of(look.by) <= columns:
        words.append(f"not all molecules tell {TITLES[look.by].partition(',')[0]}: it is not shown")
        look = replace(look, by=None)
    if columns and not look.columns() <= columns:
        words.append("not all molecules tell a precision: all are drawn equally wide")
        look = replace(look, drawing=replace(look.drawing, mode=Mode.GAUSSIAN))
    lacking = [] if not columns else look.filters.columns() - columns
    if lacking:
        words.append(f"those that tell no {', '.join(sorted(lacking))} do not pass the filter")
    return look, "; ".join(words)


def shading_of(picture: Picture, taste: Taste) -> Shading:
    """How this picture becomes colours: its contrast follows what is in it.

    Where it does not tell the value that is liked, colours tell counts.
    """
    values = None
    if picture.values is not None and picture.look.by == taste.by:
        values = taste.value_range or tone.value_limits(picture.values, picture.image)
    limits = tone.limits(picture.image, picture.viewport.pixel_nm, taste.tone)
    shades = taste.shades if values is not None else replace(taste, by=None).shades
    return Shading(shades, limits, taste.tone.gamma, values)


def after(words: tuple[Word, ...], word: Word) -> Word:
    """The one that follows, the first after the last."""
    return words[(words.index(word) + 1) % len(words)]
