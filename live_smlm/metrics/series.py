"""The charts of a run: what each block of frames looked like, as a fold over chunks.

Pure: chunks go in, points come out, one per block of frames. When there are many
points, neighbours are merged and blocks become twice as long: so a chart costs
the same after an hour as after a minute. Of a chunk with many molecules only some
are looked at.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from live_smlm.core import F32, F64, Localizations, require

MOST_POINTS = 2000
BLOCK_S = 1.0
"""How long a block is at first, where the camera's rate is known."""
_BLOCK_FRAMES = 100
"""And where it is not."""
_PER_CHUNK = 256
"""Molecules of a chunk that are looked at."""
_LATE = 95.0
"""Percent of the frames that have no more lag than is told."""
_BY_MOLECULES = frozenset({"photons", "background", "precision_nm"})
"""Merged by the number of molecules; all others by that of frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What the numbers are told per."""

    area_um2: float
    """Of a frame."""
    block_frames: int = _BLOCK_FRAMES

    def __post_init__(self) -> None:
        require(self.area_um2 > 0, f"area of a frame is {self.area_um2:g} µm²; give above 0")
        require(self.block_frames > 0, f"a block has {self.block_frames} frames; give at least 1")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """What is kept of one chunk."""

    stop: int
    """The stream number after its last frame."""
    frames: int
    molecules: int
    light: Mapping[str, F32]
    """Some molecules' values by chart."""
    lag_ms: F64


@dataclass(frozen=True, slots=True)
class Point:
    """One block of frames."""

    stop: int
    """The stream number after its last frame."""
    frames: int
    molecules: int
    values: Mapping[str, float]
    """By chart; those that are unknown are absent."""


@dataclass(frozen=True, slots=True)
class Series:
    """All points so far, and the block that is not full yet."""

    scale: Scale
    points: tuple[Point, ...] = ()
    merges: int = 0
    """How often neighbours were merged."""
    parts: tuple[Part, ...] = field(default=(), repr=False)
    most_points: int = MOST_POINTS


def start(area_um2: float, frame_interval_s: float | None) -> Series:
    """Before the first frame."""
    if not frame_interval_s:
        return Series(Scale(area_um2=area_um2))
    frames = max(1, round(BLOCK_S / frame_interval_s))
    return Series(Scale(area_um2=area_um2, block_frames=frames))


def part(first: int, frames: int, molecules: Localizations, latency_s: F64) -> Part:
    """One chunk's contribution."""
    some = molecules.where(slice(None, None, max(1, -(-len(molecules) // _PER_CHUNK))))
    precision = None
    if some.sigma_x is not None and some.sigma_y is not None:
        precision = np.asarray((some.sigma_x + some.sigma_y) / 2, np.float32)
    light = {
        "photons": some.photons,
        "background": some.background,
        "precision_nm": precision,
    }
    return Part(
        stop=first + frames,
        frames=frames,
        molecules=len(molecules),
        light={name: values for name, values in light.items() if values is not None},
        lag_ms=1000 * latency_s,
    )


def fold(series: Series, item: Part) -> Series:
    """The charts after one more chunk."""
    parts = (*series.parts, item)
    full = series.scale.block_frames * 2**series.merges
    if sum(p.frames for p in parts) < full:
        return replace(series, parts=parts)
    points, merges = (*series.points, _point(parts, series.scale)), series.merges
    if len(points) > series.most_points:
        points, merges = _halved(points), merges + 1
    return replace(series, points=points, merges=merges, parts=())


def ended(series: Series) -> Series:
    """When no more will come: the frames after the last full block are a point too."""
    if not series.parts:
        return series
    return replace(series, points=(*series.points, _point(series.parts, series.scale)), parts=())


def newest(series: Series, count: int | None = None) -> dict[str, Any]:
    """The last `count` points (all: None) as plain values: from which on, and by chart."""
    first = 0 if count is None else max(0, len(series.points) - count)
    told = series.points[first:]
    names = dict.fromkeys(name for point in told for name in point.values)
    charts = {name: [_plain(point.values.get(name)) for point in told] for name in names}
    return {
        "first": first,
        "merges": series.merges,
        "points": {"frame": [point.stop for point in told], **charts},
    }


def _point(parts: tuple[Part, ...], scale: Scale) -> Point:
    frames = sum(p.frames for p in parts)
    molecules = sum(p.molecules for p in parts)
    per_frame = molecules / frames
    values = {"molecules_per_frame": per_frame, "density_per_um2": per_frame / scale.area_um2}
    for name in sorted(_BY_MOLECULES):
        seen = [p.light[name] for p in parts if name in p.light]
        known = np.concatenate(seen) if seen else np.zeros(0)
        known = known[np.isfinite(known)]
        if known.size:
            values[name] = float(np.median(known))
    lag = np.concatenate([p.lag_ms for p in parts])
    if lag.size:
        values["lag_ms"] = float(np.percentile(lag, _LATE))
    return Point(parts[-1].stop, frames, molecules, values)


def _halved(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """Every two neighbours as one; an odd one stays at the end."""
    pairs = zip(points[::2], points[1::2], strict=False)
    return (*(_merged(a, b) for a, b in pairs), *points[len(points) // 2 * 2 :])


def _merged(a: Point, b: Point) -> Point:
    values = {}
    for name in dict.fromkeys((*a.values, *b.values)):
        both = [p for p in (a, b) if name in p.values]
        weights = [p.molecules if name in _BY_MOLECULES else p.frames for p in both]
        values[name] = float(np.average([p.values[name] for p in both], weights=weights))
    return Point(b.stop, a.frames + b.frames, a.molecules + b.molecules, values)


def _plain(value: float | None) -> float | None:
    known = value is not None and math.isfinite(value)
    return float(f"{value:.5g}") if known else None
