"""Drift of samples whose drift is known: straight from places, without pictures."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from live_smlm.core import (
    F64,
    STILL,
    AnyArray,
    DriftCurve,
    InputError,
    Localizations,
    concatenate,
    drift_curve,
    empty,
    from_columns,
)
from live_smlm.metrics.drift import DriftState, final, fold, start
from live_smlm.metrics.drift_alarm import DriftLimits, drift_alarms
from live_smlm.metrics.drift_bank import bank
from live_smlm.metrics.drift_kept import Kept
from live_smlm.metrics.drift_knots import Knots
from live_smlm.metrics.drift_map import Places

FIELD = (8000.0, 8000.0)
FRAMES, BLOCK, SIGMA = 1200, 5, 12.0


@dataclass(frozen=True)
class Followed:
    """What was told at the time, and in the end."""

    arrival: F64
    error: F64
    state: DriftState
    curve: DriftCurve


def sample(path: F64, seed: int = 1, per_frame: int = 24) -> Localizations:
    """Molecules of 40 short lines, each for some frames on, moved along a path."""
    rng = np.random.default_rng(seed)
    count = per_frame * len(path) // 3
    line = rng.integers(0, 40, count)
    ends = rng.uniform(500, 7500, (40, 2))
    angle = rng.uniform(0, np.pi, 40)
    along = rng.uniform(-400, 400, count)
    x = ends[line, 0] + along * np.cos(angle[line])
    y = ends[line, 1] + along * np.sin(angle[line])
    z = 200 * np.sin(angle[line]) + 10 * rng.standard_normal(count)
    frame = (rng.integers(-2, len(path), count)[:, None] + np.arange(3)).ravel()
    places = np.repeat(np.stack([x, y, z], axis=1), 3, axis=0)[(frame >= 0) & (frame < len(path))]
    frame = frame[(frame >= 0) & (frame < len(path))]
    places = places + path[frame] + rng.normal(0, [SIGMA, SIGMA, 3 * SIGMA], places.shape)
    order = np.argsort(frame, kind="stable")
    return table(frame[order], places[order])


def table(frame: AnyArray, places: F64, sigma: float = SIGMA) -> Localizations:
    x, y, z = places.T
    return from_columns(
        {"frame": frame, "x": x, "y": y, "z": z, "sigma_z": np.full(len(z), 3 * sigma)}
    )


def follow(molecules: Localizations, frames: int, *, three_d: bool = True) -> Followed:
    state = start(FIELD, block_frames=BLOCK, three_d=three_d)
    edges = np.searchsorted(molecules.frame, np.arange(0, frames + BLOCK, BLOCK))
    arrival, error = np.zeros((frames, 3)), np.zeros((frames, 3))
    for k in range(len(edges) - 1):
        now = np.arange(k * BLOCK, (k + 1) * BLOCK)
        arrival[now] = np.stack(state.curve.at(now), axis=1)
        state = fold(state, molecules.where(slice(edges[k], edges[k + 1])), now[-1] + 1)
        error[now] = state.error_nm
    return Followed(arrival, error, state, final(state))


def residual(told: F64 | DriftCurve, path: F64) -> F64:
    """Root mean square along x, y, z but for a constant."""
    at = np.stack(told.at(np.arange(len(path))), axis=1) if isinstance(told, DriftCurve) else told
    return np.asarray((at - path).std(axis=0))


def linear() -> F64:
    return np.outer(np.arange(FRAMES), [0.1, -0.06, 0.08])


def walk() -> F64:
    return np.cumsum(np.random.default_rng(3).normal(0, [1.2, 1.2, 2.0], (FRAMES, 3)), axis=0)


def jump() -> F64:
    path = np.zeros((FRAMES, 3))
    path[703:] = [80.0, -60.0, 0.0]
    return path


@pytest.mark.parametrize("drift", [linear, walk, jump])
def test_a_known_drift_is_found_while_it_happens_and_better_in_the_end(
    drift: Callable[[], F64],
) -> None:
    path = drift()
    followed = follow(sample(path), FRAMES)
    arrival, end = residual(followed.arrival, path), residual(followed.curve, path)
    assert np.all(arrival[:2] < 7.0)
    assert arrival[2] < 12.0
    assert np.all(end[:2] < 3.5)
    assert end[2] < 7.0
    assert end.sum() < arrival.sum()


def test_a_jump_lies_between_the_right_frames() -> None:
    path = jump()
    curve = follow(sample(path), FRAMES).curve
    x, y, _ = (axis - axis[0] for axis in curve.at(np.array([702, 703])))
    assert np.hypot(x[1] - 80, y[1] + 60) < 3.0


def test_a_far_jump_is_found_and_old_molecules_are_drawn_again() -> None:
    path = np.zeros((600, 3))
    path[400:] = [-450.0, 300.0, 0.0]
    followed = follow(sample(path), 600)
    assert np.all(residual(followed.curve, path)[:2] < 2.0)
    assert followed.state.revision >= 1
    assert followed.state.lost_frames == 0


def test_a_sample_that_is_gone_is_lost_and_found_when_it_returns() -> None:
    path = np.zeros((700, 3))
    still = sample(path)
    rng = np.random.default_rng(0)
    n = np.count_nonzero((still.frame >= 500) & (still.frame < 600))
    noise = table(np.sort(rng.integers(500, 600, n)), rng.uniform(0, 8000, (n, 3)))
    before, after = still.where(still.frame < 500), still.where(still.frame >= 600)
    gone = follow(concatenate([before, noise]), 600).state
    assert gone.lost_frames > 50
    back = follow(concatenate([before, noise, after]), 700)
    assert back.state.lost_frames == 0
    assert np.all(residual(back.curve, path)[:2] < 2.0)


def test_the_error_that_is_told_is_the_error_that_is_made() -> None:
    path = walk()
    followed = follow(sample(path), FRAMES)
    knots = followed.state.knots
    late = np.arange(FRAMES // 4, FRAMES, BLOCK)
    middle = late + (BLOCK - 1) / 2
    live = np.stack([np.interp(middle, knots.column("frame"), v) for v in knots.column("at").T])
    truth = np.stack([np.interp(middle, np.arange(FRAMES), axis) for axis in path.T])
    off = np.asarray(live - truth)
    off -= off.mean(axis=1, keepdims=True)
    pull = off / followed.error[late].T
    assert np.all((pull**2).mean(axis=1) ** 0.5 < 1.8)
    assert np.all((pull**2).mean(axis=1) ** 0.5 > 0.4)


def test_in_the_plane_no_depth_is_asked_for() -> None:
    path = linear()[:400] * [1, 1, 0]
    deep = sample(path)
    flat = from_columns({"frame": deep.frame, "x": deep.x, "y": deep.y})
    followed = follow(flat, 400, three_d=False)
    assert np.all(residual(followed.curve, path)[:2] < 3.0)
    assert not followed.curve.z.any()


def test_before_the_first_block_and_without_molecules_nothing_moves() -> None:
    state = start(FIELD, three_d=False)
    assert state.curve is STILL
    assert state.error_nm == (np.inf, np.inf, np.inf)
    state = fold(state, empty(), 500)
    assert final(state) is STILL


def test_more_frames_than_a_block_may_come_at_once() -> None:
    path = linear()[:300]
    molecules = sample(path)
    state = fold(start(FIELD, block_frames=BLOCK, three_d=True), molecules, 300)
    assert len(state.knots) == 300 // BLOCK
    assert np.all(residual(state.curve, path)[:2] < 4.0)


def test_the_same_table_for_the_end_gives_the_same_curve() -> None:
    path = linear()[:400]
    molecules = sample(path)
    state = fold(start(FIELD, block_frames=BLOCK, three_d=True), molecules, 400)
    assert np.all(residual(final(state, molecules), path)[:2] < 3.0)


def test_bad_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="field is 0 x 100 nm"):
        start((0, 100), three_d=False)
    with pytest.raises(InputError, match="block has 0 frames"):
        start(FIELD, block_frames=0, three_d=False)


def marked(path: F64, *, loose: bool) -> Localizations:
    """The sample with three markers, of which the first moves apart and the second bleaches."""
    rng = np.random.default_rng(8)
    parts = [sample(path, per_frame=12)]
    frame = np.arange(len(path))
    for k, home in enumerate(((1500.0, 6000.0), (6400.0, 2100.0), (4100.0, 4300.0))):
        places = np.array([*home, 0.0]) + path + rng.normal(0, 3.0, path.shape)
        if loose and k == 0:
            places[len(path) // 2 :, 0] += np.minimum(frame[len(path) // 2 :] % 500, 90)
        lit = rng.random(len(path)) < 0.97
        if loose and k == 1:
            lit[len(path) // 2 :] = False
        parts.append(table(frame[lit], places[lit], 3.0))
    both = concatenate(parts)
    return both.where(np.argsort(both.frame, kind="stable"))


@pytest.mark.parametrize("loose", [False, True])
def test_markers_are_found_and_make_the_drift_more_certain(*, loose: bool) -> None:
    path = walk()[:700]
    followed = follow(marked(path, loose=loose), 700)
    alone = follow(sample(path, per_frame=12), 700)
    assert len(followed.state.fiducials.markers) in ({1, 2} if loose else {3})
    late = slice(250, None)
    ours = (followed.arrival - path)[late].std(axis=0)
    theirs = (alone.arrival - path)[late].std(axis=0)
    assert np.all(ours[:2] < theirs[:2])


def test_no_marker_is_seen_in_a_sample_without_any() -> None:
    assert follow(sample(linear()), FRAMES).state.fiducials.markers == ()


def test_the_filters_learn_how_vigorous_a_walk_is() -> None:
    rng = np.random.default_rng(2)
    for step, most in ((0.02, 0.4), (3.0, 3.5)):
        known, place, off = bank(), 0.0, []
        for k in range(400):
            place += rng.normal(0, step)
            told = np.full(3, place + rng.normal(0, 4.0))
            known = known.measured(float(k), told, np.full(3, 16.0))
            off.append(known.at(float(k))[0][0] - place)
        assert np.std(off[100:]) < most


def test_what_is_kept_is_bounded_and_spread_over_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("live_smlm.metrics.drift_kept.MOST", 4096)
    kept, none = Kept(three_d=False), np.zeros(0)
    for k in range(30):
        frame = np.full(777, float(k))
        kept.add(Places(frame, frame, frame, none, none))
    frames = kept.places().frame
    assert len(frames) <= 4096
    counts = np.bincount(frames.astype(int), minlength=30)
    assert counts.min() > 0.8 * counts.max() > 0
    assert kept.stride == 8


def test_knots_that_are_merged_tell_the_same_drift() -> None:
    knots, one = Knots(), np.ones(3)
    for k in range(600):
        value = np.array([0.1 * k, 0.0, 0.0]) + (50.0 if k >= 301 else 0.0)
        jumped = one * (k == 301)
        knots.append(
            span=(10 * k + 4.5, 10 * k, 10 * k + 10), molecules=9, at=value, variance=one,
            free=jumped, value=value, doubt=one, shown=value, told=value, told_variance=one,
            step=one, step_variance=one, lapse=10.0,
        )  # fmt: skip
    frame = np.arange(20, 5900)
    before = knots.curve().at(frame)[0]
    knots.merge()
    assert len(knots) == 301
    assert np.abs(knots.curve().at(frame)[0] - before).max() < 0.2
    assert knots.column("variance")[10, 0] == pytest.approx(0.5)


def test_a_fast_a_far_and_a_lost_sample_are_told_with_numbers() -> None:
    calm = drift_curve([0, 1000], [0, 20], [0, 0])
    assert drift_alarms(calm, 1000) == {}
    fast = drift_curve([0, 1000], [0, 900], [0, 0])
    alarms = drift_alarms(fast, 1000, frame_interval_s=0.05)
    assert list(alarms) == ["drift speed"]
    assert "90 nm in the last 100 frames, 18 nm/s" in alarms["drift speed"]
    far = drift_curve([0, 10000], [0, 1200], [0, 900], [0, -350])
    alarms = drift_alarms(far, 10000)
    assert list(alarms) == ["drift", "focus drift"]
    assert "1500 nm since the start" in alarms["drift"]
    assert "-350 nm" in alarms["focus drift"]
    alarms = drift_alarms(calm, 1000, lost_frames=64)
    assert list(alarms) == ["sample lost"]
    assert "64 frames" in alarms["sample lost"]
    with pytest.raises(InputError, match="total_nm is 0"):
        DriftLimits(total_nm=0)


def resting() -> tuple[Localizations, int]:
    """A still sample: long blinks at 400 sites again and again, errors alike in three frames."""
    rng = np.random.default_rng(11)
    frames, on, count = 800, 6, 2000
    lines = sample(np.zeros((400, 3)), seed=5, per_frame=3)
    site = rng.integers(0, len(lines), count)
    frame = rng.integers(0, frames - on, count)[:, None] + np.arange(on)
    noise = rng.normal(0, SIGMA, (count, on + 2, 3))
    noise = (noise[:, :-2] + noise[:, 1:-1] + noise[:, 2:]) / 3**0.5
    home = np.stack([lines.x, lines.y, lines.axis("z")], axis=1)[site]
    places = (home[:, None] + noise).reshape(-1, 3)
    order = np.argsort(frame.ravel(), kind="stable")
    return table(frame.ravel()[order], places[order]), frames


def test_a_still_sample_stays_still_and_the_error_says_so() -> None:
    molecules, frames = resting()
    followed = follow(molecules, frames)
    late = slice(frames // 4, None)
    assert np.hypot(*followed.arrival[late].std(axis=0)[:2]) < 1.5
    assert np.all(residual(followed.curve, np.zeros((frames, 3)))[:2] < 1.0)
    off = np.abs(followed.arrival - followed.arrival[late].mean(axis=0))[late, :2]
    assert np.mean(off > 3 * followed.error[late, :2]) < 0.01
