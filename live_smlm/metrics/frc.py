"""Resolution by Fourier ring correlation of two half images (Nieuwenhuizen et al. 2013).

Each tile is freed of its mean and tapered at its edges. Products of the two transforms
are summed over rings one frequency step wide, over all tiles, and smoothed along the
radius with a Gaussian of one ring plus `_SMOOTH` of the radius, numerator and
denominators alike, before they are divided. The resolution is where the smoothed curve
first falls below the threshold: 1/7, or half a bit of information per pixel (van Heel
and Schatz 2005). It is unknown where the curve never falls, or where nothing correlates.
Its standard error is the jackknife's over sectors of the rings: noise and structure
of different directions are nearly independent.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.fft import rfft2

from live_smlm.core import F32, F64, I32, AnyArray
from live_smlm.metrics.halves import Halves
from live_smlm.physics.jit import jit

SEVENTH = 1 / 7
SECTORS = 12
_SMOOTH = 0.04
_TAPER = 0.125
"""Of a side, at either end."""
_FEWEST = 50
"""Molecules in either half; with fewer nothing is said."""
_LEAST_RING = 3
"""A curve that falls before it is of the tile's shape, not of structure."""
_SURE = 4.0
"""Standard errors above none, for what correlates below the resolution."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frc:
    """The curve, and what is read from it."""

    frequency: F64
    """1/nm, by ring."""
    correlation: F64
    """As measured."""
    smooth: F64
    half_bit: F64
    """The threshold."""
    resolution_nm: float | None
    """At 1/7."""
    error_nm: float | None
    """Of the resolution at 1/7."""
    half_bit_nm: float | None


def correlate(halves: Halves) -> Frc | None:
    """The correlation of both halves by now; None where one is nearly empty."""
    if halves.images.sum(axis=(0, 2, 3), dtype=np.float64).min() < _FEWEST:
        return None
    side = halves.side
    rings = side // 2
    taper = _taper(side)
    sums = np.zeros((rings, SECTORS, 3))
    for tile in halves.images:
        first, second = (
            rfft2((half - half.mean(dtype=np.float64).astype(np.float32)) * taper) for half in tile
        )
        _add_rings(first, second, sums)
    return _read(sums[1:], _pixels(side)[1:], side * halves.pixel_nm)


def _read(sums: F64, pixels: F64, side_nm: float) -> Frc:
    """The curve and its crossings from sums by ring and sector."""
    ring = np.arange(1, len(sums) + 1)
    kernel = _smoothing(len(sums))
    total = sums.sum(axis=1)
    smooth = _ratio(kernel @ total)
    root = np.sqrt(pixels)
    half_bit = (0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root)
    at = _crossing(smooth, np.full(len(ring), SEVENTH), pixels)
    bit = _crossing(smooth, half_bit, pixels)
    error = None
    if at is not None:
        left_out = [
            _first_below(_ratio(kernel @ (total - sums[:, k])) - SEVENTH) for k in range(SECTORS)
        ]
        known = np.array([side_nm / one for one in left_out if one is not None])
        if len(known) > SECTORS // 2:
            error = float(np.sqrt((len(known) - 1) * known.var()))
    return Frc(
        frequency=ring / side_nm,
        correlation=_ratio(total),
        smooth=smooth,
        half_bit=half_bit,
        resolution_nm=None if at is None else side_nm / at,
        error_nm=error,
        half_bit_nm=None if bit is None else side_nm / bit,
    )


def _crossing(smooth: F64, threshold: F64, pixels: F64) -> float | None:
    """The ring at which the curve falls below the threshold, if what is before it is no noise."""
    at = _first_below(smooth - threshold)
    if at is None or at < _LEAST_RING:
        return None
    within = slice(0, int(at))
    n = pixels[within]
    correlation = float(np.sum(n * smooth[within]) / n.sum())
    return at if correlation * np.sqrt(n.sum()) > _SURE else None


def _first_below(above: F64) -> float | None:
    """Where a curve that begins above zero first falls below it, in rings from 1."""
    below = np.flatnonzero(above < 0)
    if len(below) == 0 or below[0] == 0:
        return None
    k = int(below[0])
    return k + float(above[k - 1] / (above[k - 1] - above[k]))


def _ratio(sums: F64) -> F64:
    """Correlation from products of both, of the first and of the second."""
    power = np.sqrt(sums[:, 1] * sums[:, 2])
    return np.divide(sums[:, 0], power, out=np.zeros(len(sums)), where=power > 0)


@lru_cache(maxsize=4)
def _taper(side: int) -> F32:
    """One in the middle, a cosine to zero at the edges (Tukey's window)."""
    edge = (np.arange(side) + 0.5) / side
    edge = np.minimum(edge, 1 - edge) / _TAPER
    along = np.where(edge < 1, 0.5 - 0.5 * np.cos(np.pi * edge), 1.0)
    return np.outer(along, along).astype(np.float32)


@lru_cache(maxsize=4)
def _smoothing(rings: int) -> F64:
    """What each smoothed ring takes of each ring; no shares of a ring's sectors are mixed."""
    ring = np.arange(1, rings + 1)
    width = 1 + _SMOOTH * ring
    return np.asarray(np.exp(-0.5 * ((ring[None, :] - ring[:, None]) / width[:, None]) ** 2))


@lru_cache(maxsize=4)
def _pixels(side: int) -> F64:
    """Independent Fourier pixels by ring."""
    sums = np.zeros((side // 2, SECTORS, 3))
    ones = np.ones((side, side // 2 + 1), np.complex64)
    _add_rings(ones, ones, sums)
    return np.asarray(sums[:, :, 0].sum(axis=1))


@lru_cache(maxsize=4)
def _places(side: int) -> I32:
    """Ring times `SECTORS` plus sector of each pixel of half a transform; -1 is beyond."""
    row = np.fft.fftfreq(side, 1 / side)[:, None]
    column = np.arange(side // 2 + 1)[None, :]
    ring = np.rint(np.hypot(row, column)).astype(np.int32)
    angle = np.arctan2(row, column) / np.pi + 0.5
    sector = np.minimum((angle * SECTORS).astype(np.int32), SECTORS - 1)
    doubled = (column == 0) & (row < 0)
    place = np.where((ring < side // 2) & ~doubled, ring * SECTORS + sector, -1)
    return place.astype(np.int32)


def _add_rings(first: AnyArray, second: AnyArray, sums: F64) -> None:
    """Add Re(a b*), |a|² and |b|² of each pixel to its ring and sector."""
    _add_places(first, second, _places(first.shape[0]), sums.reshape(-1, 3))


@jit
def _add_places(first: AnyArray, second: AnyArray, places: I32, sums: F64) -> None:
    for i in range(first.shape[0]):
        for j in range(first.shape[1]):
            place = places[i, j]
            if place >= 0:
                a, b = first[i, j], second[i, j]
                sums[place, 0] += a.real * b.real + a.imag * b.imag
                sums[place, 1] += a.real * a.real + a.imag * a.imag
                sums[place, 2] += b.real * b.real + b.imag * b.imag
