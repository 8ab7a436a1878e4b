"""Which part of the sample a screen shows: pan, zoom and fit as plain arithmetic.

Places on the sample are (y, x) in nm, places on the screen (row, column) in
the screen's own points, of which a fine screen has several pixels.
"""

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

from live_smlm.core import require
from live_smlm.render.viewport import Viewport

Place: TypeAlias = tuple[float, float]

FINEST_NM = 0.25
"""Nothing is magnified beyond this length per point."""
_WIDEST = 4.0
"""How many times the field may fit into the screen."""
_FRAME = 0.97
"""Share of the screen that a fitted field takes."""
_LEAST_SIZE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a screen of `size` (rows, columns) points shows of a field (height, width) nm."""

    size: tuple[int, int]
    field_nm: Place
    centre_nm: Place
    nm_per_point: float

    def __post_init__(self) -> None:
        require(
            0 < self.nm_per_point < math.inf,
            f"a point of the screen is {self.nm_per_point:g} nm; it must be above 0",
        )

    def place(self, point: Place) -> Place:
        """What of the sample stands at a point of the screen."""
        rows, columns = self.size
        return (
            self.centre_nm[0] + (point[0] - rows / 2) * self.nm_per_point,
            self.centre_nm[1] + (point[1] - columns / 2) * self.nm_per_point,
        )

    def point(self, place: Place) -> Place:
        """Where on the screen a place of the sample stands."""
        rows, columns = self.size
        return (
            rows / 2 + (place[0] - self.centre_nm[0]) / self.nm_per_point,
            columns / 2 + (place[1] - self.centre_nm[1]) / self.nm_per_point,
        )

    def panned(self, points: Place) -> "Sight":
        """After the sample was dragged by so many points; the centre stays on the field."""
        moved = tuple(
            min(max(c - p * self.nm_per_point, 0.0), side)
            for c, p, side in zip(self.centre_nm, points, self.field_nm, strict=True)
        )
        return replace(self, centre_nm=(moved[0], moved[1]))

    def zoomed(self, factor: float, at: Place | None = None) -> "Sight":
        """Magnified by a factor; what stands at the point `at` (or the middle) stays there."""
        at = at or (self.size[0] / 2, self.size[1] / 2)
        widest = _WIDEST * _fitting(self.field_nm, self.size)
        nm_per_point = min(max(self.nm_per_point / factor, FINEST_NM), max(widest, FINEST_NM))
        held = self.place(at)
        new = replace(self, nm_per_point=nm_per_point)
        drawn = new.point(held)
        return new.panned((at[0] - drawn[0], at[1] - drawn[1]))

    def resized(self, size: tuple[int, int]) -> "Sight":
        """The same place and magnification on a screen of another size."""
        return replace(self, size=_usable(size))

    def over(self, first: Place, second: Place) -> "Sight":
        """The rectangle between two places, as large as fits."""
        sides = (abs(second[0] - first[0]), abs(second[1] - first[1]))
        centre = ((first[0] + second[0]) / 2, (first[1] + second[1]) / 2)
        finest = max(_fitting(sides, self.size), FINEST_NM)
        return replace(self, centre_nm=centre, nm_per_point=finest)

    def viewport(self, pixels_per_point: float = 1.0) -> Viewport:
        """The same as a grid of the screen's pixels."""
        rows, columns = (max(1, round(n * pixels_per_point)) for n in self.size)
        return Viewport(
            shape=(rows, columns),
            pixel_nm=self.nm_per_point / pixels_per_point,
            origin_nm=self.place((0.0, 0.0)),
        )


def fitted(field_nm: Place, size: tuple[int, int]) -> Sight:
    """The whole field in the middle of the screen."""
    require(
        min(field_nm) > 0 and math.isfinite(sum(field_nm)),
        f"the field of view is {field_nm[0]:g} x {field_nm[1]:g} nm; both must be above 0",
    )
    return Sight(
        size=_usable(size),
        field_nm=field_nm,
        centre_nm=(field_nm[0] / 2, field_nm[1] / 2),
        nm_per_point=_fitting(field_nm, _usable(size)),
    )


def round_length(most: float) -> float:
    """The longest of 1, 2, 5 and noughts that is not above `most`."""
    require(0 < most < math.inf, f"a scale bar of at most {most:g} nm cannot be drawn")
    decade = 10.0 ** math.floor(math.log10(most))
    # A logarithm may round up to the next decade: so a half of it is among the choices.
    return max(decade * n for n in (0.5, 1, 2, 5) if decade * n <= most)


def length_words(nm: float) -> str:
    """A length with the unit that reads best."""
    if abs(nm) >= 1e6:
        return f"{nm / 1e6:.4g} mm"
    return f"{nm / 1000:.4g} µm" if abs(nm) >= 1000 else f"{nm:.4g} nm"


def _fitting(sides_nm: Place, size: tuple[int, int]) -> float:
    return max(side / (_FRAME * n) for side, n in zip(sides_nm, size, strict=True))


def _usable(size: tuple[int, int]) -> tuple[int, int]:
    return max(size[0], _LEAST_SIZE), max(size[1], _LEAST_SIZE)
