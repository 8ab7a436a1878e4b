"""smnet: quick pupils are the house's, and the shipped models read places near the bound."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from live_smlm_smnet import SmNet
from live_smlm_smnet import network as networks
from live_smlm_smnet.draws import mirrored_sign
from live_smlm_smnet.lesson import NAMES, SmNetLesson
from live_smlm_smnet.optics import Optics
from live_smlm_smnet.shared import agreed, window

from live_smlm.core import CameraModel, EngineContext, InputError, Localizations, RoiBatch
from live_smlm.inference.model import Model, models_of
from live_smlm.physics.psf.gaussian import GaussianPSF
from live_smlm.physics.psf.pupil import PupilPSF
from live_smlm.testing.engine import BACKGROUND, CAMERA, MOLECULE, PHOTONS, EngineContract
from live_smlm.training.scene import Scene

MOST_BYTES = 5_000_000
PSF = PupilPSF(zernike={6: 1.0}, z_min_nm=-600.0, z_max_nm=600.0)
PLACE = EngineContext(camera=CAMERA, psf=PSF)
MODES = (5, 6, 7, 8, 11)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(
        psf=PSF,
        cameras=(CameraModel(shape=(32, 32), pixel_size_nm=100.0, read_noise_e=1.6),),
        density_per_um2=(0.1, 1.0),
        photons=(800.0, 6000.0),
        background=(2.0, 20.0),
        z_nm=(-500.0, 500.0),
    )


class TestSmNet(EngineContract):
    engine = SmNet()
    context = PLACE

    def input(self) -> RoiBatch:
        """The sample's molecule under the PSF that the shipped models know."""
        rois: RoiBatch = super().input()
        size = 19
        corner = np.array([c // 100 - size // 2 for c in MOLECULE[::-1]], np.int32)
        x, y = (np.array([at - 100.0 * c]) for at, c in zip(MOLECULE, corner[::-1], strict=True))
        image = PSF.images(x, y, np.array([100.0]), (size, size), 100.0).value[0]
        light = np.random.default_rng(7).poisson(PHOTONS * image + BACKGROUND, (3, size, size))
        row, column = (np.full(3, c, np.int32) for c in corner)
        return RoiBatch(
            light.astype(np.float32), rois.frame, row, column, columns=dict(rois.columns)
        )


def drawn(scene: Scene, **said: Any) -> SmNetLesson:
    return SmNetLesson(scene=scene, fields=4, **said)


def test_quick_pupils_are_the_houses() -> None:
    aberrations = np.array([0.1, -0.2, 0.3, 0.2, -0.25])
    place = np.array([[870.0, 830.0, 200.0]])
    whole = dict(zip(MODES, aberrations, strict=True))
    whole[6] += 1.0
    ours = Optics(PSF, 100.0, MODES).images(place, aberrations[None], 17)
    x, y, z = place.T
    theirs = replace(PSF, zernike=whole).images(x, y, z, (17, 17), 100.0)
    for quick, exact in zip(ours, (theirs.value, theirs.d_x, theirs.d_y, theirs.d_z), strict=True):
        np.testing.assert_allclose(quick, exact, atol=0.01 * np.abs(exact).max())


@pytest.mark.parametrize("axis", ["x", "y"])
def test_mirrored_images_have_mirrored_aberrations(axis: str) -> None:
    optics, flip = Optics(PSF, 100.0, MODES), {"x": 2, "y": 1}[axis]
    aberrations = np.array([[0.1, -0.2, 0.3, 0.2, -0.25]])
    place = np.array([[880.0, 830.0, 200.0]])
    other = place.copy()
    other[0, "xy".index(axis)] = 1700 - place[0, "xy".index(axis)]
    signs = np.array([mirrored_sign(mode, axis) for mode in MODES])
    image, mirrored = (
        optics.images(place, aberrations, 17),
        optics.images(other, aberrations * signs, 17),
    )
    np.testing.assert_allclose(np.flip(image[0], flip), mirrored[0], atol=1e-6)


def test_what_is_drawn_is_what_is_said(scene: Scene) -> None:
    lesson = drawn(scene, aberrations_rad=0.6)
    seen = lesson.seen(np.random.default_rng(1), lesson.stock(3, 4, (0.3, 0.6), (-400, 400)), 4)
    optics, pixel = Optics(PSF, 100.0, MODES), 100.0
    place = np.column_stack([850 + pixel * seen.truth[:, :2], seen.truth[:, 4]])
    shares = optics.images(place, seen.aberrations, 17)[0]
    mean = seen.truth[:, 2, None, None] * shares + seen.truth[:, 3, None, None]
    pull = (seen.counts - mean) / np.sqrt(mean + 1.6**2)
    assert np.abs(np.mean(pull**2, axis=(1, 2)) - 1).mean() < 0.1
    strength = np.linalg.norm(seen.aberrations, axis=1)
    assert np.all((strength > 0.29) & (strength < 0.61))


def test_many_know_aberrations_better_than_one_and_what_was_known_counts_once() -> None:
    rng = np.random.default_rng(4)
    true, usual, noise = np.array([0.1, -0.2]), 0.15, 0.1
    told = rng.normal(true, noise, (200, 2))
    sure = 1 / (noise**-2 + usual**-2)
    best, width = (sure / noise**2 * told).astype(np.float32), np.full((200, 2), sure**0.5)
    mean, doubt = agreed(best, width.astype(np.float32), usual)
    np.testing.assert_allclose(mean, told.sum(axis=0) / noise**2 * doubt**2, rtol=1e-4)
    np.testing.assert_allclose(doubt, (200 / noise**2 + usual**-2) ** -0.5, rtol=1e-4)
    one, alone = agreed(best[:1], width[:1].astype(np.float32), usual)
    np.testing.assert_allclose(one, best[0], rtol=1e-4)
    np.testing.assert_allclose(alone, width[0], rtol=1e-4)
    both = networks.agreed(torch.tensor(best), torch.tensor(width), usual, 200)
    np.testing.assert_allclose(both[0][0], mean, rtol=1e-4)
    np.testing.assert_allclose(both[1][7], doubt, rtol=1e-4)


def test_the_window_lies_around_the_brightest_place() -> None:
    counts = np.zeros((2, 21, 21), np.float32)
    counts[0, 9:12, 12:15] = 5
    counts[1, 0:3, 0:3] = 5
    seen = window(counts, 17)
    assert (seen.row.tolist(), seen.column.tolist()) == ([2, 0], [4, 0])
    assert seen.counts[0, 8, 9] == 5


def read(model: str, scene: Scene, strength: float, **said: Any) -> tuple[Localizations, Any]:
    """What the shipped model says of cut-outs of one field after the other."""
    lesson = drawn(scene, aberrations_rad=0.6 if strength else 0.0)
    stock = lesson.stock(8, 10, (strength, strength), (-500.0, 500.0))
    seen = lesson.seen(np.random.default_rng(9), stock, 10)
    corner = np.zeros(len(seen.counts), np.int32)
    rois = RoiBatch(seen.counts, np.arange(len(corner)), corner, corner)
    camera = replace(CAMERA, shape=(17, 17))
    with SmNet(model=model, **said).open(EngineContext(camera=camera, psf=PSF)) as process:
        return process(rois), seen


def test_places_are_read_near_the_bound(scene: Scene) -> None:
    found, seen = read("astigmatic", scene, 0.0)
    assert len(found) > 0.98 * len(seen.counts)
    truth, bound = seen.truth[found.frame], seen.bound[found.frame]
    for name, scale, middle in (("x", 100, 850), ("y", 100, 850), ("z", 1, 0)):
        at = NAMES.index(name)
        pull = ((found.axis(name) - middle) / scale - truth[:, at]) / bound[:, at]
        assert np.std(pull) < 1.6
        assert abs(np.median(pull)) < 0.4


def test_aberrations_are_told_and_shared(scene: Scene) -> None:
    found, seen = read("aberrated", scene, 0.5, share=False)
    told = np.column_stack([found.axis(f"zernike_{mode}_rad") for mode in MODES])
    true = seen.aberrations[found.frame]
    assert np.sqrt(np.mean((told - true) ** 2)) < 0.6 * np.sqrt(np.mean(true**2))
    shared, _ = read("aberrated", scene, 0.5)
    assert len(np.unique(shared.axis("zernike_6_rad"))) == 1
    untold, _ = read("aberrated_untold", scene, 0.5)
    assert "zernike_6_rad" not in untold.columns()


def test_what_does_not_fit_is_refused_with_the_cure(scene: Scene) -> None:
    round_one = EngineContext(camera=CAMERA, psf=GaussianPSF(130.0))
    assert "live-smlm train smnet" in str(SmNet().unsupported(round_one))
    tiny = EngineContext(camera=replace(CAMERA, shape=(16, 40)), psf=PSF)
    assert "do not hold the 17 pixels" in str(SmNet().unsupported(tiny))
    corner = np.zeros(1, np.int32)
    small = RoiBatch(np.ones((1, 13, 13), np.float32), corner.astype(np.int64), corner, corner)
    with SmNet().open(PLACE) as process, pytest.raises(InputError, match="say detect:roi_px=17"):
        process(small)
    with pytest.raises(InputError, match="roi_px is 12"):
        drawn(scene, roi_px=12)
    with pytest.raises(InputError, match="modes is '5,6'"):
        drawn(scene, aberrations_rad=0.5, modes="5,6")
    with pytest.raises(InputError, match="PSFs without a mask"):
        Optics(PupilPSF(mask="tetrapod"), 100.0, MODES)
    flat = replace(scene, psf=GaussianPSF(130.0), z_nm=(0.0, 0.0))
    with pytest.raises(InputError, match="smnet learns pupil PSFs, not gaussian"):
        SmNetLesson(scene=flat)


@pytest.mark.parametrize("path", models_of("live_smlm_smnet").values(), ids=lambda p: p.name)
def test_what_is_shipped_is_whole_small_and_told(path: Path) -> None:
    model = Model.load(path)
    assert sum(file.stat().st_size for file in path.iterdir()) <= MOST_BYTES
    assert model.provenance["command"].startswith("live-smlm train smnet")
    assert f"--seed {model.provenance['seed']}" in model.provenance["command"]
