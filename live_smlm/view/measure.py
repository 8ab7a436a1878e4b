"""What an operator measures in the picture: a distance, a line profile, a rectangle."""

import math
from dataclasses import dataclass

import numpy as np

from live_smlm.core import F32, F64
from live_smlm.render.viewport import Viewport
from live_smlm.view.sight import Place, length_words

_MOST_SAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Line:
    """From one place to another."""

    start: Place
    end: Place

    @property
    def length_nm(self) -> float:
        """How far it is."""
        return math.hypot(self.end[0] - self.start[0], self.end[1] - self.start[1])

    def words(self) -> str:
        """Length and direction; 0° is along x, counted towards y."""
        angle = math.degrees(math.atan2(self.end[0] - self.start[0], self.end[1] - self.start[1]))
        return f"{length_words(self.length_nm)}, {angle:.0f}°"


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle between two corners."""

    first: Place
    second: Place

    @property
    def top_left(self) -> Place:
        """The corner nearest to the origin."""
        return min(self.first[0], self.second[0]), min(self.first[1], self.second[1])

    @property
    def sides_nm(self) -> Place:
        """Height and width."""
        return abs(self.second[0] - self.first[0]), abs(self.second[1] - self.first[1])

    def words(self) -> str:
        """Width and height."""
        height, width = self.sides_nm
        return f"{length_words(width)} x {length_words(height)}"


def profile(line: Line, image: F32, viewport: Viewport) -> tuple[F64, F64]:
    """Distance along a line in nm, and what the picture holds there.

    Sampled once per pixel; each sample is the mean of three points across the
    line, one pixel apart. Nothing lies outside the picture.
    """
    pixel = viewport.pixel_nm
    samples = int(min(max(line.length_nm / pixel, 1), _MOST_SAMPLES)) + 1
    share = np.linspace(0.0, 1.0, samples)
    y = (line.start[0] + share * (line.end[0] - line.start[0]) - viewport.origin_nm[0]) / pixel
    x = (line.start[1] + share * (line.end[1] - line.start[1]) - viewport.origin_nm[1]) / pixel
    length = max(line.length_nm, 1e-9)
    across = (line.end[1] - line.start[1]) / length, (line.start[0] - line.end[0]) / length
    total = np.zeros(samples)
    for step in (-1, 0, 1):
        total += _at(image, y + step * across[0], x + step * across[1])
    return share * line.length_nm, total / 3


def molecules_in(region: Region, image: F32, viewport: Viewport) -> float:
    """How much of a picture of molecules lies inside, to a pixel."""
    top, left = (
        (corner - origin) / viewport.pixel_nm
        for corner, origin in zip(region.top_left, viewport.origin_nm, strict=True)
    )
    height, width = (side / viewport.pixel_nm for side in region.sides_nm)
    rows = slice(max(round(top), 0), max(round(top + height), 0))
    columns = slice(max(round(left), 0), max(round(left + width), 0))
    return float(image[rows, columns].sum(dtype=np.float64))


def _at(image: F32, y: F64, x: F64) -> F64:
    """The pixels' values at these places; 0 outside."""
    rows, columns = np.floor(y).astype(np.intp), np.floor(x).astype(np.intp)
    inside = (rows >= 0) & (rows < image.shape[0]) & (columns >= 0) & (columns < image.shape[1])
    values = np.zeros(y.shape)
    values[inside] = image[rows[inside], columns[inside]]
    return values
