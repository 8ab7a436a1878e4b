"""From a graph's slots to molecules: which slots are filled, and who owns a molecule.

The only place that knows how `molecules` (frames, tiles, slots, 10) and
`crowded` (frames, tiles) are laid out; every runtime ends here.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from live_smlm.core import F32, I32, I64, Bool
from live_smlm.fitting.fields import FIELDS
from live_smlm.inference.runtime import Peaks
from live_smlm.inference.tiles import Window

_PROBABILITY, _X, _Y = (FIELDS.index(name) for name in ("probability", "x", "y"))


def molecules_of(slots: F32, crowded: I32, threshold: float, window: Window, grid: int) -> Peaks:
    """The molecules that a window of the padded frame owns.

    Positions in `slots` are from the window's corner, in the answer from the
    frame's. A slot that is not finite holds nothing.
    """
    n = len(slots)
    chosen = slots[..., _PROBABILITY] >= threshold
    frame = np.nonzero(chosen)[0]
    tiles = window.owned_tiles(grid).ravel()
    many = crowded.reshape(n, -1)[:, tiles].sum(1, np.int32)
    return replace(owned_by(window, n, frame, slots[chosen]), crowded=many)


def owned_by(window: Window, n: int, frame: I64, values: F32) -> Peaks:
    """Those of a window's molecules that it owns; positions are from its corner."""
    values[:, _X] += window.columns[0]
    values[:, _Y] += window.rows[0]
    owned = (
        np.isfinite(values).all(1)
        & _inside(values[:, _X], window.owned_columns)
        & _inside(values[:, _Y], window.owned_rows)
    )
    return Peaks(frame[owned], values[owned], np.zeros(n, np.int32))


def joined(parts: Sequence[tuple[int, Peaks]], n: int) -> Peaks:
    """Peaks of n frames from parts that begin at the given frames; order within a frame is kept."""
    crowded = np.zeros(n, np.int32)
    for first, part in parts:
        crowded[first : first + len(part.crowded)] += part.crowded
    if not parts:
        return Peaks(np.zeros(0, np.int64), np.zeros((0, len(FIELDS)), np.float32), crowded)
    frame = np.concatenate([part.frame + first for first, part in parts])
    order = np.argsort(frame, kind="stable")
    return Peaks(frame[order], np.concatenate([part.values for _, part in parts])[order], crowded)


def _inside(position: F32, owned: tuple[float, float]) -> Bool:
    return np.asarray((position >= owned[0]) & (position < owned[1]))
