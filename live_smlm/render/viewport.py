"""The part of the sample that a picture shows, and how finely. Lengths are nm."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from live_smlm.core import Localizations, require

MOST_PIXELS = 2**28
"""A gigabyte of float32."""


class Rect(NamedTuple):
    """A part of the sample: top, left, bottom, right."""

    y0: float
    x0: float
    y1: float
    x1: float

    def grown(self, margin_nm: float) -> "Rect":
        """With a margin all around."""
        return Rect(
            self.y0 - margin_nm, self.x0 - margin_nm, self.y1 + margin_nm, self.x1 + margin_nm
        )

    def joined(self, other: "Rect") -> "Rect":
        """The smallest that holds both."""
        return Rect(
            min(self.y0, other.y0),
            min(self.x0, other.x0),
            max(self.y1, other.y1),
            max(self.x1, other.x1),
        )

    def holds(self, other: "Rect") -> bool:
        """Whether the other lies in it."""
        return self.joined(other) == self

    def meets(self, other: "Rect") -> bool:
        """Whether the two have a part in common."""
        down = min(self.y1, other.y1) - max(self.y0, other.y0)
        return down > 0 and min(self.x1, other.x1) - max(self.x0, other.x0) > 0


EVERYWHERE = Rect(-math.inf, -math.inf, math.inf, math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewport:
    """A grid of (rows, columns) square pixels."""

    shape: tuple[int, int]
    pixel_nm: float
    origin_nm: tuple[float, float] = (0.0, 0.0)
    """y, x of the outer corner of pixel (0, 0)."""

    def __post_init__(self) -> None:
        _check_pixel(self.pixel_nm)
        rows, columns = self.shape
        require(
            min(rows, columns) >= 1 and rows * columns <= MOST_PIXELS,
            f"picture has {rows} x {columns} pixels; give 1 to {MOST_PIXELS} in all, "
            "by its pixel or window",
        )
        require(
            all(map(math.isfinite, self.origin_nm)),
            f"picture origin is {self.origin_nm} nm; give finite numbers",
        )

    @property
    def rect(self) -> Rect:
        """What it covers."""
        y, x = self.origin_nm
        return Rect(y, x, y + self.shape[0] * self.pixel_nm, x + self.shape[1] * self.pixel_nm)


def covering(
    field_nm: tuple[float, float], pixel_nm: float, origin_nm: tuple[float, float] = (0.0, 0.0)
) -> Viewport:
    """The fewest pixels that cover a field of (height, width) nm from its origin (y, x)."""
    _check_pixel(pixel_nm)
    require(
        all(math.isfinite(side) and side >= 0 for side in field_nm),
        f"picture is {field_nm[0]:g} nm high and {field_nm[1]:g} nm wide; give 0 or more",
    )
    rows, columns = (max(1, math.ceil(side / pixel_nm)) for side in field_nm)
    return Viewport(shape=(rows, columns), pixel_nm=pixel_nm, origin_nm=origin_nm)


def around(molecules: Localizations, pixel_nm: float, margin_nm: float = 0.0) -> Viewport:
    """All molecules that lie somewhere, with a margin, on the grid from the sample's origin."""
    _check_pixel(pixel_nm)
    y, x = molecules.y.astype(np.float64), molecules.x.astype(np.float64)
    known = np.isfinite(x) & np.isfinite(y)
    require(bool(known.any()), "no molecule has a position; there is nothing to draw")
    y, x = y[known] / pixel_nm, x[known] / pixel_nm
    margin = margin_nm / pixel_nm
    top, left = math.floor(y.min() - margin), math.floor(x.min() - margin)
    bottom, right = math.floor(y.max() + margin), math.floor(x.max() + margin)
    return Viewport(
        shape=(bottom - top + 1, right - left + 1),
        pixel_nm=pixel_nm,
        origin_nm=(top * pixel_nm, left * pixel_nm),
    )


def _check_pixel(pixel_nm: float) -> None:
    require(
        math.isfinite(pixel_nm) and pixel_nm > 0,
        f"reconstruction pixel is {pixel_nm:g} nm; it must be above 0",
    )
