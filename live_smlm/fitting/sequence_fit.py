"""One molecule in all frames in which it shines: Fisher scoring from a network's values.

Knows which frames a fit may use, and drops those where, after the fit, somebody
else seems to shine. Data and model both carry the camera's extra variance, as
in `counts`; all other molecules' light is known. What that light's own errors
do to a molecule is `sequence_doubt`'s business.
"""

import math
from typing import NamedTuple

import numpy as np

from live_smlm.core import F32, F64, I64
from live_smlm.fitting.sequence_algebra import (
    AXES,
    add_frame,
    determinant,
    invert,
    light_step,
    quadratic,
    solve,
    without_depth,
)
from live_smlm.fitting.sequence_window import (
    BACKGROUND,
    PHOTONS,
    SUMS,
    Optics,
    Scratch,
    Window,
    X,
    Y,
    Z,
    draw_window,
    weigh,
)
from live_smlm.physics.jit import jit

_MOST = 8
"""Steps; from a network's values three are the rule."""
_TOLERANCE = 0.05
"""Standard errors: a shorter step is the last."""
_LONGEST_PX, _LONGEST_NM = 0.5, 100.0
_LEAST_LEFT = 0.2
"""Of the photons, after one step."""
_LEAST_OTHERS = 1e-6
"""Share of the information that is left to the other frames."""
_CHI2 = SUMS - 1


class Movie(NamedTuple):
    """Consecutive frames."""

    counts: F32
    """(n, rows, columns)"""
    extra: F32
    """(rows, columns) the camera's variance."""
    light: F32
    """(n, rows, columns) of all molecules."""


class Molecules(NamedTuple):
    """What is believed so far, by row."""

    state: F64
    """(m, 5) by the columns of `sequence_window`."""
    doubt: F64
    """(m, 4, 4) covariance of x, y, z and variance of the photons."""
    place: I64
    """(m,) frame."""
    links: I64
    """(m, 2 reach), see `sequence_link`."""


class Shining(NamedTuple):
    """The frames of one fit; those after the first `used` count no more."""

    frames: I64
    rows: I64
    photons: F64
    background: F64


class Fit(NamedTuple):
    """How a fit ended."""

    used: int
    stranger: float
    """Chance that one of the frames shows somebody else."""
    converged: bool


@jit
def shining(molecules: Molecules, i: int, frames: int) -> tuple[Shining, int]:
    """Row `i` and those it is linked to, and how many they are; at most `frames`."""
    state, links = molecules.state, molecules.links
    found = Shining(
        np.empty(frames, np.int64), np.empty(frames, np.int64), np.empty(frames), np.empty(frames)
    )
    rows = found.rows
    rows[0], used = i, 1
    for k in range(links.shape[1]):
        if links[i, k] >= 0:
            rows[used] = links[i, k]
            used += 1
    for f in range(used):
        found.frames[f] = molecules.place[rows[f]]
        found.photons[f] = state[rows[f], PHOTONS]
        found.background[f] = state[rows[f], BACKGROUND]
    return found, used


@jit
def gather(
    movie: Movie, molecules: Molecules, optics: Optics, s: Shining, used: int, w: Window,
    room: Scratch,
) -> None:  # fmt: skip
    """Fill data and known light of the window; the molecule's own light is taken out."""
    for f in range(used):
        t, j = s.frames[f], s.rows[f]
        x, y, z = molecules.state[j, X], molecules.state[j, Y], molecules.state[j, Z]
        draw_window(optics, x, y, z, w, room.axes, room.image)
        n, data, known = np.float32(s.photons[f]), room.data[f], room.known[f]
        for r in range(w.rows):
            row, first = w.top + r, r * w.columns
            for c in range(w.columns):
                column, p = w.left + c, first + c
                extra = movie.extra[row, column]
                data[p] = movie.counts[t, row, column] + extra
                beside = movie.light[t, row, column] - n * room.image[0, p]
                known[p] = max(beside, np.float32(0)) + extra


