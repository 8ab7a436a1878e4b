from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from live_smlm.core import (
    F64,
    PSF,
    EngineContext,
    FrameBatch,
    InputError,
    Localizations,
    concatenate,
)
from live_smlm.core.camera import CameraModel
from live_smlm.engines.chain import Chain
from live_smlm.engines.detect_engine import Detect
from live_smlm.engines.fit_engine import MaximumLikelihood
from live_smlm.engines.gauss_mle import FrameFit, GaussMle
from live_smlm.engines.joint_frame import JointFitter
from live_smlm.evaluate.matching import match
from live_smlm.evaluate.precision import precision
from live_smlm.evaluate.score import score
from live_smlm.fitting.groups import COLUMNS, ERRORS
from live_smlm.physics.crlb import crlb
from live_smlm.physics.noise import expose
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.physics.scenario import Scenario
from live_smlm.testing.engine import EngineContract

SHARED = Path(__file__).parents[2].parent / "shared"
PIXEL = 100.0
ROUND = GaussianPSF(130.0)
ASTIGMATIC = AstigmaticPSF(130.0, 130.0, 250.0, -250.0, 400.0)
CAMERA = CameraModel(shape=(128, 128), pixel_size_nm=PIXEL)
SMALL = CameraModel(shape=(40, 40), pixel_size_nm=PIXEL)


class TestGaussMleContract(EngineContract):
    engine = GaussMle()


class TestGaussMleJointContract(EngineContract):
    engine = GaussMle(joint=True)


def movie(
    psf: PSF, density: float, photons: float, frames: int, depth: float = 0.0, seed: int = 1
) -> tuple[FrameBatch, Localizations]:
    scenario = Scenario(
        camera=CAMERA, psf=psf, density=density, photons=photons, z_range_nm=depth, seed=seed
    )
    parts = list(scenario.simulator().stream(frames, frames))
    return parts[0][0], concatenate([truth for _, truth in parts])


def localize(engine: GaussMle, batch: FrameBatch, psf: PSF) -> Localizations:
    with engine.open(EngineContext(camera=CAMERA, psf=psf)) as process:
        assert isinstance(process, FrameFit)
        return process(batch)


