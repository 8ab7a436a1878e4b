"""Which found molecule is which true one: greedy, nearest first, frame by frame.

The definition is that of the SMLM challenge. Alone knows how molecules are
paired; must not know what is concluded from the pairs.
"""

from dataclasses import dataclass

import numpy as np

from live_smlm.core import F64, I64, Localizations, require
from live_smlm.evaluate.pairs import WIDER, candidates, take_in_order

RADIUS_XY_NM = 250.0
RADIUS_Z_NM = 500.0
_ROWS_AT_ONCE = 50_000
"""Found molecules whose candidate pairs are held at one time; whole frames."""
_MOST_PAIRS = 50_000_000
"""Candidate pairs that still fit into the memory of a small machine."""


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Pairs: row `found[k]` of the one table is row `truth[k]` of the other."""

    found: I64
    truth: I64

    def __len__(self) -> int:
        return len(self.found)

    def errors(self, found: Localizations, truth: Localizations, axis: str) -> F64:
        """Found minus true value of a column, in its unit, per pair."""
        return np.asarray(
            found.axis(axis)[self.found].astype(np.float64) - truth.axis(axis)[self.truth]
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Sorted:
    """Molecules in the order the kernels want; ties by position, so row order never tells."""

    row: I64
    frame: I64
    stripe: I64
    position: F64
    """(3, n) x, y, z."""

    def between(self, first_frame: int, last_frame: int) -> "_Sorted":
        low = np.searchsorted(self.frame, first_frame, "left")
        high = np.searchsorted(self.frame, last_frame, "right")
        part = np.s_[low:high]
        return _Sorted(
            self.row[part],
            self.frame[part],
            self.stripe[part],
            np.ascontiguousarray(self.position[:, part]),
        )


def match(
    found: Localizations,
    truth: Localizations,
    *,
    radius_xy_nm: float = RADIUS_XY_NM,
    radius_z_nm: float = RADIUS_Z_NM,
) -> Matches:
    """Pair molecules of the same frame, the nearest two first.

    Two may pair if they are at most `radius_xy_nm` apart in the plane and, where
    both tables have z, at most `radius_z_nm` along the axis. Nearness is the
    distance in 3D (in the plane without z). Equal distances are decided by
    position, so the order of rows changes nothing. Pairs come by found row.
    """
    for name, radius in (("radius_xy_nm", radius_xy_nm), ("radius_z_nm", radius_z_nm)):
        require(
            bool(np.isfinite(radius)) and radius > 0, f"{name} is {radius:g}; it must be above 0"
        )
    deep = found.z is not None and truth.z is not None
    a = _sorted(found, "found", radius_xy_nm, deep=deep)
    b = _sorted(truth, "true", radius_xy_nm, deep=deep)
    parts = [
        _match_block(a.between(*frames), b.between(*frames), radius_xy_nm, radius_z_nm)
        for frames in _blocks(a.frame)
    ]
    left = np.concatenate([np.zeros(0, np.int64), *(p[0] for p in parts)])
    right = np.concatenate([np.zeros(0, np.int64), *(p[1] for p in parts)])
    order = np.argsort(left)
    return Matches(left[order], right[order])


def _sorted(molecules: Localizations, side: str, radius: float, *, deep: bool) -> _Sorted:
    axes = {"x": molecules.x, "y": molecules.y}
    if deep:
        axes["z"] = molecules.axis("z")
    position = np.zeros((3, len(molecules)))
    for k, (name, values) in enumerate(axes.items()):
        bad = np.count_nonzero(~np.isfinite(values))
        require(
            bad == 0,
            f"{side} molecules have {bad} values of {name} that are not finite; remove those rows",
        )
        position[k] = values
    stripe = np.floor(position[1] / (WIDER * radius)).astype(np.int64)
    order = np.lexsort((position[2], position[1], position[0], stripe, molecules.frame))
    return _Sorted(
        order,
        np.ascontiguousarray(molecules.frame[order], dtype=np.int64),
        stripe[order],
        np.ascontiguousarray(position[:, order]),
    )


def _blocks(frame: I64) -> list[tuple[int, int]]:
    """First and last frame of blocks of whole frames; `frame` rises."""
    blocks = []
    start = 0
    while start < len(frame):
        last = int(frame[min(start + _ROWS_AT_ONCE, len(frame)) - 1])
        blocks.append((int(frame[start]), last))
        start = int(np.searchsorted(frame, last, "right"))
    return blocks


def _match_block(
    found: _Sorted, truth: _Sorted, radius_xy: float, radius_z: float
) -> tuple[I64, I64]:
    """Rows of the original tables that pair."""
    sides = (
        (found.frame, found.stripe),
        found.position,
        (truth.frame, truth.stripe),
        truth.position,
        float(radius_xy),
        float(radius_z),
    )
    none = np.zeros(0, np.int64)
    n = candidates(*sides, none, none)
    require(
        n <= _MOST_PAIRS,
        f"frames {found.frame[0]} to {found.frame[-1]} hold {n} pairs of molecules within "
        f"{radius_xy:g} nm; use a smaller radius or tables with true frame numbers",
    )
    left, right = np.empty(n, np.int64), np.empty(n, np.int64)
    candidates(*sides, left, right)
    # Squared distances outside the kernel: there, fused arithmetic may break exact ties.
    apart = np.zeros(n)
    for k in range(3):
        apart += (found.position[k, left] - truth.position[k, right]) ** 2
    nearest = np.argsort(apart, kind="stable")
    left, right = left[nearest], right[nearest]
    taken = take_in_order(left, right, len(found.row), len(truth.row))
    return found.row[left[taken]], truth.row[right[taken]]
