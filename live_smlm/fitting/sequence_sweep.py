"""One pass over molecules: each is fitted once, with the others as they were before the pass.

So a pass depends neither on the order of the molecules nor on how a movie is
cut into pieces.
"""

from typing import NamedTuple

import numpy as np

from live_smlm.core import F64, I64, Bool
from live_smlm.fitting.sequence_algebra import (
    AXES,
    imitation,
    invert,
    light_matrix,
    quadratic,
    sandwich,
)
from live_smlm.fitting.sequence_doubt import borrowed
from live_smlm.fitting.sequence_fit import (
    Molecules,
    Movie,
    Shining,
    fit_sequence,
    gather,
    misfit,
    shining,
)
from live_smlm.fitting.sequence_link import Cells
from live_smlm.fitting.sequence_window import (
    BACKGROUND,
    PHOTONS,
    Optics,
    Scratch,
    X,
    Y,
    Z,
    window_around,
)
from live_smlm.physics.jit import jit

_FEWEST = 16
"""Pixels of a window that still tell five parameters."""
_PHOTON = 3


class Fits(NamedTuple):
    """Results by row; of rows that were not fitted, what was there before."""

    state: F64
    """(m, 5) by the columns of `sequence_window`; the light is that of the row's own frame."""
    own: F64
    """(m, 4, 4) covariance of x, y, z and the variance of the photons, from the pixels' noise."""
    whole: F64
    """(m, 4, 4) the same with the neighbours' doubt."""
    chi2: F64
    pixels: I64
    frames: I64
    stranger: F64
    """See `sequence_fit.Fit`."""
    converged: Bool


def no_fits(m: int) -> Fits:
    """Room for m rows."""
    none = np.zeros(m, np.int64)
    return Fits(
        np.zeros((m, BACKGROUND + 1)), np.zeros((m, 4, 4)), np.zeros((m, 4, 4)), np.zeros(m),
        none, none.copy(), np.zeros(m), np.zeros(m, np.bool_),
    )  # fmt: skip


@jit
def sweep(
    movie: Movie, molecules: Molecules, optics: Optics, found: Cells, chosen: I64, chances: F64,
    room: Scratch, fits: Fits,
) -> None:  # fmt: skip
    """Fit the `chosen` rows; `chances` (frames,) is what a link may cost."""
    h, inverse, q = np.empty((AXES, AXES)), np.empty((AXES, AXES)), np.empty((AXES, AXES))
    shape = movie.light.shape[1:]
    for i in chosen:
        fits.converged[i] = False
        start = molecules.state[i]
        w = window_around(optics, start[X], start[Y], start[Z], shape)
        if w.rows * w.columns < _FEWEST:
            continue
        s, used = shining(molecules, i, len(room.sums))
        place = start[: Z + 1].copy()
        gather(movie, molecules, optics, s, used, w, room)
        fit = fit_sequence(optics, s, used, w, chances[molecules.place[i]], room, place, h)
        invert(h, inverse)
        borrowed(optics, molecules, found, s, fit.used, w, room, q)
        fits.state[i, : Z + 1] = place
        fits.state[i, PHOTONS], fits.state[i, BACKGROUND] = s.photons[0], s.background[0]
        _covariance(s, inverse, room, fits.own[i])
        sandwich(inverse, q, inverse)
        _covariance(s, inverse, room, fits.whole[i])
        fits.chi2[i], fits.pixels[i] = misfit(fit.used, room), w.rows * w.columns * fit.used
        fits.frames[i], fits.stranger[i] = fit.used, fit.stranger
        fits.converged[i] = fit.converged


@jit
def _covariance(s: Shining, place: F64, room: Scratch, out: F64) -> None:
    """Fill `out` (4, 4) from the covariance of the place and the first frame's sums."""
    m, photons = room.sums[0], s.photons[0]
    lean = np.empty(AXES)
    for axis in range(AXES):
        lean[axis] = imitation(m, photons, axis)[0]
    _, _, bb, size = light_matrix(m)
    out[:] = 0.0
    out[:AXES, :AXES] = place
    out[_PHOTON, _PHOTON] = bb / size + quadratic(place, lean)
