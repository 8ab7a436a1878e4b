import math

import numpy as np
import pytest

from live_smlm.core import F64, I64, InputError
from live_smlm.physics.blinking import (
    BLINKINGS,
    Blinking,
    BlinkingProcess,
    Exponential,
    FourState,
    Single,
)


def rng(seed: int = 11) -> np.random.Generator:
    return np.random.default_rng(seed)


def run(process: BlinkingProcess, frames: int, power: float = 1.0) -> tuple[I64, I64, F64]:
    """Frame, identity and fraction of everything that was on."""
    steps = [process.step(power) for _ in range(frames)]
    frame = np.repeat(np.arange(frames), [len(ids) for ids, _ in steps])
    return (
        frame.astype(np.int64),
        np.concatenate([s[0] for s in steps]),
        np.concatenate([s[1] for s in steps]),
    )


def check_exponential(sample: F64, mean: float) -> None:
    """Mean and spread within 5 standard errors (an exponential's 4th moment is 9)."""
    n = len(sample)
    assert sample.mean() == pytest.approx(mean, abs=5 * mean / math.sqrt(n))
    assert sample.var() == pytest.approx(mean**2, abs=5 * mean**2 * math.sqrt(8 / n))


@pytest.mark.parametrize("blinking", [Single(), Exponential(2.5), FourState(2.0, 1.5, 3.0)])
def test_the_number_visible_is_that_asked_for_from_the_first_frame_on(blinking: Blinking) -> None:
    """The pool is so large that 5 frames take nothing of it to speak of."""
    visible, runs, frames = 40.0, 400, 5
    counts = np.zeros((runs, frames))
    for i in range(runs):
        frame, _, fraction = run(blinking.start(visible, 200_000, rng(i)), frames)
        counts[i] = np.bincount(frame, minlength=frames)
        assert ((fraction > 0) & (fraction <= 1)).all()
    error = math.sqrt(visible / runs)
    assert np.abs(counts.mean(axis=0) - visible).max() < 5 * error
    # Molecules come independently, so their number is Poisson.
    assert counts.var() == pytest.approx(visible, abs=5 * visible * math.sqrt(2 / runs))


