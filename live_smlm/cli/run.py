"""`live-smlm run`: from camera (or movie) to localizations on disk, every frame accounted for."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from live_smlm import config
from live_smlm.cli.progress import progress
from live_smlm.cli.view import check_screen, window_beside
from live_smlm.cli.web import page_beside
from live_smlm.cli.words import (
    Desk,
    Device,
    Json,
    Laser,
    OpenWindow,
    Predict,
    PredictEvery,
    Regions,
    Shadow,
    SnapshotEvery,
    StopDryRun,
    StopRule,
    Web,
    WebControl,
    WebHost,
    console,
    tell,
    trust_words,
)
from live_smlm.config import RunConfig
from live_smlm.core import PSF, FrameSource, InputError
from live_smlm.engines import registry
from live_smlm.pipeline.dispatcher import Overload
from live_smlm.session import Control, Outcome, RunPlan, Session, Topology
from live_smlm.session.device import choose, told
from live_smlm.session.folder import run_into
from live_smlm.session.judging import judging_of
from live_smlm.session.light import read_light
from live_smlm.session.predictor import Predicting
from live_smlm.session.sources import opened
from live_smlm.store.record import Finish
from live_smlm.store.run_folder import default_folder
from live_smlm.transport.endpoints import read_keys

EXIT = {Finish.COMPLETED: 0, Finish.STOPPED: 0, Finish.CANCELED: 130, Finish.ERRORED: 1}
_ONE_PRESS_S = 0.05
"""Who signals a process and its group, as `timeout` does, signals twice but means it once."""


def run(
    file: Annotated[
        Path | None, typer.Argument(help="TOML configuration; see live-smlm config --example")
    ] = None,
    *,
    source: Annotated[
        str | None, typer.Option(help="demo, simulated, micromanager (each :key=value,…), a movie")
    ] = None,
    engine: Annotated[str | None, typer.Option(help="Engine or chain")] = None,
    device: Device = None,
    camera: Annotated[str | None, typer.Option(help=config.CAMERA_HELP)] = None,
    psf: Annotated[str | None, typer.Option(help=config.PSF_HELP)] = None,
    pixel_nm: Annotated[float | None, typer.Option("--pixel-nm", help="Pixel pitch, nm")] = None,
    out: Annotated[str | None, typer.Option("--out", help="Folder of the run")] = None,
    frames: Annotated[int | None, typer.Option(help="End after so many frames")] = None,
    seconds: Annotated[float | None, typer.Option(help="End after so many seconds")] = None,
    stop: StopRule = None,
    stop_dry_run: StopDryRun = None,
    regions: Regions = None,
    laser: Laser = None,
    judge: Annotated[
        bool | None, typer.Option(help="Say live how good the picture is, and what is to come")
    ] = None,
    drift: Annotated[bool | None, typer.Option(help="Look for drift, and take it off")] = None,
    record: Annotated[bool | None, typer.Option(help="Keep the raw movie")] = None,
    shadow: Shadow = None,
    overload: Annotated[str | None, typer.Option(help="wait, defer, thin or fallback")] = None,
    fallback: Annotated[str | None, typer.Option(help="Faster engine")] = None,
    predict: Predict = None,
    predict_every: PredictEvery = None,
    topology: Annotated[str | None, typer.Option(help="threads, processes or none")] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes")] = None,
    lanes: Annotated[int | None, typer.Option(help="Engine lanes per worker")] = None,
    ring_mb: Annotated[float | None, typer.Option(help="Memory for frames, MB")] = None,
    chunk_frames: Annotated[int | None, typer.Option(help="Most frames per chunk")] = None,
    listen: Annotated[str | None, typer.Option(help="tcp://host:port for remote workers")] = None,
    keys: Annotated[str | None, typer.Option(help="Folder of keys")] = None,
    status: Annotated[str | None, typer.Option(help="Address of the status stream")] = None,
    desk: Desk = None,
    snapshot_every: SnapshotEvery = None,
    web: Web = None,
    web_host: WebHost = None,
    web_control: WebControl = None,
    window: OpenWindow = False,
    as_json: Json = False,
) -> None:
    """Run an acquisition (or a movie) through an engine, live."""
    given = {k: v for k, v in locals().items() if k not in {"file", "as_json", "window"}}
    answer = run_config(config.read_config(file, given), window=window)
    tell(answer, as_json=as_json)
    raise typer.Exit(EXIT[Finish(answer["finish"])])


def run_config(
    chosen: RunConfig,
    wrap: Callable[[FrameSource], FrameSource] = lambda source: source,
    *,
    window: bool = False,
) -> dict[str, Any]:
    """Run what a configuration says; the summary that the commands print."""
    if window:
        check_screen()
    _ = judging_of(chosen), read_light(chosen.laser)  # refused before any device is touched
    now = datetime.now().astimezone()
    folder = Path(chosen.out) if chosen.out else default_folder(chosen.engine, now)
    control = Control()
    with opened(chosen) as (source, psf), interrupts(control):
        outcome = acquired(folder, wrap(source), psf, chosen, control, window=window)
        device = told(plan_of(chosen, psf, can_wait=source.info.can_wait))
    return {**summary(folder, outcome), "device": device}


def acquired(
    folder: Path,
    source: FrameSource,
    psf: PSF | None,
    chosen: RunConfig,
    control: Control,
    *,
    window: bool = False,
) -> Outcome:
    """Run what a configuration says with its source, which is open already."""
    judging = judging_of(chosen)
    plan = plan_of(chosen, psf, can_wait=source.info.can_wait)
    with progress(chosen.frames) as line, ExitStack() as beside:

        def started(session: Session) -> None:
            line.state = session.state
            where = session.doors
            console.print(
                f"watch with: live-smlm watch {folder}  (or {where.status}, desk {where.desk})",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
            beside.enter_context(page_beside(folder, chosen))
            if window:
                window_beside(folder)

        return run_into(
            folder,
            source,
            plan,
            chosen.as_dict(),
            record_raw=chosen.record,
            control=control,
            watchers=(line,),
            started=started,
            snapshot_every_s=chosen.snapshot_every,
            judging=judging,
            light=read_light(chosen.laser),
            predicting=predicting_of(chosen),
        )


def predicting_of(chosen: RunConfig) -> Predicting | None:
    """Who predicts, as the configuration says."""
    if chosen.predict is None:
        return None
    return Predicting(engine=chosen.predict, every_s=chosen.predict_every)


def plan_of(chosen: RunConfig, psf: PSF | None, *, can_wait: bool) -> RunPlan:
    """The plan that a configuration means."""
    device, why = choose(chosen.device, registry.chain(chosen.engine).spec.devices)
    return RunPlan(
        engine=chosen.engine,
        psf=psf,
        device=device,
        device_why=why,
        shadow=chosen.shadow,
        fallback=chosen.fallback,
        topology=_of(Topology, chosen.topology, "topology"),
        workers=chosen.workers,
        lanes=chosen.lanes,
        ring_mb=chosen.ring_mb,
        chunk_frames=chosen.chunk_frames,
        overload=_overload(chosen, can_wait=can_wait),
        most_frames=chosen.frames,
        most_seconds=chosen.seconds,
        listen=() if chosen.listen is None else (chosen.listen,),
        status=chosen.status,
        desk=chosen.desk,
        keys=None if chosen.keys is None else read_keys(Path(chosen.keys), "hub"),
    )


def summary(folder: Path, outcome: Outcome) -> dict[str, Any]:
    """What the run came to, in one flat table."""
    tally = outcome.tally
    return {
        "finish": outcome.finish.value,
        "reason": outcome.reason,
        "captured": tally.captured,
        "localized": tally.localized,
        "deferred": tally.deferred,
        "shed": tally.shed,
        "lost": tally.lost,
        "molecules": outcome.molecules,
        "trust": trust_words(outcome.trust),
        "latency_ms_p50": outcome.latency_ms["p50"],
        "latency_ms_p99": outcome.latency_ms["p99"],
        "rate_mpx_s": round(outcome.rate_mpx_s, 3),
        "seconds": round(outcome.seconds, 3),
        "out": str(folder),
    }


@contextmanager
def interrupts(control: Control) -> Iterator[None]:
    """Ctrl-C drains; a second one aborts, also where the end had come. Both leave a valid run."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    first_s: list[float] = []

    def pressed(number: int, _frame: object) -> None:
        name, now = signal.Signals(number).name, time.monotonic()
        if not first_s:
            first_s.append(now)
            control.stop(name)
        elif now - first_s[0] > _ONE_PRESS_S:
            control.abort(f"{name}, twice")

    before = {number: signal.signal(number, pressed) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _overload(chosen: RunConfig, *, can_wait: bool) -> Overload:
    if chosen.overload is not None:
        named: Overload = _of(Overload, chosen.overload, "overload")
        return named
    if can_wait:
        return Overload.WAIT
    return Overload.DEFER if chosen.record else Overload.THIN


def _of(kind: Any, word: str, what: str) -> Any:
    try:
        return kind(word)
    except ValueError:
        known = ", ".join(member.value for member in kind)
        raise InputError(f"{what} is {word!r}; choose one of {known}") from None
