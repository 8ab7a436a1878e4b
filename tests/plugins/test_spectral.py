"""spectral: spectra lie where their wavelengths belong; the shipped model tells dyes by them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_smlm_spectral import UNSURE, Spectral, grid_of
from live_smlm_spectral.lesson import Spectral as Lesson
from live_smlm_spectral.spectrum import places, spectra

from live_smlm.core import EngineContext, FrameBatch, InputError, Localizations, RoiBatch
from live_smlm.engines import registry
from live_smlm.evaluate.matching import match
from live_smlm.inference.model import Model, models_of
from live_smlm.physics.dispersion import side_channel, with_side
from live_smlm.physics.psf.gaussian import GaussianPSF
from live_smlm.physics.scenario import Scenario
from live_smlm.testing.engine import CAMERA, SIDE, EngineContract

MOST_BYTES = 5_000_000
PSF = GaussianPSF(130.0)
QUIET = Lesson(strangers=0.0)
WIDE = replace(
    side_channel(with_side((40, 48))), height=SIDE[0], width=SIDE[1], rows=(0, 32), columns=(20, 40)
)


def context(**side: Any) -> EngineContext:
    camera = QUIET.camera
    assert camera.side is not None
    return EngineContext(camera=replace(camera, side=replace(camera.side, **side)), psf=PSF)


def looks(photons: float, seed: int = 1) -> Any:
    return QUIET.looks(np.random.default_rng([91, seed]), (photons, photons))


class TestSpectral(EngineContract):
    engine = Spectral()
    context = EngineContext(camera=replace(CAMERA, side=WIDE), psf=PSF)


def test_places_are_found_to_a_fraction_of_a_pixel() -> None:
    at = np.random.default_rng(3).uniform(-1, 1, (2, 60)) + 6.5
    x, y = 100 * at
    light = 2000 * PSF.images(x, y, x, (13, 13), 100.0).value + 7
    zero = np.zeros(60, np.int32)
    found = places(RoiBatch(light.astype(np.float32), np.arange(60), zero, zero))
    np.testing.assert_allclose(found, at - 6.5, atol=0.15)


def test_a_spectrum_has_its_molecules_wavelengths_light_and_background() -> None:
    seen = looks(4000.0)
    side = QUIET.side
    found = spectra(seen.rois, side, QUIET.grid, 1.3)
    np.testing.assert_allclose(found.shape.sum(axis=1), 1, atol=1e-5)
    peaks = QUIET.grid.wavelengths[found.shape.argmax(axis=1)]
    for number, dye in enumerate(QUIET.kinds):
        mine = seen.dye == number
        assert np.median(peaks[mine]) == pytest.approx(dye.peak_nm, abs=6)
        assert np.mean(found.light[mine]) == pytest.approx(4000, rel=0.05)
    assert np.all(found.seen > 0.95)
    dark = looks(150.0)
    level = spectra(dark.rois, side, QUIET.grid, 1.3).background
    assert 2 < np.median(level) < 20


def test_what_the_side_channel_does_not_hold_is_told() -> None:
    seen = looks(4000.0)
    assert seen.rois.side is not None
    cut = seen.rois.side.copy()
    cut[:, :, 25:] = np.nan
    half = replace(seen.rois, side=cut)
    found = spectra(half, QUIET.side, QUIET.grid, 1.3)
    assert np.all((found.seen > 0.5) & (found.seen < 0.75))
    with Spectral(sure=0).open(context()) as tell:
        assert set(tell(half).columns["channel"]) == {UNSURE}


@pytest.mark.parametrize(("photons", "least"), [(300.0, 0.94), (3000.0, 0.98)])
def test_the_shipped_model_tells_dyes(photons: float, least: float) -> None:
    parts = [looks(photons, seed) for seed in range(4)]
    with Spectral(sure=0).open(context()) as tell:
        named = np.concatenate([tell(part.rois).columns["channel"] for part in parts])
    assert np.mean(named == np.concatenate([part.dye for part in parts])) > least


def test_the_surer_it_is_asked_to_be_the_fewer_it_names_and_the_better() -> None:
    seen, told = looks(200.0), []
    for sure in (0.0, 0.8, 0.98):
        with Spectral(sure=sure).open(context()) as tell:
            columns = tell(seen.rois).columns
        named = columns["channel"] != UNSURE
        assert np.all(columns["dye_probability"][named] >= sure)
        told.append((named.mean(), np.mean(columns["channel"][named] == seen.dye[named])))
    kept, right = np.array(told).T
    assert np.all(np.diff(kept) < 0)
    assert np.all(np.diff(right) > 0)


def test_dyes_go_through_the_fit_to_the_molecules() -> None:
    shape = with_side((48, 48))
    camera = replace(CAMERA, shape=shape, side=side_channel(shape))
    scenario = Scenario(
        camera=camera, psf=PSF, density=0.08, photons=1500.0, background=5.0, dyes="two", seed=5
    )
    frames, truth = scenario.simulator().start().advance(60)
    assert isinstance(frames, FrameBatch)
    place = EngineContext(camera=camera, psf=PSF)
    with registry.chain("detect+spectral+mle").open(place) as localize:
        found: Localizations = localize(frames)
    pairs = match(found, truth)
    named = found.axis("channel")[pairs.found]
    sure = named != UNSURE
    assert sure.mean() > 0.8
    assert np.mean(named[sure] == truth.axis("channel")[pairs.truth][sure]) > 0.95


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (EngineContext(camera=CAMERA, psf=PSF), "say where that is: --camera …,side_rows="),
        (context(middle_nm=None, nm_per_px=None), "what a dispersed side channel shows"),
        (context(nm_per_px=8.0), "train one with `live-smlm train spectral:nm_per_px=8"),
        (context(width=21), "21 columns cover 105 nm"),
    ],
)
def test_cameras_that_show_no_spectra_are_refused(place: EngineContext, message: str) -> None:
    reason = Spectral().unsupported(place)
    assert reason is not None
    assert message in reason
    with pytest.raises(InputError, match="engine 'spectral'"), Spectral().open(place):
        pass


def test_bad_options_are_refused() -> None:
    with pytest.raises(InputError, match="sure is 1"):
        Spectral(sure=1.0)
    with pytest.raises(InputError, match="one needs no telling apart"):
        Lesson(dyes="af647")
    with pytest.raises(InputError, match="photons is 200 to 100"):
        Lesson(photons_low=200.0, photons_high=100.0)
    assert "neither a folder nor shipped" in str(Spectral(model="nowhere").unsupported(context()))


@pytest.mark.parametrize("path", models_of("live_smlm_spectral").values(), ids=str)
def test_what_is_shipped_is_whole_small_and_told(path: Path) -> None:
    model = Model.load(path)
    assert sum(file.stat().st_size for file in path.iterdir()) <= MOST_BYTES
    assert model.provenance["command"].startswith("live-smlm train spectral ")
    assert f"--seed {model.provenance['seed']}" in model.provenance["command"]
    assert grid_of(model.details) == QUIET.grid
