"""The network engines: what they ship, and what they say where nothing they have will do."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from live_smlm_decode import Decode
from live_smlm_glint import Glint
from live_smlm_liteloc import LiteLoc

from live_smlm.core import EngineContext, FrameBatch, Localizations, concatenate
from live_smlm.evaluate.matching import match
from live_smlm.inference.agreement import agreement, sample
from live_smlm.inference.bundle import Bundle, shipped
from live_smlm.inference.onnx_cpu import OnnxRuntime
from live_smlm.inference.openvino_cpu import OpenVino
from live_smlm.inference.runtime import RuntimeSettings
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.physics.scenario import Scenario
from live_smlm.testing.engine import CAMERA, EngineContract

MOST_BYTES = 5_000_000
PACKAGES = ("live_smlm_decode", "live_smlm_glint", "live_smlm_liteloc")
MODELS = [(name, path) for package in PACKAGES for name, path in shipped(package).items()]


class TestGlint(EngineContract):
    engine = Glint()


class TestGlintWithoutTheFit(EngineContract):
    engine = Glint(refine=False)


@pytest.mark.parametrize(("name", "path"), MODELS, ids=[name for name, _ in MODELS])
def test_what_is_shipped_is_whole_small_and_told(name: str, path: object) -> None:
    bundle = Bundle.load(path)  # type: ignore[arg-type]
    assert sum(p.stat().st_size for p in bundle.folder.iterdir()) <= MOST_BYTES
    said = bundle.manifest.provenance
    assert said["command"].startswith("live-smlm train ")
    assert f"--seed {said['seed']}" in said["command"]
    assert bundle.manifest.name == name
    assert any("/" in key for key in said["scores"])


@pytest.mark.skipif(find_spec("openvino") is None, reason="openvino is not installed")
@pytest.mark.parametrize("name", ["round", "astigmatic"])
def test_what_openvino_rewrites_computes_the_same(name: str) -> None:
    bundle = Bundle.load(shipped("live_smlm_glint")[name])
    on = sample(bundle)
    context = EngineContext(camera=on.camera)
    settings = RuntimeSettings(threshold=bundle.manifest.threshold)
    with (
        OpenVino().open(bundle, context, settings) as ours,
        OnnxRuntime().open(bundle, context, settings) as reference,
    ):
        found = agreement(ours, reference, bundle, on)
    assert found.molecules > 500
    assert found.jaccard > 0.999
    assert found.rms_nm < 0.01


def test_a_model_of_the_plane_and_one_of_depth_are_shipped() -> None:
    flat = EngineContext(camera=CAMERA, psf=GaussianPSF(130.0))
    deep = replace(flat, psf=AstigmaticPSF(130.0, 130.0, 250.0, -250.0, 400.0))
    assert Glint().bundle(flat).manifest.axes == 2
    assert Glint().bundle(deep).manifest.axes == 3


@pytest.mark.parametrize("engine", [Glint(), Decode(), LiteLoc()], ids=lambda e: str(e.name))
def test_a_psf_that_no_model_knows_is_refused_with_the_cure(
    engine: Glint | Decode | LiteLoc,
) -> None:
    wide = EngineContext(camera=CAMERA, psf=GaussianPSF(260.0))
    reason = engine.unsupported(wide)
    assert reason is not None
    assert f"live-smlm train {engine.name}" in reason


def in_chunks(
    engine: Glint, context: EngineContext, frames: FrameBatch, size: int
) -> Localizations:
    before, after = engine.spec.halo
    parts = []
    with engine.open(context) as localize:
        for first in range(0, len(frames), size):
            begin, stop = max(0, first - before), min(len(frames), first + size + after)
            last = min(len(frames), first + size)
            part = slice(begin, stop)
            halo = (first - begin, stop - last)
            batch = FrameBatch(frames.pixels[part], frames.index[part], frames.time_s[part], halo)
            parts.append(localize(batch))
    return concatenate(parts)


def test_the_cut_into_chunks_does_not_matter() -> None:
    context = EngineContext(camera=CAMERA, psf=GaussianPSF(130.0))
    frames, _ = _movie(1.0)
    whole = in_chunks(Glint(), context, frames, 40)
    pieces = in_chunks(Glint(), context, frames, 3)
    for name, column in whole.columns().items():
        other = pieces.columns()[name]
        np.testing.assert_allclose(column, other, rtol=2e-3, atol=2e-2, err_msg=name)


def test_the_fit_places_what_the_network_finds() -> None:
    context = EngineContext(camera=CAMERA, psf=GaussianPSF(130.0))
    frames, truth = _movie(0.3, 100)
    errors = {}
    for refine in (False, True):
        found = in_chunks(Glint(refine=refine), context, frames, 16)
        pairs = match(found, truth)
        bright = truth.axis("photons")[pairs.truth] > 300
        x, y = (pairs.errors(found, truth, axis)[bright] for axis in ("x", "y"))
        errors[refine] = np.median(np.hypot(x, y))
        assert len(x) > 300
    assert errors[True] < 0.85 * errors[False]


def _movie(density: float, count: int = 40) -> tuple[FrameBatch, Localizations]:
    scenario = Scenario(
        camera=CAMERA,
        psf=GaussianPSF(130.0),
        density=density,
        photons=1500.0,
        blinking="exponential",
        on_frames=3.0,
        seed=12,
    )
    frames, truth = scenario.simulator().start().advance(count)
    return frames, truth
