"""A second look at every molecule, beside the first on the same chip.

A prism, a grating or a beam splitter sends part of the light to a band of the
chip of its own. This module alone knows where, seen from the molecule.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from live_smlm.core.errors import require

Span = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SideChannel:
    """A band along one edge of the frame in which molecules are seen again."""

    rows: Span
    """First row of the band, and the one after its last."""
    columns: Span
    """Likewise; rows or columns are all that the camera has."""
    shift_px: tuple[float, float]
    """Rows and columns from a molecule to the middle of what is seen of it there."""
    height: int
    """Rows of the cut-outs around that middle."""
    width: int
    middle_nm: float | None = None
    """Wavelength of the light in that middle, where the band is dispersed; else None."""
    nm_per_px: float | None = None
    """How the wavelength rises along the columns."""

    def __post_init__(self) -> None:
        for name in ("rows", "columns"):
            first, stop = getattr(self, name)
            require(
                0 <= first < stop,
                f"side channel {name} are {first}:{stop}; give the first, and the one after the "
                "last",
            )
        require(
            bool(np.isfinite(self.shift_px).all()),
            f"side channel shift_px is {self.shift_px}; give rows and columns",
        )
        for name in ("height", "width"):
            value = getattr(self, name)
            require(value >= 1, f"side channel {name} is {value}; give 1 pixel or more")
        require(
            (self.middle_nm is None) == (self.nm_per_px is None),
            f"side channel middle_nm is {self.middle_nm} and nm_per_px {self.nm_per_px}; "
            "give both, or neither where nothing is dispersed",
        )
        require(
            self.middle_nm is None or self.middle_nm > 0,
            f"side channel middle_nm is {self.middle_nm}; give a wavelength above 0",
        )
        require(
            self.nm_per_px is None or (self.nm_per_px != 0 and bool(np.isfinite(self.nm_per_px))),
            f"side channel nm_per_px is {self.nm_per_px}; give a number that is not 0",
        )

    def view(self, shape: tuple[int, int]) -> tuple[Span, Span]:
        """Rows and columns of the frame that the band leaves: where molecules are seen first."""
        spans = self.rows, self.columns
        whole = [span == (0, length) for span, length in zip(spans, shape, strict=True)]
        within = all(span[1] <= length for span, length in zip(spans, shape, strict=True))
        require(
            within and whole.count(True) == 1,
            f"side channel has rows {self.rows} and columns {self.columns} of a camera of "
            f"{shape[0]}x{shape[1]}; give a band along one edge, as long as that",
        )
        axis = whole.index(False)
        (first, stop), length = spans[axis], shape[axis]
        require(
            first == 0 or stop == length,
            f"side channel {('rows', 'columns')[axis]} are {first}:{stop} of {length}; "
            "let the band touch the frame's edge",
        )
        left = (stop, length) if first == 0 else (0, first)
        other = (0, shape[1 - axis])
        return (left, other) if axis == 0 else (other, left)

    @property
    def step_px(self) -> Span:
        """The shift in whole pixels: how far the cut-outs' middles are moved."""
        return round(self.shift_px[0]), round(self.shift_px[1])

    def describe(self) -> dict[str, object]:
        """Plain values, from which `told` makes it again."""
        return {n: list(v) if isinstance(v, tuple) else v for n, v in asdict(self).items()}


def side_told(values: Mapping[str, Any]) -> SideChannel:
    """The side channel that `SideChannel.describe` described."""
    plain: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}
    return SideChannel(**plain)
