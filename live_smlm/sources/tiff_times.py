"""When the frames of a TIFF movie were taken, where its writer has told.

Micro-Manager writes it with every page, OME writers into one XML text.
"""

import math
import re
from collections.abc import Callable

import numpy as np
import tifffile

from live_smlm.core import F64

_MICRO_MANAGER = 51123
_PLANE = re.compile(r"<Plane\b[^>]*>")
_ATTRIBUTE = re.compile(r'\b(TheT|DeltaT|DeltaTUnit)="([^"]*)"')
_SECONDS = {"s": 1.0, "ms": 1e-3, "min": 60.0}


def times_of(tiff: tifffile.TiffFile, frames: int) -> Callable[[int, int], F64] | None:
    """What gives the seconds of frames `first` to before `stop`; None where none are told."""
    told = _from_ome(tiff.ome_metadata, frames) if tiff.ome_metadata else None
    if told is not None:
        return lambda first, stop: told[first:stop]
    if _MICRO_MANAGER in tiff.pages.first.tags:
        return lambda first, stop: np.array([_from_page(tiff, k) for k in range(first, stop)])
    return None


def _from_ome(text: str, frames: int) -> F64 | None:
    times = np.full(frames, np.nan)
    for plane in _PLANE.findall(text):
        told = dict(_ATTRIBUTE.findall(plane))
        try:
            frame, seconds = int(told["TheT"]), float(told["DeltaT"])
            unit = _SECONDS[told.get("DeltaTUnit", "s")]
        except (KeyError, ValueError):
            continue
        if frame < frames:
            times[frame] = seconds * unit
    return times if np.isfinite(times).any() else None


def _from_page(tiff: tifffile.TiffFile, frame: int) -> float:
    page = tiff.pages.get(frame, aspage=True)
    if not isinstance(page, tifffile.TiffPage):
        return math.nan
    try:
        return float(page.tags[_MICRO_MANAGER].value["ElapsedTime-ms"]) / 1000
    except (LookupError, TypeError, ValueError):
        return math.nan
