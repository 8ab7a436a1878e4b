"""How the sample drifts, told while it is acquired: a fold over the molecules as measured.

The run is cut into short blocks. Each is laid on the map of all before it, and a bank
of filters that have followed the walk so far weighs what was found against what was
foretold. A block that fits nowhere near is searched for far and wide; when it is found,
the frame of the jump is where its molecules begin to fit there. Now and then, and at
the end, all blocks are laid on the map of all the others and the walk is smoothed.

Cost: of a block some molecules are looked at, blocks become longer when there are
many, and looking back happens at times that grow like powers.
"""

from dataclasses import dataclass, replace

import numpy as np

from live_smlm.core import F64, STILL, DriftCurve, Localizations, require
from live_smlm.metrics.drift_bank import Bank, bank, path
from live_smlm.metrics.drift_kept import Kept
from live_smlm.metrics.drift_knots import Knots
from live_smlm.metrics.drift_map import Fix, Places, SampleMap, blank, join

BLOCK_S = 0.1
"""How long a block is at first, where the camera's rate is known."""
_BLOCK_FRAMES = 5
"""And where it is not."""
_MOST_LOOKED_AT = 1500
"""Molecules of a block."""
_MOST_KNOTS = 2**14
_TRUST_NM = 15.0
"""How far a block may lie from where it was foretold without being searched for."""
_UNFIT = 5.0
"""Standard errors below the usual worth at which a block is searched for."""
_FOUND = 2.0
"""What a found place must be better by, over the scatter of the sum."""
_FEWEST_FOUND = 8.0
_LONGEST_SEARCH = 64
"""Frames that are put together before a search is given up."""
_FIRST_LOOK, _LOOK_GROWTH = 32, 1.3
"""Blocks after which all are laid on the map again."""
_LOOK_TRUST_NM = 20.0
_SWEEPS = 3
REVISED_NM, REVISED_ANYWHERE_NM = 3.0, 20.0
"""Change of the past curve, root mean square or anywhere, that is worth drawing again."""
_USUAL = 0.05
_AXIS_JUMP = 6.0
"""Standard deviations from the foretold at which an axis has jumped."""
_Z_ERROR_NM = 50.0
"""Of engines that do not claim one."""
_NOWHERE = np.zeros(0)
_NO_PLACES = Places(_NOWHERE, _NOWHERE, _NOWHERE, _NOWHERE, _NOWHERE)


@dataclass(frozen=True, slots=True, eq=False)
class DriftState:
    """All that is known so far; a fold may change its arrays, so the old value is given up."""

    block_frames: int
    three_d: bool
    map: SampleMap
    knots: Knots
    kept: Kept
    bank: Bank
    pending: tuple[Places, ...] = ()
    """Molecules of the block that is not full yet."""
    begun: int = 0
    """First frame of that block."""
    last: Places = _NO_PLACES
    """Molecules of the block before."""
    usual: float = 0.0
    """Worth per molecule of blocks of late."""
    lost: int = 0
    """Frames since the sample was last found; 0 while it is."""
    curve: DriftCurve = STILL
    revision: int = 0
    """Rises when the past curve changed so much that old molecules should be drawn again."""
    next_look: int = _FIRST_LOOK

    @property
    def error_nm(self) -> tuple[float, float, float]:
        """Standard error of the newest knot along x, y, z; infinite before the first."""
        if not len(self.knots):
            return (np.inf, np.inf, np.inf)
        x, y, z = np.sqrt(self.knots.column("doubt")[-1]).tolist()
        return x, y, z


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
        frames, three_d, blank(field_nm, three_d=three_d), Knots(), Kept(three_d), bank()
    )


