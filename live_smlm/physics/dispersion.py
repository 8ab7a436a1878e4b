"""The second look at molecules of known dyes: their light spread out in the side channel.

A molecule's image there is the PSF's, smeared along the columns by its
spectrum. Knows where the channel lies and how it disperses; not when molecules
shine.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from live_smlm.core import F32, F64, I64, PSF, CameraModel, SideChannel, require
from live_smlm.physics.jit import jit
from live_smlm.physics.spectra import Dye

_ROOM_PX = 2
_SPECTRA_AT_ONCE = 2000


def side_channel(shape: tuple[int, int], roi_px: int = 13) -> SideChannel:
    """A dispersed band right of the image, in frames as wide as `with_side` says."""
    rows, columns = shape
    seen = (columns - 2 * _MARGIN_PX) // 2
    require(
        seen >= roi_px,
        f"frames of {rows}x{columns} have no room for an image and its spectra; "
        f"take {2 * (roi_px + _MARGIN_PX)} columns or more",
    )
    return SideChannel(
        rows=(0, rows),
        columns=(seen, columns),
        shift_px=(0.0, float(seen + _MARGIN_PX)),
        height=roi_px,
        width=2 * _MARGIN_PX + 1,
        middle_nm=_MIDDLE_NM,
        nm_per_px=_NM_PER_PX,
    )


def with_side(shape: tuple[int, int]) -> tuple[int, int]:
    """Of frames whose image has this shape, and beside it room for all of its spectra."""
    return shape[0], 2 * shape[1] + 2 * _MARGIN_PX


_MARGIN_PX = 20
"""Columns to which a spectrum reaches on each side of its middle."""
_MIDDLE_NM = 695.0
_NM_PER_PX = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """How the light of dyes is spread over the columns of a side channel."""

    dyes: Sequence[Dye]
    side: SideChannel

    def __post_init__(self) -> None:
        require(
            self.side.middle_nm is not None,
            "side channel is not dispersed, so dyes make no difference in it; give it middle_nm "
            "and nm_per_px",
        )

    def shares(self, dye: I64, shift_nm: F64) -> tuple[F64, int]:
        """(n, bins) share of each molecule's light by column, and the first bin's column.

        Columns are counted from that of the middle; `shift_nm` is by how much a
        molecule's own spectrum lies further to the red than its dye's.
        """
        assert self.side.middle_nm is not None  # noqa: S101 - see above
        assert self.side.nm_per_px is not None  # noqa: S101 - likewise
        middle, step = self.side.middle_nm, self.side.nm_per_px
        ends = np.array([kind.reach_nm for kind in self.dyes])
        first, last = sorted((np.array([ends.min(), ends.max()]) - middle) / step)
        bins = np.arange(int(np.floor(first)), int(np.ceil(last)) + 1)
        edges = middle + step * (np.append(bins, bins[-1] + 1) - 0.5)
        out = np.zeros((len(dye), len(bins)))
        for number, kind in enumerate(self.dyes):
            mine = dye == number
            below = kind.below(edges - shift_nm[mine, None])
            out[mine] = np.abs(np.diff(below, axis=1))
        return out, int(bins[0])


def own_shift_nm(dyes: Sequence[Dye], dye: I64, molecule: I64) -> F64:
    """By how much the spectra of these molecules are shifted: the same whenever they shine."""
    spread = np.array([kind.spread_nm for kind in dyes])
    bits = molecule.astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        bits = (bits ^ (bits >> np.uint64(shift))) * np.uint64(factor)
    share = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) / 2**53
    return np.asarray(spread[dye] * ndtri(share))


def draw_side(
    images: F32,
    camera: CameraModel,
    psf: PSF,
    spread: Spread,
    image: I64,
    position: F64,
    photons: F64,
    dye: I64,
    shift_nm: F64,
) -> None:
    """Add molecules to the side channel of expected frames (n, rows, columns), in place.

    `position` (m, 3) is x, y, z in nm from the frame's corner, in the image;
    `photons` are those in the side channel.
    """
    side, pixel = spread.side, camera.pixel_size_nm
    width = int(np.ceil(2 * psf.extent_nm / pixel)) + 1 + _ROOM_PX
    there = position[:, :2] + np.array(side.shift_px)[::-1] * pixel
    corner = np.rint(there / pixel - 0.5 * width).astype(np.int64)
    local = there - corner * pixel
    band = np.array([*side.rows, *side.columns])
    for start in range(0, len(photons), _SPECTRA_AT_ONCE):
        part = np.s_[start : start + _SPECTRA_AT_ONCE]
        shares, first = spread.shares(dye[part], shift_nm[part])
        patches = psf.images(local[part, 0], local[part, 1], position[part, 2], (width,) * 2, pixel)
        _smear(images, image[part], corner[part], photons[part], patches.value, shares, first, band)


@jit
def _smear(
    images: F32,
    image: I64,
    corner: I64,
    photons: F64,
    patches: F64,
    shares: F64,
    first: int,
    band: I64,
) -> None:
    bins = shares.shape[1]
    _, height, width = patches.shape
    line = np.empty(width + bins - 1)
    for m in range(len(photons)):
        left = corner[m, 0] + first
        for r in range(height):
            row = corner[m, 1] + r
            if row < band[0] or row >= band[1]:
                continue
            line[:] = 0.0
            for c in range(width):
                for b in range(bins):
                    line[c + b] += patches[m, r, c] * shares[m, b]
            for c in range(len(line)):
                column = left + c
                if band[2] <= column < band[3]:
                    images[image[m], row, column] += photons[m] * line[c]
