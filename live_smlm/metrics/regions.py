"""Parts of the field that a user has drawn: rectangles and polygons in nm; what lies in them."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from live_smlm.core import F32, Bool, Localizations, require
from live_smlm.physics.jit import jit

Bounds: TypeAlias = tuple[float, float, float, float]
"""Top, left, bottom, right."""


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Sides along the axes; what lies on the top or left side is inside."""

    top_nm: float
    left_nm: float
    bottom_nm: float
    right_nm: float

    def __post_init__(self) -> None:
        ordered = self.top_nm < self.bottom_nm and self.left_nm < self.right_nm
        require(
            bool(np.isfinite(self.bounds_nm).all()) and ordered,
            f"rectangle is {self.bounds_nm} nm; give top, left, bottom, right with "
            "top above bottom and left of right",
        )

    @property
    def bounds_nm(self) -> Bounds:
        """Top, left, bottom, right."""
        return self.top_nm, self.left_nm, self.bottom_nm, self.right_nm

    @property
    def area_nm2(self) -> float:
        """Of its inside."""
        return (self.bottom_nm - self.top_nm) * (self.right_nm - self.left_nm)


@dataclass(frozen=True, slots=True)
class Polygon:
    """Corners in order; the last is joined to the first. Sides must not cross each other."""

    corners_nm: tuple[tuple[float, float], ...]
    """(y, x) each."""

    def __post_init__(self) -> None:
        n = len(self.corners_nm)
        require(n >= 3, f"polygon has {n} corners; give at least 3")
        finite = bool(np.isfinite(self.corners_nm).all())
        require(
            finite and self.area_nm2 > 0,
            f"polygon {self.corners_nm} holds no area; give corners that are not on one line",
        )

    @property
    def bounds_nm(self) -> Bounds:
        """Top, left, bottom, right."""
        rows, columns = zip(*self.corners_nm, strict=True)
        return min(rows), min(columns), max(rows), max(columns)

    @property
    def area_nm2(self) -> float:
        """Of its inside."""
        y, x = np.array(self.corners_nm, np.float64).T
        return float(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2)


Region: TypeAlias = Rectangle | Polygon


def inside(region: Region, molecules: Localizations) -> Bool:
    """Which molecules lie in the region."""
    x, y = molecules.x, molecules.y
    top, left, bottom, right = region.bounds_nm
    near = (y >= top) & (y < bottom) & (x >= left) & (x < right)
    if isinstance(region, Polygon):
        rows = np.flatnonzero(near)
        near[rows] = _in_polygon(np.array(region.corners_nm, np.float32), y[rows], x[rows])
    return near


@jit
def _in_polygon(corners: F32, y: F32, x: F32) -> Bool:
    """Whether a ray from each point along x crosses the sides an odd number of times."""
    odd = np.zeros(y.size, np.bool_)
    before = len(corners) - 1
    for after in range(len(corners)):
        (ya, xa), (yb, xb) = corners[before], corners[after]
        for k in range(y.size):
            if (ya > y[k]) != (yb > y[k]) and x[k] < xa + (y[k] - ya) * (xb - xa) / (yb - ya):
                odd[k] = not odd[k]
        before = after
    return odd
