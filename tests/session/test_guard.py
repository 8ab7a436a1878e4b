"""Trust, live: through source, lanes, collector and record, alarms come when they are due."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from live_smlm.core import (
    F32,
    PSF,
    CameraModel,
    EngineContext,
    EngineSpec,
    FrameBatch,
    Localizations,
    concatenate,
)
from live_smlm.engines import registry
from live_smlm.engines.gauss_mle import GaussMle
from live_smlm.fitting.shadow import COLUMNS
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.physics.scenario import Scenario
from live_smlm.pipeline import witness
from live_smlm.pipeline.outcomes import Event, Localized
from live_smlm.pipeline.witness import Witness
from live_smlm.session import Control, Finish, Outcome, RunPlan
from live_smlm.session.folder import run_into
from live_smlm.session.guard import Guard, scope
from live_smlm.session.memory import run_in_memory
from live_smlm.sources.simulated import SimulatedSource

CAMERA = CameraModel(shape=(64, 64), pixel_size_nm=100.0, offset_adu=100.0, read_noise_e=1.6)
ROUND = GaussianPSF(130.0)
DEEP = AstigmaticPSF(130, 130, 200, -200, 400, z_min_nm=-600, z_max_nm=600)
ENVELOPE = {
    "density_per_um2": (0.0, 0.5),
    "photons": (500.0, 5000.0),
    "background": (5.0, 20.0),
    "z_nm": (-500.0, 500.0),
}
SOON = 200
"""Frames within which an alarm must come."""


@dataclass(frozen=True)
class Made:
    """gauss-mle that says what it was made for."""

    inner: GaussMle = field(default_factory=GaussMle)

    @property
    def spec(self) -> EngineSpec:
        return replace(self.inner.spec, envelope=ENVELOPE)

    def unsupported(self, context: EngineContext) -> str | None:
        return self.inner.unsupported(context)

    def open(
        self, context: EngineContext
    ) -> AbstractContextManager[Callable[[FrameBatch], Localizations]]:
        return self.inner.open(context)


@pytest.fixture(autouse=True)
def _time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many molecules are fitted again shall not depend on how busy the machine is."""
    monkeypatch.setattr(witness, "AT_ONCE_S", 60.0)


@dataclass
class Notes:
    """A watcher that remembers alarms, and after how many frames the first one came."""

    told: list[tuple[str, str]] = field(default_factory=list)
    frames_seen: int = 0
    first: int | None = None

    def frames(self, localized: Localized) -> None:
        self.frames_seen = localized.first + localized.count

    def event(self, event: Event) -> None:
        self.told.append((event.what, event.detail))
        if event.what == "alarm" and self.first is None:
            self.first = self.frames_seen + 16  # the chunk in question is told of after its alarm

    def tick(self) -> None:
        pass

    def of(self, what: str) -> list[str]:
        return [detail for kind, detail in self.told if kind == what]


def wider(psf: PSF) -> PSF:
    if isinstance(psf, AstigmaticPSF):
        return replace(psf, sx0_nm=1.15 * psf.sx0_nm, sy0_nm=1.15 * psf.sy0_nm)
    return GaussianPSF(1.15 * 130.0)


def movie(seen: PSF, frames: int, **scene: float) -> SimulatedSource:
    words: dict[str, Any] = {"density": 0.2, "photons": 1500.0, "photons_spread": 0.3, **scene}
    words["z_range_nm"] = 0.0 if seen.z_range_nm is None else 400.0
    simulator = Scenario(camera=CAMERA, psf=seen, seed=11, **words).simulator()
    return SimulatedSource(simulator, frames)


def watched(
    psf: PSF | None, source: SimulatedSource, **changes: Any
) -> tuple[Outcome, Notes, Localizations]:
    notes = Notes()
    more = {"make_engine": lambda _: Made(), **changes.pop("session", {})}
    plan = RunPlan(**{"engine": "gauss-mle", "psf": psf, "ring_mb": 8, **changes})
    found, outcome = run_in_memory(source, plan, (notes,), **more)
    return outcome, notes, found


