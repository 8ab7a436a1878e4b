"""`live-smlm train` on a plugin's lesson: words in, a model out that computes as torch does."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from live_smlm.cli import main
from live_smlm.cli import train as command
from live_smlm.core import CameraModel, EngineContext
from live_smlm.inference.graph import opened_graph
from live_smlm.inference.model import Model
from live_smlm.testing.lessons import Sums, install_lessons

CHECKPOINT = "checkpoint.safetensors"
SCENE = "--psf gaussian:sigma_nm=130 --camera scmos:read_noise_e=1.6".split()
WORDS = "train sums:width=6 --seed 1 --check-every 4".split()


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_lessons(tmp_path, monkeypatch)


def test_a_lesson_is_trained_in_two_goes_as_in_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, other = tmp_path / "small", tmp_path / "again"
    words = [*WORDS, "--steps", "8", "--out", str(out), "--json"]
    assert main(words) == 0
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    model = Model.load(out)
    assert (told["model"], told["hash"], told["steps"]) == (str(out), model.hash, 8)
    assert told["held out RMSE counts"] == model.provenance["scores"]["held out"]["RMSE counts"]
    lines = printed.err.splitlines()
    assert [line.partition(",")[0] for line in lines] == ["step 4/8", "step 8/8"]
    assert ", held out " in lines[1]
    assert ", RMSE counts " in lines[1]

    def cut(_: object) -> None:
        raise KeyboardInterrupt

    folder = tmp_path / "cut"
    words = [*WORDS, "--steps", "8", "--out", str(other), "--checkpoint", str(folder)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "_say", cut)
        assert main(words) == 130
    assert not other.exists()
    assert main(words) == 0
    one = load_file(tmp_path / "small.checkpoint" / CHECKPOINT)
    two = load_file(folder / CHECKPOINT)
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert Model.load(other).files == model.files


def test_what_the_command_wrote_computes_as_torch_does(tmp_path: Path) -> None:
    out = tmp_path / "small"
    assert main([*WORDS, "--steps", "6", "--out", str(out)]) == 0
    network = Sums(width=6).network()
    network.load_state_dict(load_file(out / "weights.safetensors"))
    rows = np.random.default_rng(2).normal(size=(25, 4)).astype(np.float32)
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(rows)).numpy()
    model = Model.load(shutil.copytree(out, tmp_path / "elsewhere"))
    context = EngineContext(camera=CameraModel(shape=(8, 8), pixel_size_nm=100.0))
    with opened_graph(model, "sums", context) as run:
        np.testing.assert_allclose(run({"rows": rows})["sums"], expected, rtol=1e-5, atol=1e-5)


def test_a_lesson_in_a_scene_knows_its_psf(tmp_path: Path) -> None:
    out = tmp_path / "seen"
    words = ["train", "scenic", *SCENE, "--steps", "2", "--pixel-nm", "110", "--out", str(out)]
    assert main(words) == 0
    model = Model.load(out)
    assert model.envelope["pixel_size_nm"] == (110.0, 110.0)
    assert model.psf() is not None
    assert model.provenance["training"]["architecture"] == "scenic"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("sums --psf gaussian:sigma_nm=130", "--camera is not said"),
        (f"sums {' '.join(SCENE)}", "'sums' is learnt in no scene; leave out --psf and --camera"),
        ("sums --density 1:2 --pixel-nm 90", "leave out --density, --pixel-nm"),
        ("scenic", "'scenic' is learnt in a scene; say --psf and --camera"),
        ("glint", "network 'glint' is trained in a scene; say --psf and --camera"),
        ("summs", "nothing that can be trained is called 'summs'; there are "),
        ("sums:width=wide", "option width is 'wide'; give a whole number"),
        ("sums:depth=2", "has no option 'depth'"),
    ],
)
def test_what_cannot_be_learnt_is_refused(
    words: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "x"
    assert main(["train", *words.split(), "--steps", "2", "--out", str(out)]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_folder_of_something_else_is_not_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    assert main([*WORDS, "--steps", "2", "--out", str(tmp_path / "mine")]) == 2
    assert "exists and is no model; choose another name" in capsys.readouterr().err
    assert not (tmp_path / "mine.checkpoint").exists()
