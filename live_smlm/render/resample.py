"""One grid's sums on another, coarser one."""

import numpy as np

from live_smlm.core import F32, I64, require
from live_smlm.physics.jit import jit
from live_smlm.render.viewport import Viewport

_SAME = 1e-6
"""Edges of pixels that differ by less, in pixels, are one."""


def resampled(sums: F32, seen: Viewport, wanted: Viewport) -> F32:
    """Sums (planes, rows, columns) on a grid at most as fine; those of a pixel go by area."""
    require(
        wanted.pixel_nm >= seen.pixel_nm * (1 - _SAME),
        f"sums per {seen.pixel_nm:g} nm do not tell those per {wanted.pixel_nm:g} nm; draw again",
    )
    fresh = np.zeros((len(sums), *wanted.shape), np.float32)
    per = seen.pixel_nm / wanted.pixel_nm
    first_y, first_x = (
        (ours - theirs) / wanted.pixel_nm
        for ours, theirs in zip(seen.origin_nm, wanted.origin_nm, strict=True)
    )
    shares = *_shares(first_y, per, sums.shape[1]), *_shares(first_x, per, sums.shape[2])
    _gather(sums, *shares, fresh)
    return fresh


def _shares(first: float, per: float, count: int) -> tuple[I64, F32]:
    """The pixel into which each pixel's beginning falls, and how much of it falls there."""
    begin = first + per * np.arange(count)
    nearest = np.rint(begin)
    begin = np.where(np.abs(begin - nearest) < _SAME, nearest, begin)
    into = np.floor(begin)
    share = np.clip((into + 1 - begin) / per, 0, 1)
    share[share > 1 - _SAME] = 1
    return into.astype(np.int64), share.astype(np.float32)


@jit
def _gather(sums: F32, row_into: I64, row_share: F32, into: I64, share: F32, fresh: F32) -> None:
    planes, rows, columns = fresh.shape
    line = np.empty(columns + 1, np.float32)
    for p in range(planes):
        for r in range(row_into.size):
            row, part = row_into[r], row_share[r]
            if -1 <= row < rows:
                _fold(sums[p, r], into, share, line)
                if row >= 0:
                    _add(part, line, fresh[p, row])
                if row + 1 < rows and part < 1:
                    _add(1 - part, line, fresh[p, row + 1])


@jit
def _add(part: float, line: F32, pixels: F32) -> None:
    for c in range(pixels.size):
        pixels[c] += part * line[c]


@jit
def _fold(pixels: F32, into: I64, share: F32, line: F32) -> None:
    """One row of pixels into the wider ones of a line."""
    line[:] = 0.0
    for c in range(into.size):
        at = into[c]
        if -1 <= at < line.size - 1:
            if at >= 0:
                line[at] += share[c] * pixels[c]
            line[at + 1] += (1 - share[c]) * pixels[c]
