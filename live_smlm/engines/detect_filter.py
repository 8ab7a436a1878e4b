"""The spot filter for one PSF on one camera: widths, thresholds, noise maps.

Knows how the noise of a smoothed frame follows from the camera's; hands plain
arrays to `detect_kernel`.
"""

from dataclasses import dataclass

import numpy as np

from live_smlm.core import F32, F64, I32, CameraModel, RawPixels
from live_smlm.core.side import Span
from live_smlm.engines.detect_kernel import find_spots, mirror
from live_smlm.fitting.counts import CountScale, count_scale

_SPARSEST = 1e-3
"""Counts per pixel below which darkness is not believed."""


@dataclass(frozen=True, slots=True, eq=False)
class SpotFilter:
    """Everything the kernel needs, made once per camera."""

    scale: CountScale
    taps: F32
    wide: int
    variance: F32
    scale_y: F32
    scale_x: F32
    margin: np.float32
    radius: int
    view: tuple[Span, Span]
    """Rows and columns of the frame in which spots are looked for."""

    def peaks(self, frame: RawPixels | F32, added: F32 | None = None) -> tuple[I32, I32]:
        """Rows and columns of the spots; `added` is variance per pixel beyond the camera's."""
        (top, bottom), (left, right) = self.view
        window = np.s_[top:bottom, left:right]
        frame, added = frame[window], None if added is None else added[window]
        rows, columns = frame.shape
        capacity = rows * columns // 2 + 1
        peak_rows, peak_columns = np.empty(capacity, np.int32), np.empty(capacity, np.int32)
        counts = frame.dtype.kind == "f"
        found = find_spots(
            np.ascontiguousarray(frame),
            _ZERO if counts else _part(self.scale.offset, window),
            _UNIT if counts else _part(self.scale.gain, window),
            self.taps,
            self.wide,
            self.variance if added is None else self.variance + added,
            self.scale_y,
            self.scale_x,
            self.margin,
            self.radius,
            peak_rows,
            peak_columns,
        )
        return peak_rows[:found] + np.int32(top), peak_columns[:found] + np.int32(left)

    def corners(self, rows: I32, columns: I32, size: int) -> tuple[I32, I32]:
        """First rows and columns of cut-outs around peaks, moved inwards at the view's edges."""
        (top, bottom), (left, right) = self.view
        return _moved(rows, size, top, bottom), _moved(columns, size, left, right)


def _moved(peaks: I32, size: int, first: int, stop: int) -> I32:
    return np.clip(peaks - size // 2, first, stop - size).astype(np.int32)


def _part(values: F32, window: tuple[slice, slice]) -> F32:
    """Of a map, the window; one value for all pixels as it is."""
    return values if values.size == 1 else np.ascontiguousarray(values[window])


_ZERO = np.zeros((1, 1), np.float32)
_UNIT = np.ones((1, 1), np.float32)


def spot_filter(camera: CameraModel, sigma_px: float, threshold: float) -> SpotFilter:
    """A filter for spots of this sigma; `threshold` is in standard errors of the local noise.

    Counts below some ten per filter are skewed: there the threshold is raised
    by the first correction to Poisson's upper tail.
    """
    view = camera.view
    (top, bottom), (left, right) = view
    rows, columns = bottom - top, right - left
    narrow = max(1, round(2.5 * sigma_px))
    offsets = np.arange(-narrow, narrow + 1)
    taps = np.exp(-0.5 * (offsets / sigma_px) ** 2)
    taps /= taps.sum()
    wide = max(narrow + 1, round(5 * sigma_px))
    scale = count_scale(camera)
    scale_y, scale_x = _squared_weights(taps, rows), _squared_weights(taps, columns)
    seen = scale.extra[top:bottom, left:right]
    extra = _average(_average(seen, taps**2).T, taps**2).T
    share = float(np.sum(taps**2) ** 2)
    return SpotFilter(
        scale,
        taps.astype(np.float32),
        wide,
        (extra + _SPARSEST).astype(np.float32),
        (threshold**2 * scale_y).astype(np.float32),
        scale_x.astype(np.float32),
        np.float32(threshold**2 / 3 * share),
        max(1, round(sigma_px)),
        view,
    )


def _squared_weights(taps: F64, size: int) -> F64:
    """(size,) the sum of squares of the weights that pixels have, mirrored at the ends."""
    half = len(taps) // 2
    weights = np.zeros((min(size, 2 * len(taps)), size))
    for k, tap in enumerate(taps):
        for i in range(len(weights)):
            # The first and the last rows differ from those between, which are all alike.
            row = i if i < len(weights) // 2 else size - len(weights) + i
            weights[i, mirror(row + k - half, size)] += tap
    squares = np.sum(weights**2, axis=1)
    middle = np.full(size - len(squares), np.sum(taps**2))
    return np.insert(squares, len(squares) // 2, middle)


def _average(image: F32 | F64, weights: F64) -> F64:
    """Weighted mean of each pixel's neighbours along the first axis, mirrored at the ends."""
    half = len(weights) // 2
    padded = np.pad(image, ((half, half), (0, 0)), mode="symmetric")
    total = sum(w * padded[k : k + len(image)] for k, w in enumerate(weights))
    return np.asarray(total / weights.sum())
