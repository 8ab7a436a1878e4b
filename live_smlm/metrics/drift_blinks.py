"""What each blink is worth to the drift: its place once, and how far it went on since.

A molecule that stays on over many frames, or in frames that an engine fits together, lies
at one place with one error. It is asked where the sample is once, in the block in which
it began; on the map it never meets itself. In later blocks it tells how far the sample
has moved since the block before: that asks for no map, and its error is seen in how
the blinks disagree.

Of a sample too busy to be looked at as a whole some tiles are, and all blinks in them.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from live_smlm.core import F64, I64, Bool, Localizations
from live_smlm.metrics import linking
from live_smlm.metrics.drift_map import Places
from live_smlm.metrics.linking import Links

_LEAST_REACH_NM, _MOST_REACH_NM = 20.0, 100.0
"""Between frames of one blink."""
_TILE_NM = 1000.0
_SPREAD = (0.7548776662466927, 0.5698402909980532)
"""Steps of the plastic number: any share of the tiles is spread evenly."""
_SCATTER = (2.0, 2.0, 2.0)
"""Of a blink's step in standard errors before any has been seen,"""
_SCATTER_BLINKS = 20.0
"""so many blinks' worth, and"""
_SCATTER_LEARNS = 300.0
"""over how many it is averaged at most."""
_FEWEST = 2


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Localizations in the order of frames, and which blinks they are of."""

    places: Places
    blink: I64
    began: I64
    """The frame in which the blink began."""
    sure: F64
    """One over the variance of x and y, up to a constant."""

    def __len__(self) -> int:
        return len(self.blink)

    def where(self, chosen: Bool) -> "Seen":
        """Some of them."""
        return Seen(
            self.places.where(chosen),
            self.blink[chosen],
            self.began[chosen],
            self.sure[chosen],
        )

    def once(self, begun: int) -> Places:
        """The blinks that began at a frame or later, each at its mean place."""
        return _each(self.where(self.began >= begun))[2]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """How far the sample moved from one block to the next."""

    by: F64
    variance: F64
    """(3,) nm²; infinite where nothing is known."""
    frames: float = 0.0
    """Over which it was seen: of a blink that ends or begins, fewer than lie between blocks."""


NO_STEP = Step(np.zeros(3), np.full(3, np.inf))


@dataclass(frozen=True, slots=True, eq=False)
class Going:
    """The blinks of the block before, and how much the steps of blinks scatter."""

    blink: I64 = field(default_factory=lambda: np.zeros(0, np.int64))
    at: F64 = field(default_factory=lambda: np.zeros((0, 3)))
    frame: F64 = field(default_factory=lambda: np.zeros(0))
    sure: F64 = field(default_factory=lambda: np.zeros((0, 3)))
    """One over the variance along each axis, up to a constant."""
    scatter: F64 = field(default_factory=lambda: np.square(_SCATTER))
    """(3,) variance over the one that is claimed."""
    heard: float = _SCATTER_BLINKS


def join(parts: "tuple[Seen, ...]") -> Seen:
    """All of them, in order."""
    return Seen(
        Places(
            *(
                np.concatenate([getattr(part.places, name) for part in parts])
                for name in ("frame", "x", "y", "z", "weight")
            )
        ),
        np.concatenate([part.blink for part in parts]),
        np.concatenate([part.began for part in parts]),
        np.concatenate([part.sure for part in parts]),
    )


def linked(links: Links, places: Places, sure: F64) -> tuple[Links, Seen]:
    """Further localizations, in the order of frames."""
    links, each = linking.fold(
        links,
        places.frame.astype(np.int64),
        places.x.astype(np.float32),
        places.y.astype(np.float32),
    )
    return links, Seen(places, each.number, each.began, sure)


def reach_nm(sure: F64) -> float:
    """How far apart the localizations of a blink lie at most."""
    reach = linking.REACH_SIGMAS / float(np.sqrt(np.median(sure)))
    return min(max(reach, _LEAST_REACH_NM), _MOST_REACH_NM)


def in_tiles(molecules: Localizations, ahead: F64, share: float) -> Bool:
    """Which molecules lie in a share of the tiles, which are the sample's."""
    row = np.floor((molecules.y - ahead[1]) / _TILE_NM)
    column = np.floor((molecules.x - ahead[0]) / _TILE_NM)
    place = _SPREAD[0] * column + _SPREAD[1] * row
    return np.asarray(place - np.floor(place) < share)


def went(going: Going, seen: Seen) -> tuple[Going, Step]:
    """The step from the block before to the one of `seen`, by the blinks in both."""
    blink, lateral, places = _each(seen)
    depth = places.z if len(places.z) else np.zeros(len(places))
    at = np.stack([places.x, places.y, depth], axis=1)
    axial = places.weight if len(places.z) else lateral
    sure = np.stack([lateral, lateral, axial], axis=1)
    _, old, new = np.intersect1d(going.blink, blink, assume_unique=True, return_indices=True)
    moved = at[new] - going.at[old]
    lapse = places.frame[new] - going.frame[old]
    weight = 1 / (1 / sure[new] + 1 / going.sure[old])
    going = replace(going, blink=blink, at=at, frame=places.frame, sure=sure)
    n = float(len(moved))
    if n < _FEWEST:
        return going, NO_STEP
    whole = weight.sum(axis=0)
    by = (weight * moved).sum(axis=0) / whole
    share = (n - 1) / (min(going.heard, _SCATTER_LEARNS) + n - 1)
    spread = (weight * (moved - by) ** 2).sum(axis=0) / (n - 1)
    scatter = going.scatter + share * (spread - going.scatter)
    going = replace(going, scatter=scatter, heard=going.heard + n - 1)
    variance = scatter / whole
    if not len(places.z):
        by[2], variance[2] = 0.0, np.inf
    return going, Step(by, variance, float(weight[:, 0] @ lapse / whole[0]))


def _each(seen: Seen) -> tuple[I64, F64, Places]:
    """Blinks by number, how sure each is, and its mean place."""
    blink, which = np.unique(seen.blink, return_inverse=True)
    n, places = len(blink), seen.places

    def mean(values: F64, weight: F64, whole: F64) -> F64:
        return np.asarray(np.bincount(which, weight * values, n) / whole)

    sure = np.asarray(np.bincount(which, seen.sure, n), np.float64)
    frame, x, y = (mean(part, seen.sure, sure) for part in (places.frame, places.x, places.y))
    z, weight = places.z, places.weight
    if len(z):
        weight = np.asarray(np.bincount(which, places.weight, n), np.float64)
        z = mean(places.z, places.weight, weight)
    return blink, sure, Places(frame, x, y, z, weight)
