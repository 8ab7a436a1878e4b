import json
import time
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from live_smlm.config import RunConfig
from live_smlm.core import CameraModel, Checkpoint, InputError, Localizations, from_columns
from live_smlm.feedback import rules
from live_smlm.feedback.rules import stop_settings
from live_smlm.pipeline.dispatcher import Overload
from live_smlm.session import Control, RunPlan
from live_smlm.session.analysis import FIELD, Aims, Analysis
from live_smlm.session.analyst import Analyst
from live_smlm.session.folder import run_into
from live_smlm.session.judging import Judging, judging_of
from live_smlm.session.regions import read_regions
from live_smlm.session.sources import opened
from live_smlm.store.info import describe_run
from live_smlm.store.log import LocalizationLog
from live_smlm.store.quality import QualityLog, read_quality
from live_smlm.store.record import Finish, read_events
from live_smlm.transport.viewing import Span

SPEED = 0.1
CAMERA = CameraModel(shape=(64, 64), pixel_size_nm=100.0)


def found(first: int, frames: int, per_frame: int = 10) -> Localizations:
    """Molecules on a ring, seen in each frame."""
    rng = np.random.default_rng(first)
    n = frames * per_frame
    angle = rng.uniform(0, 2 * np.pi, n)
    columns = {
        "frame": np.repeat(np.arange(first, first + frames), per_frame),
        "x": 3200 + 2000 * np.cos(angle) + rng.normal(0, 8, n),
        "y": 3200 + 2000 * np.sin(angle) + rng.normal(0, 8, n),
        "sigma_x": np.full(n, 8.0),
        "sigma_y": np.full(n, 8.0),
    }
    return from_columns(columns)


class Judged:
    """An analyst over a real log, turned by hand."""

    def __init__(self, folder: Path, rule: str | None = None, **settings: object) -> None:
        self.log = LocalizationLog(folder)
        self.quality = QualityLog(folder)
        self.control = Control()
        self.told: list[tuple[str, str]] = []
        said = None if rule is None else stop_settings(rule, **settings)  # type: ignore[arg-type]
        self.analyst = Analyst(
            self.log,
            Analysis(CAMERA, 0.01, Aims(drift=False)),
            self.control,
            self.quality,
            tell=lambda what, detail: self.told.append((what, detail)),
            seconds=lambda: self.frames / 100,
            rule=None if said is None else rules.start(said),
        )
        self.frames = 0

    def __enter__(self) -> Self:
        self.log.__enter__()
        self.quality.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.quality.__exit__(None, None, None)
        self.log.__exit__(None, None, None)

    def after(self, frames: int) -> dict[str, object]:
        """The judgement after so many more frames."""
        index = np.arange(self.frames, self.frames + frames)
        self.log.append(self.frames, frames, index, found(self.frames, frames))
        self.frames += frames
        return self.turned()

    def turned(self) -> dict[str, object]:
        self.analyst._next_s = 0.0
        self.analyst._turn()
        said = self.analyst.told()["quality"]
        json.dumps(said, allow_nan=False)
        return dict(said)


def test_what_is_found_is_judged_as_it_comes(tmp_path: Path) -> None:
    with Judged(tmp_path) as run:
        assert run.after(100)["values"]["molecules"] == 1000  # type: ignore[index]
        said = run.after(150)
        assert said["values"]["molecules"] == 2500  # type: ignore[index]
        assert said["frame"] == 250
        assert said["charts"]["frame"] == [100, 250]  # type: ignore[index]
        assert "rule" not in said
    kept = read_quality(tmp_path)
    assert [point.frame for point in kept.history] == [100, 250]
    assert kept.history[-1].values["molecules"] == 2500


