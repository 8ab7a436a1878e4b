"""`live-smlm train ENGINE`: from nothing to a bundle that engines run."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from live_smlm import config
from live_smlm.cli.words import Json, PixelNm, Psf, console, tell
from live_smlm.core import InputError, require
from live_smlm.core import options as option_text
from live_smlm.inference.bundle import BUNDLE

if TYPE_CHECKING:
    from live_smlm.training.trainer import Progress

Range = tuple[float, float]


def train(
    engine: Annotated[str, typer.Argument(help="Architecture: glint, decode:width=16, liteloc, …")],
    *,
    psf: Psf,
    camera: Annotated[
        list[str], typer.Option("--camera", help=f"{config.CAMERA_HELP}; may be said again")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder of the bundle to write")],
    density: Annotated[
        str, typer.Option("--density", help="Molecules per µm² and frame, LOW:HIGH")
    ] = "0.1:3",
    photons: Annotated[
        str, typer.Option("--photons", help="Of a molecule in a whole frame, LOW:HIGH")
    ] = "500:8000",
    background: Annotated[
        str, typer.Option("--background", help="Photons per pixel and frame, LOW:HIGH")
    ] = "5:30",
    z_range_nm: Annotated[
        float, typer.Option("--z-range-nm", help="Half range of z; 0: a network of the plane")
    ] = 0.0,
    pixel_nm: PixelNm = 100.0,
    steps: Annotated[int, typer.Option("--steps", help="How many; or say --minutes")] = 0,
    minutes: Annotated[float, typer.Option("--minutes", help="How long; or say --steps")] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="Of the weights and the movies")] = 0,
    check_every: Annotated[
        int, typer.Option("--check-every", help="Steps between looks at held-out movies")
    ] = 1000,
    patience: Annotated[
        int, typer.Option("--patience", help="Looks without progress that end it; 0: never")
    ] = 0,
    device: Annotated[str, typer.Option("--device", help="cpu, or a torch device")] = "cpu",
    workers: Annotated[
        int, typer.Option("--workers", help="Processes that draw movies ahead; for GPUs")
    ] = 0,
    threads: Annotated[int, typer.Option("--threads", help="Of torch on the CPU")] = 1,
    start: Annotated[
        Path | None, typer.Option("--start", help="Bundle whose weights it begins with")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="Folder; where one lies, training goes on from it"),
    ] = None,
    scored: Annotated[
        bool, typer.Option("--score/--no-score", help="Run it on the standard sets it fits")
    ] = True,
    as_json: Json = False,
) -> None:
    """Train a network on simulated movies and write it as a bundle."""
    BUNDLE.check_place(out)
    try:
        import torch  # noqa: PLC0415 - heavy, and an extra

        from live_smlm.training import finish, trainer  # noqa: PLC0415 - they import torch
        from live_smlm.training.scene import Scene  # noqa: PLC0415 - with them
    except ImportError as error:
        raise InputError(f"training needs {error.name}; pip install 'live-smlm[train]'") from error
    require(threads > 0, f"--threads is {threads}; give at least 1")
    torch.set_num_threads(threads)
    cameras = [config.chip_model(config.camera_spec(c), pixel_nm) for c in camera]
    architecture, options = option_text.parse(engine, "engine")
    scene = Scene(
        psf=config.psf(psf),
        cameras=tuple(cameras),
        density_per_um2=_range(density, "--density"),
        photons=_range(photons, "--photons"),
        background=_range(background, "--background"),
        z_nm=(-z_range_nm, z_range_nm),
    )
    training = trainer.Training(
        architecture=architecture,
        scene=scene,
        options={name: _whole(name, value) for name, value in options.items()},
        steps=steps,
        minutes=minutes,
        seed=seed,
        check_every=check_every,
        patience=patience,
        start=start,
        device=device,
        workers=workers,
    )
    folder = checkpoint or out.with_name(f"{out.name}.checkpoint")
    trained = trainer.train(training, folder, _say)
    command = "live-smlm " + shlex.join(sys.argv[1:])
    bundle = finish.finish(trained, training, out, command, scored=scored)
    manifest = bundle.manifest
    answer = {
        "bundle": str(out),
        "hash": bundle.hash,
        "steps": trained.standing.step,
        "minutes": trained.standing.seconds / 60,
        "macs_per_pixel": manifest.macs_per_pixel,
        "threshold": manifest.threshold,
        **{f"held out {k}": v for k, v in manifest.provenance["scores"]["held out"].items()},
    }
    tell(answer, as_json=as_json)


def _say(progress: "Progress") -> None:
    """A line per look, on standard error."""
    score = progress.score
    left = progress.seconds / progress.step * (progress.steps - progress.step)
    told = [
        f"step {progress.step}/{progress.steps}",
        f"{left / 60:.1f} min left",
        f"loss {progress.loss:.2f}",
        f"held out {progress.held_out_loss:.2f}",
        f"Jaccard {_shown(score.jaccard, 3)}",
        f"RMSE {_shown(score.rmse_lateral_nm, 1)} nm",
    ]
    if score.rmse_axial_nm is not None:
        told.append(f"axial {_shown(score.rmse_axial_nm, 1)} nm")
    console.print(", ".join(told), highlight=False)


def _shown(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _range(text: str, option: str) -> Range:
    low, _, high = text.partition(":")
    try:
        return float(low), float(high or low)
    except ValueError:
        raise InputError(f"{option} is {text!r}; write LOW:HIGH, for example 0.1:3") from None


def _whole(name: str, value: str) -> int:
    require(value.isdecimal(), f"architecture option {name} is {value!r}; give a whole number")
    return int(value)
