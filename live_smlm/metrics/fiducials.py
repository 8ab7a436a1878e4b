"""Markers that shine in nearly every frame: found, followed, and asked where the sample is.

A marker's home is where it is once the drift is taken off. What it says is how far it
lies from home; the markers' median is believed, one that strays from it several times is
dismissed, and so is one that is dark for long. New ones are looked for now and then.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from live_smlm.core import F64, AnyArray, Bool, DriftCurve, Localizations

WINDOW_FRAMES = 100
"""Frames in which a marker must be seen to be found."""
_NEXT_WINDOW = 10
"""Windows between two that are searched, at first; then ever more."""
_PRESENT = 0.85
"""Share of the frames of a window."""
_CELL_NM = 150.0
_NEAR_NM = 75.0
"""From its home, when it is looked for."""
_REACH_NM = 200.0
"""From where it is expected, when it is followed."""
_MOST = 8
_CROWDED = 2.0
"""A place with more molecules per frame than this is no marker."""
_STRAY_NM, _STRAYS = 12.0, 3
"""Distance from the others, in further standard errors too, and how often that is forgiven."""
_STRAY_ERRORS = 4.0
_DARK_BLOCKS = 10
_LEARNS = 200.0
"""Frames over which a home is averaged at most."""
_LEAST_ERROR_NM = 0.5
_NO_Z_ERROR = np.inf


@dataclass(frozen=True, slots=True, eq=False)
class Marker:
    """One that is followed."""

    number: int
    home: F64
    """(3,) nm."""
    scatter: F64
    """(3,) standard deviation of one frame's place, nm."""
    frames: float
    """In which it was seen so far, for the home's error."""
    strays: int = 0
    dark: int = 0
    """Blocks in which it was not seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Fiducials:
    """All markers, and what is being watched for new ones."""

    three_d: bool
    markers: tuple[Marker, ...] = ()
    watched: tuple[F64, ...] = ()
    """(n, 4) molecules' frame, x, y, z of the window so far."""
    begun: int = 0
    """First frame of the window."""
    named: int = 0
    """Markers that were ever found."""
    windows: int = 0
    """Windows that were searched."""


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """Where the markers say that the sample is, on average over a block."""

    at: F64
    variance: F64
    frame: float
    markers: int


def watch(
    known: Fiducials, molecules: Localizations, stop_frame: int, curve: DriftCurve
) -> Fiducials:
    """Look at all molecules of the frames up to `stop_frame`; at the window's end, find markers."""
    if stop_frame <= known.begun:
        return known
    rows = _rows(molecules, three_d=known.three_d)
    known = replace(known, watched=(*known.watched, rows[rows[:, 0] >= known.begun]))
    if stop_frame - known.begun < WINDOW_FRAMES:
        return known
    rows = np.concatenate(known.watched)
    frames = stop_frame - known.begun
    still = rows.copy()
    still[:, 1:] -= np.stack(curve.at(rows[:, 0]), axis=1)
    markers, named = known.markers, known.named
    for found in _found(still, frames):
        if _apart(found, markers) and len(markers) < _MOST:
            markers = (*markers, replace(found, number=named))
            named += 1
    windows = known.windows + 1
    pause = WINDOW_FRAMES * _NEXT_WINDOW * windows
    return replace(
        known, markers=markers, named=named, watched=(), begun=stop_frame + pause, windows=windows
    )


def near(known: Fiducials, molecules: Localizations, ahead: F64) -> tuple[F64, Bool]:
    """(n, 5) molecules near the markers: which marker, frame, and how far from its home.

    And which of all molecules are the markers themselves, by all likelihood.
    """
    parts, own = [np.zeros((0, 5))], np.zeros(len(molecules), np.bool_)
    for marker in known.markers:
        x, y, _ = marker.home + ahead
        away = np.maximum(np.abs(molecules.x - x), np.abs(molecules.y - y))
        own |= away < _NEAR_NM
        close = away < _REACH_NM
        if close.any():
            rows = _rows(molecules.where(close), three_d=known.three_d)
            rows[:, 1:] -= marker.home
            parts.append(np.column_stack([np.full(len(rows), float(marker.number)), rows]))
    return np.concatenate(parts), own


def told(known: Fiducials, seen: F64, ahead: F64) -> tuple[Fiducials, Told | None]:
    """What the markers say of a block, of which `seen` are the molecules near them.

    None where no marker was seen or they do not agree.
    """
    if not known.markers:
        return known, None
    each = [_one(seen[seen[:, 0] == m.number][:, 1:], m, ahead) for m in known.markers]
    heard = np.array([one is not None for one in each])
    if not heard.any():
        return _judged(known, heard, np.zeros(len(each), np.bool_)), None
    mean = np.stack([one[0] for one in each if one is not None])
    error = np.stack([one[1] for one in each if one is not None])
    frame = float(np.mean([one[2] for one in each if one is not None]))
    middle = np.median(mean, axis=0)
    off = np.abs(mean - middle)[:, :2]
    strays = (off - _STRAY_ERRORS * error[:, :2]).max(axis=1) > _STRAY_NM
    stray = np.zeros(len(each), np.bool_)
    stray[heard] = strays
    known = _judged(known, heard, stray)
    if strays.all() or 2 * np.count_nonzero(strays) >= max(len(strays), 2):
        return known, None
    weight = 1 / error[~strays] ** 2
    at = (weight * mean[~strays]).sum(axis=0) / np.maximum(weight.sum(axis=0), 1e-12)
    variance = 1 / np.maximum(weight.sum(axis=0), 1e-12)
    if not known.three_d:
        at[2], variance[2] = ahead[2], _NO_Z_ERROR
    return known, Told(at, variance, frame, len(mean) - int(strays.sum()))


