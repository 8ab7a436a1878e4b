"""Radial symmetry centres: where the intensity's gradient lines meet.

A fast estimate without iterations for round spots. In every 2x2 cell of a
cut-out the gradient defines a line; the centre is the point with the least
sum of squared distances to all lines, weighted by the gradient's square over
the cell's distance from the centre of mass (Parthasarathy, Nat Methods 9,
724-726, 2012).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from live_smlm.core import (
    F32,
    F64,
    Bool,
    EngineContext,
    EngineSpec,
    Localizations,
    RoiBatch,
    from_columns,
)

_SMALL = 1e-9


@dataclass(frozen=True, slots=True)
class RadialSymmetry:
    """Cut-outs to positions, photons and background; no options.

    Cut-outs whose centre lies outside of them, or that are no brighter than
    their rim, are left out.
    """

    spec: ClassVar[EngineSpec] = EngineSpec(
        name="radial", consumes=RoiBatch, produces=Localizations
    )

    def unsupported(self, context: EngineContext) -> str | None:
        """Astigmatic and other shaped PSFs have no single centre of symmetry."""
        if context.psf is not None and context.psf.z_range_nm is not None:
            return f"radial symmetry wants a round PSF, not {context.psf.name!r}; use gauss-mle"
        return None

    @contextmanager
    def open(self, context: EngineContext) -> Iterator[Callable[[RoiBatch], Localizations]]:
        """Nothing to load."""
        pixel_nm = context.camera.pixel_size_nm

        def localize(rois: RoiBatch) -> Localizations:
            x, y = centres(rois.photons)
            background = edge_median(rois.photons)
            photons = rois.photons.sum((1, 2)) - background * rois.size**2
            found = from_columns(
                {
                    "frame": rois.frame,
                    "x": (rois.column + x) * pixel_nm,
                    "y": (rois.row + y) * pixel_nm,
                    "photons": photons,
                    "background": background,
                }
            )
            return rois.passed_on(found, slice(None)).where(sound(x, y, photons, rois.size))

        yield localize


def centres(images: F32) -> tuple[F64, F64]:
    """x, y of the centre of symmetry of (n, k, k) images, pixels from the outer corner."""
    along = _diagonal(images[:, :-1, 1:] - images[:, 1:, :-1])  # towards upper right
    across = _diagonal(images[:, :-1, :-1] - images[:, 1:, 1:])  # towards upper left
    gx, gy = along - across, -along - across
    strength = gx**2 + gy**2
    corner = np.arange(1, images.shape[1], dtype=np.float64)  # cells sit on pixel corners
    x, y = np.meshgrid(corner, corner)
    weight = strength / np.maximum(_distance_from_mass(strength, x, y), 0.5)
    return _meeting_point(gx, gy, weight / np.maximum(strength, _SMALL), x, y)


def sound(x: F64, y: F64, photons: F32, size: int) -> Bool:
    """Which centres lie inside their cut-out and have light above the background."""
    inside = (x >= 0) & (x <= size) & (y >= 0) & (y <= size)
    return np.asarray(inside & (photons > 0) & np.isfinite(photons))


def edge_median(images: F32) -> F32:
    """Photons per pixel on the rim of each image."""
    rim = np.concatenate(
        [images[:, 0], images[:, -1], images[:, 1:-1, 0], images[:, 1:-1, -1]], axis=1
    )
    return np.asarray(np.median(rim, axis=1), dtype=np.float32)


def _diagonal(difference: F32) -> F64:
    """The difference averaged over 3x3 neighbours, which tames the noise."""
    padded = np.pad(difference.astype(np.float64), ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    return np.asarray((rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]) / 9)


def _distance_from_mass(strength: F64, x: F64, y: F64) -> F64:
    total = np.maximum(strength.sum((1, 2)), _SMALL)
    cx, cy = ((strength * v).sum((1, 2)) / total for v in (x, y))
    return np.asarray(np.hypot(x - cx[:, None, None], y - cy[:, None, None]))


def _meeting_point(gx: F64, gy: F64, weight: F64, x: F64, y: F64) -> tuple[F64, F64]:
    """Least squares over the lines through (x, y) along (gx, gy); normals are (gy, -gx)."""
    a = (weight * gy * gy).sum((1, 2))
    b = -(weight * gx * gy).sum((1, 2))
    c = (weight * gx * gx).sum((1, 2))
    p = (weight * gy * (gy * x - gx * y)).sum((1, 2))
    q = (weight * -gx * (gy * x - gx * y)).sum((1, 2))
    determinant = a * c - b * b
    flat = determinant < _SMALL
    safe = np.where(flat, 1.0, determinant)
    middle = (x[0, 0] + x[-1, -1]) / 2
    cx, cy = (c * p - b * q) / safe, (a * q - b * p) / safe
    return np.where(flat, middle, cx), np.where(flat, middle, cy)
