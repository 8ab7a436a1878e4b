"""A run into a folder: localizations, raw movie, record and events, written as it goes."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from live_smlm.core import (
    STILL,
    CameraModel,
    DriftCurve,
    EngineContext,
    FrameSource,
    StreamInfo,
    require,
)
from live_smlm.engines import registry
from live_smlm.engines.chain import Chain
from live_smlm.feedback.density_settings import DensitySettings
from live_smlm.pipeline.collector import Watcher
from live_smlm.pipeline.desk import Archive
from live_smlm.pipeline.dispatcher import Overload
from live_smlm.pipeline.outcomes import Event, Localized
from live_smlm.session import doors
from live_smlm.session.analyst import Analyst
from live_smlm.session.check import check
from live_smlm.session.device import told
from live_smlm.session.judging import Judging, analyst_of
from live_smlm.session.laser import LaserControl, laser_control
from live_smlm.session.layers import Layers
from live_smlm.session.light import Lit
from live_smlm.session.plan import Control, Outcome, RunPlan
from live_smlm.session.predictor import Predicting, Predictor, check_predictor, predictor_of
from live_smlm.session.run import Session
from live_smlm.session.snapshot import Snapshot, drawing
from live_smlm.store.log import LocalizationLog
from live_smlm.store.quality import QualityLog
from live_smlm.store.raw import RawRecorder
from live_smlm.store.record import About, EventLog, FrameCounts, Progress, RunRecord
from live_smlm.store.run_folder import create, raw_folder, snapshot_path

_EVERY_S = 0.5


@dataclass(slots=True)
class _Scribe:
    """A watcher that keeps the record; a full disk does not stop it, nor is it stopped."""

    record: RunRecord
    events: EventLog
    session: Session | None = None
    written_s: float = 0.0
    unwritten: int = 0
    """Events that the disk did not take."""

    def frames(self, localized: Localized) -> None:
        """The log has them already."""

    def event(self, event: Event) -> None:
        """Into the event log."""
        try:
            self.events.append(event.what, event.at_s, detail=event.detail)
        except OSError:
            self.unwritten += 1

    def tick(self) -> None:
        """Into the record, now and then."""
        now = time.monotonic()
        if self.session is None or now - self.written_s < _EVERY_S:
            return
        self.written_s = now
        state = self.session.state()
        counts = {name: state[name] for name in FrameCounts.__dataclass_fields__}
        try:
            self.record.update(
                Progress(
                    frames=FrameCounts(**counts),
                    molecules=state["molecules"],
                    trust=state["trust"],
                )
            )
        except OSError:
            self.unwritten += 1


@dataclass(slots=True)
class _Keeper:
    """What the folder gets at a run's beginning and at its end."""

    folder: Path
    scribe: _Scribe
    held: ExitStack
    """Closed when the run's doors are."""
    analyst: Analyst | None = None
    lamp: LaserControl | None = None
    snapshot: Snapshot | None = None
    every_s: float = 0.0
    layers: Layers | None = None
    predictor: Predictor | None = None
    _beside: ExitStack = field(default_factory=ExitStack)
    """What goes on while frames come: drawing and judging."""

    def begin(self, running: Session) -> None:
        """Tell where the run can be watched; begin to draw and to judge."""
        self.scribe.session = running
        for part in (*self.beside, self.layers, self.predictor):
            if part is not None:
                part.tell = running.tell
        self.held.callback(doors.forget, self.folder)
        doors.tell(self.folder, running.doors)
        running.tell("started", f"status stream at {running.status_address}")
        self.held.push(self._beside)
        if self.snapshot is not None:
            self._beside.enter_context(drawing(self.snapshot, self.every_s, running.tell))
        if self.layers is not None:
            self._beside.enter_context(self.layers.kept())
        if self.predictor is not None:
            self._beside.enter_context(self.predictor.working())
        if self.analyst is not None:
            self.analyst.seconds = running.seconds
            if self.analyst.recentre is not None:
                self.analyst.recentre.captured = running.captured
            self._beside.enter_context(self.analyst.working())

    def draw(self, archive: Archive, camera: CameraModel, every_s: float) -> None:
        """Have the picture drawn while the run goes on."""
        self.snapshot = Snapshot(snapshot_path(self.folder), archive, camera, drift=self.curve)
        self.every_s = every_s

    @property
    def beside(self) -> list[Analyst | LaserControl]:
        """Who goes along with the run, tells of itself and takes orders."""
        return [part for part in (self.analyst, self.lamp) if part is not None]

    def told(self) -> dict[str, Any]:
        """What they say of this moment."""
        parts = (*self.beside, *(() if self.layers is None else (self.layers,)))
        return {name: value for part in parts for name, value in part.told().items()}

    def orders(self) -> dict[str, Callable[[str], None]]:
        """What they may be ordered."""
        return {name: take for part in self.beside for name, take in part.orders().items()}

    def curve(self) -> DriftCurve:
        """How the sample has wandered, as far as it is known."""
        return STILL if self.analyst is None else self.analyst.analysis.curve

    def end(self, outcome: Outcome) -> None:
        """Complete picture, judgement, events and record."""
        for part in (self.analyst, self.layers, self.predictor):
            if part is not None:  # the run's own ears are closed by now
                part.tell = lambda what, detail: self.scribe.event(Event(what, detail))
        self._beside.close()
        if self.snapshot is not None and (why := self.snapshot.finish()) is not None:
            self.scribe.event(Event("snapshot failed", why))
        self.scribe.event(Event(outcome.finish.value, outcome.reason))
        progress = progress_of(outcome)
        if self.analyst is not None:
            progress = replace(progress, quality=self.analyst.verdict())
        self.scribe.record.end(outcome.finish, outcome.reason, progress)


