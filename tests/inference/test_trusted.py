"""A network live: its envelope, in this camera's photons, is what the data are checked against."""

from collections.abc import Callable
from typing import Any

import pytest

from live_smlm.core import CameraModel, EngineContext, envelope_in
from live_smlm.engines.chain import Chain
from live_smlm.inference.bundle import Bundle
from live_smlm.inference.model_engine import ModelEngine
from live_smlm.physics.psf.gaussian import GaussianPSF
from live_smlm.physics.scenario import Scenario
from live_smlm.session import RunPlan
from live_smlm.session.check import check
from live_smlm.session.guard import scope
from live_smlm.session.memory import run_in_memory
from live_smlm.sources.simulated import SimulatedSource

PSF = GaussianPSF(130.0)
EMCCD = CameraModel(
    shape=(64, 64), pixel_size_nm=100.0, offset_adu=100.0, read_noise_e=30.0,
    em_gain=300.0, gain_e_per_adu=20.0, quantum_efficiency=0.8,
)  # fmt: skip
SCMOS = CameraModel(shape=(64, 64), pixel_size_nm=100.0, offset_adu=100.0, read_noise_e=1.0)


@pytest.fixture
def network(make_bundle: Callable[..., Bundle]) -> Chain:
    folder = str(make_bundle(encoder=False).folder)
    return Chain((ModelEngine(name="spots", package="live_smlm.core", model=folder),))


def test_the_envelope_is_the_chosen_models_in_the_cameras_photons(network: Chain) -> None:
    place = EngineContext(camera=EMCCD, psf=PSF)
    assert envelope_in(network, place)["background_counts"] == (2.0, 30.0)
    seen = scope(network, place, shadow=True)
    # An EMCCD doubles the variance, so that one count is two electrons.
    assert seen.envelope["background"] == pytest.approx((5.0, 75.0))
    assert seen.envelope["photons"] == pytest.approx((375.0, 12_500.0))
    assert not seen.alone
    assert seen.unshadowed is None


@pytest.mark.parametrize(
    ("scene", "alarm"),
    [({"background": 60.0}, "background"), ({"photons": 9000.0}, "photons")],
)
def test_a_network_outside_its_envelope_raises_an_alarm(
    network: Chain, scene: dict[str, Any], alarm: str
) -> None:
    words: dict[str, Any] = {"density": 0.1, "photons": 1500.0, **scene}
    simulator = Scenario(camera=SCMOS, psf=PSF, seed=3, **words).simulator()
    _, outcome = run_in_memory(
        SimulatedSource(simulator, 160),
        RunPlan(engine="spots", psf=PSF, ring_mb=8),
        make_engine=lambda _: network,
    )
    assert alarm in {entry["name"] for entry in outcome.trust["alarms"]}


def test_a_run_knows_which_network_it_opens(
    network: Chain, make_bundle: Callable[..., Bundle]
) -> None:
    simulator = Scenario(camera=SCMOS, psf=PSF, density=0.1, photons=1500.0, seed=3).simulator()
    plan = RunPlan(engine="spots", psf=PSF, ring_mb=8)
    ready = check(SimulatedSource(simulator, 8).info, plan, lambda _: network, recorded=False)
    told = ready.models["spots"]
    assert told == {
        "model": "spots",
        "hash": make_bundle(encoder=False).hash,
        "threshold": 0.5,
        "runtime": "onnxruntime",
        "precision": "fp32",
    }