@jit
def fit_sequence(
    optics: Optics, s: Shining, used: int, w: Window, chance: float, room: Scratch, place: F64,
    h: F64,
) -> Fit:  # fmt: skip
    """Fit `place` (x, y, z) and the light of each frame; `h` becomes Fisher's matrix of `place`.

    A frame whose own maximum is so far off that a stranger is likelier (see
    `sequence_link`) is dropped; `chance` is what a link may cost.
    """
    converged = _converge(optics, s, used, w, room, place, h)
    stranger = 0.0
    while used > 1:
        excess, worst = _stranger(optics, s, used, room, h, chance)
        stranger = 1.0 / (1.0 + math.exp(-0.5 * excess))
        if excess <= 0:
            break
        used -= 1
        _drop(s, worst, used, room)
        converged = _converge(optics, s, used, w, room, place, h)
        stranger = 0.0
    return Fit(used, stranger, converged)


@jit
def _converge(
    optics: Optics, s: Shining, used: int, w: Window, room: Scratch, place: F64, h: F64
) -> bool:
    score, move = np.empty(AXES), np.empty(AXES)
    converged, steps = False, 0
    while True:
        draw_window(optics, place[X], place[Y], place[Z], w, room.axes, room.image)
        h[:], score[:] = 0.0, 0.0
        for f in range(used):
            n, b = np.float32(s.photons[f]), np.float32(s.background[f])
            pixels, m = w.rows * w.columns, room.sums[f]
            weigh(room.data[f], room.known[f], room.image, n, b, pixels, m)
            add_frame(m, s.photons[f], h, score)
        if optics.depth.size == 0:
            without_depth(h, score)
        if converged or steps >= _MOST:
            return converged
        steps += 1
        solve(h, score, move)
        converged = _step(optics, s, used, room, place, h, move) < _TOLERANCE**2


@jit
def _step(
    optics: Optics, s: Shining, used: int, room: Scratch, place: F64, h: F64, move: F64
) -> float:
    """Take a step as far as is safe; return the square of its length in standard errors."""
    for i in range(AXES):
        longest = _LONGEST_NM if i == Z else _LONGEST_PX
        move[i] = min(max(move[i], -longest), longest)
    if optics.depth.size:
        move[Z] = min(max(place[Z] + move[Z], optics.depth[0]), optics.depth[1]) - place[Z]
    length = 0.0
    for i in range(AXES):
        length += h[i, i] * move[i] ** 2
        for j in range(i):
            length += 2.0 * h[i, j] * move[i] * move[j]
        place[i] += move[i]
    for f in range(used):
        more, flat = light_step(room.sums[f], s.photons[f], move)
        s.photons[f] = max(s.photons[f] + more, _LEAST_LEFT * s.photons[f], 1.0)
        s.background[f] = max(s.background[f] + flat, 0.0)
    return length


@jit
def _stranger(
    optics: Optics, s: Shining, used: int, room: Scratch, h: F64, chance: float
) -> tuple[float, int]:
    """The largest cost of a linked frame beyond `chance`, by its own maximum; and that frame."""
    axes = 3 if optics.depth.size else 2
    own, others, score = np.empty((AXES, AXES)), np.zeros((AXES, AXES)), np.empty(AXES)
    spread, more = np.empty((AXES, AXES)), np.empty((AXES, AXES))
    highest, worst = -math.inf, 1
    for f in range(1, used):
        own[:], score[:] = 0.0, 0.0
        add_frame(room.sums[f], s.photons[f], own, score)
        for i in range(AXES):
            for j in range(i + 1):
                others[i, j] = h[i, j] - own[i, j]
            others[i, i] = max(others[i, i], _LEAST_OTHERS * h[i, i])
        if axes == 2:
            without_depth(own, score)
            others[Z, Z] = 1.0
        # At the common maximum, the gap between the two maxima is `spread` times the score.
        invert(own, spread)
        invert(others, more)
        for i in range(AXES):
            for j in range(AXES):
                spread[i, j] += more[i, j]
        cost = quadratic(spread, score) + math.log(determinant(spread, axes))
        if cost - chance > highest:
            highest, worst = cost - chance, f
    return highest, worst


@jit
def _drop(s: Shining, worst: int, last: int, room: Scratch) -> None:
    """Put the last frame where the worst one was."""
    s.frames[worst], s.rows[worst] = s.frames[last], s.rows[last]
    s.photons[worst], s.background[worst] = s.photons[last], s.background[last]
    room.data[worst] = room.data[last]
    room.known[worst] = room.known[last]


@jit
def misfit(used: int, room: Scratch) -> float:
    """Chi² of the pixels of all frames of a fit."""
    total = 0.0
    for f in range(used):
        total += room.sums[f, _CHI2]
    return total
