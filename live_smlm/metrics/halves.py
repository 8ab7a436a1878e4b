"""Two half images that grow with the molecules, for Fourier ring correlation.

Frames are cut into blocks; a molecule goes to the half of the block in which its blink
began, whole blinks therefore into one half. A molecule that blinks again in a later
block lands in both halves with the chance of one half: what it correlates then is its
position in itself, not structure. That remains (Nieuwenhuizen et al. 2013 take it off by the
mean number of localizations), and makes the resolution too good where molecules come back:
against the image of molecules that are each seen once, by what `appearances` tells.

Memory and cost are bounded: where the field has more pixels than `MOST_PIXELS`, only `TILES`
tiles are kept, drawn with chances as the first molecules are in them: the densest are not
preferred to what the molecules prefer. The resolution is that of these tiles.
"""

import math
from dataclasses import dataclass

import numpy as np

from live_smlm.core import F32, F64, I32, I64, require
from live_smlm.physics.jit import jit

MOST_PIXELS = 2**20
"""In a half of one piece."""
TILES, TILE_PIXELS = 3, 512
PIXEL_SIGMAS = 0.6
"""A pixel over the precision: a quarter of 2.4, below which the resolution hardly comes."""
BLOCK_FRAMES = 50
_EVEN = 32
"""Sides are multiples of it: quick to transform."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Halves:
    """Molecules per pixel of both halves, in one or more square tiles."""

    pixel_nm: float
    origin_nm: tuple[float, float]
    """Top and left of the field."""
    block_frames: int = BLOCK_FRAMES
    slots: I32
    """By row and column of tiles: which is kept as which; -1 is not kept."""
    images: F32
    """(tiles, halves, rows, columns)."""

    def __post_init__(self) -> None:
        require(self.pixel_nm > 0, f"pixel_nm is {self.pixel_nm:g}; give above 0")
        require(self.block_frames > 0, f"block_frames is {self.block_frames}; give at least 1")

    @property
    def side(self) -> int:
        """Pixels along a side of a tile."""
        return int(self.images.shape[-1])


def start(
    bounds_nm: tuple[float, float, float, float],
    precision_nm: float,
    y: F32,
    x: F32,
    *,
    block_frames: int = BLOCK_FRAMES,
    most_pixels: int = MOST_PIXELS,
) -> Halves:
    """Empty halves of a field (top, left, bottom, right); its first molecules tell the tiles."""
    top, left, bottom, right = bounds_nm
    pixel_nm = PIXEL_SIGMAS * precision_nm
    height, width = (bottom - top) / pixel_nm, (right - left) / pixel_nm
    side = _EVEN * math.ceil(max(height, width) / _EVEN)
    slots: I32 = np.zeros((1, 1), np.int32)
    if side**2 > most_pixels:
        side = TILE_PIXELS
        edges = [side * pixel_nm * np.arange(math.ceil(n / side) + 1) for n in (height, width)]
        filled, _, _ = np.histogram2d(y - top, x - left, bins=edges)
        slots = _some(filled)
    return Halves(
        pixel_nm=pixel_nm,
        origin_nm=(top, left),
        block_frames=block_frames,
        slots=slots,
        images=np.zeros((int(slots.max()) + 1, 2, side, side), np.float32),
    )


def _some(filled: F64) -> I32:
    """Numbers for `TILES` tiles in which molecules are that were drawn, -1 for the others."""
    chance = filled.ravel() + 1e-9
    chance, count = chance / chance.sum(), min(TILES, filled.size)
    drawn = np.random.default_rng(filled.size).choice(filled.size, count, replace=False, p=chance)
    slots = np.full(filled.size, -1, np.int32)
    slots[drawn] = np.arange(count)
    return slots.reshape(filled.shape)


def fold(halves: Halves, y: F32, x: F32, began: I64) -> Halves:
    """The halves with more molecules, in place; `began` is the frame in which a blink began."""
    top, left = halves.origin_nm
    _add(y, x, began, top, left, halves.pixel_nm, halves.block_frames, halves.slots, halves.images)
    return halves


@jit
def _add(
    y: F32, x: F32, began: I64, top: float, left: float, pixel: float, block: int, slots: I32,
    images: F32,
) -> None:  # fmt: skip
    side = images.shape[-1]
    for k in range(y.size):
        row, column = int(np.floor((y[k] - top) / pixel)), int(np.floor((x[k] - left) / pixel))
        if row < 0 or column < 0:
            continue
        tile_row, tile_column = row // side, column // side
        if tile_row >= slots.shape[0] or tile_column >= slots.shape[1]:
            continue
        slot = slots[tile_row, tile_column]
        if slot >= 0:
            half = (began[k] // block) % 2
            images[slot, half, row - tile_row * side, column - tile_column * side] += 1.0
