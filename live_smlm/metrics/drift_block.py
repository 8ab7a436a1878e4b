"""One block of frames: where the sample is in it, and what is learnt from that.

It is looked for where the filters foretell it or, better, where the markers are. A block
that fits nowhere near is searched for far and wide; when it is found, the frame of the
jump is where its molecules begin to fit there. While it is not found, blocks are put together.
"""

from dataclasses import replace

import numpy as np

from live_smlm.core import F64, Bool
from live_smlm.metrics import fiducials
from live_smlm.metrics.drift_blinks import NO_STEP, Seen, join, went
from live_smlm.metrics.drift_knots import both
from live_smlm.metrics.drift_map import Fix, Places
from live_smlm.metrics.drift_state import NONE_SEEN, DriftState

_TRUST_NM = 15.0
"""How far a block may lie from where it was foretold without being searched for."""
_UNFIT = 5.0
"""Standard errors below the usual worth at which a block is searched for, and"""
_MISFIT = 0.6
"""the share of the usual worth."""
_SAME_NM = 60.0
"""A place of the wide search that is nearer is that where the block was expected."""
_FOUND = 2.0
"""What a found place must be better by, over the scatter of the sum."""
_FEWEST_FOUND = 16.0
_LONGEST_SEARCH = 64
"""Frames that are put together before a search is given up."""
_USUAL = 0.05
_AXIS_JUMP = 6.0
"""Standard deviations from the foretold at which an axis has jumped."""
_SETTLED = 32
"""Blocks after which the filters are taken at their word."""
_UNTOLD = np.full(3, np.inf)
_AGREE_NM, _AGREE_ERRORS = 15.0, 4.0
"""How far a lone marker may be from what the map says."""


def closed(state: DriftState, block: Seen, stop: int) -> DriftState:
    """The block is full: where is the sample?"""
    places = block.once(state.begun)
    if not len(places):
        return replace(state, begun=stop, missed=state.missed + state.lost, lost=0)
    frame = float(places.frame.mean())
    going, step = went(state.going, block)
    bank = state.bank.stepped(frame, step.by, step.variance, step.frames)
    known = replace(state, going=going)
    after = _found(replace(known, step=step, bank=bank), known, block, places, stop)
    if after.lost:
        after = replace(after, going=state.going)
    return replace(after, step=NO_STEP)


def _found(
    state: DriftState, unmoved: DriftState, block: Seen, places: Places, stop: int
) -> DriftState:
    """Near where it was foretold, or elsewhere: then blinks' steps tell nothing."""
    ahead, doubt = state.bank.at(float(places.frame.mean()))
    seen = _seen(state, stop)
    markers, told = fiducials.told(state.fiducials, seen, ahead)
    state = replace(state, fiducials=markers)
    unmoved = replace(unmoved, fiducials=markers)
    trust = float(np.sqrt(_TRUST_NM**2 + doubt[:2].max()))
    fix = state.map.find(places, ahead if told is None else told.at, trust)
    if (state.usual - fix.worth) > _UNFIT * fix.worth_error and fix.worth < _MISFIT * state.usual:
        return _searched(unmoved, block, stop, ahead, fix)
    if len(state.knots) and len(state.last) and _far(state, fix, ahead, doubt)[:2].any():
        fix = state.map.find(places, fix.at, _TRUST_NM)
        return _split(unmoved, block, stop, unmoved.bank.at(state.bank.frame)[0], fix)
    return _laid(state, block, (state.begun, stop), fix, np.zeros(3), told)


def _far(state: DriftState, fix: Fix, ahead: F64, doubt: F64) -> Bool:
    """Axes (3,) that are not where the filters foretold them."""
    known = np.isfinite(fix.variance) & (len(state.knots) > _SETTLED)
    far = np.abs(fix.at - ahead) > _AXIS_JUMP * np.sqrt(doubt + 4 * fix.variance)
    return np.asarray(known & far)


def _seen(state: DriftState, stop: int) -> F64:
    """What is near the markers in the block."""
    rows = np.concatenate(state.seen) if state.seen else np.zeros((0, 5))
    return rows[(rows[:, 1] >= state.begun) & (rows[:, 1] < stop)]


