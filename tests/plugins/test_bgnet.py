"""bgnet: what shines under a molecule is told pixel by pixel, and a fit is better for it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from live_smlm_bgnet import BgNet
from live_smlm_bgnet.lesson import BgNet as Lesson
from live_smlm_bgnet.lesson import structures
from live_smlm_bgnet.scaled import POOLED, scaled

from live_smlm.core import CameraModel, EngineContext, InputError, RoiBatch
from live_smlm.engines.fit_engine import MaximumLikelihood
from live_smlm.inference.model import Model, models_of
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.testing.engine import CAMERA, EngineContract
from live_smlm.training.scene import Scene

MOST_BYTES = 5_000_000
PSF = AstigmaticPSF(130.0, 130.0, 250.0, -250.0, 400.0)
PLACE = EngineContext(camera=CAMERA, psf=PSF)
SCENE = Scene(
    psf=PSF,
    cameras=(CameraModel(shape=(32, 32), pixel_size_nm=100.0, read_noise_e=1.6),),
    density_per_um2=(0.1, 1.0),
    photons=(800.0, 4000.0),
    background=(5.0, 25.0),
    z_nm=(-500.0, 500.0),
)
LESSON = Lesson(scene=SCENE)


def lit(size: int, count: int = 400) -> tuple[RoiBatch, np.ndarray, np.ndarray]:
    """Cut-outs on structured light, their true background, and where the molecules are."""
    drawn = LESSON.rois(np.random.default_rng(77), size, count)
    corner = np.zeros(count, np.int32)
    rois = RoiBatch(drawn.photons, np.arange(count), corner, corner)
    return rois, drawn.background, drawn.place


class TestBgNet(EngineContract):
    engine = BgNet()
    context = PLACE

    def input(self) -> RoiBatch:
        """The shipped model wants larger cut-outs than the sample's."""
        rois: RoiBatch = super().input()
        wide = np.pad(rois.photons, ((0, 0), (1, 1), (1, 1)), mode="edge")
        return replace(rois, photons=wide)


@pytest.mark.parametrize("size", [15, 18, 21])
def test_what_the_network_means_is_what_was_scaled(size: int) -> None:
    counts = np.random.default_rng(1).uniform(5, 400, (3, size, size)).astype(np.float32)
    given = scaled(counts)
    assert given.images.shape[2] % POOLED == 0
    assert given.images.shape[2] >= size
    wanted = (counts - given.level[:, None, None]) / given.noise[:, None, None]
    np.testing.assert_allclose(given.counts(wanted[:, None]), counts, rtol=1e-5)
    assert given.counts(np.full_like(wanted[:, None], -1e6)).min() == 0


def test_structure_has_many_frequencies_and_stays_within_its_bounds() -> None:
    made = structures(np.random.default_rng(2), 200, 20, 20.0, 5.0)
    assert made.min() == 0
    assert made.max() == 1
    power = (np.abs(np.fft.rfft2(made - made.mean(axis=(1, 2), keepdims=True))) ** 2).mean(axis=0)
    assert power[0, 1] > power[0, 2] > power[0, 4] > 0
    assert np.abs(np.diff(made, axis=2)).max() < 0.5


@pytest.mark.parametrize("size", [15, 21])
def test_the_background_is_told_better_than_by_any_constant(size: int) -> None:
    rois, true, _ = lit(size)
    with BgNet(least=0).open(PLACE) as estimate:
        told = estimate(rois).background
    assert told is not None
    best = true - true.mean(axis=(1, 2), keepdims=True)
    assert np.sqrt(np.mean((told - true) ** 2)) < 0.4 * np.sqrt(np.mean(best**2))


def test_a_fit_that_is_told_errs_less() -> None:
    rois, true, place = lit(15)
    context = EngineContext(camera=replace(CAMERA, shape=(15, 15)), psf=PSF)
    with BgNet(least=0).open(context) as estimate, MaximumLikelihood().open(context) as fit:
        errors = {}
        told = {"flat": rois, "told": estimate(rois), "true": replace(rois, background=true)}
        for name, batch in told.items():
            found = fit(batch)
            z = found.axis("z") - place[found.frame, 2]
            errors[name] = np.median(np.abs(z)), np.median(np.abs(found.x - place[found.frame, 0]))
    for flat, ours, best in zip(*errors.values(), strict=True):
        assert flat - ours > 0.4 * (flat - best)


def test_what_is_background_alone_is_left_out() -> None:
    rois, true, _ = lit(15)
    dark = replace(rois, photons=np.random.default_rng(5).poisson(true).astype(np.float32))
    with BgNet().open(PLACE) as estimate:
        assert len(estimate(rois)) > 0.9 * len(rois)
        assert len(estimate(dark)) < 0.1 * len(rois)
    with pytest.raises(InputError, match="least is -1"):
        BgNet(least=-1.0)


def test_what_does_not_fit_is_refused_with_the_cure() -> None:
    wide = EngineContext(camera=CAMERA, psf=GaussianPSF(300.0))
    assert "live-smlm train bgnet" in str(BgNet().unsupported(wide))
    rois, _, _ = lit(15, 3)
    small = RoiBatch(rois.photons[:, 2:-2, 2:-2], rois.frame, rois.row, rois.column)
    with BgNet().open(PLACE) as estimate, pytest.raises(InputError, match="say detect:roi_px="):
        estimate(small)
    with pytest.raises(InputError, match="knots are"):
        Lesson(scene=SCENE, finest_nm=3000.0)
    with pytest.raises(InputError, match="width is 0"):
        Lesson(scene=SCENE, width=0)


@pytest.mark.parametrize("path", models_of("live_smlm_bgnet").values(), ids=lambda p: p.name)
def test_what_is_shipped_is_whole_small_and_told(path: Path) -> None:
    model = Model.load(path)
    assert sum(file.stat().st_size for file in path.iterdir()) <= MOST_BYTES
    assert model.provenance["command"].startswith("live-smlm train bgnet ")
    assert f"--seed {model.provenance['seed']}" in model.provenance["command"]
