"""`live-smlm simulate`: a movie whose every molecule is known."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from live_smlm import config
from live_smlm.cli.words import Json, PixelNm, Seed, tell
from live_smlm.core import CameraModel, FrameBatch, Localizations, concatenate, require
from live_smlm.physics.blinking import BLINKINGS
from live_smlm.physics.dispersion import side_channel, with_side
from live_smlm.physics.drift import DRIFTS
from live_smlm.physics.scenario import Scenario
from live_smlm.physics.simulator import Simulator
from live_smlm.physics.specimens import SPECIMENS
from live_smlm.physics.spectra import DYES
from live_smlm.store.movies import check_movie_writable, write_tiff
from live_smlm.store.tables import check_writable, write_table

CAMERA = "scmos:offset_adu=100,gain_e_per_adu=1,read_noise_e=1.6,qe=1"
PSF = "gaussian:sigma_nm=130"


def simulate(
    *,
    out: Annotated[Path, typer.Option("--out", help="Movie to write, .tif")],
    truth: Annotated[
        Path | None, typer.Option("--truth", help="Table of the true molecules to write")
    ] = None,
    frames: Annotated[int, typer.Option("--frames", help="How many")] = 100,
    size: Annotated[str, typer.Option("--size", help="ROWSxCOLUMNS, pixels")] = "128x128",
    density: Annotated[
        float, typer.Option("--density", help="Molecules visible per µm² and frame")
    ] = 0.1,
    photons: Annotated[
        float, typer.Option("--photons", help="Mean photons of a molecule in a whole frame")
    ] = 1000.0,
    photons_spread: Annotated[
        float, typer.Option("--photons-spread", help="Log-normal sigma between molecules")
    ] = 0.0,
    background: Annotated[
        float, typer.Option("--background", help="Photons per pixel and frame")
    ] = 10.0,
    background_amplitude: Annotated[
        float,
        typer.Option("--background-amplitude", help="Its largest deviation, relative, below 1"),
    ] = 0.0,
    background_scale_nm: Annotated[
        float, typer.Option("--background-scale-nm", help="Size of its structures")
    ] = 2000.0,
    psf: Annotated[str, typer.Option("--psf", help=config.PSF_HELP)] = PSF,
    camera: Annotated[str, typer.Option("--camera", help=config.CAMERA_HELP)] = CAMERA,
    pixel_nm: PixelNm = 100.0,
    specimen: Annotated[
        str, typer.Option("--specimen", help=f"One of {', '.join(SPECIMENS)}")
    ] = "uniform",
    blinking: Annotated[
        str, typer.Option("--blinking", help=f"One of {', '.join(BLINKINGS)}")
    ] = "single",
    on_frames: Annotated[
        float, typer.Option("--on-frames", help="Mean length of a blink, frames")
    ] = 3.0,
    bleaching: Annotated[
        float | None,
        typer.Option("--bleaching", help="Frames in which the pool of four-state falls to 1 / e"),
    ] = None,
    z_range_nm: Annotated[
        float, typer.Option("--z-range-nm", help="Half range of the molecules' z")
    ] = 0.0,
    drift: Annotated[
        str | None, typer.Option("--drift", help=f"kind:key=value,… of {', '.join(DRIFTS)}")
    ] = None,
    dyes: Annotated[
        str | None,
        typer.Option(
            "--dyes",
            help=f"With / between them of {', '.join(DYES)}, or two: each labels a specimen of its "
            "own, and is spread out in a side channel right of the image",
        ),
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Simulate a movie and the truth that goes with it."""
    require(frames > 0, f"--frames is {frames}; give at least 1")
    check_movie_writable(out)
    if truth is not None:
        check_writable(truth)
    scenario = Scenario(
        camera=_camera(camera, size, pixel_nm, dispersed=dyes is not None),
        psf=config.psf(psf),
        density=density,
        photons=photons,
        photons_spread=photons_spread,
        background=background,
        background_amplitude=background_amplitude,
        background_scale_nm=background_scale_nm,
        specimen=specimen,
        blinking=blinking,
        on_frames=on_frames,
        bleaching=bleaching,
        z_range_nm=z_range_nm,
        drift=config.drift(drift),
        dyes=dyes,
        seed=seed,
    )
    simulator = scenario.simulator()
    started = time.perf_counter()
    known = _write(simulator, frames, out)
    if truth is not None:
        write_table(truth, known, pixel_size_nm=pixel_nm, shape=simulator.camera.shape)
    seconds = time.perf_counter() - started
    tell({"frames": frames, "molecules": len(known), "seconds": round(seconds, 3)}, as_json=as_json)


def _camera(text: str, size: str, pixel_nm: float, *, dispersed: bool) -> CameraModel:
    """The camera that is said; with a side channel beside the image where dyes need one."""
    spec, shape = config.camera_spec(text), config.image_shape(size)
    if not dispersed or spec.side_rows is not None:
        return config.camera_model(spec, shape, pixel_nm)
    whole = with_side(shape)
    return replace(config.camera_model(spec, whole, pixel_nm), side=side_channel(whole))


def _write(simulator: Simulator, frames: int, out: Path) -> Localizations:
    """Stream the movie to disk; the truth is small enough to be kept."""
    known: list[Localizations] = []

    def batches() -> Iterator[FrameBatch]:
        for batch, true in simulator.stream(frames):
            known.append(true)
            yield batch

    write_tiff(out, batches(), camera=simulator.camera, most_frames=frames)
    return concatenate(known)