def fold(state: DriftState, molecules: Localizations, stop_frame: int) -> DriftState:
    """With the molecules, as measured, of the frames up to `stop_frame`, in order of time."""
    full = stop_frame - state.begun >= state.block_frames
    if len(molecules):
        new = _looked_at(state, molecules, stop_frame)
        state = replace(state, pending=(*state.pending, new))
    if not full:
        return state
    places = join(list(state.pending)) if state.pending else _NO_PLACES
    state = replace(state, pending=())
    known = len(state.knots)
    while stop_frame - state.begun >= state.block_frames:
        stop = state.begun + state.block_frames * (1 + state.lost // state.block_frames)
        if stop > stop_frame:
            break
        within = places.frame < stop
        state = _closed(state, places.where(within), stop)
        if not state.lost:
            places = places.where(~within)
    state = replace(state, pending=(places,))
    if len(state.knots) == known:
        return state
    if len(state.knots) >= state.next_look:
        state = _looked_back(state, sweeps=1)
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
    rest = join(list(state.pending)) if state.pending else _NO_PLACES
    if len(rest) and not state.lost:
        state = _closed(state, rest, int(rest.frame.max()) + 1)
    if not len(state.knots):
        return STILL
    if molecules is not None and len(molecules):
        kept = Kept(state.three_d)
        order = np.argsort(molecules.frame, kind="stable")
        kept.add(_places(molecules.where(order), three_d=state.three_d))
        state = replace(state, kept=kept)
    return _looked_back(state, sweeps=_SWEEPS).curve


def _looked_at(state: DriftState, molecules: Localizations, stop_frame: int) -> Places:
    """Those that there is time for."""
    frames = max(stop_frame - int(molecules.frame.min()), 1)
    per_block = len(molecules) * state.block_frames / frames
    stride = max(1, round(per_block / _MOST_LOOKED_AT))
    return _places(molecules.where(slice(None, None, stride)), three_d=state.three_d)


def _places(molecules: Localizations, *, three_d: bool) -> Places:
    frame, x, y = (c.astype(np.float64) for c in (molecules.frame, molecules.x, molecules.y))
    if not three_d:
        good = np.isfinite(x) & np.isfinite(y)
        return Places(frame[good], x[good], y[good], _NOWHERE, _NOWHERE)
    z = molecules.axis("z").astype(np.float64)
    sigma = molecules.sigma_z
    error = np.full(len(z), _Z_ERROR_NM) if sigma is None else sigma.astype(np.float64)
    good = np.isfinite(x) & np.isfinite(y) & np.isfinite(z) & (error > 0)
    places = Places(frame, x, y, z, 1 / np.maximum(error, 1.0) ** 2)
    return places.where(good)


def _closed(state: DriftState, places: Places, stop: int) -> DriftState:
    """The block is full: where is the sample?"""
    if not len(places):
        return replace(state, begun=stop, lost=0)
    frame = float(places.frame.mean())
    ahead, doubt = state.bank.at(frame)
    fix = state.map.find(places, ahead, float(np.sqrt(_TRUST_NM**2 + doubt[:2].max())))
    if (state.usual - fix.worth) > _UNFIT * fix.worth_error and fix.worth < 0.6 * state.usual:
        return _searched(state, places, stop, ahead)
    return _laid(state, places, (state.begun, stop), fix, np.zeros(3))


def _searched(state: DriftState, places: Places, stop: int, ahead: F64) -> DriftState:
    """The sample is not where it should be: find it, and the frame in which it went."""
    to, over_start, over_next = state.map.search(places, ahead)
    scatter = float(np.sqrt(len(places)))
    if min(over_start, over_next) < max(_FEWEST_FOUND, _FOUND * scatter):
        lost = stop - state.begun
        if lost < max(_LONGEST_SEARCH, 2 * state.block_frames):
            return replace(state, lost=lost)
        return replace(state, lost=0, begun=stop, last=_NO_PLACES)
    fix = state.map.find(places, to, _TRUST_NM)
    return _split(state, places, stop, ahead, fix)


def _split(state: DriftState, places: Places, stop: int, ahead: F64, fix: Fix) -> DriftState:
    """Cut the block where its molecules begin to fit at the new place, or the one before."""
    both = join([state.last, places])
    better = state.map.worth(both, fix.near) - state.map.worth(both, ahead)
    first = int(both.frame.min()) + 1
    gain = np.bincount(both.frame.astype(np.int64) - first + 1, better, stop - first + 1)
    tail = np.cumsum(gain[::-1])[::-1]
    jump = first + int(tail[1:].argmax()) if len(tail) > 1 else first
    if jump > state.begun:
        before = places.frame < jump
        if before.any():
            here = state.map.find(places.where(before), ahead, _TRUST_NM)
            state = _laid(state, places.where(before), (state.begun, jump), here, np.zeros(3))
        places = places.where(~before)
    else:
        moved = state.last.where(state.last.frame >= jump)
        if len(moved):
            state.map.add(moved, state.knots.column("value")[-1], -1.0)
            state.map.add(moved, fix.near)
            state.knots.column("frame")[-1] = min(state.knots.column("frame")[-1], jump - 1.0)
    fix = state.map.find(places, fix.near, _TRUST_NM)
    return _laid(state, places, (jump, stop), fix, np.array([1.0, 1.0, 0.0]))


def _laid(
    state: DriftState, places: Places, span: tuple[int, int], fix: Fix, free: F64
) -> DriftState:
    """Take a block into the map, the filters and the table."""
    frame = float(places.frame.mean())
    ahead, doubt = state.bank.at(frame)
    first = not len(state.knots)
    if first:
        fix = replace(fix, at=np.zeros(3), variance=np.array([1.0, 1.0, 1.0]))
        free = np.ones(3)
    else:
        far = np.abs(fix.at - ahead) > _AXIS_JUMP * np.sqrt(doubt + 4 * fix.variance)
        free = np.maximum(free, far & np.isfinite(fix.variance) & (len(state.knots) > _FIRST_LOOK))
    filters = state.bank.jumped(free) if free.any() else state.bank
    filters = filters.measured(frame, fix.at, fix.variance)
    value, error = filters.at(frame)
    state.map.add(places, value)
    state.kept.add(places)
    state.knots.append(
        span=(frame, span[0], span[1]),
        molecules=len(places),
        at=fix.at,
        variance=fix.variance,
        free=free,
        value=value,
        doubt=error,
        shown=ahead,
    )
    usual = state.usual + _USUAL * (fix.worth - state.usual)
    return replace(state, bank=filters, begun=span[1], last=places, usual=usual, lost=0)


def _looked_back(state: DriftState, *, sweeps: int) -> DriftState:
    """Every block against all the others; then the smoothest walk through what is found."""
    knots, places = state.knots, state.kept.places()
    edges = np.searchsorted(places.frame, knots.column("first"))
    edges = np.append(edges, len(places)).astype(np.int64)
    for _ in range(sweeps):
        still = _still(places, knots.curve())
        _drawn(state.map, still, state.kept.stride)
        at, variance = state.map.find_each(still, edges, float(state.kept.stride), _LOOK_TRUST_NM)
        at += knots.column("value")
        value, doubt = path(knots.column("frame").copy(), knots.column("free"), at, variance)
        value += _zero(knots, value)
        newest = value[-1] - knots.column("value")[-1]
        knots.column("at")[:], knots.column("variance")[:] = at, variance
        knots.column("value")[:], knots.column("doubt")[:] = value, doubt
        state = replace(state, bank=state.bank.moved(newest))
    curve = knots.curve()
    _drawn(state.map, _still(places, curve), state.kept.stride)
    return replace(state, curve=curve)


def _zero(knots: Knots, value: F64) -> F64:
    """What keeps most molecules where they are drawn."""
    weight = knots.column("molecules")[:, None]
    change = weight * (knots.column("value") - value)
    return np.asarray(change.sum(axis=0) / weight.sum())


def _still(places: Places, curve: DriftCurve) -> Places:
    x, y, z = curve.at(places.frame)
    depth = places.z - z if len(places.z) else places.z
    return replace(places, x=places.x - x, y=places.y - y, z=depth)


def _drawn(onto: SampleMap, still: Places, stride: int) -> None:
    onto.clear()
    onto.add(still, np.zeros(3), float(stride))


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
