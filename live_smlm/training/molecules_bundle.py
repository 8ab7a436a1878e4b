"""The end of a training of molecules: the threshold, the files, the scores, the bundle.

The threshold is chosen on held-out movies of the scene. Scores are those of
the written bundle, run as any engine is, on the standard sets whose camera and
PSF it fits.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from live_smlm.core import EngineContext
from live_smlm.evaluate import trial
from live_smlm.evaluate.standard import SETS, TEST_SEEDS, StandardSet
from live_smlm.fitting.counts import count_scale
from live_smlm.inference.bundle import Bundle, write_bundle
from live_smlm.inference.envelope import Envelope
from live_smlm.inference.manifest import Manifest
from live_smlm.inference.model_engine import ModelEngine
from live_smlm.training.ahead import held_out as drawn
from live_smlm.training.export import files, macs_per_pixel, meant
from live_smlm.training.extraction import GRID, SLOTS
from live_smlm.training.held_out import HeldOut, held_out
from live_smlm.training.lesson import as_used
from live_smlm.training.molecules import Molecules
from live_smlm.training.scene import SIDE, Scene

_BATCHES = 16
_CROWDS = 4
"""Batches of the densest movies."""
_TOLD = ("jaccard", "rmse_lateral_nm", "rmse_axial_nm", "efficiency", "pull_std_x", "pull_std_z")


def write_molecules(
    network: Any, lesson: Molecules, out: Path, came: Mapping[str, Any], *, scored: bool
) -> Bundle:
    """The bundle of a trained network; with `scored`, run and scored on the standard sets."""
    scene, scales = lesson.scene, lesson.scales
    device = next(network.parameters()).device
    with as_used(network):
        look = held_out(network, scales, scene, drawn(lesson, _BATCHES, device))
        threshold = look.best_threshold()
        most = _found_at_most(network, lesson, threshold, device)
    scores = {"held out": _held_out_scores(look, threshold)}
    manifest = Manifest(
        name=out.name,
        architecture=lesson.architecture,
        axes=scene.axes,
        halo=network.halo,
        grid=GRID,
        stride=network.stride,
        slots=SLOTS,
        threshold=threshold,
        margin_px=network.margin_px,
        macs_per_pixel=macs_per_pixel(network),
        envelope=replace(envelope(scene), found_per_um2=round(most, 4) or None),
        outputs=meant(network, scales, scene.axes),
        provenance={**came, "scores": scores},
    )
    held = files(network, scales, scene.axes)
    bundle = write_bundle(out, manifest, held, scene.psf)
    if not scored:
        return bundle
    scores |= standard_scores(bundle)
    told = replace(manifest, provenance={**manifest.provenance, "scores": scores})
    return write_bundle(out, told, held, scene.psf)


def envelope(scene: Scene) -> Envelope:
    """What a network trained on this scene has seen."""
    noise = [float(np.sqrt(np.median(count_scale(c).extra))) for c in scene.cameras]
    return Envelope(
        pixel_size_nm=(scene.pixel_size_nm, scene.pixel_size_nm),
        z_nm=scene.z_nm,
        density_per_um2=scene.density_per_um2,
        photons=(scene.label_photons, scene.brightest),
        background=scene.effective(scene.background),
        read_noise=(min(noise), max(noise)),
        psf=scene.psf.describe(),
    )


def standard_scores(bundle: Bundle) -> dict[str, Any]:
    """By standard set: the numbers of the first test movie."""
    engine = ModelEngine(
        name=bundle.manifest.architecture, package="live_smlm", model=str(bundle.folder)
    )
    scores = {}
    for standard in SETS:
        context = EngineContext(camera=standard.camera, psf=standard.psf)
        if engine.unsupported(context) is None:
            scores[standard.name] = _scored(engine, context, standard)
    return scores


def _found_at_most(
    network: Any, lesson: Molecules, threshold: float, device: torch.device
) -> float:
    """Molecules found per um2 and frame where they are as dense and clear as the scene has them."""
    scene = lesson.scene
    crowd = replace(
        scene,
        density_per_um2=(scene.density_per_um2[1],) * 2,
        photons=(scene.photons[1],) * 2,
        background=(scene.background[0],) * 2,
    )
    batches = drawn(replace(lesson, scene=crowd), _CROWDS, device)
    found = held_out(network, lesson.scales, crowd, batches).found
    windows = sum(len(batch["background"]) for batch in batches)
    frames_um2 = windows * (SIDE * scene.pixel_size_nm / 1000) ** 2
    return np.count_nonzero(found.axis("probability") >= threshold) / frames_um2


def _scored(engine: ModelEngine, context: EngineContext, standard: StandardSet) -> dict[str, Any]:
    movie = standard.movie(TEST_SEEDS[0])
    with engine.open(context) as localize:
        found = trial.run(localize, movie.frames, engine.spec.halo).found
    return _rounded(standard.judge(found, movie))


def _held_out_scores(look: HeldOut, threshold: float) -> dict[str, Any]:
    return {"loss": round(look.loss, 3), **_rounded(look.at(threshold).as_dict())}


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: None if values.get(k) is None else round(float(values[k]), 4) for k in _TOLD}
