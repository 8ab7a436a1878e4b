from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from live_smlm.core import (
    PSF,
    CameraModel,
    EngineContext,
    InputError,
    Localizations,
    RoiBatch,
)
from live_smlm.engines.fit_engine import MaximumLikelihood, RoiFit
from live_smlm.evaluate.precision import precision
from live_smlm.physics.crlb import Readout, crlb
from live_smlm.physics.noise import expose, scmos_camera
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.physics.psf.pupil import PupilPSF
from live_smlm.physics.psf.sampling import sample
from live_smlm.testing.engine import EngineContract

PIXEL = 100.0
ROUND = GaussianPSF(130.0)
ASTIGMATIC = AstigmaticPSF(130.0, 130.0, 250.0, -250.0, 400.0)


def camera(size: int, **options: Any) -> CameraModel:
    return CameraModel(shape=(size, size), pixel_size_nm=PIXEL, **options)


def emccd(size: int) -> CameraModel:
    return camera(
        size,
        gain_e_per_adu=45,
        em_gain=300,
        read_noise_e=74,
        quantum_efficiency=0.9,
        spurious_e=0.002,
    )


def molecules(
    psf: PSF, model: CameraModel, n: int, photons: float, depth: float, seed: int = 1
) -> tuple[RoiBatch, Any]:
    """Cut-outs as large as the camera, and the true x, y, z by name."""
    rng = np.random.default_rng(seed)
    size = model.shape[0]
    x, y = rng.uniform(size / 2 - 0.5, size / 2 + 0.5, (2, n)) * PIXEL
    z = rng.uniform(-depth, depth, n)
    expected = photons * psf.images(x, y, z, model.shape, PIXEL).value + 10
    light = model.photons(expose(expected, model, rng))
    zero = np.zeros(n, np.int32)
    return RoiBatch(light, np.arange(n), zero, zero), {"x": x, "y": y, "z": z}


def fit(
    rois: RoiBatch, psf: PSF, model: CameraModel, **options: Any
) -> tuple[Localizations, RoiFit]:
    with MaximumLikelihood(**options).open(EngineContext(camera=model, psf=psf)) as process:
        assert isinstance(process, RoiFit)
        return process(rois), process


class TestMleContract(EngineContract):
    engine = MaximumLikelihood()


class TestMleFreeSigmaContract(EngineContract):
    engine = MaximumLikelihood(free_sigma=True)


class TestMleSplineContract(EngineContract):
    engine = MaximumLikelihood()
    context = EngineContext(
        camera=EngineContract.context.camera, psf=sample(ASTIGMATIC, PIXEL, 100.0)
    )


PSFS: dict[str, tuple[PSF, float, int, float]] = {
    "gaussian": (ROUND, 1000.0, 9, 0.0),
    "astigmatic": (ASTIGMATIC, 2000.0, 13, 400.0),
    "spline": (sample(ASTIGMATIC, PIXEL, 100.0), 2000.0, 13, 400.0),
}
CAMERAS = {
    "ideal": camera,
    "scmos": lambda size: scmos_camera((size, size), PIXEL, np.random.default_rng(3)),
    "emccd": emccd,
}


