"""Pictures that grow: adding molecules costs by their number, never by what is there already.

Next to the image stands, where asked for, the sum of weight times a value of
the molecules: so the mean value per pixel is known at any time, and a new
colour map or range needs no molecule again.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np

from live_smlm.core import F32, Localizations, require
from live_smlm.render.kernels import (
    SIGMAS_DRAWN,
    count,
    cut_normal,
    normal_quantiles,
    scattered,
    spread,
)
from live_smlm.render.values import PRECISION, value
from live_smlm.render.viewport import Viewport

MOST_COPIES = 1000


class Mode(StrEnum):
    """How a molecule becomes light."""

    HISTOGRAM = "histogram"
    """All in the pixel that it lies in."""
    GAUSSIAN = "gaussian"
    """As wide as all others."""
    PRECISION = "precision"
    """As wide as its own sigma_x, sigma_y."""
    DITHERED = "dithered"
    """A few points scattered by its own sigma_x, sigma_y."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How molecules are drawn; what a mode does not need is not looked at."""

    mode: Mode = Mode.PRECISION
    width_nm: float = 20.0
    """Standard deviation of each molecule in the mode `gaussian`."""
    copies: int = 4
    """Points per molecule in the mode `dithered`."""
    seed: int = 0

    def __post_init__(self) -> None:
        require(
            math.isfinite(self.width_nm) and self.width_nm > 0,
            f"width of a molecule is {self.width_nm:g} nm; it must be above 0",
        )
        require(
            1 <= self.copies <= MOST_COPIES,
            f"points per molecule are {self.copies}; give 1 to {MOST_COPIES}",
        )
        require(self.seed >= 0, f"seed is {self.seed}; it must not be negative")


def reach_nm(molecules: Localizations, drawing: Drawing) -> float:
    """How far the usual molecule is drawn from its place."""
    if drawing.mode is Mode.HISTOGRAM:
        return 0.0
    if drawing.mode is Mode.GAUSSIAN:
        return SIGMAS_DRAWN * drawing.width_nm
    known = value(molecules, PRECISION)
    known = known[np.isfinite(known)]
    return SIGMAS_DRAWN * float(np.median(known)) if known.size else 0.0


class Accumulator(Protocol):
    """A picture of one viewport that grows."""

    def add(self, molecules: Localizations, weights: F32 | None = None) -> None:
        """Draw molecules, each of weight 1 unless told, on top of what is there.

        Those outside, and those whose place, width, weight or value is unknown,
        add nothing.
        """
        ...

    def image(self) -> F32:
        """Sum of weights per pixel, (rows, columns), yours to keep.

        A pixel that holds 2**24 no longer feels a single molecule.
        """
        ...

    def values(self) -> F32:
        """Weighted mean of the molecules' value per pixel; NaN where there are none."""
        ...

    def sums(self) -> F32:
        """The image, and behind it that of weight times value; yours to keep."""
        ...

    def start(self, sums: F32) -> None:
        """Forget all molecules; what others drew, as `sums` tells it, is there instead."""
        ...

    def reset(self) -> None:
        """Forget all molecules."""
        ...


class CpuAccumulator:
    """Draws on one core, without the interpreter lock, into float32 sums.

    The same molecules in the same order make the same picture, however they
    are cut into batches.
    """

    def __init__(
        self, viewport: Viewport, drawing: Drawing | None = None, *, by: str | None = None
    ) -> None:
        self.viewport = viewport
        self.drawing = drawing or Drawing()
        self._by = by
        self._sums = np.zeros((1 if by is None else 2, *viewport.shape), np.float32)
        self._added = 0

    def add(self, molecules: Localizations, weights: F32 | None = None) -> None:
        """See `Accumulator`."""
        if not len(molecules):
            return
        amounts = amounts_of(molecules, weights, self._by)
        place = (*self.viewport.origin_nm, self.viewport.pixel_nm)
        x, y, mode = molecules.x, molecules.y, self.drawing.mode
        if mode is Mode.HISTOGRAM:
            count(x, y, 1, amounts, *place, self._sums)
        elif mode is Mode.DITHERED:
            copies, seed = self.drawing.copies, self.drawing.seed
            widths = widths_of(molecules, self.drawing)
            x, y = scattered(x, y, *widths, normal_quantiles(), copies, seed, self._added)
            count(x, y, copies, amounts, *place, self._sums)
        else:
            spread(
                x, y, *widths_of(molecules, self.drawing), amounts, *place, cut_normal(), self._sums
            )
        self._added += len(molecules)

    def image(self) -> F32:
        """See `Accumulator`."""
        return np.array(self._sums[0])

    def values(self) -> F32:
        """See `Accumulator`."""
        require(self._by is not None, "the picture was not told by which value; start a new one")
        return means(self._sums)

    def sums(self) -> F32:
        """See `Accumulator`."""
        return np.array(self._sums)

    def peek(self) -> F32:
        """The same, not to be changed; they change when more is drawn."""
        return self._sums

    def start(self, sums: F32) -> None:
        """See `Accumulator`."""
        check_sums(sums, self._sums.shape)
        self._sums = np.array(sums, np.float32)
        self._added = 0

    def reset(self) -> None:
        """See `Accumulator`."""
        self._sums[:] = 0
        self._added = 0


def means(sums: F32) -> F32:
    """Weighted mean of the value per pixel from an image and its moment; NaN where nothing is."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = sums[1] / sums[0]
    mean[sums[0] == 0] = np.nan
    return np.asarray(mean)


def amounts_of(molecules: Localizations, weights: F32 | None, by: str | None) -> F32:
    """What each molecule adds to each plane; nothing where that is unknown."""
    amounts = np.ones((len(molecules), 1 if by is None else 2), np.float32)
    if weights is not None:
        require(
            weights.shape == (len(molecules),),
            f"weights have shape {weights.shape}; give one per molecule ({len(molecules)})",
        )
        amounts[:] = weights[:, np.newaxis]
    if by is not None:
        amounts[:, 1] *= value(molecules, by)
    if weights is not None or by is not None:
        amounts[~np.isfinite(amounts).all(axis=1)] = 0
    return amounts


def widths_of(molecules: Localizations, drawing: Drawing) -> tuple[F32, F32]:
    """Standard deviations along x and y with which molecules are drawn."""
    if drawing.mode is Mode.GAUSSIAN:
        same = np.full(len(molecules), drawing.width_nm, np.float32)
        return same, same
    return molecules.axis("sigma_x"), molecules.axis("sigma_y")


def check_sums(sums: F32, shape: tuple[int, ...]) -> None:
    """Refuse the sums of another grid."""
    require(
        sums.shape == shape,
        f"sums to start from have shape {sums.shape}; this picture's have {shape}",
    )
