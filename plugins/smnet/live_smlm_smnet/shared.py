"""What the network is given of cut-outs, what its values mean, and aberrations that many tell.

Aberrations are the objective's, not the molecule's: what several molecules
tell of them is averaged, each by how well it knows.
"""

from dataclasses import dataclass

import numpy as np

from live_smlm.core import F32, F64, I64

PHOTONS, BACKGROUND, DEPTH_NM = 10.0, 0.3, 300.0
"""Units of the network's values; light in brightest pixels."""
REACH_PX = 1.5
"""How far a molecule may be from the middle of its cut-out."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Cut-outs of the network's size around the brightest place."""

    counts: F32
    """(n, size, size)"""
    row: I64
    """(n,) first row in the cut-out that was given; `column` alike."""
    column: I64


def window(counts: F32, size: int) -> Window:
    """The part of cut-outs (n, k, k) that the network looks at."""
    n, k, _ = counts.shape
    wide = np.pad(counts, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = wide[:, :-2] + wide[:, 1:-1] + wide[:, 2:]
    smooth = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]
    peak = np.unravel_index(smooth.reshape(n, k * k).argmax(axis=1), (k, k))
    row, column = (np.clip(p - size // 2, 0, k - size).astype(np.int64) for p in peak)
    at = np.arange(size)
    cut = counts[np.arange(n)[:, None, None], (row[:, None] + at)[:, :, None],
                 (column[:, None] + at)[:, None, :]]  # fmt: skip
    return Window(cut, row, column)


def scaled(counts: F32) -> tuple[F32, F32]:
    """(n, 1, size, size) for the network, and (n,) the brightest pixels, which are its unit."""
    brightest = np.maximum(counts.max(axis=(1, 2), initial=0), 1e-3).astype(np.float32)
    return (counts / brightest[:, None, None])[:, None], brightest


def agreed(told: F32, width: F32, usual: float) -> tuple[F64, F64]:
    """(modes,) what all molecules together tell of the aberrations, and how well (sigma).

    Each tells what it thinks likely and how sure it is, knowing what is `usual`
    (sigma, around none): that is counted once.
    """
    before = usual**-2
    sure = width.astype(np.float64) ** -2
    more = np.maximum(sure - before, 0)
    total = before + more.sum(axis=0)
    return np.where(more > 0, sure * told, 0).sum(axis=0) / total, total**-0.5
