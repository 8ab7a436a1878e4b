"""ANNA-PALM: draws structures from few molecules, nothing from nothing, and doubts itself."""

import subprocess
import sys
from pathlib import Path

import live_smlm_annapalm
import numpy as np
import pytest
import torch
from live_smlm_annapalm import CHANNELS, AnnaPalm
from live_smlm_annapalm.lesson import AnnaPalm as Lesson
from live_smlm_annapalm.likeness import ms_ssim
from live_smlm_annapalm.network import Both
from live_smlm_annapalm.objective import Weights, objective
from live_smlm_annapalm.pairs import PIXEL_NM, drawn, histogram, seen, training_pair
from scipy.ndimage import distance_transform_edt, gaussian_filter

from live_smlm.cli import main
from live_smlm.core import F32, EngineContext, InputError, Reconstruction
from live_smlm.inference.model import Model, models_of
from live_smlm.physics.field import Field
from live_smlm.physics.structures import Filaments
from live_smlm.testing.engine import CAMERA, EngineContract

MOST_BYTES = 5_000_000
SIDE = 192
CONTEXT = EngineContext(camera=CAMERA)


def picture(counts: F32, pixel_nm: float = PIXEL_NM) -> Reconstruction:
    image = counts if counts.ndim == 3 else counts[None]
    return Reconstruction(
        image=image, pixel_size_nm=pixel_nm, origin_nm=(40.0, 60.0), first_frame=3, last_frame=9
    )


def predicted(counts: F32, engine: AnnaPalm | None = None) -> Reconstruction:
    with (engine or AnnaPalm()).open(CONTEXT) as predict:
        return predict(picture(counts))


def filaments(seed: int, share: float) -> tuple[F32, F32]:
    """Some of the molecules, and the picture of all."""
    rng = np.random.default_rng(seed)
    extent = SIDE * PIXEL_NM
    found = seen(rng, Filaments().positions(rng, Field(extent, extent)))
    few = found[rng.random(len(found)) < share]
    return histogram(few, (SIDE, SIDE)), drawn(found, (SIDE, SIDE))


def likeness(one: F32, other: F32) -> float:
    ours, theirs = (torch.from_numpy(p)[None, None] for p in (one, other))
    return float(ms_ssim(ours, theirs, 2.0))


class TestAnnaPalm(EngineContract):
    engine = AnnaPalm()


def test_what_is_shipped_is_small_and_says_how_it_was_made() -> None:
    shipped = models_of("live_smlm_annapalm")
    assert list(shipped) == ["filaments"]
    model = Model.load(shipped["filaments"])
    assert sum(path.stat().st_size for path in model.folder.iterdir()) <= MOST_BYTES
    assert model.provenance["command"].startswith("live-smlm train annapalm ")
    assert "--seed 1 " in model.provenance["command"]
    assert AnnaPalm().spec.pixel_size_nm == model.details["pixel_nm"]


def test_a_prediction_says_that_it_is_one_and_lies_where_its_molecules_lie() -> None:
    answer = predicted(filaments(1, 0.02)[0])
    assert answer.predicted
    assert answer.channels == CHANNELS == ("prediction", "error")
    assert (answer.origin_nm, answer.first_frame, answer.last_frame) == ((40.0, 60.0), 3, 9)
    assert answer.molecules is None


def best_blurred(counts: F32, dense: F32) -> float:
    likes = []
    for sigma in (1.5, 2, 2.5, 3, 4, 6):
        smooth = gaussian_filter(counts, sigma)
        scale = (smooth * dense).sum() / (smooth**2).sum()
        likes += [likeness(factor * scale * smooth, dense) for factor in (0.8, 1.0, 1.25)]
    return max(likes)


def test_few_molecules_show_more_than_any_blur_of_them() -> None:
    gains = []
    for seed in (11, 12, 13):
        counts, dense = filaments(seed, 0.02)
        gains.append(likeness(predicted(counts).image[0], dense) - best_blurred(counts, dense))
    assert np.mean(gains) > 0.07


def test_the_error_map_tells_where_it_is_wrong() -> None:
    counts, dense = filaments(3, 0.02)
    prediction, error = predicted(counts).image
    wrong = np.abs(prediction - dense)
    assert np.corrcoef(error.ravel(), wrong.ravel())[0, 1] > 0.3
    assert 0.5 < error.mean() / wrong.mean() < 2


def test_nothing_is_drawn_from_nothing() -> None:
    assert predicted(np.zeros((100, 100), np.float32)).image[0].max() == 0


def test_molecules_anywhere_are_not_joined() -> None:
    rng = np.random.default_rng(4)
    counts = histogram(rng.uniform(0, SIDE * PIXEL_NM, (200, 2)), (SIDE, SIDE))
    prediction = predicted(counts).image[0]
    far = distance_transform_edt(counts == 0) * PIXEL_NM > 50
    assert prediction.sum() > 0
    assert prediction[far].sum() <= 0.05 * prediction.sum()