def _searched(state: DriftState, block: Seen, stop: int, ahead: F64, near: Fix) -> DriftState:
    """The sample does not fit where it should be: find it, and the frame in which it went."""
    places = block.once(state.begun)
    to, over_start, over_next = state.map.search(places, ahead)
    least = max(_FEWEST_FOUND, _FOUND * float(np.sqrt(len(places))))
    if over_next > least and np.hypot(*(to - near.near)[:2]) < _SAME_NM:
        return _laid(state, block, (state.begun, stop), near, np.zeros(3))
    if min(over_start, over_next) < least:
        lost = stop - state.begun
        if lost < max(_LONGEST_SEARCH, 2 * state.block_frames):
            return replace(state, lost=lost)
        return replace(state, lost=0, missed=state.missed + lost, begun=stop, last=NONE_SEEN)
    fix = state.map.find(places, to, _TRUST_NM)
    return _split(state, block, stop, ahead, fix)


def _split(state: DriftState, block: Seen, stop: int, ahead: F64, fix: Fix) -> DriftState:
    """Cut the block where its molecules begin to fit at the new place, or the one before."""
    both = join((state.last, block)).places
    better = state.map.worth(both, fix.near) - state.map.worth(both, ahead)
    first = int(both.frame.min()) + 1
    gain = np.bincount(both.frame.astype(np.int64) - first + 1, better, stop - first + 1)
    tail = np.cumsum(gain[::-1])[::-1]
    jump = first + int(tail[1:].argmax()) if len(tail) > 1 else first
    if jump > state.begun:
        early = block.where(block.places.frame < jump)
        before = early.once(state.begun)
        if len(before):
            here = state.map.find(before, ahead, _TRUST_NM)
            state = _laid(state, early, (state.begun, jump), here, np.zeros(3))
        block = block.where(block.places.frame >= jump)
    else:
        moved = state.last.once(state.last_begun)
        moved = moved.where(moved.frame >= jump)
        if len(moved):
            state.map.add(moved, state.knots.column("value")[-1], -1.0)
            state.map.add(moved, fix.near)
            state.knots.column("free")[-1] = 0.0
            state.knots.column("frame")[-1] = min(state.knots.column("frame")[-1], jump - 1.0)
    places = block.once(max(jump, state.begun))
    if not len(places):
        return replace(state, begun=stop)
    fix = state.map.find(places, fix.near, _TRUST_NM)
    return _laid(state, block, (jump, stop), fix, np.array([1.0, 1.0, 0.0]))


def _laid(
    state: DriftState,
    block: Seen,
    span: tuple[int, int],
    fix: Fix,
    free: F64,
    told: fiducials.Told | None = None,
) -> DriftState:
    """Take a block into the map, the filters and the table."""
    places = block.once(span[0])
    frame = float(places.frame.mean())
    ahead, doubt = state.bank.at(frame)
    first = not len(state.knots)
    if first:
        fix = replace(fix, at=np.zeros(3), variance=np.array([1.0, 1.0, 1.0]))
        free = np.ones(3)
    else:
        fix, told = _both(fix, told)
        free = np.maximum(free, _far(state, fix, ahead, doubt))
    filters = state.bank.jumped(free) if free.any() else state.bank
    filters = filters.measured(frame, fix.at, fix.variance)
    value, error = filters.at(frame)
    state.map.add(places, value)
    state.kept.add(places)
    seen = _seen(state, span[1])
    state.knots.append(
        span=(frame, span[0], span[1]),
        molecules=len(places),
        at=fix.at,
        variance=fix.variance,
        free=free,
        value=value,
        doubt=error,
        shown=ahead,
        told=value if told is None else told.at,
        told_variance=_UNTOLD if told is None else told.variance,
        step=state.step.by,
        step_variance=state.step.variance,
        lapse=state.step.frames,
    )
    usual = state.usual + _USUAL * (fix.worth - state.usual)
    return replace(
        state,
        bank=filters,
        begun=span[1],
        last=block,
        last_begun=span[0],
        usual=usual,
        lost=0,
        missed=0,
        fiducials=fiducials.settled(state.fiducials, seen, value),
    )


def _both(fix: Fix, told: fiducials.Told | None) -> tuple[Fix, fiducials.Told | None]:
    """What the map and the markers say; the map alone where they contradict each other."""
    if told is None:
        return fix, None
    known = np.isfinite(fix.variance) & np.isfinite(told.variance)
    least = _AGREE_NM + _AGREE_ERRORS * np.sqrt(fix.variance[known] + told.variance[known])
    if (np.abs(fix.at - told.at)[known] > least).any() and told.markers == 1:
        return fix, None
    at, variance = both(fix.at, fix.variance, told.at, told.variance)
    return replace(fix, at=at, variance=variance), told
