"""How unsure a molecule is because its neighbours are.

A neighbour whose place or light is off by d changes the score by B d, with B
the sum over pixels of what a count there adds to the score, times the
neighbour's slopes. So its covariance C adds H^-1 B C B' H^-1 to the molecule's
covariance H^-1. Where two are fitted together that is exact (it is the inverse
of the whole matrix, written by blocks); for more it leaves out what the
neighbours' errors have in common. A neighbour that shines in several frames
errs by the same in all of them, its light by something new in each.
"""

import numpy as np

from live_smlm.core import F64, I64
from live_smlm.fitting.sequence_algebra import AXES, imitation, sandwich
from live_smlm.fitting.sequence_fit import Molecules, Shining
from live_smlm.fitting.sequence_link import Cells, near
from live_smlm.fitting.sequence_window import (
    LOWEST,
    PHOTONS,
    Optics,
    Scratch,
    Window,
    X,
    Y,
    Z,
    draw_window,
    overlap,
)
from live_smlm.physics.jit import jit

_MOST = 64
_FAR_PX = 2.0
"""Beyond the window; the light from further off hardly reaches in."""


@jit
def borrowed(
    optics: Optics, molecules: Molecules, found: Cells, s: Shining, used: int, w: Window,
    room: Scratch, q: F64,
) -> None:  # fmt: skip
    """Fill `q` (3, 3) with the variance of the score that the neighbours' doubt makes."""
    q[:] = 0.0
    slopes, who, many = np.zeros((_MOST, AXES, AXES)), np.empty(_MOST, np.int64), 0
    sums, state = np.empty((AXES, 4)), molecules.state
    top, bottom = w.top - _FAR_PX, w.top + w.rows + _FAR_PX
    left, right = w.left - _FAR_PX, w.left + w.columns + _FAR_PX
    for f in range(used):
        _levers(optics, s, f, w, room)
        for j in near(found, s.frames[f], top, bottom, left, right):
            x, y, z = state[j, X], state[j, Y], state[j, Z]
            if j == s.rows[f] or not (top < y < bottom and left < x < right):
                continue
            slot = _slot(molecules, j, who, many)
            if slot == many:
                if many == _MOST:
                    continue
                who[many] = j
                many += 1
            draw_window(optics, x, y, z, w, room.axes, room.other)
            overlap(room.levers, room.other, w.rows * w.columns, sums)
            for i in range(AXES):
                for k in range(AXES):
                    slopes[slot, i, k] += state[j, PHOTONS] * sums[i, 1 + k]
                    q[i, k] += sums[i, 0] * sums[k, 0] * molecules.doubt[j, 3, 3]
    for slot in range(many):
        sandwich(slopes[slot], molecules.doubt[who[slot]], q)


@jit
def _slot(molecules: Molecules, j: int, who: I64, many: int) -> int:
    """Where the neighbour or its row in another frame is already, or a new one."""
    for slot in range(many):
        for k in range(molecules.links.shape[1]):
            if molecules.links[j, k] == who[slot]:
                return slot
    return many


@jit
def _levers(optics: Optics, s: Shining, f: int, w: Window, room: Scratch) -> None:
    """What a count more in a pixel adds to the score, once the molecule's own light has answered.

    `room` holds the image and the sums of the fit's end.
    """
    n, b = np.float32(s.photons[f]), np.float32(s.background[f])
    known, image, levers = room.known[f], room.image, room.levers
    for i in range(AXES):
        if i == Z and optics.depth.size == 0:
            levers[i] = np.float32(0)
            continue
        kn, kb = imitation(room.sums[f], s.photons[f], i)
        shared, flat = np.float32(kn), np.float32(kb)
        for p in range(w.rows * w.columns):
            expected = max(known[p] + b + n * image[0, p], LOWEST)
            levers[i, p] = (n * image[1 + i, p] - shared * image[0, p] - flat) / expected