@pytest.mark.parametrize("kind", CAMERAS)
@pytest.mark.parametrize("name", PSFS)
def test_scatter_reaches_the_bound(name: str, kind: str) -> None:
    psf, photons, size, depth = PSFS[name]
    model = CAMERAS[kind](size)
    n = 1500
    rois, truth = molecules(psf, model, n, photons, depth)
    found, fitter = fit(rois, psf, model)
    assert fitter.dropped == n - len(found)
    assert len(found) > 0.995 * n
    corner = np.zeros(n, np.int32)
    readout = Readout.at(model, corner, corner, model.shape)
    x, y, z = truth["x"], truth["y"], truth["z"]
    bound = crlb(psf, x, y, z, photons, 10.0, model.shape, PIXEL, readout)
    kept = found.frame
    for axis in ("x", "y") if depth == 0 else ("x", "y", "z"):
        limit = getattr(bound, axis)[kept]
        error = found.axis(axis) - truth[axis][kept]
        p = precision(error, limit)
        # 5 % of excess allowed to z at its ends and to the EMCCD's approximate noise.
        low, high = 1 - 4 * p.std.standard_error, 1.05 + 4 * p.std.standard_error
        assert low < p.std.value < high, axis
        assert abs(p.bias.value) < 0.05 + 4 * p.bias.standard_error, axis
        claims = precision(error, found.axis(f"sigma_{axis}"))
        assert abs(claims.robust_std.value - 1) < 0.05 + 4 * claims.robust_std.standard_error
    assert np.mean(found.axis("chi2")) == pytest.approx(1, abs=0.05)
    assert np.mean(found.axis("photons")) == pytest.approx(photons, rel=0.01)
    assert np.mean(found.axis("background")) == pytest.approx(10, rel=0.02)


def test_free_width_is_found_with_its_error() -> None:
    model = camera(9)
    rois, truth = molecules(GaussianPSF(155.0), model, 2000, 1500.0, 0.0)
    found, _ = fit(rois, ROUND, model, free_sigma=True)
    width, error = found.extra["psf_sigma_nm"], found.extra["sigma_psf_sigma_nm"]
    pull = (width - 155) / error
    assert abs(np.mean(pull)) < 0.1
    assert np.std(pull) == pytest.approx(1, abs=0.07)
    assert np.std(found.x - truth["x"][found.frame]) < 10


def test_a_fixed_width_that_is_wrong_shows_in_chi2() -> None:
    model = camera(9)
    rois, _ = molecules(GaussianPSF(200.0), model, 200, 5000.0, 0.0)
    found, _ = fit(rois, ROUND, model)
    assert np.median(found.extra["chi2"]) > 3


def test_double_helix_is_fitted_through_its_sampled_spline() -> None:
    pupil = PupilPSF(mask="double_helix", z_min_nm=-450, z_max_nm=450)
    model = camera(25)
    n = 150
    rois, truth = molecules(sample(pupil, PIXEL), model, n, 5000.0, 350.0)
    found, _ = fit(rois, pupil, model)
    assert len(found) == n
    for axis in ("x", "y", "z"):
        pull = (found.axis(axis) - truth[axis]) / found.axis(f"sigma_{axis}")
        # 4 standard errors of a standard deviation of 150.
        assert np.std(pull) == pytest.approx(1, abs=4 * (2 * n) ** -0.5)


def test_known_background_is_not_fitted_again() -> None:
    model = camera(11)
    rng = np.random.default_rng(5)
    at = np.full(500, 550.0)
    ramp = np.broadcast_to(np.linspace(0, 80, 11), (500, 11, 11))
    light = rng.poisson(1000 * ROUND.images(at, at, at, (11, 11), PIXEL).value + ramp)
    zero = np.zeros(500, np.int32)
    plain = RoiBatch(light.astype(np.float32), np.arange(500), zero, zero)
    known = RoiBatch(plain.photons, plain.frame, zero, zero, ramp.astype(np.float32))
    informed, _ = fit(known, ROUND, model)
    blind, _ = fit(plain, ROUND, model)
    assert abs(np.mean(informed.x) - 550) < 4 * np.std(informed.x) / 500**0.5
    assert np.mean(blind.x) - 550 > 10 * np.std(blind.x) / 500**0.5
    assert informed.sigma_background is None
    assert informed.axis("background")[0] == pytest.approx(40, rel=1e-5)
    assert np.mean(informed.axis("photons")) == pytest.approx(1000, rel=0.01)


def test_fits_that_fail_are_dropped_and_counted() -> None:
    model = camera(9)
    rois, _ = molecules(ROUND, model, 20, 1000.0, 0.0)
    broken = rois.photons.copy()
    broken[3] = np.nan
    batch = RoiBatch(broken, rois.frame, rois.row, rois.column)
    found, fitter = fit(batch, ROUND, model)
    assert fitter.dropped == 1
    assert 3 not in found.frame
    starved, fitter = fit(rois, ROUND, model, max_iterations=1)
    assert fitter.dropped + len(starved) == 20
    assert fitter.dropped > 10


