"""How the sample drifts, told while it is acquired: a fold over the molecules as measured.

The run is cut into short blocks. Each is laid on the map of all before it, and a bank
of filters that have followed the walk so far weighs what was found against what was
foretold. A block that fits nowhere near is searched for far and wide; when it is found,
the frame of the jump is where its molecules begin to fit there. Now and then, and at
the end, all blocks are laid on the map of all the others and the walk is smoothed.

Cost: of a block some molecules are looked at, blocks become longer when there are
many, and looking back happens at times that grow like powers.
"""

from dataclasses import replace

import numpy as np

from live_smlm.core import F64, STILL, DriftCurve, Localizations, require
from live_smlm.metrics import fiducials
from live_smlm.metrics.drift_bank import bank
from live_smlm.metrics.drift_block import closed
from live_smlm.metrics.drift_kept import Kept
from live_smlm.metrics.drift_knots import Knots
from live_smlm.metrics.drift_look import look_back
from live_smlm.metrics.drift_map import Places, blank, join
from live_smlm.metrics.drift_state import NO_PLACES, NOWHERE, DriftState

__all__ = ["BLOCK_S", "REVISED_ANYWHERE_NM", "REVISED_NM", "DriftState", "final", "fold", "start"]

BLOCK_S = 0.12
"""How long a block is at first, where the camera's rate is known."""
_BLOCK_FRAMES = 5
"""And where it is not."""
_MOST_LOOKED_AT = 1000
"""Molecules of a block."""
_MOST_KNOTS = 2**14
_LOOK_GROWTH = 1.4
"""Blocks are laid on the map again when there are so many times as many."""
_SWEEPS = 3
REVISED_NM, REVISED_ANYWHERE_NM = 3.0, 20.0
"""Change of the past curve, root mean square or anywhere, that is worth drawing again."""
_Z_ERROR_NM = 50.0
"""Of engines that do not claim one."""


def start(
    field_nm: tuple[float, float],
    *,
    block_frames: int | None = None,
    three_d: bool,
    frame_interval_s: float | None = None,
) -> DriftState:
    """Before the first frame of a field (height, width)."""
    require(
        min(field_nm) > 0, f"field is {field_nm[0]:g} x {field_nm[1]:g} nm; give a size above 0"
    )
    require(
        block_frames is None or block_frames > 0, f"block has {block_frames} frames; give 1 or more"
    )
    frames = block_frames or (
        max(1, round(BLOCK_S / frame_interval_s)) if frame_interval_s else _BLOCK_FRAMES
    )
    return DriftState(
        frames,
        three_d,
        blank(field_nm, three_d=three_d),
        Knots(),
        Kept(three_d),
        bank(),
        fiducials.Fiducials(three_d),
    )


def fold(state: DriftState, molecules: Localizations, stop_frame: int) -> DriftState:
    """With the molecules, as measured, of the frames up to `stop_frame`, in order of time."""
    full = stop_frame - state.begun >= state.block_frames
    state = replace(
        state, fiducials=fiducials.watch(state.fiducials, molecules, stop_frame, state.curve)
    )
    if len(molecules):
        seen, markers = fiducials.near(state.fiducials, molecules, _ends_at(state))
        sample = molecules.where(~markers) if len(seen) else molecules
        state = replace(state, seen=(*state.seen, seen))
        new = _looked_at(state, sample, stop_frame)
        state = replace(state, pending=(*state.pending, new))
    if not full:
        return state
    places = join(list(state.pending)) if state.pending else NO_PLACES
    state = replace(state, pending=())
    known = len(state.knots)
    while stop_frame - state.begun >= state.block_frames:
        stop = state.begun + state.block_frames * (1 + state.lost // state.block_frames)
        if stop > stop_frame:
            break
        within = places.frame < stop
        state = closed(state, places.where(within), stop)
        if not state.lost:
            places = places.where(~within)
    rows = [part[part[:, 1] >= state.begun] for part in state.seen]
    state = replace(state, pending=(places,), seen=tuple(part for part in rows if len(part)))
    if len(state.knots) == known:
        return state
    if len(state.knots) >= state.next_look:
        state = _looked_back(state)
        state = replace(state, next_look=int(_LOOK_GROWTH * state.next_look))
    if len(state.knots) >= _MOST_KNOTS:
        state.knots.merge()
        doubled = 2 * state.block_frames
        state = replace(state, block_frames=doubled, next_look=len(state.knots) * 3 // 2)
    return _revised(replace(state, curve=state.knots.curve()))


def final(state: DriftState, molecules: Localizations | None = None) -> DriftCurve:
    """The curve when all frames are in: every block against all others, and smoothed.

    `molecules`: all of the run, where they are at hand; what the fold kept is used otherwise.
    """
    rest = join(list(state.pending)) if state.pending else NO_PLACES
    if len(rest) and not state.lost:
        state = closed(state, rest, int(rest.frame.max()) + 1)
    if not len(state.knots):
        return STILL
    if molecules is not None and len(molecules):
        kept = Kept(state.three_d)
        order = np.argsort(molecules.frame, kind="stable")
        kept.add(_places(molecules.where(order), three_d=state.three_d))
        state = replace(state, kept=kept)
    look_back(state.map, state.knots, state.kept, sweeps=_SWEEPS)
    return state.knots.curve()


def _looked_at(state: DriftState, molecules: Localizations, stop_frame: int) -> Places:
    """Those that there is time for."""
    frames = max(stop_frame - int(molecules.frame.min(initial=stop_frame)), 1)
    per_block = len(molecules) * state.block_frames / frames
    stride = max(1, round(per_block / _MOST_LOOKED_AT))
    return _places(molecules.where(slice(None, None, stride)), three_d=state.three_d)


def _places(molecules: Localizations, *, three_d: bool) -> Places:
    frame, x, y = (c.astype(np.float64) for c in (molecules.frame, molecules.x, molecules.y))
    if not three_d:
        good = np.isfinite(x) & np.isfinite(y)
        return Places(frame[good], x[good], y[good], NOWHERE, NOWHERE)
    z = molecules.axis("z").astype(np.float64)
    sigma = molecules.sigma_z
    error = np.full(len(z), _Z_ERROR_NM) if sigma is None else sigma.astype(np.float64)
    good = np.isfinite(x) & np.isfinite(y) & np.isfinite(z) & (error > 0)
    places = Places(frame, x, y, z, 1 / np.maximum(error, 1.0) ** 2)
    return places.where(good)


def _looked_back(state: DriftState) -> DriftState:
    newest = look_back(state.map, state.knots, state.kept, sweeps=1)
    markers = fiducials.moved(state.fiducials, newest)
    return replace(state, bank=state.bank.moved(newest), fiducials=markers)


def _ends_at(state: DriftState) -> F64:
    """The newest displacement."""
    curve = state.curve
    return np.array([curve.x[-1], curve.y[-1], curve.z[-1]])


def _revised(state: DriftState) -> DriftState:
    """Whether what was drawn should be drawn again."""
    value, shown = state.knots.column("value"), state.knots.column("shown")
    change = ((value - shown) ** 2)[:, : 3 if state.three_d else 2].sum(axis=1)
    frames = state.knots.column("stop") - state.knots.column("first")
    rms = float(np.sqrt((frames * change).sum() / frames.sum()))
    if rms < REVISED_NM and change.max() < REVISED_ANYWHERE_NM**2:
        return state
    shown[:] = value
    return replace(state, revision=state.revision + 1)
