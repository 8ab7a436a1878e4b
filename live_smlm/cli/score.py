"""`live-smlm score LOCS TRUTH`: the challenge's metrics."""

from pathlib import Path
from typing import Annotated

import typer

from live_smlm.cli.words import Json, tell
from live_smlm.evaluate.score import score as score_tables
from live_smlm.store.tables import read_table


def score(
    locs: Annotated[Path, typer.Argument(help="Localizations that were found")],
    truth: Annotated[Path, typer.Argument(help="Localizations that are true")],
    *,
    radius_xy_nm: Annotated[float, typer.Option(help="Largest lateral distance of a pair")] = 250.0,
    radius_z_nm: Annotated[float, typer.Option(help="Largest axial distance of a pair")] = 500.0,
    min_photons: Annotated[
        float, typer.Option(help="Dimmer truth is neither required nor counted against")
    ] = 0.0,
    pixel_nm: Annotated[
        float | None, typer.Option("--pixel-nm", help="Needed by tables that count in pixels")
    ] = None,
    as_json: Json = False,
) -> None:
    """Score localizations against the truth, frame by frame."""
    result = score_tables(
        read_table(locs, pixel_size_nm=pixel_nm),
        read_table(truth, pixel_size_nm=pixel_nm),
        radius_xy_nm=radius_xy_nm,
        radius_z_nm=radius_z_nm,
        min_photons=min_photons,
    )
    tell(result.as_dict(), as_json=as_json)
