"""Beads laid upon each other in three dimensions: each fitted with the others' average as its PSF.

A bead is never compared with an average that it is part of: its own noise
would hold it where it is. Lengths are in pixels and planes.
"""

from dataclasses import dataclass

import numpy as np

from live_smlm.calibration.beads import Bead, rim
from live_smlm.calibration.descent import descend, squares
from live_smlm.calibration.widths import fit_plane
from live_smlm.core import F64, require
from live_smlm.physics.psf.sampling import interpolate, smooth_along_z
from live_smlm.physics.psf.spline import SplinePSF, patch

_ROUNDS = 3
_REACH = 0.15
"""Share of the planes by which a bead may be higher or lower than the others."""
_TOLERANCE = 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where a bead is in its cut-out, and its light."""

    x: float
    y: float
    height: float
    """Planes by which it is seen earlier than the average bead."""
    photons: float
    background: float


@dataclass(frozen=True, slots=True, eq=False)
class Aligned:
    """What all beads show together."""

    places: tuple[Place, ...]
    volume: F64
    """(planes, side, side) for one photon, the bead in the middle."""
    first_plane: int
    """Of the volume, in the stack: planes that not every bead reaches are left out."""


@dataclass(frozen=True, slots=True, eq=False)
class _Moved:
    """A bead's light where the average bead would be, and its photons in each plane it reaches."""

    light: F64
    photons: F64


def align(beads: tuple[Bead, ...], planes_per_knot: int) -> Aligned:
    """Fit every bead to the others, in turns; their mean height is 0."""
    places = [_first_place(bead) for bead in beads]
    moved = [_move(*pair) for pair in zip(beads, places, strict=True)]
    brightest = int(np.argmax([place.photons for place in places]))
    for turn in range(_ROUNDS if len(beads) > 1 else 0):
        for i, bead in enumerate(beads):
            if turn == 0 and i == brightest:
                continue
            others = [m for k, m in enumerate(moved) if k != i] if turn else [moved[brightest]]
            volume, first = _mean(others)
            psf = smooth_along_z(
                volume, planes_per_knot, pixel_size_nm=1.0, z_step_nm=1.0, z0_nm=float(first)
            )
            places[i] = _fit(bead, psf, places[i])
        places = _level(places)
        moved = [_move(*pair) for pair in zip(beads, places, strict=True)]
    volume, first = _mean(moved)
    return Aligned(tuple(places), volume, first)


def _first_place(bead: Bead) -> Place:
    """The middle of the mean plane's light; the background is the rim's where it is faintest."""
    rims = rim(bead.photons).mean(axis=1)
    window = max(1, len(rims) // 3)
    background = float(np.convolve(rims, np.ones(window) / window, "valid").min())
    image = bead.photons.mean(axis=0, dtype=np.float64) - background
    side = len(image)
    scale = 1e4 / max(float(image.sum()), 1e-9)
    start = np.array([side / 2, side / 2, side / 8, side / 8, 1e4, 10.0])
    x, y = fit_plane(image * scale + 10, np.zeros_like(image), start).parameters[:2]
    light = bead.photons.sum(axis=(1, 2), dtype=np.float64) - background * image.size
    return Place(float(x), float(y), 0.0, float(np.median(light)), background)


def _move(bead: Bead, place: Place) -> _Moved:
    """Resample a bead to the middle of its cut-out and to the common height."""
    planes, side, _ = bead.photons.shape
    core = bead.core(bead.photons).shape[1]
    light = np.asarray(bead.photons, np.float64) - place.background
    own = interpolate(light, pixel_size_nm=1.0, z_step_nm=1.0, z0_nm=0.0)
    out = np.empty((planes, 4, core, core))
    to = (core + side) / 2
    z = np.arange(planes) - place.height
    for at, image in zip(z, out, strict=True):
        patch(own.coefficients, to - place.x, to - place.y, at, image)
    # Half a plane beyond the last, the last is as good.
    reached = (z >= -0.5) & (z <= planes - 0.5)
    return _Moved(out[:, 0] * reached[:, None, None], place.photons * reached)


def _mean(moved: list[_Moved]) -> tuple[F64, int]:
    """The average for one photon, in the planes that all reach, and the first of these."""
    common = np.flatnonzero(np.all([m.photons > 0 for m in moved], axis=0))
    light = np.sum([m.light for m in moved], axis=0)[common]
    photons = np.sum([m.photons for m in moved], axis=0)[common]
    return light / photons[:, None, None], int(common[0])


def _level(places: list[Place]) -> list[Place]:
    mean = float(np.mean([p.height for p in places]))
    return [Place(p.x, p.y, p.height - mean, p.photons, p.background) for p in places]


def _fit(bead: Bead, psf: SplinePSF, start: Place) -> Place:
    """Least squares over all planes that the PSF has wherever the bead may be."""
    planes, side, _ = bead.photons.shape
    reach = max(1.0, _REACH * planes)
    low, high = psf.z_range_nm or (0.0, 0.0)
    used = np.arange(int(np.ceil(low + reach)), int(np.floor(high - reach)) + 1)
    core = bead.core(bead.photons)[used].astype(np.float64)
    margin = (side - core.shape[1]) // 2
    out = np.empty((len(core), 4, *core.shape[1:]))

    def model(at: F64) -> tuple[F64, F64] | None:
        x, y, height, photons, background = (float(v) for v in at)
        if abs(height) > reach or photons <= 0:
            return None
        for plane, image in zip(used, out, strict=True):
            z = (plane + height - low) / psf.z_step_nm
            patch(psf.coefficients, x - margin, y - margin, z, image)
        value, d_x, d_y, d_z = (out[:, k].ravel() for k in range(4))
        slopes = [photons * d_x, photons * d_y, photons / psf.z_step_nm * d_z]
        return photons * value + background, np.stack([*slopes, value, np.ones_like(value)])

    first = np.array([start.x, start.y, start.height, start.photons, start.background])
    fitted = descend(model, first, core.ravel(), squares, tolerance=_TOLERANCE)
    require(
        fitted.converged,
        f"the bead at row {bead.row + side // 2}, column {bead.column + side // 2} does not look "
        "like the others, or is much higher or lower; crop it away",
    )
    return Place(*(float(v) for v in fitted.parameters))
