"""The challenge's numbers: by hand, their bounds, and their bootstrap intervals."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from live_smlm.core import InputError, Localizations, concatenate, empty, from_columns
from live_smlm.evaluate.score import Score, score

KEYS = [
    *("jaccard", "precision", "recall", "rmse_lateral_nm", "rmse_axial_nm", "rmse_volume_nm"),
    *("efficiency_lateral", "efficiency_axial", "efficiency"),
    *("bias_x_nm", "bias_y_nm", "bias_z_nm", "n_truth", "n_found", "n_matched"),
]
PULLS = ["pull_std_x", "pull_std_y", "pull_std_z"]


def molecules(n: int, *, frames: int = 1, seed: int = 0, spacing_nm: float = 2000) -> Localizations:
    """Far apart, so that pairing is never in doubt."""
    rng = np.random.default_rng(seed)
    at = np.arange(n)
    return from_columns(
        {
            "frame": at % frames,
            "x": spacing_nm * (at // frames),
            "y": rng.uniform(0, 1000, n),
            "z": rng.uniform(-300, 300, n),
            "photons": np.full(n, 1000.0),
        }
    )


def moved(truth: Localizations, x: float = 0, y: float = 0, z: float = 0) -> Localizations:
    return truth.with_columns(x=truth.x + x, y=truth.y + y, z=truth.axis("z") + z)


def scattered(truth: Localizations, sigma_nm: float, seed: int) -> Localizations:
    """Found with normal errors, and sigmas that say so."""
    rng = np.random.default_rng(seed)
    columns = {a: truth.axis(a) + rng.normal(0, sigma_nm, len(truth)) for a in "xyz"}
    sigmas = {f"sigma_{a}": np.full(len(truth), sigma_nm) for a in "xyz"}
    return from_columns({"frame": truth.frame, **columns, **sigmas})


def test_a_case_by_hand_in_3d() -> None:
    truth = molecules(4)
    found = concatenate([moved(truth, 3, 4, 12).where(slice(3)), moved(truth, 900).where(slice(2))])
    s = score(found, truth)
    assert (s.n_truth, s.n_found, s.n_matched) == (4, 5, 3)
    assert s.jaccard == pytest.approx(3 / 6)
    assert s.precision == pytest.approx(3 / 5)
    assert s.recall == pytest.approx(3 / 4)
    assert s.rmse_lateral_nm == pytest.approx(5, rel=1e-4)
    assert s.rmse_axial_nm == pytest.approx(12, rel=1e-4)
    assert s.rmse_volume_nm == pytest.approx(13, rel=1e-4)
    lateral, axial = 100 - np.hypot(50, 5), 100 - np.hypot(50, 0.5 * 12)
    assert s.efficiency_lateral == pytest.approx(lateral, rel=1e-5)
    assert s.efficiency_axial == pytest.approx(axial, rel=1e-5)
    assert s.efficiency == pytest.approx((lateral + axial) / 2, rel=1e-5)
    assert (s.bias_x_nm, s.bias_y_nm, s.bias_z_nm) == pytest.approx((3, 4, 12), rel=1e-4)


def test_without_z_the_efficiency_is_the_lateral_one() -> None:
    truth = molecules(4)
    flat = from_columns({n: c for n, c in moved(truth, 3, 4).columns().items() if n != "z"})
    s = score(flat, truth)
    assert s.efficiency == s.efficiency_lateral == pytest.approx(95, rel=1e-5)
    assert s.rmse_axial_nm is s.rmse_volume_nm is s.bias_z_nm is s.efficiency_axial is None


def test_perfection_scores_100() -> None:
    truth = molecules(10, frames=3)
    s = score(truth, truth)
    assert s.jaccard == s.precision == s.recall == 1
    assert s.efficiency == 100
    assert s.rmse_volume_nm == 0


def test_errors_may_cost_more_than_everything() -> None:
    truth = molecules(2)
    s = score(moved(truth, 200), truth, radius_xy_nm=250)
    assert s.efficiency_lateral == pytest.approx(-100, rel=1e-4)


def test_dim_truth_and_what_pairs_with_it_do_not_count() -> None:
    truth = molecules(4).with_columns(photons=np.array([1000, 100, 1000, 100]))
    false = moved(truth, 900).where(slice(1))
    found = concatenate([moved(truth, 5).where(slice(2)), false])
    s = score(found, truth, min_photons=500)
    assert (s.n_truth, s.n_found, s.n_matched) == (2, 2, 1)
    assert s.jaccard == pytest.approx(1 / 3)
    assert s.bias_x_nm == pytest.approx(5)
    assert score(found, truth, min_photons=100).n_truth == 4


def test_a_threshold_needs_true_photons() -> None:
    truth = from_columns({n: molecules(2).columns()[n] for n in ("frame", "x", "y")})
    with pytest.raises(InputError, match="photons"):
        score(truth, truth, min_photons=1)


@pytest.mark.parametrize("case", ["both", "found", "truth", "apart"])
def test_undefined_numbers_are_none(case: str) -> None:
    some = molecules(2)
    found = empty() if case in {"both", "found"} else moved(some, 900)
    truth = empty() if case in {"both", "truth"} else some
    s = score(found, truth, bootstrap=5)
    assert s.jaccard == (None if case == "both" else 0)
    assert s.precision == (None if len(found) == 0 else 0)
    assert s.recall == (None if len(truth) == 0 else 0)
    assert s.rmse_lateral_nm is s.efficiency is s.bias_x_nm is None
    assert "NaN" not in json.dumps(s.as_dict(), allow_nan=False)


def test_the_json_has_exactly_the_promised_keys() -> None:
    truth = molecules(5)
    assert list(score(truth, truth).as_dict()) == KEYS
    told = score(scattered(truth, 10, 1), truth, bootstrap=10).as_dict()
    assert list(told) == [*KEYS, *PULLS, "intervals"]
    assert set(told["intervals"]) == {k for k in [*KEYS, *PULLS] if not k.startswith("n_")}  # type: ignore[call-overload] # a dict
    json.dumps(told, allow_nan=False)


def test_a_claimed_sigma_is_told_even_where_its_pull_is_undefined() -> None:
    truth = molecules(1)
    assert score(scattered(truth, 10, 1), truth).as_dict()["pull_std_x"] is None


def test_pulls_tell_honest_sigmas_and_pass_over_unusable_ones() -> None:
    n = 4000
    truth = molecules(n, frames=40)
    found = scattered(truth, 12, seed=3)
    sigma = found.axis("sigma_y") / 2
    sigma[:3] = (0, np.nan, -1)
    s = score(found.with_columns(sigma_y=sigma), truth)
    standard_error = 1 / np.sqrt(2 * n)
    assert s.pull_std_x == pytest.approx(1, abs=4 * standard_error)
    assert s.pull_std_y == pytest.approx(2, abs=8 * standard_error)
    error = found.axis("z") - truth.axis("z")
    assert s.pull_std_z == pytest.approx(np.std(error / 12, ddof=1), rel=1e-5)


@given(st.integers(0, 2**32 - 1), st.integers(0, 25), st.integers(0, 25))
@settings(max_examples=60, deadline=None)
def test_numbers_keep_their_bounds_and_symmetry(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (
        from_columns(
            {"frame": rng.integers(0, 2, k), **{x: rng.uniform(0, 900, k) for x in ("x", "y")}}
        )
        for k in (n, m)
    )
    s, swapped = score(a, b), score(b, a)
    assert s.jaccard == swapped.jaccard
    assert s.precision == swapped.recall
    assert s.n_matched <= min(s.n_found, s.n_truth)
    assert all(v is None or 0 <= v <= 1 for v in (s.jaccard, s.precision, s.recall))
    assert s.rmse_lateral_nm is None or s.rmse_lateral_nm <= 250
    assert s.efficiency is None or s.efficiency <= 100


@given(st.integers(0, 2**32 - 1), st.integers(1, 25))
@settings(max_examples=40, deadline=None)
def test_a_false_positive_never_raises_jaccard(seed: int, n: int) -> None:
    truth = molecules(n, frames=3, seed=seed)
    found = scattered(truth, 50, seed)
    false = moved(found, 900).where(np.array([seed % n]))
    assert _jaccard(score(concatenate([found, false]), truth)) < _jaccard(score(found, truth))


def _jaccard(s: Score) -> float:
    assert s.jaccard is not None
    return s.jaccard


def test_bootstrap_intervals_cover_as_often_as_they_claim() -> None:
    """Recall 0.7 by coin toss: over 200 experiments 95 % of intervals hold it."""
    experiments, frames, per_frame, p = 200, 60, 5, 0.7
    truth = molecules(frames * per_frame, frames=frames)
    rng = np.random.default_rng(11)
    held = 0
    for seed in range(experiments):
        found = truth.where(rng.random(len(truth)) < p)
        intervals = score(found, truth, bootstrap=300, seed=seed).intervals
        assert intervals is not None
        interval = intervals["recall"]
        assert interval is not None
        held += interval[0] <= p <= interval[1]
    # Binomial error of 200 trials is 1.5 %; percentile intervals of 60 frames lose about 1 %.
    assert 0.94 - 4 * 0.0154 <= held / experiments <= 0.95 + 4 * 0.0154


def test_the_bootstrap_is_repeatable_and_does_not_change_the_score() -> None:
    truth = molecules(200, frames=20)
    found = scattered(truth, 20, 5)
    first, again = (score(found, truth, bootstrap=50, seed=9) for _ in range(2))
    assert first == again
    assert first.rmse_axial_nm == score(found, truth).rmse_axial_nm
    with pytest.raises(InputError, match="bootstrap is -1"):
        score(found, truth, bootstrap=-1)


def test_the_bootstrap_resamples_frames_not_molecules() -> None:
    """One bad frame of two: resampling frames gives 0, a half or 1, with odds 1:2:1."""
    truth = molecules(200, frames=2)
    intervals = score(truth.where(truth.frame == 0), truth, bootstrap=400).intervals
    assert intervals is not None
    assert intervals["recall"] == (0, 1)