def run_into(
    folder: Path,
    source: FrameSource,
    plan: RunPlan,
    config: dict[str, Any],
    *,
    record_raw: bool,
    control: Control,
    watchers: tuple[Watcher, ...] = (),
    started: Callable[[Session], None] = lambda _: None,
    snapshot_every_s: float | None = None,
    judging: Judging | None = None,
    light: DensitySettings | None = None,
    predicting: Predicting | None = None,
) -> Outcome:
    """Run, and leave a folder that tells everything, however the run ends."""
    info = source.info
    require(
        record_raw or plan.overload is not Overload.DEFER,
        "overload rule 'defer' needs the raw movie to be recorded; add --record or choose thin",
    )
    ready = check(info, plan, registry.chain, recorded=record_raw)
    lamp = None if light is None else laser_control(source, light, ready.scope.envelope)
    oracle = None if predicting is None else _oracle(predicting, plan, info.camera)
    create(folder)
    with ExitStack() as held:
        record = held.enter_context(RunRecord(folder, _about(plan, info, config, ready.models)))
        events = held.enter_context(EventLog(folder))
        log = held.enter_context(LocalizationLog(folder))
        raw = (
            held.enter_context(RawRecorder(raw_folder(folder), info.camera)) if record_raw else None
        )
        scribe = _Scribe(record, events)
        analyst = None
        if judging is not None:
            quality = held.enter_context(QualityLog(folder))
            alone = ready.scope.alone
            analyst = analyst_of(judging, source, log, quality, control, alone=alone)
        keeper = _Keeper(folder, scribe, held, analyst, lamp)
        if snapshot_every_s is not None:
            keeper.draw(log, info.camera, snapshot_every_s)

        keeper.layers = Layers(folder, plan.engine.partition(":")[0])
        if predicting is not None and oracle is not None:
            keeper.predictor = predictor_of(
                predicting, oracle, plan, info.camera, log, keeper.layers, keeper.curve
            )

        def begun(running: Session) -> None:
            keeper.begin(running)
            started(running)

        return Session(
            source if lamp is None else Lit(source, lamp),
            plan,
            log,
            raw=raw,
            watchers=(scribe, keeper.layers, *(() if lamp is None else (lamp,)), *watchers),
            control=control,
            started=begun,
            ended=keeper.end,
            name=folder.name,
            archive=log,
            drift=keeper.curve,
            more=keeper.told,
            layer=keeper.layers.shown,
            orders=keeper.orders(),
        ).run()


def _oracle(predicting: Predicting, plan: RunPlan, camera: CameraModel) -> Chain:
    """The engine that is to predict, if it can."""
    engine = registry.chain(predicting.engine)
    check_predictor(engine, EngineContext(camera=camera, psf=plan.psf))
    return engine


def _about(
    plan: RunPlan, info: StreamInfo, config: dict[str, Any], models: Mapping[str, object]
) -> About:
    return About(
        engine=plan.engine,
        device=told(plan),
        source=info.name,
        simulated=info.simulated,
        config=config,
        camera=info.camera.describe(),
        models=models,
    )


def progress_of(outcome: Outcome) -> Progress:
    """What came of a run, in the words of its record."""
    tally = outcome.tally
    return Progress(
        frames=FrameCounts(
            captured=tally.captured,
            localized=tally.localized,
            deferred=tally.deferred,
            shed=tally.shed,
            lost=tally.lost,
        ),
        molecules=outcome.molecules,
        latency_ms={k: v for k, v in outcome.latency_ms.items() if v is not None},
        rate_mpx_s=outcome.rate_mpx_s,
        deferred=tuple(outcome.deferred),
        shed=tuple(outcome.shed),
        trust=outcome.trust,
    )