def test_the_rule_stops_the_run_once_and_says_by_which_numbers(tmp_path: Path) -> None:
    with Judged(tmp_path, "molecules > 1500", least_frames=0) as run:
        assert run.after(100)["kind"] == "going on"
        assert not run.control.stopping
        assert run.after(100)["kind"] == "stop"
        assert run.control.stopping
        assert run.control.reason == "enough: molecules > 1500: 2000"
        run.after(100)
    assert [what for what, _ in run.told] == ["decision", "decision", "enough"]
    lines = (tmp_path / "quality.jsonl").read_text().splitlines()
    decided = [json.loads(line)["decision"] for line in lines]
    assert [d["stops"] for d in decided] == [False, True, False]
    assert decided[1]["judged"][0]["value"] == 2000


def test_the_operator_overrules_the_rule(tmp_path: Path) -> None:
    with Judged(tmp_path, "molecules > 1500", least_frames=0) as run:
        run.analyst.order("hold")
        run.after(300)
        assert run.turned()["held"]
        assert not run.control.stopping
        run.analyst.order("extend 250 frames")
        assert run.turned()["kind"] == "extended"
        run.after(200)
        assert not run.control.stopping
        run.after(60)
        assert run.control.stopping


def test_stop_needs_no_rule_but_hold_does(tmp_path: Path) -> None:
    with Judged(tmp_path) as run:
        run.after(10)
        with pytest.raises(InputError, match="has none"):
            run.analyst.order("hold")
        with pytest.raises(InputError, match="order 'halt' is unknown"):
            run.analyst.order("halt")
        run.analyst.order("stop")
        run.turned()
        assert run.control.stopping


def test_a_dry_run_says_when_it_would(tmp_path: Path) -> None:
    with Judged(tmp_path, "molecules > 500", least_frames=0, dry_run=True) as run:
        assert run.after(100)["kind"] == "would stop"
        assert not run.control.stopping
    assert "would stop" in run.told[-1][1]


def test_regions_are_judged_apart_from_the_first_frame_on(tmp_path: Path) -> None:
    with Judged(tmp_path) as run:
        run.after(100)
        run.analyst.regions("right = 3200,0,6400,6400; 3200,0 6400,0 6400,6400 3200,6400")
        run.turned()
        said = run.after(20)["regions"]
        counts = [said[name]["molecules"] for name in ("right", "roi 2")]  # type: ignore[index]
        assert counts[0] == counts[1] == pytest.approx(600, abs=100)


def test_a_failure_is_told_and_the_run_goes_on(tmp_path: Path) -> None:
    with Judged(tmp_path) as run:
        run.analyst.archive = None  # type: ignore[assignment] # what cannot be read
        with run.analyst.working():
            deadline = time.monotonic() + 20
            while not run.told and time.monotonic() < deadline:
                time.sleep(0.01)
    assert run.told[0][0] == "judgement failed"
    assert not run.control.stopping


def test_old_molecules_are_judged_again_by_the_better_drift() -> None:
    analysis = Analysis(CAMERA, 0.01)
    spans = [
        Span(first=at, stop=at + 100, molecules=_drifting(at, 100)) for at in range(0, 1000, 100)
    ]
    for span in spans:
        analysis.add(span, span.stop / 100)
    analysis.finish()
    analysis.anew(spans, 10.0)
    sharp = analysis.look().checkpoint
    assert analysis.curve.at(np.array([950]))[0] == pytest.approx(95, abs=12)
    blurred, best = (_undrifted(speed).values for speed in (SPEED, 0.0))
    assert sharp.values["molecules"] == blurred["molecules"] == 10_000
    assert sharp.values["frc_nm"] == pytest.approx(best["frc_nm"], rel=0.07)
    assert blurred["frc_nm"] > 1.15 * best["frc_nm"]
    assert analysis.histories[FIELD][-1] is sharp