@pytest.mark.parametrize("blinking", [Single(), Exponential(2.5), FourState(2.0, 1.5, 3.0)])
def test_the_same_seed_gives_the_same_run(blinking: Blinking) -> None:
    first, again, other = (run(blinking.start(9.0, 5000, rng(s)), 30) for s in (1, 1, 2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(first[0]) != len(other[0]) or (first[2] != other[2]).any()


@pytest.mark.parametrize("blinking", [Single(), Exponential(2.0), FourState(2.0, 1.5, 3.0)])
def test_the_laser_sets_how_many_come_and_can_change_during_the_run(blinking: Blinking) -> None:
    process = blinking.start(200.0, 2_000_000, rng())
    run(process, 60, power=0.0)
    dark, _, _ = run(process, 10, power=0.0)
    assert len(dark) < 10
    run(process, 40, power=3.0)
    frame, _, _ = run(process, 50, power=3.0)
    # Counts of neighbouring frames share molecules: at most ten independent ones in 50 frames.
    assert len(frame) / 50 == pytest.approx(600, abs=5 * math.sqrt(600 / 10))


def test_single_molecules_of_a_pool_come_at_most_once_per_frame() -> None:
    process = Single().start(30.0, 30, rng())
    for _ in range(3):
        ids, fraction = process.step()
        np.testing.assert_array_equal(ids, np.arange(30))
        assert (fraction == 1).all()
    ids, _ = process.step(0.5)
    assert 3 < len(ids) < 27
    assert len(set(ids)) == len(ids)
    assert len(process.step(7.0)[0]) == 30


def test_single_molecules_without_a_pool_are_never_the_same() -> None:
    _, ids, _ = run(Single().start(5.0, None, rng()), 100)
    np.testing.assert_array_equal(ids, np.arange(len(ids)))


def test_exponential_on_times_are_exponential_with_fractional_ends() -> None:
    frames = 3000
    frame, ids, fraction = run(Exponential(2.5).start(20.0, None, rng()), frames)
    first = np.full(ids.max() + 1, frames)
    last = np.full(ids.max() + 1, -1)
    np.minimum.at(first, ids, frame)
    np.maximum.at(last, ids, frame)
    born_and_gone = (first > 0) & (last < frames - 1)
    on_time = np.bincount(ids, weights=fraction).astype(np.float64)
    check_exponential(on_time[born_and_gone], 2.5)

    seen = np.bincount(ids)[born_and_gone]
    assert seen.mean() == pytest.approx(3.5, abs=5 * 2.5 / math.sqrt(len(seen)))
    np.testing.assert_array_equal(seen, (last - first + 1)[born_and_gone])
    inner = (frame > first[ids]) & (frame < last[ids])
    assert (fraction[inner] == 1).all()
    # Starts are uniform in their frame; to last beyond the next favours late ones by exp(s / T).
    long = born_and_gone & (last - first > 1)
    at_start = fraction[(frame == first[ids]) & long[ids]]
    expected = 2.5 - 1 / math.expm1(1 / 2.5)
    assert at_start.mean() == pytest.approx(expected, abs=5 / math.sqrt(12 * len(at_start)))


def test_four_state_molecules_blink_and_bleach_as_described() -> None:
    """Followed to the end of the pool: each blinks, in sum, for an exponential time."""
    model = FourState(on_frames=1.5, dark_frames=4.0, blinks=2.5)
    process = model.start(600.0, 40_000, rng())
    frame, ids, fraction = run(process, 400)
    later = run(process, 800, power=20.0)
    ids = np.concatenate([ids, later[1]])
    fraction = np.concatenate([fraction, later[2]])
    frame = np.concatenate([frame, later[0] + 400])
    assert process.off == 0
    assert process.bleached == 40_000
    assert len(process.step(5.0)[0]) == 0

    on_time = np.bincount(ids, weights=fraction, minlength=40_000).astype(np.float64)
    # Those that were on already at the start are in the steady state, not at their beginning.
    fresh = np.ones(40_000, np.bool_)
    fresh[ids[frame < 40]] = False
    check_exponential(on_time[fresh], 2.5 * 1.5)
    seen = np.bincount(ids, minlength=40_000)[fresh]
    error = seen.std() / math.sqrt(len(seen))
    assert seen.mean() == pytest.approx(model.visible_frames, abs=5 * error)


def test_a_pool_runs_out_at_the_rate_of_the_laser() -> None:
    model, pool = FourState(2.0, 2.0, 1.5), 100_000
    process = model.start(500.0, pool, rng())
    rate = 500.0 / model.visible_frames / pool
    begin = process.off
    run(process, 100, power=1.0)
    run(process, 50, power=4.0)
    run(process, 30, power=0.0)
    left = math.exp(-rate * (100 + 50 * 4))
    assert process.off == pytest.approx(begin * left, abs=5 * math.sqrt(begin * left * (1 - left)))


def test_activated_molecules_start_within_their_frame() -> None:
    """A pool that all comes on in one frame: exponential times, cut at the frame's end."""
    process = FourState(1e5, 1.0, 1.0).start(0.1, 2_000_000, rng())
    rate = 0.1 / FourState(1e5, 1.0, 1.0).visible_frames / 2_000_000
    ids, fraction = process.step(2.0 / rate)
    assert len(ids) == pytest.approx(2e6 * (1 - math.exp(-2)), rel=0.01)
    expected = 1 - (0.5 - math.exp(-2) * 1.5) / (1 - math.exp(-2))
    assert fraction.mean() == pytest.approx(expected, abs=5 * 0.3 / math.sqrt(2e6) + 1e-4)


def test_what_cannot_blink_is_refused() -> None:
    with pytest.raises(InputError, match="on_frames is 0; give a mean duration"):
        Exponential(0.0)
    with pytest.raises(InputError, match="dark_frames is nan"):
        FourState(dark_frames=math.nan)
    with pytest.raises(InputError, match=r"blinks is 0\.5"):
        FourState(blinks=0.5)
    with pytest.raises(InputError, match="10 molecules are to be visible per frame but"):
        Single().start(10.0, 9, rng())
    with pytest.raises(InputError, match="100 molecules are to be visible per frame but the pool"):
        FourState().start(100.0, 150, rng())
    with pytest.raises(InputError, match="needs a finite pool"):
        FourState().start(1.0, None, rng())
    for power in (-1.0, math.nan, math.inf):
        with pytest.raises(InputError, match="laser_power is"):
            Exponential().start(1.0, None, rng()).step(power)


def test_the_models_are_known_by_name() -> None:
    assert list(BLINKINGS) == ["single", "exponential", "four-state"]
    assert BLINKINGS["exponential"](on_frames=2.0) == Exponential(2.0)
