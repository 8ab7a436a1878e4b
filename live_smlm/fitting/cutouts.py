"""Square windows of frames and of maps, in counts."""

import numpy as np

from live_smlm.core import F32, I32, I64, AnyArray, RawPixels
from live_smlm.fitting.counts import CountScale
from live_smlm.physics.jit import jit


def cut_frames(
    pixels: RawPixels, place: I64, row: I32, column: I32, size: int, scale: CountScale
) -> F32:
    """Cut-outs (n, size, size) in counts of raw frames, each of frame `place` at a corner."""
    out = np.empty((len(place), size, size), np.float32)
    _cut(pixels, place, row, column, scale.offset, scale.gain, out)
    return out


def cut_map(image: F32, row: I32, column: I32, size: int) -> F32:
    """The same cut-outs of one map that holds for all frames."""
    out = np.empty((len(row), size, size), np.float32)
    zero, unit = np.zeros((1, 1), np.float32), np.ones((1, 1), np.float32)
    _cut(image[np.newaxis], np.zeros(len(row), np.int64), row, column, zero, unit, out)
    return out


@jit
def _cut(
    pixels: AnyArray, place: I64, row: I32, column: I32, offset: F32, gain: F32, out: F32
) -> None:
    n, size, _ = out.shape
    one_offset, one_gain = offset.size == 1, gain.size == 1
    for i in range(n):
        top, left = row[i], column[i]
        for r in range(size):
            y = top + r
            source = pixels[place[i], y, left : left + size]
            for c in range(size):
                o = offset[0, 0] if one_offset else offset[y, left + c]
                g = gain[0, 0] if one_gain else gain[y, left + c]
                out[i, r, c] = (np.float32(source[c]) - o) * g
