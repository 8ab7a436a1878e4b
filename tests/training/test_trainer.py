import dataclasses
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file

from live_smlm.core import InputError
from live_smlm.testing.scenes import DEEP, SCALES
from live_smlm.training import finish, molecules, molecules_bundle, provenance, trainer
from live_smlm.training.checkpoint import Standing
from live_smlm.training.export import files, macs_per_pixel
from live_smlm.training.extraction import Extraction
from live_smlm.training.molecules import Molecules, scales_of
from live_smlm.training.network import AnyNetwork, Scales, build, maps
from live_smlm.training.scene import sample
from live_smlm.training.trainer import Progress, Trained, Training, train

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(molecules, "_JUDGED", (1, 2))
    monkeypatch.setattr(molecules_bundle, "_BATCHES", 1)


def a_training(steps: int) -> Training:
    return Training(lesson=a_lesson(), steps=steps, check_every=3)


def a_lesson(width: int = 4) -> Molecules:
    options = {"width": width}
    return Molecules(architecture="glint", scene=DEEP, options=options, movies=1, frames=2)


def weights(trained: Trained) -> dict[str, torch.Tensor]:
    return dict(trained.network.state_dict())


def test_a_training_that_was_cut_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    told: list[Progress] = []

    def cut(progress: Progress) -> None:
        told.append(progress)
        raise KeyboardInterrupt

    whole = train(a_training(6), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(a_training(6), tmp_path / "cut", cut)
    assert [p.step for p in told] == [3]
    rest = train(a_training(6), tmp_path / "cut", told.append)
    assert [p.step for p in told] == [3, 6]
    for name, value in weights(whole).items():
        assert torch.equal(value, weights(rest)[name]), name


def test_another_training_is_not_continued(tmp_path: Path) -> None:
    train(a_training(1), tmp_path)
    other = dataclasses.replace(a_training(2), seed=5)
    with pytest.raises(InputError, match="seed was 0"):
        train(other, tmp_path)


def test_a_broken_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0rubbish")
    with pytest.raises(InputError, match="cannot be read"):
        train(a_training(2), tmp_path)


def test_it_ends_early_without_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "_learning_rate", lambda *_: 0.0)
    patient = dataclasses.replace(a_training(20), check_every=2, patience=3)
    trained = train(patient, tmp_path)
    assert trained.standing.best_step == 2
    assert trained.standing.step == 8
    assert train(patient, tmp_path).standing.step == 8


def test_a_training_that_diverges_ends_and_leaves_no_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "_learning_rate", lambda *_: float("inf"))
    with pytest.raises(InputError, match="diverged before step 3"):
        train(a_training(6), tmp_path)
    assert not list(tmp_path.iterdir())


def test_it_begins_with_the_weights_of_a_bundle(tmp_path: Path) -> None:
    first = a_training(1)
    bundle = tmp_path / "first"
    finish.finish(train(first, tmp_path / "one"), first, bundle, "", scored=False)
    still = dataclasses.replace(first, start=bundle, seed=9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "_learning_rate", lambda *_: 0.0)
        second = train(still, tmp_path / "two")
    held = load_file(bundle / "weights.safetensors")
    for name, value in weights(second).items():
        assert torch.equal(value, held[name]), name
    wider = dataclasses.replace(still, lesson=a_lesson(8))
    with pytest.raises(InputError, match="has not the layers"):
        train(wider, tmp_path / "three")


def test_minutes_become_steps(tmp_path: Path) -> None:
    short = dataclasses.replace(a_training(1), steps=0, minutes=0.01)
    trained = train(short, tmp_path)
    assert trained.standing.step == trained.standing.steps >= 1


def test_a_training_goes_on_for_as_long_as_is_asked_now() -> None:
    timed = dataclasses.replace(a_training(1), steps=0, minutes=2.0)
    cut = Standing(10, 40, 30.0, 1.0, 10, {}, minutes=2.0)
    assert trainer._continued(cut, timed) == cut
    longer = trainer._continued(cut, dataclasses.replace(timed, minutes=4.0))
    assert (longer.steps, longer.minutes) == (80, 4.0)
    counted = trainer._continued(longer, a_training(50))
    assert counted.steps == 50
    assert trainer._continued(counted, timed).steps == 40