def test_the_scatter_of_an_engine_that_looks_at_neighbours_is_no_precision() -> None:
    spans = [
        Span(first=at, stop=at + 100, molecules=_drifting(at, 100)) for at in range(0, 1000, 100)
    ]
    told = []
    for alone in (True, False):
        analysis = Analysis(CAMERA, 0.01, Aims(drift=False), alone)
        for span in spans:
            analysis.add(span, span.stop / 100)
        told.append(set(analysis.look().checkpoint.values))
    assert "nena_nm" in told[0]
    assert told[0] - told[1] == {"nena_nm", "nena_error_nm"}


def _undrifted(speed: float) -> Checkpoint:
    """What is said of points that move, where nobody looks for drift."""
    analysis = Analysis(CAMERA, 0.01, Aims(drift=False))
    for at in range(0, 1000, 100):
        found = _drifting(at, 100, speed)
        analysis.add(Span(first=at, stop=at + 100, molecules=found), (at + 100) / 100)
    return analysis.look().checkpoint


def _drifting(first: int, frames: int, speed: float = SPEED) -> Localizations:
    """Points of a grid, the whole moving along x, nm per frame."""
    rng = np.random.default_rng(first)
    n = 10 * frames
    frame = np.repeat(np.arange(first, first + frames), 10)
    x, y = 400.0 * rng.integers(2, 14, (2, n)) + rng.normal(0, 8, (2, n))
    columns = {"frame": frame, "x": x + speed * frame, "y": y}
    return from_columns(columns | {name: np.full(n, 8.0) for name in ("sigma_x", "sigma_y")})


def test_a_run_ends_when_its_rule_says_so(tmp_path: Path) -> None:
    config = RunConfig(
        source="simulated:frames=5000,rate_hz=200,size=32x32",
        out=str(tmp_path / "run"),
        stop="frames > 300 and molecules > 100",
    )
    with opened(config) as (source, psf):
        plan = RunPlan(engine="gauss-mle", psf=psf, overload=Overload.THIN)
        outcome = run_into(
            tmp_path / "run",
            source,
            plan,
            config.as_dict(),
            record_raw=False,
            control=Control(),
            judging=judging_of(config),
        )
    assert outcome.finish is Finish.STOPPED
    assert outcome.reason.startswith("enough: frames > 300: ")
    assert 300 < outcome.tally.captured < 5000
    assert outcome.tally.localized == outcome.tally.captured
    assert "enough" in [event["what"] for event in read_events(tmp_path / "run")]
    last = read_quality(tmp_path / "run").history[-1]
    assert last.frame == outcome.tally.captured
    verdict = describe_run(tmp_path / "run")["quality"]
    assert verdict["values"]["molecules"] == last.values["molecules"] == outcome.molecules
    assert (verdict["rule"], verdict["kind"]) == ("frames > 300 and molecules > 100", "stop")
    assert verdict["because"].startswith("frames > 300: ")


def test_what_a_run_is_judged_by_is_said_in_its_configuration() -> None:
    judging = judging_of(
        RunConfig(stop="(frc < 40 nm or resolution < 25 nm) in every roi", regions="a = 0,0,9,9")
    )
    assert judging is not None
    assert judging.aims.target_nm == 25
    assert list(judging.aims.regions) == ["a"]
    assert judging_of(RunConfig()) == Judging()
    assert judging_of(RunConfig(judge=False)) is None


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ({"stop": "frc < 40 nm in every roi"}, "there is none"),
        ({"stop": "frc < 40 nm", "judge": False}, "judge is off"),
        ({"stop": "speed < 3"}, "no quantity"),
        ({"regions": "a = 1,2,3"}, "region 'a = 1,2,3' is not read"),
        ({"regions": "a = 5,5,1,1"}, "region 'a = 5,5,1,1'"),
        ({"regions": "a = 0,0,1,1; a = 0,0,1,1"}, "twice"),
    ],
)
def test_what_cannot_be_judged_is_refused(said: dict[str, object], refused: str) -> None:
    with pytest.raises(InputError, match=r"stop|region") as error:
        judging_of(RunConfig(**said))  # type: ignore[arg-type]
    assert refused in str(error.value)


