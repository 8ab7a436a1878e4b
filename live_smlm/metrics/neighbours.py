"""How densely the structure is labelled so far, and its dimension, from nearest neighbours.

Molecules of a Poisson process on a structure of dimension D have neighbours at a median
distance d = (ln 2 / (rho V))^(1/D), V being the volume of the unit ball in D dimensions:
so log d against the logarithm of their number falls with the slope -1/D, and d tells
the density rho. The Nyquist resolution is 2 / rho^(1/D). The median rather than the mean:
a few lone molecules far from the structure, or false ones, hardly move it; those that lie
farther than `_LONE` medians are not counted.

Fewer molecules are had by parting them at random; in the smallest parts is an eighth of all,
so that D is that of the scale at which the neighbours now lie. Below the precision any
structure looks like a plane. A molecule that blinks again would be its own neighbour at the
distance of the precision: blinks are left out as likely as they are such returns.

Memory is bounded: of a field with too many blinks some patches are kept, half of the
patches whenever there are too many, smaller patches of them the denser the blinks are.
So the density stays the true one. The few neighbours beyond a patch's edge are missed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.spatial import KDTree

from live_smlm.core import F32, F64, I64, Bool, require
from live_smlm.physics.jit import jit

MOST = 10_000
"""Blinks that are kept, at most."""
PATCH_NM = 4000.0
_FEWEST = 300
_HALVED = 3
"""So often the molecules are, at most."""
_LOWEST = 0.25
"""Quantile that is taken for the median, where many are missed."""
_ASKED = 5000
"""Molecules whose neighbours are looked for, at most: the others would tell no more."""
_LONE = 5.0
"""Distance over the median, beyond which a molecule is not on the structure."""
_MOST_HALVINGS = 30
_LEAST_D, _MOST_D = 0.5, 3.0


def _nowhere() -> F32:
    return np.zeros((0, 2), np.float32)


def _no_values() -> F32:
    return np.zeros(0, np.float32)


def _no_frames() -> I64:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Blinks:
    """Where blinks were, in some patches of the field."""

    most: int = MOST
    patch_nm: float = PATCH_NM
    halvings: int = 0
    """So many times half of the patches was left out, every other time of smaller ones."""
    place: F32 = field(default_factory=_nowhere)
    """(n, 2): y, x."""
    sigma: F32 = field(default_factory=_no_values)
    """Standard error of either; 0 where it does not matter."""
    frame: I64 = field(default_factory=_no_frames)
    """In which each began."""

    def __post_init__(self) -> None:
        require(self.most > 0, f"most is {self.most} blinks; give at least 1")
        require(self.patch_nm > 0, f"patch_nm is {self.patch_nm:g}; give above 0")


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What the distances tell; D and its standard error."""

    distance_nm: float
    """Median, to the nearest."""
    dimension: float
    dimension_error: float
    nyquist_nm: float
    density_per_um2: float
    """As if the structure filled the plane about a molecule: ln 2 / (pi d²)."""


def fold(
    blinks: Blinks, y: F32, x: F32, sigma: F32 | None = None, frame: I64 | None = None
) -> Blinks:
    """With more blinks; errors and frames are needed where returns are looked for."""
    sigma = np.zeros(len(y), np.float32) if sigma is None else sigma
    frame = np.zeros(len(y), np.int64) if frame is None else frame
    new = np.stack([y, x], axis=1)
    some = _chosen(new, blinks.patch_nm, 0, blinks.halvings)
    place = np.concatenate([blinks.place, new[some]])
    sigma = np.concatenate([blinks.sigma, sigma[some]])
    frame = np.concatenate([blinks.frame, frame[some]])
    halvings = blinks.halvings
    while len(place) > blinks.most and halvings < _MOST_HALVINGS:
        some = _chosen(place, blinks.patch_nm, halvings, halvings + 1)
        place, sigma, frame = place[some], sigma[some], frame[some]
        halvings += 1
    return replace(blinks, place=place, sigma=sigma, frame=frame, halvings=halvings)


def measure(
    blinks: Blinks, seed: int = 0, *, again: F32 | None = None, missed: float = 0.0
) -> Neighbours | None:
    """What the blinks kept tell; None where they are too few, or all in one place.

    `again` is the chance of each to be a molecule's that was seen before, `missed` the share
    of molecules that are not among them since they lie near others: the nearest neighbours.
    """
    rng = np.random.default_rng(seed)
    place = blinks.place
    if again is not None:
        place = place[rng.random(len(place), np.float32) >= again]
    if len(place) < _FEWEST:
        return None
    place = rng.permutation(_together(place))
    n = len(place)
    parts = 2 ** np.arange(_HALVED + 1)
    distances = np.array([_median_nm(np.array_split(place, k), missed / k) for k in parts.tolist()])
    if not distances.min() > 0:
        return None
    slope, error = _slope(np.log(parts), np.log(distances), n)
    dimension = min(max(1 / max(slope, 1e-9), _LEAST_D), _MOST_D)
    ball = math.pi ** (dimension / 2) / math.gamma(1 + dimension / 2)
    distance = float(distances[0])
    spacing = distance * (ball / math.log(2)) ** (1 / dimension)
    return Neighbours(
        distance_nm=distance,
        dimension=dimension,
        dimension_error=error * dimension**2,
        nyquist_nm=2 * spacing,
        density_per_um2=1e6 * math.log(2) / (math.pi * distance**2),
    )


def overall_nm(precision_nm: float, nyquist_nm: float) -> float:
    """Resolution that precision and density leave."""
    return math.hypot(math.sqrt(8 * math.log(2)) * precision_nm, nyquist_nm)


def _together(place: F32) -> F32:
    """Without the lone ones."""
    distance = _tree(place).query(place, 2)[0][:, 1]
    return np.asarray(place[distance <= _LONE * np.median(distance)])


def _median_nm(parts: Sequence[F32], missed: float) -> float:
    """Of the distances within all parts, and of those missed, which would be shorter."""
    found, asked = [], 0
    for part in parts:
        if asked < _ASKED:
            found.append(_tree(part).query(part[: _ASKED - asked], 2)[0][:, 1])
            asked += len(part)
    middle = max((0.5 - missed) / (1 - missed), _LOWEST)
    return float(np.quantile(np.concatenate(found), middle))


def _tree(place: F32) -> KDTree:
    return KDTree(place, balanced_tree=False, compact_nodes=False)


def _slope(x: F64, y: F64, n: int) -> tuple[float, float]:
    """Of equally good medians; the error that of the outer two."""
    slope = float(np.polyfit(x, y, 1)[0])
    # The relative standard error of the median of n exponential variables is 1 / (ln 2 √n).
    scatter = np.sqrt(2 / n) / math.log(2)
    return slope, float(slope * scatter / (x[-1] - x[0]))


@jit
def _chosen(place: F32, patch_nm: float, first: int, stop: int) -> Bool:
    """What lies in every other patch, by chance; patches half as wide at every other level."""
    chosen = np.ones(len(place), np.bool_)
    for k in range(len(place)):
        for level in range(first, stop):
            width = patch_nm / 2.0 ** (level // 2)
            row, column = int(np.floor(place[k, 0] / width)), int(np.floor(place[k, 1] / width))
            mixed = (row * 0x9E3779B1) ^ ((column + level) * 0x85EBCA77)
            mixed = ((mixed ^ (mixed >> 15)) * 0x2C1B3C6D) & 0xFFFFFFFF
            if mixed >> 31:
                chosen[k] = False
                break
    return chosen
