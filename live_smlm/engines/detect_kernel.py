"""Spots in one frame, in one pass: smooth, compare with the local background, keep the maxima.

Rows stream through rings of rows that stay in the cache; every inner loop
runs along a row. Knows counts (see `fitting.counts`) and filters, not molecules.
"""

import numpy as np

from live_smlm.core import F32, I32, AnyArray
from live_smlm.physics.jit import jit

_BLOCK = 64
"""Pixels of a row that are skipped at once where nothing exceeds the threshold."""


@jit
def find_spots(
    frame: AnyArray,
    offset: F32,
    gain: F32,
    taps: F32,
    wide: int,
    variance: F32,
    scale_y: F32,
    scale_x: F32,
    margin: np.float32,
    radius: int,
    peak_rows: I32,
    peak_columns: I32,
) -> int:
    """Fill the peaks' rows and columns; return how many there are, at most what fits.

    A peak is the largest of its surroundings (`radius` pixels each way) in the
    difference between the frame smoothed with `taps` (both ways) and its mean
    over 2 `wide` + 1 pixels, and exceeds `margin` by more than the root of
    scale_y scale_x (mean + variance).
    """
    rows, columns = frame.shape
    ring, narrow = 2 * wide + 1, taps.size // 2
    line = np.empty(columns + 2 * wide, np.float32)
    smooth, box = np.empty((ring, columns), np.float32), np.zeros((ring, columns), np.float32)
    total = np.zeros(columns, np.float32)
    keep = 2 * radius + 1
    height = np.empty((keep, columns), np.float32)
    excess = np.empty((keep, columns), np.float32)
    found = 0
    for v in range(-wide, rows + wide + radius):
        if v < rows + wide:
            slot = (v + wide) % ring
            _convert(frame, offset, gain, mirror(v, rows), wide, line)
            _along_row(line, taps, wide, smooth[slot])
            _slide(line, wide, box[slot], total)
        r = v - wide
        if r < 0:
            continue
        if r < rows:
            here = height[r % keep]
            _down_columns(smooth, taps, (r + wide - narrow) % ring, here)
            _significance(
                here, total, variance[r], scale_y[r], scale_x, margin, ring, excess[r % keep]
            )
        peak_row = r - radius
        if peak_row >= 0:
            found = _collect(height, excess, peak_row, rows, radius, peak_rows, peak_columns, found)
    return found


@jit
def mirror(i: int, size: int) -> int:
    """The pixel that stands for pixel `i` outside of 0 to size - 1, as in a mirror at the edge."""
    j = i % (2 * size)
    return j if j < size else 2 * size - 1 - j


@jit
def _convert(frame: AnyArray, offset: F32, gain: F32, row: int, wide: int, line: F32) -> None:
    """Counts of one row, mirrored beyond its ends."""
    columns = frame.shape[1]
    source, middle = frame[row], line[wide : wide + columns]
    if offset.size == 1:
        o = offset[0, 0]
        for c in range(columns):
            middle[c] = np.float32(source[c]) - o
    else:
        offsets = offset[row]
        for c in range(columns):
            middle[c] = np.float32(source[c]) - offsets[c]
    if gain.size == 1:
        g = gain[0, 0]
        for c in range(columns):
            middle[c] *= g
    else:
        gains = gain[row]
        for c in range(columns):
            middle[c] *= gains[c]
    for c in range(wide):
        line[c] = middle[mirror(c - wide, columns)]
        line[wide + columns + c] = middle[mirror(columns + c, columns)]


@jit
def _along_row(line: F32, taps: F32, wide: int, out: F32) -> None:
    """Weigh neighbours in the row."""
    first = wide - taps.size // 2
    out[:] = 0
    for k in range(taps.size):
        weight, shifted = taps[k], line[first + k : first + k + out.size]
        for c in range(out.size):
            out[c] += weight * shifted[c]


@jit
def _slide(line: F32, wide: int, box: F32, total: F32) -> None:
    """Move the sum over a square one row on: `box` holds the row that leaves, then the new one."""
    for c in range(box.size):
        total[c] -= box[c]
        box[c] = 0
    for k in range(2 * wide + 1):
        shifted = line[k : k + box.size]
        for c in range(box.size):
            box[c] += shifted[c]
    for c in range(box.size):
        total[c] += box[c]


@jit
def _down_columns(smooth: F32, taps: F32, first: int, out: F32) -> None:
    """Weigh neighbours in the column."""
    out[:] = 0
    ring = len(smooth)
    for k in range(taps.size):
        weight, row = taps[k], smooth[(first + k) % ring]
        for c in range(out.size):
            out[c] += weight * row[c]


@jit
def _significance(
    height: F32,
    total: F32,
    variance: F32,
    scale_y: np.float32,
    scale_x: F32,
    margin: np.float32,
    ring: int,
    excess: F32,
) -> None:
    """Subtract the background; `excess` is above 0 where the rest is significant."""
    share = np.float32(1) / np.float32(ring * ring)
    for c in range(height.size):
        mean = total[c] * share
        difference = height[c] - mean
        beyond = max(difference - margin, np.float32(0))
        noise = scale_y * scale_x[c] * (max(mean, np.float32(0)) + variance[c])
        excess[c] = beyond * beyond - noise
        height[c] = difference


@jit
def _collect(
    height: F32,
    excess: F32,
    row: int,
    rows: int,
    radius: int,
    peak_rows: I32,
    peak_columns: I32,
    found: int,
) -> int:
    """Add a row's peaks."""
    keep, columns = height.shape
    line = excess[row % keep]
    for start in range(0, columns, _BLOCK):
        block = line[start : start + _BLOCK]
        above = 0
        for c in range(block.size):
            above += 1 if block[c] > 0 else 0
        if above == 0:
            continue
        for c in range(start, start + block.size):
            if line[c] > 0 and found < peak_rows.size and _is_peak(height, row, c, rows, radius):
                peak_rows[found] = row
                peak_columns[found] = c
                found += 1
    return found


@jit
def _is_peak(height: F32, row: int, column: int, rows: int, radius: int) -> bool:
    """Whether no neighbour is higher; of equals the first counts."""
    keep, columns = height.shape
    value = height[row % keep, column]
    for r in range(max(row - radius, 0), min(row + radius + 1, rows)):
        for c in range(max(column - radius, 0), min(column + radius + 1, columns)):
            other = height[r % keep, c]
            earlier = r < row or (r == row and c < column)
            if other > value or (other == value and earlier):
                return False
    return True
