"""The verdict: early, then sure; alarms where they are due, and never of noise."""

from typing import Any

import numpy as np
import pytest

from live_smlm.core import F32, Localizations, from_columns
from live_smlm.fitting.shadow import COLUMNS
from live_smlm.metrics.trust import (
    NO_ROWS,
    WINDOW,
    Scope,
    Seen,
    Trust,
    Verdict,
    fold,
    look,
    start,
)

AREA_UM2 = 40.0
ENVELOPE = {
    "density_per_um2": (0.0, 0.5),
    "photons": (500.0, 5000.0),
    "background": (5.0, 20.0),
    "z_nm": (-400.0, 400.0),
}
SCOPE = Scope(envelope=ENVELOPE, area_um2=AREA_UM2)
FRAMES, PER_CHUNK = 16, 6


def rows(rng: np.random.Generator, n: int = PER_CHUNK, **off: float) -> F32:
    """What a shadow says of an honest engine, but for what is `off`."""
    truth = {
        "width": 0.0, "chi2": 1.0, "photons": 1500.0, "background": 10.0, "z": 0.0,
        "engine_sigma": 12.0, "fit_sigma": 8.0, "true_sigma": 12.0, "failed": 0.0,
        "doubt": 1.0, **off,
    }  # fmt: skip
    out = np.empty((n, len(COLUMNS)), np.float32)
    # An efficient fit's error is part of the engine's: their gap is what the engine adds.
    gap = np.sqrt(max(truth["true_sigma"] ** 2 - truth["fit_sigma"] ** 2, 0.0))
    error = truth["doubt"] * rng.uniform(0.03, 0.1, n)
    columns = {
        **{f"gap_{axis}": gap * rng.standard_normal(n) for axis in "xyz"},
        **{f"engine_sigma_{axis}": np.full(n, truth["engine_sigma"]) for axis in "xyz"},
        **{f"fit_sigma_{axis}": np.full(n, truth["fit_sigma"]) for axis in "xyz"},
        "width": truth["width"] + error * rng.standard_normal(n),
        "width_error": error,
        "chi2": truth["chi2"] * rng.gamma(16, 1 / 16, n),
        "power": np.full(n, 10.0),
        "photons": truth["photons"] * np.exp(0.3 * rng.standard_normal(n)),
        "background": truth["background"] + rng.standard_normal(n),
        "z": truth["z"] + 150 * rng.standard_normal(n),
    }
    for at, name in enumerate(COLUMNS):
        out[:, at] = columns[name]
    out[rng.random(n) < truth["failed"]] = np.nan
    return out


def molecules(rng: np.random.Generator, density: float = 0.3, **light: float) -> Localizations:
    n = int(rng.poisson(density * AREA_UM2 * FRAMES))
    words = {"photons": 1500.0, "background": 10.0, **light}
    columns = {name: value * np.exp(0.2 * rng.standard_normal(n)) for name, value in words.items()}
    return from_columns({"frame": np.zeros(n), "x": np.zeros(n), "y": np.zeros(n), **columns})


def run(
    chunks: int, scope: Scope = SCOPE, seen: Seen | None = None, seed: int = 1, **off: Any
) -> Seen:
    """So many chunks, all off in the same way."""
    rng = np.random.default_rng(seed)
    density = off.pop("density", 0.3)
    seen = start(scope) if seen is None else seen
    for _ in range(chunks):
        said = NO_ROWS if scope.unshadowed else rows(rng, **off)
        seen = fold(seen, look(FRAMES, molecules(rng, density), said), scope)
    return seen


def names(trust: Trust) -> list[str]:
    return [alarm.name for alarm in trust.alarms]


