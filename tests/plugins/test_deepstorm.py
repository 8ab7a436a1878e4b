"""Deep-STORM: pictures that add up, hold as many molecules as there are, and where they are."""

import subprocess
import sys
from pathlib import Path

import live_smlm_deepstorm
import numpy as np
import pytest
import torch
from live_smlm_deepstorm import DeepStorm
from live_smlm_deepstorm.lesson import DeepStorm as Lesson
from live_smlm_deepstorm.peaks import peaks

from live_smlm.cli import main
from live_smlm.core import (
    CameraModel,
    EngineContext,
    FrameBatch,
    InputError,
    Localizations,
    Reconstruction,
)
from live_smlm.evaluate.score import score
from live_smlm.inference.model import Model, models_of
from live_smlm.physics.background import Background
from live_smlm.physics.blinking import Single
from live_smlm.physics.emitters import Brightness
from live_smlm.physics.psf.gaussian import GaussianPSF
from live_smlm.physics.simulator import Simulator
from live_smlm.physics.specimens import Uniform
from live_smlm.testing.engine import CAMERA, EngineContract
from live_smlm.testing.scenes import DEEP, FLAT

MOST_BYTES = 5_000_000
PSF = GaussianPSF(130.0)


def movie(
    per_um2: float, frames: int, shape: tuple[int, int] = (40, 48)
) -> tuple[FrameBatch, Localizations, EngineContext]:
    camera = CameraModel(shape=shape, pixel_size_nm=100.0, read_noise_e=1.6)
    simulator = Simulator(
        camera=camera,
        psf=PSF,
        specimen=Uniform(),
        blinking=Single(),
        brightness=Brightness(3000.0, 0.3),
        visible_per_um2=per_um2,
        background=Background(10.0),
        seed=11,
    )
    batch, truth = next(iter(simulator.stream(frames, frames)))
    return batch, truth, EngineContext(camera=camera, psf=PSF)


def summed(engine: DeepStorm, batch: FrameBatch, context: EngineContext) -> Reconstruction:
    with engine.open(context) as paint:
        return paint(batch)


class TestDeepStorm(EngineContract):
    engine = DeepStorm()


class TestDeepStormWithPeaks(EngineContract):
    engine = DeepStorm(peaks=True)

    def test_its_molecule_is_where_it_is(self) -> None:
        found = self.opened(self.input()).molecules
        assert len(found) == len(np.unique(found.frame)) == 5
        assert np.abs(found.x - 1234).max() < 25
        assert np.abs(found.y - 1567).max() < 25


def test_what_is_shipped_is_small_and_says_how_it_was_made() -> None:
    shipped = models_of("live_smlm_deepstorm")
    assert list(shipped) == ["round"]
    model = Model.load(shipped["round"])
    assert sum(path.stat().st_size for path in model.folder.iterdir()) <= MOST_BYTES
    assert model.provenance["command"].startswith("live-smlm train deepstorm ")
    assert "--seed 1 " in model.provenance["command"]
    told = DeepStorm(peaks=True).describe(EngineContext(camera=CAMERA, psf=PSF))
    assert (told["hash"], told["least"]) == (model.hash, model.details["least"])


def test_the_picture_holds_as_many_molecules_as_there_are() -> None:
    batch, truth, context = movie(3.0, 10)
    answer = summed(DeepStorm(), batch, context)
    assert answer.pixel_size_nm == 25.0
    assert answer.image.shape == (1, 160, 192)
    assert answer.channels == ("molecules",)
    assert not answer.predicted
    assert answer.image.sum() == pytest.approx(len(truth), rel=0.25)


def test_increments_add_up_to_the_whole() -> None:
    batch, _, context = movie(3.0, 9)
    parts = [
        FrameBatch(batch.pixels[s], batch.index[s], batch.time_s[s])
        for s in (slice(0, 2), slice(2, 9))
    ]
    with DeepStorm().open(context) as paint:
        whole, one, other = paint(batch), *(paint(part) for part in parts)
    both = one.plus(other)
    np.testing.assert_allclose(both.image, whole.image, atol=1e-4)
    assert (both.first_frame, both.last_frame) == (0, 8)


def test_frames_without_molecules_stay_empty() -> None:
    rng = np.random.default_rng(1)
    pixels = (rng.poisson(10.0, (20, *CAMERA.shape)) + 100).astype(np.uint16)
    batch = FrameBatch(pixels, np.arange(20), np.arange(20.0))
    answer = summed(DeepStorm(peaks=True), batch, EngineContext(camera=CAMERA))
    assert answer.image.sum() < 0.1
    assert answer.molecules is not None
    assert len(answer.molecules) == 0


