"""Molecules as a structure of arrays.

Lengths are nm, light is photons at the camera. The origin is the outer corner
of pixel (0, 0), so that pixel's centre is at half a pixel; x runs along
columns, y along rows, z away from the objective.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

import numpy as np

from live_smlm.core.arrays import F32, I16, I64, AnyArray
from live_smlm.core.errors import require

_DTYPES = {"frame": np.int64, "channel": np.int16}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Localizations:
    """One row per molecule per frame; an absent column is None, never zeros."""

    frame: I64
    x: F32
    y: F32
    z: F32 | None = None
    photons: F32 | None = None
    background: F32 | None = None
    """Photons per pixel."""
    sigma_x: F32 | None = None
    """Standard error of x as the engine claims it; the others alike."""
    sigma_y: F32 | None = None
    sigma_z: F32 | None = None
    sigma_photons: F32 | None = None
    sigma_background: F32 | None = None
    probability: F32 | None = None
    channel: I16 | None = None
    extra: Mapping[str, AnyArray] = field(default_factory=lambda: MappingProxyType({}))
    """Further columns by name; the unit is part of the name."""

    def __post_init__(self) -> None:
        clash = COLUMNS.intersection(self.extra)
        require(not clash, f"Localizations extra column {sorted(clash)} is a standard column")
        for name, column in self.columns().items():
            require(
                column.ndim == 1,
                f"Localizations column {name!r} has shape {column.shape}; give one dimension",
            )
        lengths = {name: len(column) for name, column in self.columns().items()}
        require(
            len(set(lengths.values())) == 1,
            f"Localizations columns differ in length: {lengths}; give one value per molecule",
        )

    def __len__(self) -> int:
        return len(self.frame)

    def columns(self) -> dict[str, AnyArray]:
        """The columns present, extra ones last, by name."""
        named = {n: c for n in _NAMES if (c := getattr(self, n)) is not None}
        return {**named, **self.extra}

    def where(self, chosen: AnyArray | slice) -> "Localizations":
        """The rows that a mask, an index array or a slice selects."""
        return from_columns({name: column[chosen] for name, column in self.columns().items()})

    def with_columns(self, **columns: AnyArray) -> "Localizations":
        """The same rows with columns added or replaced."""
        return from_columns({**self.columns(), **columns})

    def axis(self, name: str) -> F32:
        """A column that must be there."""
        column = self.columns().get(name)
        require(
            column is not None,
            f"localizations have no column {name!r}; they have {', '.join(self.columns())}",
        )
        return column  # type: ignore[return-value] # require() has refused None


_NAMES = tuple(f.name for f in fields(Localizations) if f.name != "extra")
COLUMNS = frozenset(_NAMES)
"""The standard columns."""


def from_columns(columns: Mapping[str, Any]) -> Localizations:
    """Localizations from columns by name, converted to the standard types."""
    standard = {
        name: np.ascontiguousarray(column, dtype=_DTYPES.get(name, np.float32))
        for name, column in columns.items()
        if name in COLUMNS
    }
    extra = {name: np.asarray(c) for name, c in columns.items() if name not in COLUMNS}
    for name in ("frame", "x", "y"):
        require(
            name in standard,
            f"localizations have no column {name!r}; they have {', '.join(columns) or 'none'}",
        )
    return Localizations(**standard, extra=MappingProxyType(extra))


def empty() -> Localizations:
    """No molecules."""
    none = np.zeros(0, np.float32)
    return Localizations(frame=np.zeros(0, np.int64), x=none, y=none)


def concatenate(parts: Sequence[Localizations]) -> Localizations:
    """All rows in the order given; a column must be in all non-empty parts or in none."""
    filled = [part for part in parts if len(part)]
    if not filled:
        return parts[0] if parts else empty()
    names = list(filled[0].columns())
    for part in filled[1:]:
        differing = set(names).symmetric_difference(part.columns())
        require(
            not differing,
            f"localizations to be joined differ in columns {sorted(differing)}; "
            "add or drop them first",
        )
    return from_columns({n: np.concatenate([p.columns()[n] for p in filled]) for n in names})
