"""What one molecule looks like: the protocol that simulation, fits and CRLB share."""

from dataclasses import dataclass
from typing import Protocol

from live_smlm.core.arrays import F32, F64


@dataclass(frozen=True, slots=True, eq=False)
class PsfImage:
    """Molecules of one photon each, and how their images change with position."""

    value: F64
    """(n, rows, columns) the share of the photon that each pixel expects."""
    d_x: F64
    """Derivative by x, per nm; the others alike."""
    d_y: F64
    d_z: F64


class PSF(Protocol):
    """Expected photons of a molecule, and their derivatives."""

    @property
    def name(self) -> str:
        """The kind, as `--psf` names it."""

    @property
    def z_range_nm(self) -> tuple[float, float] | None:
        """Where the model holds; None where the PSF says nothing about z."""

    @property
    def extent_nm(self) -> float:
        """Half-width of the square that holds the molecule's light for practical purposes."""

    def images(
        self,
        x_nm: F32 | F64,
        y_nm: F32 | F64,
        z_nm: F32 | F64,
        shape: tuple[int, int],
        pixel_size_nm: float,
    ) -> PsfImage:
        """Images of molecules at x, y from the outer corner of a (rows, columns) patch.

        All derivatives are analytic or exact to rounding. z outside
        `z_range_nm` is taken at the nearest end of the range.
        """

    def describe(self) -> dict[str, object]:
        """Name and parameters, as they go into records and model bundles."""
