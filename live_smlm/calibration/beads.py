"""Beads in a stack of planes: where they are, and which of them can be used."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from live_smlm.core import F32, F64, CameraModel, RawPixels, require

_NOISE_FACTOR = 8.0
"""Times the noise of the projection, above its median, that a bead must be."""
_RIVAL = 0.1
"""A neighbour of this share of a bead's brightness spoils it."""
_MARGIN = 3
"""Pixels around a bead's square, for resampling."""


@dataclass(frozen=True, slots=True, eq=False)
class Bead:
    """One bead, cut out of every plane."""

    row: int
    column: int
    """Corner of the cut-out in the stack's pixels."""
    photons: F32
    """(planes, side, side); the side is odd and holds a margin of 3 pixels."""
    read_variance: F32
    """(side, side) in photons²."""

    @staticmethod
    def core(cut_out: F32) -> F32:
        """A cut-out (its last two axes) without the margin."""
        return cut_out[..., _MARGIN:-_MARGIN, _MARGIN:-_MARGIN]

    @property
    def core_corner(self) -> tuple[int, int]:
        """Row, column in the stack of the cut-out's corner without the margin."""
        return self.row + _MARGIN, self.column + _MARGIN

    @property
    def brightest_plane(self) -> int:
        """The plane with the brightest spot of 3 x 3 pixels."""
        spots = sliding_window_view(self.photons, (3, 3), axis=(1, 2)).sum(axis=(-1, -2))
        return int(spots.max(axis=(1, 2)).argmax())


@dataclass(frozen=True, slots=True)
class Refused:
    """A bright spot that is no good, and why."""

    row: int
    column: int
    """Its brightest pixel."""
    reason: str


@dataclass(frozen=True, slots=True)
class Beads:
    """What a stack holds."""

    found: tuple[Bead, ...]
    refused: tuple[Refused, ...]

    def needed(self) -> tuple[Bead, ...]:
        """The beads found; refuse to go on without any."""
        reasons = sorted({r.reason for r in self.refused})
        require(
            bool(self.found),
            f"no usable bead in the stack ({len(self.refused)} refused"
            f"{': ' if reasons else ''}{'; '.join(reasons)}); image sparse, bright beads",
        )
        return self.found


def rim(images: F32 | F64) -> F64:
    """The outermost pixels of images (their last two axes), in a row."""
    side = images.shape[-1]
    edge = np.ones(images.shape[-2:], bool)
    edge[1 : side - 1, 1 : side - 1] = False
    return np.asarray(images[..., edge], np.float64)


def find_beads(stack: RawPixels, camera: CameraModel, *, radius_nm: float = 1000.0) -> Beads:
    """Bright, isolated, whole beads in a (planes, rows, columns) stack.

    `radius_nm` is the half-width of the square that holds a bead's light in
    every plane that matters; another bead within twice of it spoils both.
    """
    require(
        stack.ndim == 3 and len(stack) >= 5,
        f"bead stack has shape {stack.shape}; give (planes, rows, columns) with 5 planes or more",
    )
    require(
        2 * camera.pixel_size_nm <= radius_nm <= 1e5,
        f"bead radius_nm is {radius_nm:g}; give 2 pixels ({2 * camera.pixel_size_nm:g}) or more",
    )
    radius = round(radius_nm / camera.pixel_size_nm)
    photons = camera.photons(stack)
    level = float(photons.mean())
    require(
        level > 0,
        f"bead stack has {level:.3g} photons per pixel on average; check the camera's offset",
    )
    bright, threshold = _projection(photons, radius)
    spots = _maxima(bright, threshold, radius)
    saturated = (stack >= 2**camera.bits - 1).any(axis=0)
    variance = camera.read_variance_photons()
    found, refused = [], []
    for row, column in spots:
        reason = _fault(row, column, spots, bright, saturated, radius)
        if reason:
            refused.append(Refused(row, column, reason))
            continue
        r, c = row - radius - _MARGIN, column - radius - _MARGIN
        side = 2 * (radius + _MARGIN) + 1
        window = np.s_[r : r + side, c : c + side]
        found.append(Bead(r, c, photons[:, *window], variance[window]))
    return Beads(tuple(found), tuple(refused))


def _projection(photons: F32, radius: int) -> tuple[F64, float]:
    """The mean plane above its median, smoothed so that a bead has one top; a bead's threshold."""
    width = radius | 1
    padded = np.pad(photons.mean(axis=0, dtype=np.float64), width // 2, mode="edge")
    smooth = sliding_window_view(padded, (width, width)).mean(axis=(-1, -2))
    above = np.asarray(smooth - np.median(smooth), np.float64)
    # The lower half of the pixels is free of beads where there are not too many.
    noise = 1.4826 * float(np.median(np.abs(above[above <= 0])))
    return above, _NOISE_FACTOR * max(noise, 1e-6)


def _maxima(bright: F64, threshold: float, radius: int) -> list[tuple[int, int]]:
    """Tops within their own radius, the brightest first."""
    padded = np.pad(bright, radius, constant_values=-np.inf)
    rows = sliding_window_view(padded, 2 * radius + 1, axis=0).max(axis=-1)
    highest = sliding_window_view(rows, 2 * radius + 1, axis=1).max(axis=-1)
    spots = np.argwhere((bright == highest) & (bright > threshold))
    ordered = sorted(spots, key=lambda s: -bright[tuple(s)])
    return [(int(r), int(c)) for r, c in ordered]


def _fault(
    row: int,
    column: int,
    spots: list[tuple[int, int]],
    bright: F64,
    saturated: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    radius: int,
) -> str | None:
    reach = radius + _MARGIN
    rows, columns = bright.shape
    if not (reach <= row < rows - reach and reach <= column < columns - reach):
        return "too near the edge"
    for other in spots:
        distance = max(abs(other[0] - row), abs(other[1] - column))
        if 0 < distance <= 2 * radius and bright[other] > _RIVAL * bright[row, column]:
            return "another bead is near"
    if saturated[row - radius : row + radius + 1, column - radius : column + radius + 1].any():
        return "saturated"
    return None
