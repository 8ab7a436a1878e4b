"""From a batch of frames to candidate molecules and their cut-outs.

A cut-out is centred on its peak's pixel; near an edge it is moved inwards
until it fits, so that a molecule is found as long as its centre is inside
the frame.
"""

from dataclasses import dataclass

import numpy as np

from live_smlm.core import F32, I32, I64, PSF, CameraModel, FrameBatch, RawPixels
from live_smlm.engines.detect_filter import SpotFilter
from live_smlm.fitting.counts import CountScale
from live_smlm.fitting.cutouts import cut_frames

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
    return cut_frames(pixels, at.place, at.row, at.column, size, scale)
