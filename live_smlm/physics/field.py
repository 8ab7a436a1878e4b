"""The rectangle that a specimen fills, and the numbers that may describe a specimen."""

from dataclasses import dataclass

import numpy as np

from live_smlm.core import F64, require

MOST_MOLECULES = 20_000_000
"""Positions that a specimen may hold: some 2 GiB with all that it takes to make them."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of view in the sample plane, nm; its origin is a corner."""

    height_nm: float
    width_nm: float

    def __post_init__(self) -> None:
        check_number("field height_nm", self.height_nm, above=0)
        check_number("field width_nm", self.width_nm, above=0)

    @property
    def area_um2(self) -> float:
        """In µm²."""
        return self.height_nm * self.width_nm * 1e-6

    def scatter(self, count: int, z_half_nm: float, rng: np.random.Generator) -> F64:
        """(count, 3) uniform positions x, y, z with |z| <= z_half_nm."""
        u = rng.random((count, 3))
        low = np.array([0.0, 0.0, -z_half_nm])
        return np.asarray(low + u * np.array([self.width_nm, self.height_nm, 2 * z_half_nm]))

    def inside(self, positions: F64) -> F64:
        """Those positions that lie in the field."""
        x, y = positions[:, 0], positions[:, 1]
        chosen = (x >= 0) & (x < self.width_nm) & (y >= 0) & (y < self.height_nm)
        return positions[chosen]


def check_number(
    name: str, value: float, *, above: float | None = None, at_least: float | None = None
) -> None:
    """Refuse what is not a finite number, or is too small."""
    require(bool(np.isfinite(value)), f"{name} is {value}; give a finite number")
    require(above is None or value > above, f"{name} is {value:g}; it must be above {above}")
    require(
        at_least is None or value >= at_least, f"{name} is {value:g}; it must be {at_least} or more"
    )


def check_count(what: str, expected: float) -> None:
    """Refuse more molecules than fit in memory."""
    require(
        expected <= MOST_MOLECULES,
        f"{what} makes {expected:.3g} molecules and at most {MOST_MOLECULES:.0e} fit in memory; "
        "lower it or take a smaller field",
    )