def test_a_picture_in_windows_is_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    counts = np.tile(filaments(5, 0.05)[0], (2, 2))[:300, :330] + rng.poisson(0.01, (300, 330))
    whole = predicted(counts.astype(np.float32)).image
    monkeypatch.setattr(live_smlm_annapalm, "_SIDE_PX", 128)
    np.testing.assert_allclose(predicted(counts.astype(np.float32)).image, whole, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (7, 90), (65, 33)])
def test_pictures_have_any_size(shape: tuple[int, int]) -> None:
    counts = np.random.default_rng(6).poisson(0.1, shape).astype(np.float32)
    assert predicted(counts).image.shape == (2, *shape)


def test_channels_are_seen_together() -> None:
    counts = filaments(7, 0.02)[0]
    parts = np.stack([counts // 2, counts - counts // 2])
    np.testing.assert_array_equal(predicted(parts).image, predicted(counts).image)


def test_other_pixels_are_refused() -> None:
    with (
        AnnaPalm().open(CONTEXT) as predict,
        pytest.raises(InputError, match=r"pixels of 10 nm and has learnt 20 nm"),
    ):
        predict(picture(np.zeros((64, 64), np.float32), 10.0))


def test_a_model_that_is_not_there_is_named() -> None:
    reason = AnnaPalm(model="actin").unsupported(CONTEXT)
    assert reason is not None
    assert "'actin' is neither a folder nor shipped with annapalm, which has filaments" in reason


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"width": 0}, "width is 0"),
        ({"side": 200}, "multiple of 32"),
        ({"side": 96}, "at least 176"),
        ({"least_share": 0.5, "most_share": 0.1}, "the lower first"),
    ],
)
def test_a_lesson_that_cannot_be_is_refused(options: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Lesson(**options)  # type: ignore[arg-type] # wrong on purpose


def test_a_pair_shows_the_same_filaments_sparse_and_dense() -> None:
    for seed in range(20):
        pair = training_pair(np.random.default_rng(seed), SIDE, (0.02, 0.02))
        again = training_pair(np.random.default_rng(seed), SIDE, (0.02, 0.02))
        np.testing.assert_array_equal(pair.counts, again.counts)
        lit = pair.dense[pair.counts > 0]
        if pair.counts.any():
            assert lit.mean() > 2 * pair.dense.mean()
    assert np.median(drawn(np.zeros((0, 2)), (8, 8))) == 0


def test_a_filament_has_brightness_one() -> None:
    _, dense = filaments(8, 0.02)
    ridge = dense[dense > 0.6]
    assert 0.8 < np.median(ridge) < 1.2


def test_neither_network_is_moved_by_what_the_other_is_told() -> None:
    torch.manual_seed(1)
    both = Both(2)
    counts, dense = torch.rand(1, 1, SIDE, SIDE), torch.rand(1, 1, SIDE, SIDE)
    moved = []
    for adversary in (0.0, 1.0):
        weights = Weights(adversary=adversary, likeness=0.0, error=0.0)
        total = objective(both.generator, both.critic, counts, dense, weights)
        parts = [list(part.parameters()) for part in (both.generator, both.critic)]
        pushes = torch.autograd.grad(total, [*parts[0], *parts[1]], materialize_grads=True)
        sizes = [float(push.abs().sum()) for push in pushes]
        moved.append([sum(sizes[: len(parts[0])]), sum(sizes[len(parts[0]) :])])
    (still, learns), (pushed, same) = moved
    assert still == 0
    assert pushed > 0
    assert learns > 0
    assert same == pytest.approx(learns, rel=1e-5)


def test_pictures_are_like_themselves_and_less_like_others() -> None:
    _, dense = filaments(9, 0.02)
    assert likeness(dense, dense) == pytest.approx(1.0, abs=1e-5)
    assert likeness(gaussian_filter(dense, 1.0), dense) > likeness(gaussian_filter(dense, 3), dense)


def test_it_is_trained_and_runs(tmp_path: Path) -> None:
    out = tmp_path / "small"
    words = "train annapalm:width=2,pictures=1 --steps 3 --seed 1 --check-every 3".split()
    assert main([*words, "--out", str(out)]) == 0
    scores = Model.load(out).provenance["scores"]["held out"]
    assert set(scores) == {"loss", "MS-SSIM", "error r"}
    engine = AnnaPalm(model=str(out))
    assert engine.unsupported(CONTEXT) is None
    assert np.isfinite(predicted(filaments(10, 0.02)[0], engine).image).all()


def test_running_it_needs_no_torch() -> None:
    program = "import sys, live_smlm_annapalm; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
