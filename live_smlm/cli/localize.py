"""`live-smlm localize MOVIE`: a recorded movie through an engine to a table."""

from pathlib import Path
from typing import Annotated

import typer

from live_smlm import config
from live_smlm.cli.progress import progress
from live_smlm.cli.words import (
    Camera,
    Device,
    Json,
    PixelNm,
    Shadow,
    Threads,
    lanes,
    tell,
    trust_words,
)
from live_smlm.engines import registry
from live_smlm.session import RunPlan
from live_smlm.session.device import AUTO, choose, told
from live_smlm.session.memory import run_in_memory
from live_smlm.sources.recorded import RecordedSource
from live_smlm.store.tables import check_writable, write_table

RING_MB = 128.0


def localize(
    movie: Annotated[
        Path, typer.Argument(help="TIFF, NDTiff, OME-Zarr, Picasso raw, or a folder of TIFFs")
    ],
    *,
    camera: Camera,
    psf: Annotated[str | None, typer.Option("--psf", help=config.PSF_HELP)] = None,
    engine: Annotated[
        str, typer.Option("--engine", help="name, name:option=value,… or a chain one+two")
    ] = registry.DEFAULT,
    device: Device = None,
    pixel_nm: PixelNm = 100.0,
    out: Annotated[
        Path | None, typer.Option("--out", help="Table; the ending tells its format")
    ] = None,
    shadow: Shadow = None,
    threads: Threads = 0,
    as_json: Json = False,
) -> None:
    """Find the molecules of every frame of a movie."""
    if out is not None:
        check_writable(out)
    spec = config.camera_spec(camera)
    source = RecordedSource(movie, lambda shape: config.camera_model(spec, shape, pixel_nm))
    model = None if psf is None else config.psf(psf)
    at, why = choose(device or AUTO, registry.chain(engine).spec.devices)
    plan = RunPlan(
        engine=engine,
        psf=model,
        device=at,
        device_why=why,
        shadow=shadow is not False,
        lanes=lanes(threads),
        ring_mb=RING_MB,
    )
    with progress(source.info.expected_frames) as bar:
        found, outcome = run_in_memory(source, plan, (bar,))
    if out is not None:
        write_table(out, found, pixel_size_nm=pixel_nm)
    answer = {
        "molecules": len(found),
        "frames": outcome.tally.localized,
        "seconds": round(outcome.seconds, 4),
        "Mpixel/s": round(outcome.rate_mpx_s, 3),
        "device": told(plan),
        "trust": trust_words(outcome.trust),
    }
    tell(answer, as_json=as_json)
