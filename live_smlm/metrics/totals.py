"""What is only counted: molecules, frames, light and claimed precision, so far and lately.

Of a chunk with many molecules the light of some is looked at: medians of chunks,
averaged by the number of molecules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from live_smlm.core import F32, Localizations, require

_PER_CHUNK = 256
_LATELY = 200
"""Frames, at least, that tell how many molecules are on at present."""
_Level = tuple[float, float]
"""A sum of medians times molecules, and of molecules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """All so far."""

    frames: int = 0
    seconds: float = 0.0
    molecules: int = 0
    levels: Mapping[str, _Level] = field(default_factory=dict)
    lately: tuple[tuple[int, int], ...] = ()
    """Frames and molecules of the last chunks."""


def counted(so_far: Totals, molecules: Localizations, stop_frame: int, seconds: float) -> Totals:
    """The totals after one more chunk, which ends before frame `stop_frame`."""
    frames = stop_frame - so_far.frames
    require(frames >= 0, f"frames fall from {so_far.frames} to {stop_frame}; fold them in order")
    levels = dict(so_far.levels)
    for name, values in _light(molecules).items():
        known = values[np.isfinite(values)]
        if known.size:
            total, weight = levels.get(name, (0.0, 0.0))
            levels[name] = (
                total + len(molecules) * float(np.median(known)),
                weight + len(molecules),
            )
    return Totals(
        frames=stop_frame,
        seconds=seconds,
        molecules=so_far.molecules + len(molecules),
        levels=levels,
        lately=_recent((*so_far.lately, (frames, len(molecules)))),
    )


def totals(so_far: Totals, area_um2: float) -> dict[str, float]:
    """The values by name; `active_per_um2` is lately, all others since the start."""
    values = {"molecules": float(so_far.molecules)}
    if so_far.frames:
        values["molecules_per_frame"] = so_far.molecules / so_far.frames
    frames = sum(f for f, _ in so_far.lately)
    if frames:
        values["active_per_um2"] = sum(n for _, n in so_far.lately) / frames / area_um2
    return values | {name: total / weight for name, (total, weight) in so_far.levels.items()}


def precision_nm(molecules: Localizations) -> float | None:
    """Median of the claimed standard errors of x and y; None where none is claimed."""
    claimed = _light(molecules).get("precision_nm", np.zeros(0, np.float32))
    known = claimed[np.isfinite(claimed) & (claimed > 0)]
    return float(np.median(known)) if known.size else None


def _light(molecules: Localizations) -> dict[str, F32]:
    some = slice(None, None, max(1, -(-len(molecules) // _PER_CHUNK)))
    light = {"photons": molecules.photons, "background": molecules.background}
    told = {name: values[some] for name, values in light.items() if values is not None}
    if molecules.sigma_x is not None and molecules.sigma_y is not None:
        both = (molecules.sigma_x[some] + molecules.sigma_y[some]) / 2
        told["precision_nm"] = np.asarray(both, np.float32)
    return told


def _recent(chunks: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Without the oldest that can be spared."""
    frames = sum(f for f, _ in chunks)
    for spare, (length, _) in enumerate(chunks):
        frames -= length
        if frames < _LATELY:
            return chunks[spare:]
    return ()
