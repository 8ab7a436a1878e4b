"""`live-smlm build`: what a machine without a GPU can do, and what it says of the rest."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from live_smlm.cli import main
from live_smlm.inference.bundle import Bundle
from live_smlm.inference.tensorrt_gpu import cuda_missing, module_of

needs_rtx = pytest.mark.skipif(module_of("tensorrt-rtx") is None, reason="no TensorRT-RTX here")
needs_no_gpu = pytest.mark.skipif(cuda_missing() is None, reason="there is a GPU here")


@pytest.fixture
def folder(make_bundle: Callable[..., Bundle]) -> str:
    return str(make_bundle(encoder=True).folder)


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
