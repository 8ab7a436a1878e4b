"""From a batch of frames to candidate molecules and their cut-outs.

A cut-out is centred on its peak's pixel; near an edge it is moved inwards
until it fits, so that a molecule is found as long as its centre is inside
the frame (or the part of it in which molecules are looked for).
"""

from dataclasses import dataclass

import numpy as np

from live_smlm.core import F32, I32, I64, PSF, Bool, CameraModel, FrameBatch, RawPixels
from live_smlm.core.side import Span
from live_smlm.engines.detect_filter import SpotFilter
from live_smlm.fitting.counts import CountScale, count_scale
from live_smlm.fitting.cutouts import cut_frames

_SMALLEST = 5


def roi_size(psf: PSF, camera: CameraModel) -> int:
    """Pixels along a cut-out that holds the PSF's light, as far as the frame allows."""
    size = max(_SMALLEST, 2 * int(psf.extent_nm / camera.pixel_size_nm) + 1)
    return min(size, *(stop - first for first, stop in camera.view))


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
    return Candidates(place, *spots.corners(rows, columns, size))


def cut(pixels: RawPixels, at: Candidates, size: int, scale: CountScale) -> F32:
    """The cut-outs in counts, (n, size, size)."""
    return cut_frames(pixels, at.place, at.row, at.column, size, scale)


def cut_side(pixels: RawPixels, at: Candidates, size: int, camera: CameraModel) -> F32 | None:
    """Photons (n, height, width) of the side channel; NaN beyond its band. None without one."""
    side = camera.side
    if side is None:
        return None
    rows = _span(at.row + size // 2 + side.step_px[0], side.height)
    columns = _span(at.column + size // 2 + side.step_px[1], side.width)
    seen = _within(rows, side.rows)[:, :, None] & _within(columns, side.columns)[:, None, :]
    r = np.clip(rows, 0, camera.shape[0] - 1)[:, :, None]
    c = np.clip(columns, 0, camera.shape[1] - 1)[:, None, :]
    scale = count_scale(camera)
    offset, gain = (np.broadcast_to(v, camera.shape)[r, c] for v in (scale.offset, scale.gain))
    counts = (pixels[at.place[:, None, None], r, c] - offset) * gain
    return np.where(seen, counts / np.float32(scale.per_photon), np.float32(np.nan))


def _span(middle: I32, length: int) -> I64:
    """(n, length) pixels around each middle."""
    return np.asarray(middle[:, None] - length // 2 + np.arange(length), np.int64)


def _within(places: I64, span: Span) -> Bool:
    return np.asarray((places >= span[0]) & (places < span[1]))