def isolated(truth: Localizations, least_nm: float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """True molecules with no neighbour and not at the rim."""
    edge = CAMERA.shape[0] * PIXEL
    lonely = np.empty(len(truth), np.bool_)
    for i in range(len(truth)):
        d = np.hypot(truth.x - truth.x[i], truth.y - truth.y[i])
        lonely[i] = np.sum((truth.frame == truth.frame[i]) & (d < least_nm)) == 1
    inside = (truth.x > 500) & (truth.x < edge - 500) & (truth.y > 500) & (truth.y < edge - 500)
    return np.asarray(lonely & inside)


@pytest.mark.parametrize(
    ("psf", "photons", "depth", "limits"),
    [(ROUND, 1000.0, 0.0, (1.05, 1.05)), (ASTIGMATIC, 2000.0, 400.0, (1.1, 1.1, 1.15))],
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_isolated_molecules_reach_the_bound(
    psf: PSF, photons: float, depth: float, limits: tuple[float, ...], seed: int
) -> None:
    batch, truth = movie(psf, 0.1, photons, 80, depth, seed)
    found = localize(GaussMle(), batch, psf)
    pairs = match(found, truth)
    alone = isolated(truth, 2000.0 if depth else 1200.0)[pairs.truth]
    errors = {a: pairs.errors(found, truth, a)[alone] for a in ("x", "y", "z")[: len(limits)]}
    n = int(alone.sum())
    assert n > 250
    size = 15 if depth else 9
    z = np.zeros(n) if truth.z is None else truth.z[pairs.truth][alone]
    middle = np.full(n, size * PIXEL / 2)
    bound = crlb(psf, middle, middle, z, photons, 10.0, (size, size), PIXEL)
    for (axis, error), limit in zip(errors.items(), limits, strict=True):
        p = precision(error, getattr(bound, axis))
        assert p.std.value < limit + 3 * p.std.standard_error, axis
        assert abs(p.bias.value) < 0.05 + 3 * p.bias.standard_error, axis


def test_is_detection_and_fit_in_one() -> None:
    batch, _ = movie(ROUND, 0.1, 1000.0, 4)
    chain = Chain((Detect(), MaximumLikelihood()))
    with chain.open(EngineContext(camera=CAMERA, psf=ROUND)) as process:
        apart = process(batch)
    together = localize(GaussMle(), batch, ROUND)
    np.testing.assert_array_equal(together.frame, apart.frame)
    np.testing.assert_allclose(together.x, apart.x, atol=0.01)
    np.testing.assert_allclose(together.axis("sigma_x"), apart.axis("sigma_x"), rtol=1e-3)


def still(psf: PSF, x: F64, photons: F64, z: F64, frames: int) -> FrameBatch:
    """The same molecules on one line in every frame."""
    image = psf.images(x, np.full(len(x), 2030.0), z, (40, 40), PIXEL).value
    expected = np.broadcast_to(10 + np.tensordot(photons, image, 1), (frames, 40, 40))
    pixels = expose(expected, SMALL, np.random.default_rng(1))
    return FrameBatch(pixels, np.arange(frames), np.arange(frames, dtype=np.float64))


def test_a_bright_neighbour_is_not_reported_twice() -> None:
    x, photons = np.array([2000.0, 2500.0]), np.array([5000.0, 2500.0])
    batch = still(ROUND, x, photons, np.zeros(2), 200)
    with GaussMle().open(EngineContext(camera=SMALL, psf=ROUND)) as process:
        assert isinstance(process, FrameFit)
        found = process(batch)
        bright = np.bincount(found.frame[np.abs(found.x - 2000) < 150], minlength=200)
        assert np.all(bright == 1)
        assert process.dropped > 100


@pytest.mark.parametrize("photons", [150.0, 250.0])
def test_lonely_dim_molecules_are_not_taken_for_runaways(photons: float) -> None:
    batch = still(ROUND, np.array([2040.0]), np.array([photons]), np.zeros(1), 200)
    with GaussMle().open(EngineContext(camera=SMALL, psf=ROUND)) as process:
        assert isinstance(process, FrameFit)
        assert len(process(batch)) >= 195
        assert process.dropped == 0


@pytest.mark.parametrize("joint", [False, True])
def test_a_limit_of_z_is_dropped_and_counted(joint: bool) -> None:  # noqa: FBT001 - a parameter
    short = replace(ASTIGMATIC, z_min_nm=-200.0, z_max_nm=200.0)
    batch = still(ASTIGMATIC, np.array([2040.0]), np.array([1500.0]), np.array([280.0]), 20)
    with GaussMle(joint=joint).open(EngineContext(camera=SMALL, psf=short)) as process:
        assert isinstance(process, FrameFit)
        found = process(batch)
        assert np.all(np.abs(found.axis("z")) < 199.6)
        assert process.dropped >= 15


def test_errors_too_large_for_the_table_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.ones((3, COLUMNS))
    rows[1, ERRORS] = 1e300
    monkeypatch.setattr(JointFitter, "molecules", lambda *_: rows)
    batch = still(ROUND, np.array([2000.0]), np.array([500.0]), np.zeros(1), 1)
    with GaussMle(joint=True).open(EngineContext(camera=SMALL, psf=ROUND)) as process:
        assert isinstance(process, FrameFit)
        found = process(batch)
        assert (len(found), process.dropped) == (2, 1)


def test_joint_fits_find_more_where_it_is_crowded() -> None:
    batch, truth = movie(ROUND, 1.0, 2000.0, 4)
    plain = score(localize(GaussMle(), batch, ROUND), truth)
    joint = score(localize(GaussMle(joint=True), batch, ROUND), truth)
    assert plain.jaccard is not None
    assert joint.jaccard is not None
    assert joint.jaccard > plain.jaccard + 0.1
    assert joint.precision is not None
    assert joint.precision > 0.97


def test_joint_fits_of_lonely_molecules_are_the_plain_ones() -> None:
    batch, truth = movie(ROUND, 0.02, 1500.0, 10)
    plain = localize(GaussMle(), batch, ROUND)
    joint = localize(GaussMle(joint=True), batch, ROUND)
    pairs = match(plain, joint)
    lonely = isolated(joint, 1500.0)[pairs.truth]
    assert lonely.sum() > 20
    error = pairs.errors(plain, joint, "x")[lonely]
    # Windows and stopping rules differ a little: within a fraction of the 6 nm of noise.
    assert np.max(np.abs(error)) < 2.0
    assert len(joint) >= 0.97 * len(truth)


def test_real_movie_of_another_laboratory() -> None:
    folder = SHARED / "data" / "sparse_2d_simulated"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    import tifffile  # noqa: PLC0415 - slow to import, and not needed where this skips

    pixels = tifffile.imread(folder / "frames.tif").astype(np.uint16)
    table = np.loadtxt(folder / "truth.csv", delimiter=",", skiprows=1)
    x, y = (table[:, 1:3].T * 160.0).astype(np.float32)
    truth = Localizations(frame=table[:, 0].astype(np.int64), x=x, y=y)
    camera = CameraModel(shape=pixels.shape[1:], pixel_size_nm=160.0)
    index = np.arange(len(pixels))
    batch = FrameBatch(pixels, index, index.astype(np.float64))
    free = EngineContext(camera=camera, psf=GaussianPSF(200.0))
    with GaussMle(free_sigma=True).open(free) as process:
        width = float(np.median(process(batch).extra["psf_sigma_nm"]))
    context = EngineContext(camera=camera, psf=GaussianPSF(width))
    with GaussMle(joint=True).open(context) as process:
        jaccard = score(process(batch), truth).jaccard
    assert jaccard is not None
    assert jaccard >= 0.95


def test_refuses_what_makes_no_sense() -> None:
    for options, message in (
        ({"threshold": 1.0}, "threshold is 1"),
        ({"roi_px": 4}, "roi_px is 4"),
        ({"joint_rounds": 0}, "joint_rounds is 0"),
        ({"joint": True, "free_sigma": True}, "exclude each other"),
    ):
        with pytest.raises(InputError, match=message):
            GaussMle(**options)
    assert "give --psf" in str(GaussMle().unsupported(EngineContext(camera=CAMERA)))
