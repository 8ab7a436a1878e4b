"""`live-smlm queue FIELDS CONFIG`: field after field, each until its own rule is met."""

from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from live_smlm import config
from live_smlm.cli.run import acquired, interrupts
from live_smlm.cli.words import Device, Json, Laser, Regions, StopRule, console, tell
from live_smlm.config import RunConfig
from live_smlm.core import PSF, FrameSource, InputError, Stage, require
from live_smlm.session import Control, Outcome
from live_smlm.session.fields import Spot, read_spots
from live_smlm.session.judging import judging_of
from live_smlm.session.light import read_light
from live_smlm.session.plan import Part
from live_smlm.session.rounds import Row, Sheet, Values, summary, visit
from live_smlm.session.sources import opened
from live_smlm.store.quality import read_quality
from live_smlm.store.record import Finish
from live_smlm.store.run_folder import create, default_folder, fields_path

_FAILED = {Finish.ERRORED.value, Finish.CANCELED.value}


def queue(
    fields: Annotated[
        Path, typer.Argument(help="CSV with x_um, y_um of each field; also name, stop, frames")
    ],
    file: Annotated[
        Path | None, typer.Argument(help="TOML configuration; see live-smlm config --example")
    ] = None,
    *,
    source: Annotated[str | None, typer.Option(help="micromanager:key=value,… or demo:…")] = None,
    engine: Annotated[str | None, typer.Option(help="Engine or chain")] = None,
    device: Device = None,
    camera: Annotated[str | None, typer.Option(help=config.CAMERA_HELP)] = None,
    psf: Annotated[str | None, typer.Option(help=config.PSF_HELP)] = None,
    pixel_nm: Annotated[float | None, typer.Option("--pixel-nm", help="Pixel pitch, nm")] = None,
    out: Annotated[str | None, typer.Option("--out", help="Folder; each field in its own")] = None,
    stop: StopRule = None,
    regions: Regions = None,
    laser: Laser = None,
    frames: Annotated[int | None, typer.Option(help="Most frames of a field")] = None,
    seconds: Annotated[float | None, typer.Option(help="Longest time at a field")] = None,
    record: Annotated[bool | None, typer.Option(help="Keep the raw movies")] = None,
    topology: Annotated[str | None, typer.Option(help="threads, processes or none")] = None,
    as_json: Json = False,
) -> None:
    """Acquire a list of fields, each until it is good enough, and say what that has won."""
    given = {k: v for k, v in locals().items() if k not in {"fields", "file", "as_json"}}
    spots = read_spots(fields)
    chosen = config.read_config(file, given)
    plans = {spot.name: _own(chosen, spot) for spot in spots}
    folder = (
        Path(chosen.out) if chosen.out else default_folder("queue", datetime.now().astimezone())
    )
    control = Control()
    with opened(chosen) as (camera_, assumed), interrupts(control):
        stage = _stage(camera_)
        create(folder)
        sheet = Sheet(fields_path(folder))

        def done(row: Row) -> None:
            sheet.add(row)
            _tell(row)

        rows = visit(
            spots,
            lambda spot: stage.move(spot.x_um, spot.y_um),
            lambda spot: _at(spot, folder, camera_, assumed, plans[spot.name], control),
            control,
            done,
        )
    told = {"out": str(folder), **summary(rows)}
    tell(told | ({"rows": [asdict(row) for row in rows]} if as_json else {}), as_json=as_json)
    failed = len(rows) < len(spots) or any(row.finish in _FAILED for row in rows)
    raise typer.Exit(1 if failed else 0)


def _own(chosen: RunConfig, spot: Spot) -> RunConfig:
    """The configuration of one field; refused before any is acquired."""
    own = replace(chosen, stop=spot.stop or chosen.stop, frames=spot.frames or chosen.frames)
    _ = judging_of(own), read_light(own.laser)
    ends = own.stop is not None or own.frames is not None or own.seconds is not None
    require(ends, f"field {spot.name} has no end; say --stop, --frames or --seconds")
    return own


def _stage(source: FrameSource) -> Stage:
    if not isinstance(source, Stage):
        raise InputError(f"{source.info.name} has no stage; a queue needs a microscope, or demo:")
    source.position()  # refused where there is none
    return source


def _at(
    spot: Spot,
    folder: Path,
    source: FrameSource,
    psf: PSF | None,
    chosen: RunConfig,
    control: Control,
) -> tuple[Outcome, Values]:
    """Acquire one field; what came of it, and how good it was at last."""
    place = folder / spot.name
    own = replace(chosen, out=str(place))
    outcome = acquired(place, source, psf, own, Part(whole=control))
    history = read_quality(place).history
    return outcome, history[-1].values if history else {}


def _tell(row: Row) -> None:
    said: dict[str, Any] = {"frames": row.frames, "seconds": row.seconds}
    numbers = ", ".join(f"{name} {value}" for name, value in said.items())
    console.print(f"{row.name}: {row.finish}, {row.reason}; {numbers}", highlight=False)
