"""`live-smlm convert` and `live-smlm info`: what a run or another program left on disk."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from live_smlm.cli.words import Json, TakeDriftOff, tell
from live_smlm.core import FrameBatch, require
from live_smlm.sources.movie import Movie
from live_smlm.sources.recorded import open_movie
from live_smlm.store.convert import convert as convert_table
from live_smlm.store.info import describe_run
from live_smlm.store.movies import check_movie_writable, write_tiff

_MOVIE_ENDINGS = {".tif", ".tiff"}
_BATCH_FRAMES = 32


def convert(
    source: Annotated[Path, typer.Argument(help="Table, folder of a run, or movie")],
    target: Annotated[Path, typer.Argument(help="Table, or .tif for a movie")],
    *,
    pixel_nm: Annotated[
        float | None, typer.Option("--pixel-nm", help="For formats that count in pixels")
    ] = None,
    table_format: Annotated[
        str | None, typer.Option("--format", help="Where the ending leaves a choice")
    ] = None,
    drift: TakeDriftOff = False,
    as_json: Json = False,
) -> None:
    """Write a table as another kind of table, or any movie as TIFF."""
    if target.suffix.lower() in _MOVIE_ENDINGS:
        require(not drift, f"--drift moves molecules, and {target} is a movie; drop it")
        tell({"frames": _movie(source, target), "written": str(target)}, as_json=as_json)
        return
    count = convert_table(
        source, target, pixel_size_nm=pixel_nm, table_format=table_format, drift=drift
    )
    tell({"molecules": count, "written": str(target)}, as_json=as_json)


def _movie(source: Path, target: Path) -> int:
    check_movie_writable(target)
    with open_movie(source) as movie:
        return write_tiff(target, _batches(movie), most_frames=movie.frames)


def _batches(movie: Movie) -> Iterator[FrameBatch]:
    for first in range(0, movie.frames, _BATCH_FRAMES):
        pixels = movie.read(first, min(first + _BATCH_FRAMES, movie.frames))
        index = np.arange(first, first + len(pixels))
        yield FrameBatch(pixels, index, np.full(len(pixels), np.nan))


def info(
    folder: Annotated[Path, typer.Argument(help="Folder of a run")], *, as_json: Json = False
) -> None:
    """Say how a run went: its record, and what is on the disk."""
    said = describe_run(folder)
    if as_json:
        print(json.dumps(said))  # noqa: T201 - the command line speaks
        return
    tell(dict(_flat(said)), as_json=False)


def _flat(said: dict[str, Any], before: str = "") -> list[tuple[str, object]]:
    """Nested values by dotted names."""
    rows: list[tuple[str, object]] = []
    for name, value in said.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{before}{name}.")
        else:
            rows.append((before + name, value))
    return rows
