"""`live-smlm calibrate STACK`: a stack of beads becomes a PSF file."""

import math
from pathlib import Path
from typing import Annotated

import typer

from live_smlm import config
from live_smlm.calibration.astigmatic import calibrate_astigmatic
from live_smlm.calibration.spline import calibrate_spline
from live_smlm.cli.words import Camera, Json, PixelNm, tell
from live_smlm.core import require
from live_smlm.physics.psf.files import check_saved, save
from live_smlm.sources.recorded import movie_shape, open_movie


def calibrate(
    stack: Annotated[Path, typer.Argument(help="TIFF stack of beads, one plane per z")],
    *,
    camera: Camera,
    out: Annotated[Path, typer.Option("--out", help=".toml (astigmatic) or .h5 (spline)")],
    z_step_nm: Annotated[
        float,
        typer.Option("--z-step-nm", help="Between planes; negative if z falls along the stack"),
    ],
    kind: Annotated[str, typer.Option("--kind", help="astigmatic or spline")] = "spline",
    z_first_nm: Annotated[
        float | None,
        typer.Option("--z-first-nm", help="z of the first plane; else 0 is the sharpest (spline)"),
    ] = None,
    pixel_nm: PixelNm = 100.0,
    as_json: Json = False,
) -> None:
    """Measure the PSF from beads."""
    require(kind in {"astigmatic", "spline"}, f"--kind is {kind!r}; choose astigmatic or spline")
    require(
        z_first_nm is None or kind == "spline",
        f"--z-first-nm is {z_first_nm} but an astigmatic curve fits its own zero; leave it out",
    )
    require(
        z_first_nm is None or math.isfinite(z_first_nm),
        f"--z-first-nm is {z_first_nm}; give nm, or leave it out",
    )
    check_saved(out, ".toml" if kind == "astigmatic" else ".h5")
    model = config.camera_model(config.camera_spec(camera), movie_shape(stack), pixel_nm)
    with open_movie(stack) as movie:
        planes = movie.read(0, movie.frames)
    if kind == "astigmatic":
        curves = calibrate_astigmatic(planes, model, z_step_nm)
        save(curves.psf, out)
        residual_x, residual_y = curves.residuals(500.0)
        answer = {**curves.psf.describe(), "rms_x": residual_x, "rms_y": residual_y}
    else:
        spline = calibrate_spline(planes, model, z_step_nm, z_first_nm=z_first_nm)
        save(spline.psf, out)
        answer = {**spline.psf.describe(), "beads": len(spline.beads.found)}
    tell(answer, as_json=as_json)
