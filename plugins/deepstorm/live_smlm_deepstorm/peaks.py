"""Molecules from the pictures of single frames: the highest point of each spot, then its centre.

What the published network leaves to others: spots are smoothed a little, maxima
among their neighbours are kept, and each is placed at the centre of gravity of
what lies around it. Lengths follow the grid: they are shares of a camera pixel.
"""

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter

from live_smlm.core import F32, I64, AnyArray, Localizations, empty, from_columns

_SMOOTH = 0.175
"""Standard deviation, camera pixels."""
_AROUND = 0.5
"""Half-width of what belongs to a spot, camera pixels."""
_APART = 0.25
"""Two maxima are at least so far apart, camera pixels."""
_FAINT = 1e-3
"""Molecules per fine pixel below which nothing is a maximum."""


def peaks(
    pictures: F32,
    frame: I64,
    up: int,
    camera_pixel_nm: float,
    least: float,
    sigma_nm: float | None = None,
) -> Localizations:
    """Of (n, rows, columns) pictures in molecules per fine pixel, `up` of them per camera pixel.

    A spot counts from `least` molecules on; how many it holds, at most one, is its probability.
    `sigma_nm` is what they err by along each axis, where that is known.
    """
    if not pictures.size:
        return empty()
    smooth = pictures
    for axis in (1, 2):
        smooth = gaussian_filter1d(smooth, _SMOOTH * up, axis=axis, mode="nearest")
    near = 2 * max(1, round(_APART * up)) + 1
    highest = maximum_filter(smooth, (1, near, near)) == smooth
    n, row, column = np.nonzero(highest & (smooth > _FAINT))
    dy, dx, mass = _centres(pictures, n, row, column, round(_AROUND * up))
    fine_nm = camera_pixel_nm / up
    columns = {
        "frame": frame[n],
        "x": (column + 0.5 + dx) * fine_nm,
        "y": (row + 0.5 + dy) * fine_nm,
        "probability": np.minimum(mass, 1.0),
    }
    if sigma_nm is not None:
        columns |= {name: np.full(len(n), sigma_nm) for name in ("sigma_x", "sigma_y")}
    found = from_columns(columns)
    return found.where(mass >= least)


def _centres(
    pictures: F32, n: I64, row: I64, column: I64, reach: int
) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Rows and columns from each peak to its centre of gravity, and the molecules around it."""
    padded = np.pad(pictures, ((0, 0), (reach, reach), (reach, reach)))
    off = np.arange(2 * reach + 1)
    around = padded[
        n[:, None, None], row[:, None, None] + off[:, None], column[:, None, None] + off
    ]
    mass = around.sum((1, 2), dtype=np.float64)
    safe = np.maximum(mass, 1e-9)
    return (
        (around.sum(2) @ (off - reach)) / safe,
        (around.sum(1) @ (off - reach)) / safe,
        mass,
    )