def test_a_bundle_is_written_where_there_is_no_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert not provenance._commit()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "give one of them"),
        ({"minutes": 3.0}, "give one of them"),
        ({"device": "cuda"}, "finds no GPU"),
        ({"seed": -1}, "seed is -1"),
        ({"workers": -1}, "workers is -1"),
    ],
)
def test_what_cannot_be_trained_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        dataclasses.replace(a_training(5), **change)  # type: ignore[arg-type]


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(InputError, match="no network is called 'glimt'; there are decode, glint"):
        build("glimt", SCALES)


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(InputError, match="depth"):
        build("glint", SCALES, {"depth": 3})


NETWORKS = [("glint", {}), ("decode", {"width": 16}), ("liteloc", {"width": 16})]


def lively(name: str, options: dict[str, int], scales: Scales) -> AnyNetwork:
    """An untrained network that says all sorts of things."""
    torch.manual_seed(1)
    network: AnyNetwork = build(name, scales, options)
    for key, value in network.named_parameters():
        if key.endswith("bias"):
            torch.nn.init.uniform_(value, -0.5, 0.5)
    last: torch.nn.Conv2d = network.last if name == "glint" else network.lasts[0]  # type: ignore[assignment,index]
    with torch.no_grad():
        last.weight[0] *= 0.1
        last.bias[0] = -2.5  # type: ignore[index] # improbable enough that no mass is cut off at 1
    return network.eval()


@pytest.mark.parametrize(("name", "options"), NETWORKS)
def test_the_graphs_say_what_the_network_says(name: str, options: dict[str, int]) -> None:
    scales = scales_of(DEEP)
    network = lively(name, options, scales)
    frames = torch.from_numpy(sample(DEEP, 3, 0, movies=1, frames=3, halo=(1, 1)).frames)
    frames = frames.repeat(1, 1, 1, 3)  # another size than the one at the export
    with torch.no_grad():
        molecules, crowded = Extraction(scales, 3)(maps(network, frames))
    held = files(network, scales, 3)
    for ending, digits in ((".onnx", 0.01), (".fp16.onnx", 0.1)):
        features = run(held["features" + ending], "frames", frames[0].numpy())[0]
        answer, told = run(held["molecules" + ending], "features", features)
        assert answer.shape == tuple(molecules.shape)
        if ending == ".onnx":
            assert told.sum() == pytest.approx(int(crowded.sum()), abs=2)
        assert answer[..., 0].sum() == pytest.approx(float(molecules[..., 0].sum()), rel=digits)
        if ending == ".onnx":
            same = 0
            for place in molecules[..., 0].flatten().topk(20).indices.numpy():
                n, tile, slot = np.unravel_index(place, molecules.shape[:3])
                ours = molecules[n, tile, slot].numpy()
                same += bool(np.isclose(answer[n, tile], ours, rtol=1e-2, atol=1e-2).all(1).any())
            assert same >= 18  # of 20: a pixel at the edge of a cluster may fall to either side


def run(graph: bytes, given: str, array: np.ndarray) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    answer: list[np.ndarray] = session.run(None, {given: array})
    return answer


@pytest.mark.parametrize(
    ("name", "options", "parameters", "macs"),
    [
        ("decode", {}, 2.2e6, 579e3),  # 2.199 M published; 593 k with what is cut off at borders
        ("liteloc", {}, 1.332e6, 423e3),
        ("glint", {}, 0.156e6, 54e3),
    ],
)
def test_networks_are_as_large_as_published(
    name: str, options: dict[str, int], parameters: float, macs: float
) -> None:
    network: AnyNetwork = build(name, SCALES, options)
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(parameters, rel=0.01)
    assert macs_per_pixel(network) == pytest.approx(macs, rel=0.01)


@pytest.mark.parametrize(("name", "options"), NETWORKS)
def test_a_pixel_acts_no_farther_than_the_margin(name: str, options: dict[str, int]) -> None:
    network = lively(name, options, SCALES)
    side = 2 * network.margin_px + 32
    frames = torch.full((1, 3, side, side), 10.0)
    changed = frames.clone()
    changed[..., side // 2 // 4 * 4, side // 2 // 4 * 4] += 500
    with torch.no_grad():
        moved = (maps(network, frames) - maps(network, changed)).abs().amax((0, 1)) > 1e-6
    rows, columns = np.nonzero(moved.numpy())
    far = max(np.abs(rows - side // 2).max(), np.abs(columns - side // 2).max())
    assert 8 < far <= network.margin_px
