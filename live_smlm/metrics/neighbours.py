"""How densely the structure is labelled so far, and its dimension, from nearest neighbours.

Molecules of a Poisson process on a structure of dimension D have neighbours at a median
distance d = (ln 2 / (rho V))^(1/D), V being the volume of the unit ball in D dimensions:
so log d against the logarithm of their number falls with the slope -1/D, and d tells
the density rho. The Nyquist resolution is 2 / rho^(1/D). The median rather than the mean:
a few lone molecules far from the structure, or false ones, do not move it.

Fewer molecules are had by leaving out at random; the fewest are still `_SPARSEST` of all,
so that D is that of the scale at which the neighbours now lie. Below the precision any
structure looks like a plane. Each blink counts once; a molecule that blinks again counts
again, its neighbour then being itself at the distance of the precision.

Memory is bounded: of a field with too many blinks some patches are kept, half of the
patches whenever there are too many, smaller patches of them the denser the blinks are.
So the density stays the true one. The few neighbours beyond a patch's edge are missed.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.spatial import KDTree

from live_smlm.core import F32, F64, Bool, require
from live_smlm.physics.jit import jit

MOST = 6000
"""Blinks that are kept, at most."""
PATCH_NM = 4000.0
_FEWEST = 300
_SPARSEST = 8
"""Over which the number of molecules is changed."""
_MOST_HALVINGS = 30
_LEAST_D, _MOST_D = 0.5, 3.0


def _nowhere() -> F32:
    return np.zeros((0, 2), np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Blinks:
    """Where blinks were, in some patches of the field."""

    most: int = MOST
    patch_nm: float = PATCH_NM
    halvings: int = 0
    """So many times half of the patches was left out, every other time of smaller ones."""
    place: F32 = field(default_factory=_nowhere)
    """(n, 2): y, x."""

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


def fold(blinks: Blinks, y: F32, x: F32) -> Blinks:
    """With more blinks."""
    new = np.stack([y, x], axis=1)
    new = new[_chosen(new, blinks.patch_nm, 0, blinks.halvings)]
    place, halvings = np.concatenate([blinks.place, new]), blinks.halvings
    while len(place) > blinks.most and halvings < _MOST_HALVINGS:
        place = place[_chosen(place, blinks.patch_nm, halvings, halvings + 1)]
        halvings += 1
    return replace(blinks, place=place, halvings=halvings)


def measure(blinks: Blinks, seed: int = 0) -> Neighbours | None:
    """What the blinks kept tell; None where they are too few, or all in one place."""
    n = len(blinks.place)
    if n < _FEWEST:
        return None
    place = np.random.default_rng(seed).permutation(blinks.place)
    thinned = _SPARSEST ** np.linspace(0, 1, 4)
    distances = np.array([_median_nm(place[: int(n / share)]) for share in thinned])
    if not distances.min() > 0:
        return None
    slope, error = _slope(np.log(thinned), np.log(distances), n / thinned)
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


def _median_nm(place: F32) -> float:
    distances, _ = KDTree(place, balanced_tree=False, compact_nodes=False).query(place, 2)
    return float(np.median(distances[:, 1]))


def _slope(x: F64, y: F64, n: F64) -> tuple[float, float]:
    """Weighted by the number of molecules; the error that of the outer two medians."""
    slope = float(np.polyfit(x, y, 1, w=np.sqrt(n))[0])
    # The relative standard error of the median of n exponential variables is 1 / (ln 2 √n).
    scatter = np.sqrt(1 / n[0] + 1 / n[-1]) / math.log(2)
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