def test_darkness_that_is_known_is_no_reason_to_fail() -> None:
    model = camera(17)
    at = np.full(200, 850.0)
    shape = (17, 17)
    light = np.random.default_rng(6).poisson(500 * ROUND.images(at, at, at, shape, PIXEL).value)
    zero, dark = np.zeros(200, np.int32), np.zeros((200, *shape), np.float32)
    found, fitter = fit(
        RoiBatch(light.astype(np.float32), np.arange(200), zero, zero, dark), ROUND, model
    )
    assert fitter.dropped == 0
    pull = (found.x - 850) / found.axis("sigma_x")
    assert np.std(pull) == pytest.approx(1, abs=4 * 400**-0.5)
    photons = found.axis("photons")
    assert abs(np.mean(photons) - 500) < 4 * (500 / 200) ** 0.5


def test_a_limit_of_z_is_no_answer() -> None:
    model, n = camera(15), 100
    rois, _ = molecules(ASTIGMATIC, model, n, 3000.0, 600.0)
    short = replace(ASTIGMATIC, z_min_nm=-200.0, z_max_nm=200.0)
    for psf in (short, sample(short, PIXEL, 50.0)):
        found, fitter = fit(rois, psf, model)
        assert fitter.dropped == n - len(found)
        assert fitter.dropped > n / 2
        assert np.all(np.abs(found.axis("z")) < 199.6)


def test_runaways_are_told_from_cut_outs_that_an_edge_moved() -> None:
    """A molecule 3.5 px from the middle is right where the cut-out was moved, wrong elsewhere."""
    frame, n = camera(40), 50
    shape, x, y = (11, 11), np.full(n, 900.0), np.full(n, 550.0)
    image = ROUND.images(x, y, np.zeros(n), shape, PIXEL).value
    light = np.random.default_rng(8).poisson(2000 * image + 10).astype(np.float32)
    row = np.full(n, 10, np.int32)
    for column, kept in ((29, n), (28, 0), (1, 0), (0, 0)):
        batch = RoiBatch(light, np.arange(n), row, np.full(n, column, np.int32))
        found, fitter = fit(batch, ROUND, frame)
        assert (len(found), fitter.dropped) == (kept, n - kept)


def test_columns_are_in_single_precision() -> None:
    model = camera(13)
    rois, _ = molecules(ASTIGMATIC, model, 5, 2000.0, 300.0)
    found, _ = fit(rois, ASTIGMATIC, model)
    kinds = {name: c.dtype for name, c in found.columns().items() if name not in found.extra}
    assert kinds.pop("frame") == np.int64
    assert set(kinds.values()) == {np.dtype(np.float32)}


def test_neighbouring_cut_outs_do_not_matter() -> None:
    """Fits share registers, never results."""
    model = camera(9)
    rois, _ = molecules(ROUND, model, 100, 1000.0, 0.0)
    together, _ = fit(rois, ROUND, model)
    alone = [fit(rois.where(np.array([i])), ROUND, model)[0] for i in (0, 17, 50, 99)]
    for part in alone:
        i = int(np.flatnonzero(together.frame == part.frame[0])[0])
        assert part.x[0] == together.x[i]
        assert part.axis("photons")[0] == together.axis("photons")[i]


def test_says_what_it_cannot_do() -> None:
    bare = EngineContext(camera=camera(9))
    assert "give --psf" in str(MaximumLikelihood().unsupported(bare))
    deep = EngineContext(camera=camera(9), psf=ASTIGMATIC)
    assert "gaussian" in str(MaximumLikelihood(free_sigma=True).unsupported(deep))
    with pytest.raises(InputError, match="max_iterations is 0"):
        MaximumLikelihood(max_iterations=0)