@pytest.mark.parametrize("psf", [ROUND, DEEP], ids=lambda psf: psf.name)
@pytest.mark.parametrize("density", [0.2, 0.5])
def test_a_matching_movie_raises_no_alarm(psf: PSF, density: float) -> None:
    outcome, notes, _ = watched(psf, movie(psf, 1200, density=density))
    assert notes.of("alarm") == []
    assert outcome.trust["verdict"] == "ok"
    assert outcome.trust["alarms"] == []
    assert abs(outcome.trust["numbers"]["width"]) < 0.04
    assert outcome.trust["numbers"]["background"] == pytest.approx(10, abs=1.5)


@pytest.mark.parametrize("psf", [ROUND, DEEP], ids=lambda psf: psf.name)
def test_a_psf_that_is_15_percent_wider_raises_an_alarm(psf: PSF) -> None:
    outcome, notes, _ = watched(psf, movie(wider(psf), SOON))
    assert notes.first is not None
    assert notes.first <= SOON
    assert any(detail.startswith("width is 0.1") for detail in notes.of("alarm"))
    assert outcome.trust["verdict"] == "alarm"


@pytest.mark.parametrize("psf", [ROUND, DEEP], ids=lambda psf: psf.name)
def test_five_times_the_background_raises_an_alarm(psf: PSF) -> None:
    _, notes, _ = watched(psf, movie(psf, SOON, background=50.0))
    assert [detail.split(" is ")[0] for detail in notes.of("alarm")] == ["background"]
    assert notes.first is not None
    assert notes.first <= SOON


@pytest.mark.parametrize("psf", [ROUND, DEEP], ids=lambda psf: psf.name)
def test_four_times_the_density_raises_an_alarm(psf: PSF) -> None:
    # Who merges neighbours cannot count them: large images need the joint fit.
    engine = Made(GaussMle(joint=psf is DEEP))
    _, notes, _ = watched(
        psf, movie(psf, SOON, density=0.8), session={"make_engine": lambda _: engine}
    )
    assert [detail.split(" is ")[0] for detail in notes.of("alarm")] == ["density"]


def overconfident(found: Localizations, rng: np.random.Generator) -> Localizations:
    """Errs by twice what it claims: the fit's own error and as much again, 1.7 times over."""
    assert found.sigma_x is not None
    assert found.sigma_y is not None
    return found.with_columns(
        x=found.x + 1.7 * found.sigma_x * rng.standard_normal(len(found)),
        y=found.y + 1.7 * found.sigma_y * rng.standard_normal(len(found)),
    )


def inventive(found: Localizations, rng: np.random.Generator) -> Localizations:
    """Half of what it finds is not there."""
    places = rng.uniform(0, 6400, (2, len(found)))
    return concatenate([found, found.with_columns(x=places[0], y=places[1])])


@dataclass(frozen=True)
class Spoilt:
    """An engine whose answers are changed on their way."""

    change: Callable[[Localizations, np.random.Generator], Localizations]
    inner: Made = field(default_factory=Made)

    @property
    def spec(self) -> EngineSpec:
        return replace(self.inner.spec, envelope={})

    def unsupported(self, context: EngineContext) -> str | None:
        return self.inner.unsupported(context)

    @contextmanager
    def open(self, context: EngineContext) -> Iterator[Callable[[FrameBatch], Localizations]]:
        with self.inner.open(context) as localize:
            yield lambda frames: self.change(
                localize(frames), np.random.default_rng(int(frames.index[0]))
            )


@pytest.mark.parametrize(
    ("change", "alarm"), [(overconfident, "spread_xy"), (inventive, "unconfirmed")]
)
def test_an_engine_that_errs_is_found_out(change: Any, alarm: str) -> None:
    engine = Spoilt(change)
    source = movie(ROUND, 4 * SOON, density=0.08)
    _, notes, _ = watched(ROUND, source, session={"make_engine": lambda _: engine})
    assert alarm in [detail.split(" is ")[0] for detail in notes.of("alarm")]