def test_dense_molecules_are_read_out_where_they_are() -> None:
    batch, truth, context = movie(3.0, 10)
    found = summed(DeepStorm(peaks=True), batch, context).molecules
    assert found is not None
    assert (score(found, truth, radius_xy_nm=100).jaccard or 0) > 0.6
    fewer = summed(DeepStorm(peaks=True, least=0.9), batch, context).molecules
    assert fewer is not None
    assert 0 < len(fewer) < len(found)
    # What it claims of its errors is about what they are.
    assert 0.5 < (score(found, truth, radius_xy_nm=100).pull_std_x or 0) < 1.5


def test_unless_asked_no_molecules_are_read_out() -> None:
    batch, _, context = movie(3.0, 2)
    assert summed(DeepStorm(), batch, context).molecules is None


def test_bare_spikes_are_sharper_and_as_many() -> None:
    batch, _, context = movie(3.0, 4)
    bare = summed(DeepStorm(blur_px=0), batch, context).image
    blurred = summed(DeepStorm(), batch, context).image
    assert bare.max() > blurred.max()
    assert bare.sum() == pytest.approx(float(blurred.sum()), rel=0.01)


def test_a_frame_in_windows_is_the_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    batch, _, context = movie(3.0, 2, (70, 91))
    whole = summed(DeepStorm(), batch, context).image
    assert whole.shape == (1, 280, 364)
    monkeypatch.setattr(live_smlm_deepstorm, "_SIDE_PX", 32)
    np.testing.assert_allclose(summed(DeepStorm(), batch, context).image, whole, atol=1e-5)


def test_a_psf_that_no_model_knows_is_refused_with_the_cure() -> None:
    reason = DeepStorm().unsupported(EngineContext(camera=CAMERA, psf=GaussianPSF(260.0)))
    assert reason is not None
    assert "live-smlm train deepstorm" in reason


@pytest.mark.parametrize(
    ("options", "said"), [({"least": 1.0}, "least is 1"), ({"blur_px": -1.0}, "blur_px is -1")]
)
def test_options_out_of_range_are_refused(options: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        DeepStorm(**options)  # type: ignore[arg-type] # all of them are numbers


def test_a_lesson_that_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="tells no z"):
        Lesson(scene=DEEP)
    with pytest.raises(InputError, match="give light or full"):
        Lesson(scene=FLAT, form="fine")  # type: ignore[arg-type] # wrong on purpose
    with pytest.raises(InputError, match="movies is 0"):
        Lesson(scene=FLAT, movies=0)


def test_the_full_form_is_the_published_one() -> None:
    network = Lesson(scene=FLAT, form="full").network()
    weights = sum(p.numel() for p in network.parameters())
    assert round(weights / 1e6, 3) == 1.366
    lesson = Lesson(scene=FLAT, form="full", movies=1, frames=1)
    batch = {name: torch.from_numpy(v) for name, v in lesson.draw(1, 0).items()}
    assert network(batch["frames"]).shape == (1, 256, 256)


def test_peaks_are_at_the_centre_of_gravity() -> None:
    pictures = np.zeros((2, 32, 40), np.float32)
    pictures[0, 10, 20], pictures[0, 10, 21] = 0.75, 0.25
    pictures[1, 0, 0] = 0.6
    pictures[1, 20, 5] = 0.2
    found = peaks(pictures, np.array([7, 9]), 4, 100.0, 0.3)
    np.testing.assert_array_equal(found.frame, [7, 9])
    np.testing.assert_allclose(found.x, [25 * 20.75, 25 * 0.5])
    np.testing.assert_allclose(found.y, [25 * 10.5, 25 * 0.5])
    np.testing.assert_allclose(found.axis("probability"), [1.0, 0.6])


def test_two_spots_half_a_pixel_apart_are_two() -> None:
    pictures = np.zeros((1, 32, 32), np.float32)
    pictures[0, 16, [10, 14]] = 0.5
    assert len(peaks(pictures, np.array([1]), 4, 100.0, 0.3)) == 2


def test_it_is_trained_and_runs(tmp_path: Path) -> None:
    out = tmp_path / "small"
    words = "train deepstorm:movies=1,frames=2 --psf gaussian:sigma_nm=130 --camera scmos".split()
    rest = "--steps 3 --seed 1 --check-every 3 --out".split()
    assert main([*words, *rest, str(out)]) == 0
    model = Model.load(out)
    assert set(model.provenance["scores"]["held out"]) == {"loss", "Jaccard", "RMSE nm"}
    assert model.details["up"] == 4
    batch, _, context = movie(1.0, 2)
    engine = DeepStorm(model=str(out), peaks=True)
    assert engine.unsupported(context) is None
    assert np.isfinite(summed(engine, batch, context).image).all()


def test_running_it_needs_no_torch() -> None:
    program = "import sys, live_smlm_deepstorm; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
