"""From a cut-out of the side channel to a spectrum: its place, background and wavelengths.

Knows geometry and noise; not dyes.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from live_smlm.core import F32, F64, RoiBatch, SideChannel, require

_NEAR_PX = 2
"""Pixels on each side of the brightest whose light says where the molecule is."""
_OUTLIER_SIGMAS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Wavelengths at which every spectrum is told, whatever the camera's dispersion."""

    first_nm: float
    step_nm: float
    count: int
    light_nm: tuple[float, float]
    """Between these there may be light; beyond is background."""

    def __post_init__(self) -> None:
        require(
            self.step_nm > 0 and self.count >= 2,
            f"grid has {self.count} wavelengths every {self.step_nm:g} nm; give 2 or more, apart",
        )
        low, high = self.light_nm
        require(low < high, f"grid light_nm is {low:g} to {high:g}; give low before high")

    @property
    def wavelengths(self) -> F64:
        """(count,) of them, rising."""
        return np.asarray(self.first_nm + self.step_nm * np.arange(self.count))


@dataclass(frozen=True, slots=True, eq=False)
class Spectra:
    """One per cut-out."""

    shape: F32
    """(n, count) background-subtracted, on the grid; each sums up to 1."""
    light: F32
    """(n,) photons in it; where that is not above 0, `shape` is 0."""
    background: F32
    """(n,) photons per pixel of the side channel."""
    seen: F32
    """(n,) share of the grid that the side channel covers."""


def spectra(rois: RoiBatch, side: SideChannel, grid: Grid, sigma_px: float) -> Spectra:
    """Spectra of the molecules in these cut-outs; `sigma_px` is the PSF's width."""
    assert rois.side is not None  # noqa: S101 - engines refuse cameras without
    x, y = places(rois)
    middle = side.width // 2 + side.shift_px[1] - side.step_px[1] + x
    background = _background(rois.side, _wavelengths(side, middle), grid)
    light = rois.side - background[:, None, None]
    line = _along_rows(light, side.height // 2 + side.shift_px[0] - side.step_px[0] + y, sigma_px)
    assert side.middle_nm is not None  # noqa: S101 - as above
    assert side.nm_per_px is not None  # noqa: S101 - as above
    place = (grid.wavelengths - side.middle_nm) / side.nm_per_px + middle[:, None]
    per_bin = grid.step_nm / abs(side.nm_per_px)
    values = _at(line, place) * per_bin
    total = np.nansum(values, axis=1)
    bright = total > 0
    shape = (
        np.where(bright[:, None], np.nan_to_num(values), 0) / np.where(bright, total, 1)[:, None]
    )
    seen = np.isfinite(values).mean(axis=1)
    kinds = (shape, total, background, seen)
    return Spectra(*(np.asarray(kind, np.float32) for kind in kinds))


def places(rois: RoiBatch) -> tuple[F64, F64]:
    """x, y of the molecules in pixels from the centre of their cut-out's middle pixel.

    The centre of gravity of the light around the brightest pixel.
    """
    n, k = len(rois), rois.size
    light = rois.photons - (_rim(rois.photons) if rois.background is None else rois.background)
    smooth = _smoothed(light)
    row, column = np.unravel_index(smooth.reshape(n, k * k).argmax(axis=1), (k, k))
    at = np.arange(k)
    near_row = np.abs(at - row[:, None]) <= _NEAR_PX
    near_column = np.abs(at - column[:, None]) <= _NEAR_PX
    weight = np.maximum(light, 0) * (near_row[:, :, None] & near_column[:, None, :])
    total = np.maximum(weight.sum(axis=(1, 2)), 1e-9)
    x = (weight.sum(axis=1) * at).sum(axis=1) / total
    y = (weight.sum(axis=2) * at).sum(axis=1) / total
    return np.asarray(x - k // 2, np.float64), np.asarray(y - k // 2, np.float64)


def _rim(photons: F32) -> F32:
    """(n, 1, 1) the median of each cut-out's outermost pixels."""
    sides = [photons[:, 0], photons[:, -1], photons[:, 1:-1, 0], photons[:, 1:-1, -1]]
    return np.asarray(np.median(np.concatenate(sides, axis=1), axis=1)[:, None, None], np.float32)


def _smoothed(light: F32) -> F32:
    """The sum over 3x3 pixels, without what lies beyond the edges."""
    wide = np.pad(light, ((0, 0), (1, 1), (1, 1)))
    rows = wide[:, :-2] + wide[:, 1:-1] + wide[:, 2:]
    return np.asarray(rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:])


def _wavelengths(side: SideChannel, middle: F64) -> F64:
    """(n, width) of the light in each column."""
    assert side.middle_nm is not None  # noqa: S101 - see `spectra`
    assert side.nm_per_px is not None  # noqa: S101 - see `spectra`
    return np.asarray(side.middle_nm + side.nm_per_px * (np.arange(side.width) - middle[:, None]))


def _background(side: F32, wavelength: F64, grid: Grid) -> F64:
    """(n,) the mean where no light of the molecule is; neighbours' light is left out."""
    low, high = grid.light_nm
    dark = (wavelength < low) | (wavelength > high)
    n, height, width = side.shape
    values = np.where(dark[:, None, :], side, np.nan).reshape(n, height * width)
    # Where nothing is dark there is nothing to subtract.
    values[~np.isfinite(values).any(axis=1)] = 0
    level = np.nanmedian(values, axis=1)
    spread = np.sqrt(np.maximum(level, 0) + 1)
    usual = np.abs(values - level[:, None]) <= _OUTLIER_SIGMAS * spread[:, None]
    total = np.where(usual, values, 0).sum(axis=1)
    return np.asarray(total / np.maximum(usual.sum(axis=1), 1), np.float64)


def _along_rows(light: F32 | F64, middle: F64, sigma_px: float) -> F64:
    """(n, width) each column's light: the best estimate where rows hold as much as the PSF says."""
    edges = np.arange(light.shape[1] + 1) - 0.5 - middle[:, None]
    profile = np.diff(ndtr(edges / sigma_px), axis=1)[:, :, None]
    known = np.isfinite(light)
    weight = np.where(known, profile**2, 0).sum(axis=1)
    total = np.where(known, profile * light, 0).sum(axis=1)
    return np.where(weight > 0, total / np.where(weight > 0, weight, 1), np.nan)


def _at(line: F64, place: F64) -> F64:
    """(n, count) each line between its pixels; NaN beyond them."""
    left = np.floor(place).astype(np.int64)
    share = place - left
    inside = (left >= 0) & (left + 1 < line.shape[1])
    left = np.clip(left, 0, line.shape[1] - 2)
    values = np.take_along_axis(line, left, 1) * (1 - share)
    values += np.take_along_axis(line, left + 1, 1) * share
    return np.where(inside, values, np.nan)