def test_the_beginning_is_too_early() -> None:
    outcome, notes, _ = watched(ROUND, movie(wider(ROUND), 40))
    assert outcome.trust["verdict"] == "too early"
    assert notes.of("alarm") == []
    outcome, notes, _ = watched(ROUND, movie(wider(ROUND), 100, density=0.002))
    assert outcome.trust["verdict"] == "too early"
    assert notes.of("alarm") == []


def test_the_shadow_changes_no_molecule_and_can_be_switched_off() -> None:
    with_shadow, _, found = watched(ROUND, movie(ROUND, 100))
    outcome, _, same = watched(ROUND, movie(ROUND, 100), shadow=False)
    assert outcome.trust["shadow"] == "switched off"
    assert "width" not in outcome.trust["numbers"]
    assert "width" in with_shadow.trust["numbers"]
    for name, column in found.columns().items():
        np.testing.assert_array_equal(column, same.columns()[name])


def test_without_a_psf_or_an_envelope_it_says_that_nothing_is_checked() -> None:
    outcome, _, _ = watched(
        None, movie(ROUND, 64), engine="null", session={"make_engine": registry.chain}
    )
    assert outcome.trust["verdict"] == "not checked"
    assert outcome.trust["shadow"] == "no PSF: nothing to compare with"


def silent(context: EngineContext) -> Witness:
    del context

    def fail(frames: FrameBatch, molecules: Localizations) -> F32:
        raise ZeroDivisionError(f"{len(frames)} frames, {len(molecules)} molecules")

    return fail


def unopened(context: EngineContext) -> Witness:
    raise MemoryError(f"no memory for {context.camera.shape}")


def talkative(context: EngineContext) -> Witness:
    del context
    return lambda frames, _: np.zeros((len(frames), len(COLUMNS) + 1), np.float32)


@pytest.mark.parametrize(
    ("witness", "why"),
    [(silent, "ZeroDivisionError"), (unopened, "MemoryError"), (talkative, "a lane said")],
)
def test_a_shadow_that_fails_is_told_and_costs_no_frame(witness: Any, why: str) -> None:
    outcome, notes, _ = watched(ROUND, movie(ROUND, 100), session={"make_witness": witness})
    assert outcome.finish is Finish.COMPLETED
    assert outcome.tally.localized == 100
    assert why in notes.of("shadow failed")[0]
    assert why in outcome.trust["shadow"]
    assert outcome.trust["verdict"] == "ok"  # the envelope is checked without


def test_what_a_fallback_engine_answers_is_not_judged() -> None:
    place = EngineContext(camera=CAMERA, psf=ROUND)
    guard = Guard(scope(Made(), place, shadow=True))
    for chunk in range(20):
        guard.frames(
            Localized(
                first=16 * chunk,
                count=16,
                index=np.arange(16),
                molecules=Localizations(
                    frame=np.zeros(9000, np.int64),
                    x=np.zeros(9000, np.float32),
                    y=np.zeros(9000, np.float32),
                ),
                latency_s=np.zeros(16),
                answered_s=0.0,
                fallback=True,
            )
        )
    assert guard.state()["verdict"] == "too early"


def test_the_record_of_a_run_tells_of_its_alarms(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    plan = RunPlan(engine="gauss-mle", psf=ROUND, ring_mb=8)
    source = movie(wider(ROUND), SOON)
    states: list[dict[str, Any]] = []
    seen = threading.Event()

    def started(session: Any) -> None:
        states.append(session.state())
        seen.set()

    run_into(folder, source, plan, {}, record_raw=False, control=Control(), started=started)
    assert seen.is_set()
    assert states[0]["trust"]["verdict"] == "too early"
    said = json.loads((folder / "run.json").read_text())
    assert said["trust"]["verdict"] == "alarm"
    (alarm,) = said["trust"]["alarms"]
    assert (alarm["name"], alarm["low"], alarm["high"]) == ("width", -0.06, 0.06)
    assert "focus" in alarm["cure"]
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    (raised,) = (e for e in events if e["what"] == "alarm" and "wider than" in e["detail"])
    assert abs(alarm["since_s"] - datetime.fromisoformat(raised["time"]).timestamp()) < 0.01
