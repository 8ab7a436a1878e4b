"""Raw pixels on their way from a source to an engine."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from live_smlm.core.arrays import F32, F64, I32, I64, AnyArray, RawPixels
from live_smlm.core.errors import require
from live_smlm.core.localizations import Localizations

STACK_DIMENSIONS = 3
_ALWAYS = ("frame", "x", "y")


@dataclass(frozen=True, slots=True, eq=False)
class FrameBatch:
    """Frames in order, with `halo` context frames before and after.

    An engine answers for the frames between the halos only; the neighbouring
    batches answer for the rest.
    """

    pixels: RawPixels
    """(n, rows, columns) uint8 or uint16, ADU."""
    index: I64
    """(n,) the camera's own numbers, rising; a gap is a lost frame."""
    time_s: F64
    """(n,) on the camera's clock."""
    halo: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        require(
            self.pixels.ndim == STACK_DIMENSIONS,
            f"FrameBatch pixels have shape {self.pixels.shape}; give (frames, rows, columns)",
        )
        require(
            self.pixels.dtype in (np.uint8, np.uint16),
            f"FrameBatch pixels are {self.pixels.dtype}; frames are uint8 or uint16",
        )
        n = len(self.pixels)
        require(
            len(self.index) == len(self.time_s) == n,
            f"FrameBatch holds {n} frames but {len(self.index)} numbers and "
            f"{len(self.time_s)} times; give one of each per frame",
        )
        before, after = self.halo
        require(
            before >= 0 and after >= 0 and before + after <= n,
            f"FrameBatch halo {self.halo} does not fit into {n} frames",
        )
        require(
            bool(np.all(np.diff(self.index) > 0)),
            "FrameBatch frame numbers do not rise; sort the frames by number",
        )

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def core(self) -> slice:
        """The frames this batch answers for."""
        before, after = self.halo
        return slice(before, len(self.pixels) - after)


@dataclass(frozen=True, slots=True, eq=False)
class RoiBatch:
    """Square cut-outs around candidate molecules."""

    photons: F32
    """(n, k, k), background included."""
    frame: I64
    """(n,) the camera's number."""
    row: I32
    """(n,) first row of the cut-out in the frame."""
    column: I32
    """(n,) first column."""
    background: F32 | None = None
    """(n, k, k) photons, if someone knows it better than a constant."""
    side: F32 | None = None
    """(n, height, width) photons of the camera's side channel around each cut-out's middle,
    moved by its step; NaN where the channel ends."""
    columns: Mapping[str, AnyArray] = field(default_factory=lambda: MappingProxyType({}))
    """What is known already of the molecules: columns that they will have, standard or extra."""

    def __post_init__(self) -> None:
        shape = self.photons.shape
        require(
            len(shape) == STACK_DIMENSIONS and shape[1] == shape[2],
            f"RoiBatch photons have shape {shape}; give square cut-outs (n, k, k)",
        )
        lengths = {"frame": len(self.frame), "row": len(self.row), "column": len(self.column)}
        require(
            all(length == shape[0] for length in lengths.values()),
            f"RoiBatch holds {shape[0]} cut-outs but {lengths}; give one of each per cut-out",
        )
        require(
            self.background is None or self.background.shape == shape,
            f"RoiBatch background has another shape than its cut-outs {shape}; give one per pixel",
        )
        require(
            self.side is None
            or (self.side.ndim == STACK_DIMENSIONS and len(self.side) == shape[0]),
            f"RoiBatch side is not (n, height, width) for {shape[0]} cut-outs; give one of each",
        )
        for name, column in self.columns.items():
            require(
                name not in _ALWAYS,
                f"RoiBatch column {name!r} is measured by every engine; leave it out",
            )
            require(
                column.shape == shape[:1],
                f"RoiBatch column {name!r} has shape {column.shape} for {shape[0]} cut-outs; "
                "give one value per cut-out",
            )

    def __len__(self) -> int:
        return len(self.photons)

    @property
    def size(self) -> int:
        """Pixels along a side."""
        return int(self.photons.shape[1])

    def where(self, chosen: AnyArray) -> "RoiBatch":
        """The cut-outs that a mask or an index array selects."""
        return RoiBatch(
            self.photons[chosen],
            self.frame[chosen],
            self.row[chosen],
            self.column[chosen],
            None if self.background is None else self.background[chosen],
            None if self.side is None else self.side[chosen],
            {name: column[chosen] for name, column in self.columns.items()},
        )

    def with_columns(self, **columns: AnyArray) -> "RoiBatch":
        """The same cut-outs with columns added or replaced."""
        return replace(self, columns={**self.columns, **columns})

    def passed_on(self, found: Localizations, kept: AnyArray | slice) -> Localizations:
        """Molecules found in the cut-outs `kept`, with the columns that came with these.

        What was measured goes before what was known.
        """
        measured = found.columns()
        known = {n: c[kept] for n, c in self.columns.items() if n not in measured}
        return found.with_columns(**known) if known else found