def settled(known: Fiducials, seen: F64, at: F64) -> Fiducials:
    """Homes and scatters learnt from a block in which the sample was found at `at`."""
    markers = []
    for marker in known.markers:
        rows = seen[seen[:, 0] == marker.number][:, 2:]
        close = np.hypot(*(rows - at)[:, :2].T) < _NEAR_NM
        if not close.any():
            markers.append(marker)
            continue
        off = rows[close] - at
        n = float(len(off))
        share = n / (min(marker.frames, _LEARNS) + n)
        spread = (1 - share) * marker.scatter**2 + share * (off**2).mean(axis=0)
        markers.append(
            replace(
                marker,
                home=marker.home + share * off.mean(axis=0),
                scatter=np.sqrt(spread),
                frames=marker.frames + n,
            )
        )
    return replace(known, markers=tuple(markers))


def moved(known: Fiducials, by: F64) -> Fiducials:
    """The same markers where the drift is counted from another zero."""
    return replace(known, markers=tuple(replace(m, home=m.home - by) for m in known.markers))


def _judged(known: Fiducials, heard: AnyArray, stray: AnyArray) -> Fiducials:
    """Strays and dark blocks counted; those with too many dismissed."""
    markers = [
        replace(
            m,
            strays=m.strays + 1 if stray[k] else 0 if heard[k] else m.strays,
            dark=0 if heard[k] else m.dark + 1,
        )
        for k, m in enumerate(known.markers)
    ]
    return replace(
        known, markers=tuple(m for m in markers if m.strays < _STRAYS and m.dark < _DARK_BLOCKS)
    )


def _one(rows: F64, marker: Marker, ahead: F64) -> tuple[F64, F64, float] | None:
    """A marker's mean way from home, its standard error, and the mean frame; (n, 4) rows."""
    if not len(rows):
        return None
    away = np.hypot(*(rows[:, 1:] - ahead)[:, :2].T)
    order = np.lexsort((away, rows[:, 0]))
    rows = rows[order]
    rows = rows[np.diff(rows[:, 0], prepend=-1.0) > 0]
    middle = np.median(rows[:, 1:], axis=0)
    good = np.hypot(*(rows[:, 1:] - middle)[:, :2].T) < _NEAR_NM
    n = np.count_nonzero(good)
    if not n:
        return None
    scatter = np.maximum(marker.scatter, 1.0)
    error = np.sqrt(scatter**2 * (1 / n + 1 / max(marker.frames, 1.0)) + _LEAST_ERROR_NM**2)
    return rows[good, 1:].mean(axis=0), error, float(rows[good, 0].mean())


def _found(still: F64, frames: int) -> list[Marker]:
    """Places where a molecule is in nearly every frame, and hardly ever two.

    Of four grids, half a cell apart, one has such a place well within a cell.
    """
    markers: list[Marker] = []
    for shift in ((0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5)):
        column, row = np.floor(still[:, 1:3] / _CELL_NM + shift).astype(np.int64).T
        cell = row * 2**32 + column
        order = np.argsort(cell, kind="stable")
        edges = np.flatnonzero(np.diff(cell[order], prepend=-(2**62), append=2**62))
        full = np.flatnonzero(np.diff(edges) > _PRESENT * frames)
        for k in full:
            found = _marker(still[order[edges[k] : edges[k + 1]]], frames)
            if found is not None and _apart(found, markers):
                markers.append(found)
    return markers


def _apart(found: Marker, markers: Sequence[Marker]) -> bool:
    return all(np.hypot(*(m.home - found.home)[:2]) > _CELL_NM for m in markers)


def _marker(rows: F64, frames: int) -> Marker | None:
    """The marker whose molecules these may be."""
    home = np.median(rows[:, 1:], axis=0)
    rows = rows[np.hypot(*(rows[:, 1:3] - home[:2]).T) < _NEAR_NM]
    seen = len(np.unique(rows[:, 0]))
    if seen < _PRESENT * frames or len(rows) > _CROWDED * seen:
        return None
    spread = 1.4826 * np.median(np.abs(rows[:, 1:] - home), axis=0)
    return Marker(-1, home, spread, float(seen))


def _rows(molecules: Localizations, *, three_d: bool) -> F64:
    z = molecules.axis("z") if three_d else np.zeros(len(molecules))
    return np.column_stack([molecules.frame, molecules.x, molecules.y, z]).astype(np.float64)
