"""`live-smlm demo`: the whole way from photons to a picture, with known truth."""

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from live_smlm.cli.localize import through
from live_smlm.cli.words import Json, Seed, Threads, tell
from live_smlm.core import (
    F64,
    CameraModel,
    EngineContext,
    FrameBatch,
    Localizations,
    concatenate,
    require,
)
from live_smlm.core.files import replacing
from live_smlm.engines import registry
from live_smlm.evaluate.score import score
from live_smlm.physics.psf.gaussian import GaussianPSF
from live_smlm.physics.scenario import Scenario
from live_smlm.render.picture import Rgb, colour, enlarged, save, side_by_side, with_scale_bar
from live_smlm.render.splat import splat
from live_smlm.sources.simulated import SimulatedSource
from live_smlm.store.tables import write_table

ENLARGEMENT = 8
MIN_PHOTONS = 200.0
"""Dimmer truth (first and last frames of a blink) is not asked for in the demo's score."""


def demo(
    *,
    frames: Annotated[int, typer.Option("--frames", help="How many to simulate")] = 5000,
    out: Annotated[Path, typer.Option("--out", help="Folder for the results")] = Path("runs/demo"),
    seed: Seed = 1,
    threads: Threads = 0,
    as_json: Json = False,
) -> None:
    """Simulate microtubules, localize their blinking molecules, write the picture."""
    require(frames > 0, f"--frames is {frames}; give at least 1")
    out.mkdir(parents=True, exist_ok=True)
    camera = CameraModel(shape=(96, 96), pixel_size_nm=100.0, read_noise_e=1.6)
    psf = GaussianPSF(130.0)
    scenario = Scenario(
        camera=camera,
        psf=psf,
        specimen="filaments",
        blinking="exponential",
        density=0.15,
        photons=1500.0,
        photons_spread=0.3,
        seed=seed,
    )
    source = SimulatedSource(scenario.simulator(), frames)
    context = EngineContext(camera=camera, psf=psf)
    summed = np.zeros(camera.shape)

    def add(chunk: FrameBatch) -> None:
        np.add(summed, chunk.pixels[chunk.core].sum(axis=0), out=summed)

    found, seconds = through(source, registry.chain(registry.DEFAULT), context, threads, add)
    truth = concatenate(source.truth)
    scored = score(found, truth, min_photons=MIN_PHOTONS).as_dict()
    answer = {"molecules": len(found), "frames": frames, "seconds": round(seconds, 3), **scored}
    write_table(out / "localizations.csv", found)
    write_table(out / "truth.csv", truth)
    save(out / "picture.png", _picture(summed, found, camera))
    with replacing(out / "summary.json") as draft:
        draft.write_text(json.dumps(answer, indent=1), encoding="utf-8")
    tell({**answer, "written": str(out)}, as_json=as_json)


def _picture(summed: F64, found: Localizations, camera: CameraModel) -> Rgb:
    """What a microscope without localization sees, beside what the molecules tell."""
    fine_nm = camera.pixel_size_nm / ENLARGEMENT
    rows, columns = camera.shape
    field_nm = rows * camera.pixel_size_nm, columns * camera.pixel_size_nm
    wide = enlarged((summed - summed.min()).astype(np.float32), ENLARGEMENT)
    fine = splat(found, field_nm, fine_nm).image[0]
    left = colour(wide, "grays", percentile=99.9)
    right = with_scale_bar(colour(fine, percentile=99.5, gamma=0.7), fine_nm, 1000.0)
    return side_by_side(left, right)