def test_regions_have_names_or_numbers() -> None:
    regions = read_regions("a cell = 0,10,100,200; 0,0 50,0 0,50")
    assert list(regions) == ["a cell", "roi 2"]
    assert regions["a cell"].bounds_nm == (10, 0, 200, 100)
    assert regions["roi 2"].area_nm2 == pytest.approx(1250)


def test_what_is_counted_is_judged_between_looks_too(tmp_path: Path) -> None:
    with Judged(tmp_path, "molecules > 1500 or frc < 1 nm", least_frames=0) as run:
        run.after(100)
        assert run.told == [("decision", "going on: the rule does not hold yet")]
        run.analyst._next_s = time.monotonic() + 1000
        run.log.append(100, 100, np.arange(100, 200), found(100, 100))
        run.analyst._turn()
        assert run.control.reason == "enough: molecules > 1500: 2000"
    assert [what for what, _ in run.told] == ["decision", "decision", "enough"]


def test_time_ends_a_run_in_which_nothing_is_localized(tmp_path: Path) -> None:
    with Judged(tmp_path, "time > 30 s") as run:
        run.frames = 3100  # of which none came
        run.analyst._turn()
        assert run.control.reason == "enough: time > 30 s: 31"


@pytest.mark.parametrize("rule", ["time > 20 s or frc < 1 nm", "molecules > 500"])
def test_a_rule_that_cannot_be_measured_any_more_is_an_alarm_and_counts_on(
    tmp_path: Path, rule: str
) -> None:
    with Judged(tmp_path, rule) as run:
        run.analyst.analysis._places = None  # type: ignore[assignment] # what cannot be judged
        run.log.append(0, 100, np.arange(100), found(0, 100))
        run.frames = 2100
        with run.analyst.working():
            deadline = time.monotonic() + 20
            while not run.control.stopping and time.monotonic() < deadline:
                time.sleep(0.01)
    assert run.control.stopping
    assert [what for what, _ in run.told[:2]] == ["judgement failed", "alarm"]
    assert rule in run.told[1][1]


def test_an_operators_stop_waits_for_no_judgement(tmp_path: Path) -> None:
    with Judged(tmp_path) as run:
        run.analyst.order("stop")
        assert run.control.reason == "enough: the operator said stop"


def test_looks_do_not_wait_for_what_judging_anew_has_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Judged(tmp_path) as run:
        run.analyst.analysis.aims = Aims()
        run.after(100)
        run.analyst.analysis._judged = -1
        assert run.analyst.analysis.stale
        worked, redo = [0.0], Analysis.anew

        def dear(analysis: Analysis, *given: Any) -> None:
            worked[0] += 1000.0
            redo(analysis, *given)

        monkeypatch.setattr(Analysis, "anew", dear)
        monkeypatch.setattr(time, "thread_time", lambda: worked[0])
        run.turned()
        assert worked == [1000.0]
        assert run.analyst._next_s < time.monotonic() + 10
        assert run.analyst._redo_s > time.monotonic() + 10_000


def test_the_last_word_is_by_all_molecules(tmp_path: Path) -> None:
    with Judged(tmp_path, "molecules > 1500", least_frames=0) as run:
        run.after(100)
        run.log.append(100, 100, np.arange(100, 200), found(100, 100))
        run.analyst._read()
        run.analyst._finish()
        assert not run.control.stopping
    decision = read_quality(tmp_path).said["decision"]
    assert decision["fulfilled"]
    assert not decision["stops"]
    assert run.told[-1] == ("decision", "enough: molecules > 1500: 2000")


def test_a_full_disk_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with Judged(tmp_path) as run:
        run.after(10)
        with monkeypatch.context() as patched:
            patched.setattr(QualityLog, "append", full)
            run.after(10)
            run.after(10)
        run.after(10)
    assert [what for what, _ in run.told] == ["judgement not kept"]
    assert read_quality(tmp_path).history[-1].frame == 40
