"""From a batch of frames to candidate molecules and their cut-outs.

A cut-out is centred on its peak's pixel; near an edge it is moved inwards
until it fits, so that a molecule is found as long as its centre is inside
the frame.
"""

from dataclasses import dataclass

import numpy as np

from live_smlm.core import F32, I32, I64, PSF, AnyArray, CameraModel, FrameBatch, RawPixels
from live_smlm.engines.detect_filter import SpotFilter
from live_smlm.engines.fit_counts import CountScale
from live_smlm.physics.jit import jit

_SMALLEST = 5


def roi_size(psf: PSF, camera: CameraModel) -> int:
    """Pixels along a cut-out that holds the PSF's light, as far as the frame allows."""
    size = max(_SMALLEST, 2 * int(psf.extent_nm / camera.pixel_size_nm) + 1)
    return min(size, *camera.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Cut-outs by frame in the batch (`place`) and corner."""

    place: I64
    row: I32
    column: I32


def candidates(batch: FrameBatch, spots: SpotFilter, size: int) -> Candidates:
    """Where the spots of the frames between the halos are cut out."""
    core = batch.core
    found = [spots.peaks(frame) for frame in batch.pixels[core]]
    lengths = [len(rows) for rows, _ in found]
    place = np.repeat(np.arange(core.start, core.stop), lengths)
    none = np.zeros(0, np.int32)
    rows = np.concatenate([none, *(rows for rows, _ in found)])
    columns = np.concatenate([none, *(columns for _, columns in found)])
    height, width = batch.pixels.shape[1:]
    return Candidates(place, corners(rows, size, height), corners(columns, size, width))


def corners(peaks: I32, size: int, length: int) -> I32:
    """First pixels of cut-outs around peaks along one axis, moved inwards at the edges."""
    return np.clip(peaks - size // 2, 0, length - size).astype(np.int32)


def cut(pixels: RawPixels, at: Candidates, size: int, scale: CountScale) -> F32:
    """The cut-outs in counts, (n, size, size)."""
    out = np.empty((len(at.place), size, size), np.float32)
    _cut(pixels, at.place, at.row, at.column, scale.offset, scale.gain, out)
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