def test_an_honest_engine_is_too_early_then_ok() -> None:
    seen = start(SCOPE)
    verdicts = [seen.trust.verdict]
    for _ in range(12):
        seen = run(1, seen=seen, seed=len(verdicts))
        verdicts.append(seen.trust.verdict)
    assert verdicts[:3] == [Verdict.EARLY] * 3
    assert verdicts[5:] == [Verdict.OK] * 8
    assert seen.trust.numbers["density"] == pytest.approx(0.3, abs=0.05)
    assert seen.trust.shadow == "72 molecules fitted again"


@pytest.mark.parametrize(
    ("off", "alarm", "cure"),
    [
        ({"width": 0.13}, "width", "focus"),
        ({"width": -0.13}, "width", "narrower"),
        ({"chi2": 2.0}, "light", "gain and offset"),
        ({"chi2": 0.4}, "light", "read noise"),
        ({"background": 50.0}, "background", "lower it"),
        ({"background": 2.0}, "background", "lower than"),
        ({"photons": 12_000.0}, "photons", "brighter"),
        ({"photons": 150.0}, "photons", "dimmer"),
        ({"density": 1.2}, "density", "closer"),
        ({"failed": 0.6}, "unconfirmed", "threshold"),
        ({"true_sigma": 24.0}, "spread_xy", "less precise"),
        ({"z": 500.0}, "depth", "range of z"),
    ],
    ids=str,
)
def test_what_is_off_raises_its_alarm_within_the_window(
    off: dict[str, Any], alarm: str, cure: str
) -> None:
    seen = run(WINDOW // FRAMES, **off)
    assert seen.trust.verdict is Verdict.ALARM
    assert alarm in names(seen.trust)
    said = next(a for a in seen.trust.alarms if a.name == alarm)
    assert cure in said.cure
    assert f"{alarm} is {said.value:.3g}" in str(said)
    assert "allowed at" in str(said)
    told = seen.trust.as_dict()
    assert told["verdict"] == "alarm"
    assert {entry["name"] for entry in told["alarms"]} == set(names(seen.trust))


def test_an_alarm_of_the_middle_of_a_run_comes_within_the_window_and_goes_again() -> None:
    seen = run(60, seed=2)
    assert seen.trust.verdict is Verdict.OK
    seen = run(WINDOW // FRAMES + 1, seen=seen, seed=3, width=0.13)
    assert names(seen.trust) == ["width"]
    seen = run(WINDOW // FRAMES + 1, seen=seen, seed=4)
    assert seen.trust.verdict is Verdict.OK


def test_an_alarm_stays_while_the_value_has_not_clearly_come_back() -> None:
    raised = run(13, width=0.08)
    assert names(raised.trust) == ["width"]
    near = run(40, seen=raised, seed=5, width=0.053, doubt=0.2)
    assert names(near.trust) == ["width"]
    assert names(run(40, seed=5, width=0.053, doubt=0.2).trust) == []
    assert names(run(40, seen=near, seed=6, width=0.02).trust) == []


@pytest.mark.parametrize(
    ("alone", "engine_sigma"), [(True, 8.0), (True, 12.0), (False, 4.0), (False, 8.0)]
)
def test_noise_raises_no_alarm(engine_sigma: float, *, alone: bool) -> None:
    """10 runs of 40 judgements each, at the edges of the envelope."""
    scope = Scope(envelope=ENVELOPE, alone=alone, area_um2=AREA_UM2)
    claims = {"engine_sigma": engine_sigma, "true_sigma": engine_sigma, "background": 20.0}
    for seed in range(10):
        rng, seen = np.random.default_rng(seed), start(scope)
        for _ in range(40):
            n = int(rng.integers(0, PER_CHUNK))
            chunk = look(FRAMES, molecules(rng, 0.5), rows(rng, n, **claims, photons=5000.0))
            seen = fold(seen, chunk, scope)
            assert seen.trust.verdict is not Verdict.ALARM, seen.trust


def test_spread_is_the_true_error_over_the_claimed() -> None:
    for true_sigma in (12.0, 18.0, 24.0):
        spread = run(40, seed=9, true_sigma=true_sigma).trust.numbers["spread_xy"]
        # 72 molecules in the window: 1.17 / sqrt(72) = 14 % of the gap's part.
        assert spread == pytest.approx(true_sigma / 12.0, rel=0.3)


def test_a_fit_of_fewer_pixels_than_the_engine_sees_is_no_reason_for_alarm() -> None:
    rng, seen = np.random.default_rng(5), start(SCOPE)
    for _ in range(40):
        said = rows(rng, engine_sigma=12.0, fit_sigma=15.0)
        for axis in "xyz":
            # The gap is what the fit adds to the engine's error.
            said[:, COLUMNS.index(f"gap_{axis}")] = 9.0 * rng.standard_normal(len(said))
        seen = fold(seen, look(FRAMES, molecules(rng), said), SCOPE)
        assert seen.trust.verdict is not Verdict.ALARM
    assert seen.trust.numbers["spread_xy"] == pytest.approx(1.0, abs=0.25)


def test_an_engine_of_one_frame_that_claims_less_than_any_fit_can_is_not_believed() -> None:
    seen = run(13, engine_sigma=4.0, fit_sigma=10.0, true_sigma=10.0)
    assert names(seen.trust) == ["spread_xy", "spread_z"]
    beyond = Scope(envelope=ENVELOPE, alone=False, area_um2=AREA_UM2)
    assert run(13, beyond, engine_sigma=4.0, fit_sigma=10.0).trust.verdict is Verdict.OK


def test_few_molecules_are_waited_for() -> None:
    rng, seen = np.random.default_rng(1), start(SCOPE)
    for chunk in range(40):
        said = rows(rng, 1 if chunk % 2 else 0, width=0.13)
        seen = fold(seen, look(FRAMES, molecules(rng), said), SCOPE)
        assert seen.trust.verdict is Verdict.EARLY
    assert seen.trust.shadow == "20 of 24 isolated molecules so far"
    for _ in range(40):
        seen = fold(seen, look(FRAMES, molecules(rng), rows(rng, 1, width=0.13)), SCOPE)
    assert names(seen.trust) == ["width"]


def test_without_shadow_the_envelope_is_still_checked() -> None:
    scope = Scope(envelope=ENVELOPE, unshadowed="no PSF: nothing to compare with", area_um2=40.0)
    assert run(13, scope).trust.verdict is Verdict.OK
    assert names(run(13, scope, density=1.2).trust) == ["density"]
    rng, seen = np.random.default_rng(1), start(scope)
    for _ in range(13):
        seen = fold(seen, look(FRAMES, molecules(rng, background=50.0)), scope)
    assert names(seen.trust) == ["background"]
    assert seen.trust.shadow == "no PSF: nothing to compare with"


def test_a_model_of_the_plane_says_nothing_of_depth() -> None:
    flat = Scope(envelope={**ENVELOPE, "z_nm": (0.0, 0.0)}, area_um2=AREA_UM2)
    assert run(13, flat).trust.verdict is Verdict.OK


def test_with_nothing_to_check_it_says_so() -> None:
    scope = Scope(unshadowed="switched off", area_um2=40.0)
    seen = run(20, scope)
    assert (seen.trust.verdict, seen.trust.shadow) == (Verdict.UNCHECKED, "switched off")


def test_the_window_does_not_grow() -> None:
    seen = run(300)
    assert sum(item.frames for item in seen.looks) < WINDOW + 2 * FRAMES
    assert seen.total == 300 * FRAMES


def test_molecules_that_say_nothing_of_their_light_are_counted() -> None:
    bare = from_columns({"frame": [0] * 300, "x": [0.0] * 300, "y": [0.0] * 300})
    seen = start(SCOPE)
    rng = np.random.default_rng(3)
    for _ in range(13):
        seen = fold(seen, look(FRAMES, bare, rows(rng)), SCOPE)
    assert seen.trust.numbers["density"] == pytest.approx(300 / 640, rel=1e-3)
