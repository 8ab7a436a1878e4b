"""`live-smlm localize MOVIE`: a recorded movie through an engine to a table."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from live_smlm import config
from live_smlm.cli.words import Camera, Json, PixelNm, Threads, console, lanes, tell
from live_smlm.core import (
    Engine,
    EngineContext,
    FrameBatch,
    FrameSource,
    Localizations,
    concatenate,
    require,
)
from live_smlm.engines import registry
from live_smlm.pipeline import offline
from live_smlm.sources.recorded import RecordedSource
from live_smlm.store.tables import check_writable, write_table

CHUNK_FRAMES = 16


def localize(
    movie: Annotated[Path, typer.Argument(help="TIFF file or folder of TIFF files")],
    *,
    camera: Camera,
    psf: Annotated[str | None, typer.Option("--psf", help=config.PSF_HELP)] = None,
    engine: Annotated[
        str, typer.Option("--engine", help="name, name:option=value,… or a chain one+two")
    ] = registry.DEFAULT,
    pixel_nm: PixelNm = 100.0,
    out: Annotated[
        Path | None, typer.Option("--out", help="Table; the ending tells its format")
    ] = None,
    threads: Threads = 0,
    as_json: Json = False,
) -> None:
    """Find the molecules of every frame of a movie."""
    if out is not None:
        check_writable(out)
    spec = config.camera_spec(camera)
    source = RecordedSource(movie, lambda shape: config.camera_model(spec, shape, pixel_nm))
    context = EngineContext(camera=source.info.camera, psf=None if psf is None else config.psf(psf))
    chain = registry.chain(engine)
    require(
        chain.spec.consumes is FrameBatch and chain.spec.produces is Localizations,
        f"engine {engine!r} is {chain.spec.arrow}; localize needs FrameBatch -> Localizations",
    )
    found, seconds = through(source, chain, context, threads)
    if out is not None:
        write_table(out, found, pixel_size_nm=pixel_nm)
    frames = source.info.expected_frames or 0
    pixels = frames * context.camera.shape[0] * context.camera.shape[1]
    answer = {
        "molecules": len(found),
        "frames": frames,
        "seconds": round(seconds, 4),
        "Mpixel/s": round(pixels / seconds / 1e6, 3),
    }
    tell(answer, as_json=as_json)


def through(
    source: FrameSource,
    engine: Engine[FrameBatch, Any],
    context: EngineContext,
    threads: int = 0,
    seen: Callable[[FrameBatch], None] | None = None,
) -> tuple[Localizations, float]:
    """All molecules of a source, in frame order, and the seconds it took.

    `seen` is shown every chunk once, in order.
    """
    started = time.perf_counter()
    answers = offline.run(source, engine, context, lanes=lanes(threads), chunk_frames=CHUNK_FRAMES)
    parts: list[Localizations] = []
    with _progress(source.info.expected_frames) as advance:
        for chunk, found in answers:
            parts.append(found)
            if seen is not None:
                seen(chunk)
            advance(chunk.core.stop - chunk.core.start)
    return concatenate(parts), time.perf_counter() - started


@contextmanager
def _progress(frames: int | None) -> Iterator[Any]:
    """A bar on standard error where somebody is watching."""
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("frames", total=frames)
        yield lambda done: bar.advance(task, done)
