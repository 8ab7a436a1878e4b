"""`live-smlm build`: what a machine without a GPU can do, and what it says of the rest."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from live_smlm.cli import build, main
from live_smlm.inference import tensorrt_card
from live_smlm.inference.bundle import Bundle
from live_smlm.inference.tensorrt_card import Card
from live_smlm.inference.tensorrt_gpu import cuda_missing, module_of
from live_smlm.testing import tensorrt_double
from live_smlm.testing.cuda_double import Cuda
from live_smlm.testing.small_models import rows_model

needs_rtx = pytest.mark.skipif(module_of("tensorrt-rtx") is None, reason="no TensorRT-RTX here")
needs_no_gpu = pytest.mark.skipif(cuda_missing() is None, reason="there is a GPU here")


@pytest.fixture
def folder(make_bundle: Callable[..., Bundle]) -> str:
    return str(make_bundle(encoder=True).folder)


@pytest.fixture
def _double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU, as far as the command can see."""
    monkeypatch.setattr(build, "cuda_missing", lambda *_: None)
    monkeypatch.setattr(build, "gpus", lambda: [tensorrt_double.GPU])
    monkeypatch.setattr(build, "library", tensorrt_double.tensorrt)
    monkeypatch.setattr(tensorrt_card, "card", lambda _: Card(Cuda(), torch.device("cpu")))
    monkeypatch.setenv("LIVE_SMLM_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def rows(tmp_path: Path) -> str:
    return str(rows_model(tmp_path / "rows").folder)


@needs_rtx
def test_plans_are_built_without_a_gpu(
    folder: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "plans"
    assert main(["build", folder, "--size", "100x200", "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["model"], told["size"], told["precision"]) == ("spots-encoded", "100x200", "fp16")
    assert told["frames at once"] == 16
    assert sorted(p.name for p in out.iterdir()) == ["encode.plan", "find.plan", "prime.plan"]
    assert told["MB"] == pytest.approx(sum(p.stat().st_size for p in out.iterdir()) / 1e6, abs=0.01)


@needs_rtx
def test_plans_of_a_model_s_graphs_are_built_without_a_gpu(
    rows: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "plans"
    assert main(["build", rows, "--axes", "n=16,w=9", "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["model"], told["precision"], told["plans"]) == ("rows", "fp32", 1)
    assert (told["shape of one"], told["shape of two"]) == ("16x2x9", "16")
    assert [p.name for p in out.iterdir()] == ["graph.plan"]


@pytest.mark.usefixtures("_double")
def test_plans_are_kept_and_tried(
    folder: str, rows: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, plans in (([folder, "--size", "64x64"], 3), ([rows], 1)):
        for before in (0, plans):
            assert main(["build", *words, "--runtime", "tensorrt", "--json"]) == 0
            told = json.loads(capsys.readouterr().out)
            assert (told["plans"], told["built before"]) == (plans, before)
            assert told["runs as"].startswith("tensorrt 0.0 Double fp")
    assert len(list((tmp_path / "cache" / "plans").glob("*.plan"))) == 4


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("--size 64x64", "takes no camera's frames; say --axes"),
        ("--precision fp16", "compute in fp32; leave --precision out"),
        ("--axes n", "--axes is 'n'; write NAME=LENGTH"),
        ("--axes n=0", "--axes is 'n=0'; write NAME=LENGTH"),
        ("--axes n=8,h=3 --out x", "--axes names h; model rows has n, w"),
    ],
)
def test_what_a_model_s_graphs_cannot_be_built_for_is_refused(
    rows: str, arguments: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["build", rows, *arguments.split(), "--runtime", "tensorrt-rtx"]
    assert main(words) == 2
    assert complaint in capsys.readouterr().err


@needs_no_gpu
def test_without_a_gpu_nothing_is_kept_and_the_way_out_is_told(
    folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", folder]) == 2
    told = capsys.readouterr().err
    assert "no plan can be kept: " in told
    assert "--runtime tensorrt-rtx --out FOLDER" in told


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("--precision int8", "--precision is 'int8'; choose fp16 or fp32"),
        ("--size 512", "--size is '512'; write ROWSxCOLUMNS"),
        ("--size 0x512", "--size is '0x512'"),
        ("--axes n=5", "takes a camera's frames; say --size"),
        ("--runtime onnxruntime", "--runtime is 'onnxruntime'; choose auto or tensorrt or"),
        ("--device cpu", "--device is cpu, but plans are for GPUs"),
    ],
)
def test_what_cannot_be_built_is_refused(
    folder: str, arguments: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", folder, *arguments.split()]) == 2
    assert complaint in capsys.readouterr().err


def test_a_model_that_nobody_ships_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "no-such-model"]) == 2
    assert "'no-such-model' is neither a folder nor shipped" in capsys.readouterr().err
