"""From a network's raw maps to molecules, on a processor.

The same molecules as the graph's own extraction finds (see
`training.extraction`): of pixels that predict the same place the most probable
one stands for all, and its molecule is their mean, weighted by probability.
A processor asks few pixels one by one, where a GPU sorts, gathers and compares
all at once; and only of those few it wants to know what a raw number means.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from live_smlm.core import F32, F64, I32, I64, require
from live_smlm.physics.jit import jit

Kind = Literal["linear", "softplus", "tanh", "sigmoid", "clamp", "none"]
KINDS: tuple[Kind, ...] = ("linear", "softplus", "tanh", "sigmoid", "clamp", "none")
NAMES = (
    "probability",
    "photons",
    "x",
    "y",
    "z",
    "sigma_photons",
    "sigma_x",
    "sigma_y",
    "sigma_z",
    "background",
)
"""Of the raw maps, in their order; the first is a logit."""
MAPS = len(NAMES)
_LINEAR, _SOFTPLUS, _TANH, _SIGMOID, _CLAMP = range(5)
LEAST = 0.03
"""A pixel less probable than this stands for nothing."""
SAME_PX = 1.0
SAME_NM = 400.0
"""Positions this near are one molecule."""
_NEAR = 2
_NEVER = math.log(1e-5)
"""The logit of a probability that adds nothing to a molecule's."""
_LARGE = 20.0


@dataclass(frozen=True, slots=True)
class Output:
    """What a raw number means: scale times its function, plus offset; or clamped to the scale."""

    kind: Kind
    scale: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        require(
            self.kind in KINDS, f"output kind is {self.kind!r}; choose one of {', '.join(KINDS)}"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Meaning:
    """The outputs of the maps, as the kernel takes them."""

    kind: I32
    scale: F32
    offset: F32


def meaning(outputs: Sequence[Output]) -> Meaning:
    """The table of ten outputs."""
    require(len(outputs) == MAPS, f"a network has {len(outputs)} outputs; give {MAPS}")
    return Meaning(
        np.array([KINDS.index(o.kind) for o in outputs], np.int32),
        np.array([o.scale for o in outputs], np.float32),
        np.array([o.offset for o in outputs], np.float32),
    )


def extract(raw: F32, table: Meaning, threshold: float) -> tuple[I64, F32]:
    """The frame and the ten fields (see `fields.FIELDS`) of each molecule, frame by frame.

    `raw` is (n, 10, rows, columns); positions are pixels from its corner.
    """
    raw = np.ascontiguousarray(raw)
    lit = _lit(raw, table.kind, table.scale, table.offset)
    frame, found = np.empty(len(lit), np.int64), np.empty((len(lit), MAPS), np.float32)
    args = (table.kind, table.scale, table.offset, threshold, frame, found)
    count = _extract(raw, lit, *args)
    return frame[:count], found[:count]


@jit
def _lit(raw: F32, kind: I32, scale: F32, offset: F32) -> I64:
    """(k, 3) frame, row, column of the pixels that may stand for a molecule."""
    count, _, rows, columns = raw.shape
    least = math.log(LEAST / (1 - LEAST))
    places = np.empty((1024, 3), np.int64)
    k = 0
    for n in range(count):
        for row in range(rows):
            for column in range(columns):
                if _value(raw[n, 0, row, column], kind[0], scale[0], offset[0]) > least:
                    if k == len(places):
                        more = np.empty((2 * k, 3), np.int64)
                        more[:k] = places
                        places = more
                    places[k, 0], places[k, 1], places[k, 2] = n, row, column
                    k += 1
    return places[:k]


@jit
def _extract(
    raw: F32,
    lit: I64,
    kind: I32,
    scale: F32,
    offset: F32,
    threshold: float,
    frame: I64,
    found: F32,
) -> int:
    _, _, rows, columns = raw.shape
    side = 2 * _NEAR + 1
    near, share = np.empty((side * side, 2), np.int64), np.empty(side * side)
    count = 0
    for k in range(len(lit)):
        n, row, column = lit[k]
        own = _probability(_value(raw[n, 0, row, column], kind[0], scale[0], offset[0]))
        x = column + _value(raw[n, 2, row, column], kind[2], scale[2], offset[2])
        y = row + _value(raw[n, 3, row, column], kind[3], scale[3], offset[3])
        z = _value(raw[n, 4, row, column], kind[4], scale[4], offset[4])
        mass, members, stands = 0.0, 0, own > LEAST
        for r in range(max(row - _NEAR, 0), min(row + _NEAR + 1, rows)):
            for c in range(max(column - _NEAR, 0), min(column + _NEAR + 1, columns)):
                logit = _value(raw[n, 0, r, c], kind[0], scale[0], offset[0])
                if logit < _NEVER:
                    continue
                p = _probability(logit)
                dx = c + _value(raw[n, 2, r, c], kind[2], scale[2], offset[2]) - x
                dy = r + _value(raw[n, 3, r, c], kind[3], scale[3], offset[3]) - y
                dz = _value(raw[n, 4, r, c], kind[4], scale[4], offset[4]) - z
                if dx * dx + dy * dy >= SAME_PX**2 or abs(dz) >= SAME_NM:
                    continue
                earlier = r < row or (r == row and c < column)
                if p > own or (p == own and earlier):
                    stands = False
                near[members, 0], near[members, 1], share[members] = r, c, p
                mass += p
                members += 1
        if stands and min(mass, 1.0) >= threshold:
            _mean(raw, n, near, share, members, mass, kind, scale, offset, found[count])
            frame[count] = n
            count += 1
    return count


@jit
def _mean(
    raw: F32,
    n: int,
    near: I64,
    share: F64,
    members: int,
    mass: float,
    kind: I32,
    scale: F32,
    offset: F32,
    out: F32,
) -> None:
    """The mean of the members, weighted by probability; of sigmas, the root of the mean square."""
    out[:] = 0.0
    for m in range(members):
        r, c, w = near[m, 0], near[m, 1], share[m] / mass
        out[1] += w * (c + 0.5 + _value(raw[n, 2, r, c], kind[2], scale[2], offset[2]))
        out[2] += w * (r + 0.5 + _value(raw[n, 3, r, c], kind[3], scale[3], offset[3]))
        out[3] += w * _value(raw[n, 4, r, c], kind[4], scale[4], offset[4])
        out[4] += w * _value(raw[n, 1, r, c], kind[1], scale[1], offset[1])
        out[5] += w * _value(raw[n, 9, r, c], kind[9], scale[9], offset[9])
        for q in range(3):
            out[6 + q] += (
                w * _value(raw[n, 6 + q, r, c], kind[6 + q], scale[6 + q], offset[6 + q]) ** 2
            )
        out[9] += w * _value(raw[n, 5, r, c], kind[5], scale[5], offset[5]) ** 2
    for q in range(6, 10):
        out[q] = math.sqrt(out[q])
    out[0] = min(mass, 1.0)


@jit
def _probability(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-logit))


@jit
def _value(raw: float, kind: int, scale: float, offset: float) -> float:
    if kind == _LINEAR:
        return scale * raw + offset
    if kind == _SOFTPLUS:
        return scale * (raw if raw > _LARGE else math.log1p(math.exp(raw))) + offset
    if kind == _TANH:
        return scale * math.tanh(raw) + offset
    if kind == _SIGMOID:
        return scale / (1.0 + math.exp(-raw)) + offset
    if kind == _CLAMP:
        return min(max(raw, -scale), scale) + offset
    return 0.0
