"""A bead's two widths in every plane: an elliptical, pixel-integrated Gaussian fitted to each.

No image is quite a Gaussian, so the width found depends on how the tails
weigh against the core: in a bright bead's own light they weigh much and widen
it by some 15 %. What counts is the width that a molecule's fit finds; so the
bead is dimmed to a molecule's light and stands on a molecule's background.
"""

from dataclasses import dataclass

import numpy as np

from live_smlm.calibration.beads import Bead, rim
from live_smlm.calibration.descent import Fitted, descend, poisson
from live_smlm.core import F64, Bool
from live_smlm.physics.psf.profile import profile

_NARROWEST, _WIDEST = 0.2, 20.0
"""Pixels."""
_PHOTONS, _BACKGROUND = 2000.0, 10.0
"""Of the molecule that the bead stands for, per frame and per pixel."""


@dataclass(frozen=True, slots=True, eq=False)
class PlaneFits:
    """One row per plane of one bead; lengths in nm, positions in the whole stack."""

    x_nm: F64
    y_nm: F64
    sigma_x_nm: F64
    sigma_y_nm: F64
    photons: F64
    background: F64
    good: Bool
    """The fit converged to a spot within the cut-out."""


def fit_planes(bead: Bead, pixel_size_nm: float) -> PlaneFits:
    """Fit every plane by maximum likelihood, from the brightest outwards.

    Each plane starts where its neighbour ended, since widths change little
    from one to the next.
    """
    scale, seen = _as_molecule(bead)
    variance = bead.core(bead.read_variance).astype(np.float64) * scale**2
    table = np.full((len(seen), 6), np.nan)
    good = np.zeros(len(seen), bool)
    first = bead.brightest_plane
    for order in (range(first, len(seen)), range(first - 1, -1, -1)):
        start = _guess(seen[first])
        for plane in order:
            fitted = fit_plane(seen[plane], variance, start)
            table[plane], good[plane] = fitted.parameters, fitted.converged
            start = fitted.parameters if fitted.converged else _guess(seen[first])
    x, y, sigma_x, sigma_y, photons, background = table.T
    row, column = bead.core_corner
    return PlaneFits(
        (x + column) * pixel_size_nm,
        (y + row) * pixel_size_nm,
        sigma_x * pixel_size_nm,
        sigma_y * pixel_size_nm,
        photons / scale,
        (background - _BACKGROUND) / scale,
        good,
    )


def _as_molecule(bead: Bead) -> tuple[float, F64]:
    """What the light is multiplied by, and the bead so dimmed on a molecule's background."""
    core = bead.core(bead.photons).astype(np.float64)
    sharp = core[bead.brightest_plane]
    light = float(np.sum(sharp - np.median(rim(sharp))))
    scale = _PHOTONS / max(light, 1.0)
    return scale, core * scale + _BACKGROUND


def fit_plane(image: F64, read_variance: F64, start: F64) -> Fitted:
    """Fit x, y, sigma_x, sigma_y (pixels from the corner), photons and background per pixel."""
    rows, columns = image.shape
    across, down = np.empty((3, columns)), np.empty((3, rows))
    variance = np.asarray(read_variance, np.float64).ravel()

    def model(at: F64) -> tuple[F64, F64] | None:
        x, y, sigma_x, sigma_y, photons, background = (float(v) for v in at)
        narrow, wide = sorted((sigma_x, sigma_y))
        inside = 0 < x < columns and 0 < y < rows
        if not inside or narrow < _NARROWEST or wide > _WIDEST or photons <= 0:
            return None
        profile(x, sigma_x, across[0], across[1], across[2])
        profile(y, sigma_y, down[0], down[1], down[2])
        share = np.multiply.outer(down[0], across[0]).ravel()
        jacobian = np.stack(
            [
                photons * np.multiply.outer(down[0], across[1]).ravel(),
                photons * np.multiply.outer(down[1], across[0]).ravel(),
                photons * np.multiply.outer(down[0], across[2]).ravel(),
                photons * np.multiply.outer(down[2], across[0]).ravel(),
                share,
                np.ones_like(share),
            ]
        )
        return photons * share + background + variance, jacobian

    return descend(model, start, np.asarray(image, np.float64).ravel() + variance, poisson)


def _guess(image: F64) -> F64:
    """The brightest spot, of a width like a molecule's."""
    background = max(float(np.median(image)), 0.1)
    row, column = divmod(int(np.argmax(image)), image.shape[1])
    light = max(float(np.sum(image - background)), 10.0)
    return np.array([column + 0.5, row + 0.5, 1.5, 1.5, light, background])
