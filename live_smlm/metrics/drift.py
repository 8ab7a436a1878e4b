"""How the sample drifts, told while it is acquired: a fold over the molecules as measured.

The run is cut into short blocks. The blinks that began in a block are laid on the map of
all before it, each once; those that went on tell how far the sample moved. A bank of
filters that have followed the walk so far weighs what was found against what was
foretold, and takes a sample to lie still until its blinks say otherwise. A block
that fits nowhere near is searched for far and wide; when it is found, the frame of the
jump is where its molecules begin to fit there. Now and then, and at the end, all blocks
are laid on the map of all the others and the walk is smoothed.

Cost: of a busy sample some tiles are looked at, blocks become longer when there are
many, and looking back happens at times that grow like powers.
"""

from dataclasses import replace

import numpy as np

from live_smlm.core import F64, STILL, DriftCurve, Localizations, require
from live_smlm.metrics import fiducials
from live_smlm.metrics.drift_bank import bank
from live_smlm.metrics.drift_blinks import Seen, in_tiles, join, linked, reach_nm
from live_smlm.metrics.drift_block import closed
from live_smlm.metrics.drift_kept import Kept
from live_smlm.metrics.drift_knots import Knots
from live_smlm.metrics.drift_look import look_back
from live_smlm.metrics.drift_map import Places, blank
from live_smlm.metrics.drift_state import NONE_SEEN, NOWHERE, DriftState
from live_smlm.metrics.linking import Links

__all__ = ["BLOCK_S", "REVISED_ANYWHERE_NM", "REVISED_NM", "DriftState", "final", "fold", "start"]

BLOCK_S = 0.12
"""How long a block is at first, where the camera's rate is known."""
_BLOCK_FRAMES = 5
"""And where it is not."""
_MOST_LOOKED_AT = 700
"""Molecules of a block."""
_MOST_KNOTS = 2**14
_LOOK_GROWTH = 1.4
"""Blocks are laid on the map again when there are so many times as many."""
_SWEEPS = 3
REVISED_NM, REVISED_ANYWHERE_NM = 3.0, 20.0
"""Change of the past curve, root mean square or anywhere, that is worth drawing again."""
_ERROR_NM, _Z_ERROR_NM = 15.0, 50.0
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
        state = _looked_at(state, sample, stop_frame)
    if not full:
        return state
    places = join(state.pending) if state.pending else NONE_SEEN
    state = replace(state, pending=())
    known = len(state.knots)
    while stop_frame - state.begun >= state.block_frames:
        stop = state.begun + state.block_frames * (1 + state.lost // state.block_frames)
        if stop > stop_frame:
            break
        within = places.places.frame < stop
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
    rest = join(state.pending) if state.pending else NONE_SEEN
    if len(rest) and not state.lost:
        state = closed(state, rest, int(rest.places.frame.max()) + 1)
    if not len(state.knots):
        return STILL
    if molecules is not None and len(molecules):
        kept = Kept(state.three_d)
        order = np.argsort(molecules.frame, kind="stable")
        places, sure = _places(molecules.where(order), three_d=state.three_d)
        seen = linked(Links(reach_nm=reach_nm(sure)), places, sure)[1]
        kept.add(_each_once(seen, state.knots.column("first")))
        state = replace(state, kept=kept)
    look_back(state.map, state.knots, state.kept, sweeps=_SWEEPS)
    return state.knots.curve()


def _looked_at(state: DriftState, molecules: Localizations, stop_frame: int) -> DriftState:
    """With those that there is time for."""
    frames = max(stop_frame - int(molecules.frame.min(initial=stop_frame)), 1)
    per_block = len(molecules) * state.block_frames / frames
    if per_block > _MOST_LOOKED_AT:
        share = 2.0 ** -np.ceil(np.log2(per_block / _MOST_LOOKED_AT))
        molecules = molecules.where(in_tiles(molecules, _ends_at(state), share))
    places, sure = _places(molecules, three_d=state.three_d)
    if not len(places):
        return state
    links = state.links or Links(reach_nm=reach_nm(sure))
    links, seen = linked(links, places, sure)
    return replace(state, links=links, pending=(*state.pending, seen))


def _each_once(seen: Seen, first: F64) -> Places:
    """Blinks in the block in which they began; `first`: of each block, its first frame."""
    block = np.searchsorted(first, seen.places.frame, side="right")
    began = np.searchsorted(first, seen.began, side="right")
    return seen.where(block == began).once(0)


def _places(molecules: Localizations, *, three_d: bool) -> tuple[Places, F64]:
    """Those that can be used, and one over the variance of their x and y."""
    frame, x, y = (c.astype(np.float64) for c in (molecules.frame, molecules.x, molecules.y))
    good = np.isfinite(x) & np.isfinite(y)
    sigma = molecules.sigma_x
    error = np.full(len(x), _ERROR_NM) if sigma is None else sigma.astype(np.float64)
    good &= error > 0
    sure = 1 / np.maximum(error, 1.0) ** 2
    if not three_d:
        return Places(frame[good], x[good], y[good], NOWHERE, NOWHERE), sure[good]
    z, sigma = molecules.axis("z").astype(np.float64), molecules.sigma_z
    depth_error = np.full(len(z), _Z_ERROR_NM) if sigma is None else sigma.astype(np.float64)
    good &= np.isfinite(z) & (depth_error > 0)
    places = Places(frame, x, y, z, 1 / np.maximum(depth_error, 1.0) ** 2)
    return places.where(good), sure[good]


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
