"""Pairs to learn from: a picture of few molecules, and what all of them would show.

Filaments of 25 nm whose molecules are found with an error of 20 nm; of all, a
random share has been seen. Beside them, and in some pictures alone, molecules
lie anywhere: those are to stay what they are, points. A pair is a function of
the random generator alone; torch is not known here.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from live_smlm.core import F32, F64
from live_smlm.physics.field import Field
from live_smlm.physics.structures import Filaments

PIXEL_NM = 20.0
ERROR_NM = 20.0
"""Of a molecule's position, standard deviation along each axis."""
MOLECULES_PER_UM = 500.0
TUBE_NM = 25.0
_DRAWN_PX = ERROR_NM / PIXEL_NM
"""Of the dense picture: each molecule is drawn as wide as its error."""
_POINT_PX = 0.6
"""Of a point that is no part of a filament: well within 50 nm."""
_POINT_PEAK = 0.5
_AROUND_NM = 100.0
"""Beyond the picture's edges, whence errors bring molecules in."""
_CURVES_PER_UM2 = 0.3
_ALONE, _BESIDE = 40.0, 8.0
"""Points per µm², at most: in a picture of nothing else, and beside filaments."""
_EMPTY = 0.25
"""Share of the pictures without a filament."""
_CLEAN = 0.5
"""Share of those with filaments in which no point lies beside them."""
_CUT = 0.2
"""Share of the pictures that end before the tile does."""
_LATE = 0.2
_LATER = (0.04, 0.6)
"""Share of the pictures of which more has been seen, and how much."""
_ONCE = 0.75
"""Share of the pictures in which a molecule is seen in one frame only."""
_MOST_FRAMES = 3.0
"""In which a molecule is seen otherwise, on average."""
_BENDS_NM = (1500.0, 10000.0)


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """What is seen of a picture, and what there is to see."""

    counts: F32
    """(rows, columns) molecules seen so far."""
    dense: F32
    """(rows, columns) all of them; the middle of one filament is 1 on average."""


def tube_peak() -> float:
    """Molecules per pixel in the middle of a filament, as the dense picture draws them."""
    across = np.sqrt(2 * ERROR_NM**2 + TUBE_NM**2 / 8)
    return float(MOLECULES_PER_UM * 1e-3 * PIXEL_NM**2 / (across * np.sqrt(2 * np.pi)))


def histogram(xy_nm: F64, shape: tuple[int, int], pixel_nm: float = PIXEL_NM) -> F32:
    """Molecules per pixel; what lies outside is not counted."""
    edges = [np.arange(n + 1) * pixel_nm for n in shape]
    counts, _, _ = np.histogram2d(xy_nm[:, 1], xy_nm[:, 0], bins=edges)
    return np.asarray(counts, np.float32)


def seen(rng: np.random.Generator, sites: F64) -> F64:
    """(n, 2) x, y as they are found."""
    return np.asarray(sites[:, :2] + ERROR_NM * rng.standard_normal((len(sites), 2)))


def drawn(xy_nm: F64, shape: tuple[int, int]) -> F32:
    """The dense picture of all molecules."""
    picture = gaussian_filter(histogram(xy_nm, shape), _DRAWN_PX, mode="constant")
    return np.asarray(picture / tube_peak(), np.float32)


def training_pair(rng: np.random.Generator, side: int, share: tuple[float, float]) -> Pair:
    """One pair; `share` is the range of the share of molecules seen, log-uniform."""
    shape = (side, side)
    counts, dense = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    bare = rng.random() < _EMPTY
    if not bare:
        sites = _filaments(rng, side * PIXEL_NM)
        part = float(np.exp(rng.uniform(*np.log(_LATER if rng.random() < _LATE else share))))
        dense = drawn(seen(rng, sites), shape)
        counts = histogram(seen(rng, _again(rng, sites[rng.random(len(sites)) < part])), shape)
    if bare or rng.random() > _CLEAN:
        lone = histogram(_points(rng, side * PIXEL_NM, _ALONE if bare else _BESIDE), shape)
        counts = counts + lone
        peak = _POINT_PEAK * 2 * np.pi * _POINT_PX**2
        dense = dense + np.float32(peak) * gaussian_filter(lone, _POINT_PX, mode="constant")
    if rng.random() < _CUT:
        _cut(rng, counts, dense)
    return Pair(counts, dense)


def _filaments(rng: np.random.Generator, extent: float) -> F64:
    """(n, 2) the molecules of some filaments in and around the picture."""
    most = 2 * _CURVES_PER_UM2 * (extent * 1e-3) ** 2
    count = 1 + int(rng.poisson(most * rng.random()))
    bend = float(np.exp(rng.uniform(*np.log(_BENDS_NM))))
    kind = Filaments(count, MOLECULES_PER_UM, TUBE_NM, bend)
    sites = kind.positions(rng, Field(extent + 2 * _AROUND_NM, extent + 2 * _AROUND_NM))
    return np.asarray(sites[:, :2] - _AROUND_NM)


def _again(rng: np.random.Generator, sites: F64) -> F64:
    """Each molecule once, or in some of the pictures in several frames."""
    if rng.random() < _ONCE:
        return sites
    return np.repeat(sites, rng.geometric(1 / rng.uniform(1, _MOST_FRAMES), len(sites)), axis=0)


def _points(rng: np.random.Generator, extent: float, most_per_um2: float) -> F64:
    n = rng.poisson(most_per_um2 * rng.random() * extent**2 * 1e-6)
    return np.asarray(rng.uniform(0, extent, (n, 2)))


def _cut(rng: np.random.Generator, counts: F32, dense: F32) -> None:
    """Nothing beyond one side: pictures end somewhere, and tiles are filled up with nothing."""
    beyond = int(rng.integers(1, len(counts) // 2))
    turn = int(rng.integers(4))
    for picture in (counts, dense):
        np.rot90(picture, turn)[:beyond] = 0
