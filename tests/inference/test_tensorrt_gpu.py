"""Whether there is a GPU, asked of drivers that are not there, broken, or good."""

import ctypes
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from live_smlm.inference import tensorrt_gpu
from live_smlm.inference.tensorrt_gpu import NoGpuError, cuda_missing, gpus, libraries_missing


def driver(*, started: int = 0, count: int = 2, management: bool = True) -> Callable[[str], Any]:
    """Loads a driver library that answers as a real one does, through pointers."""

    def put(pointer: Any, value: Any) -> int:
        pointer._obj.value = value
        return 0

    def name(buffer: Any, length: int, device: ctypes.c_int) -> int:
        assert length == 256
        buffer.value = f"Card {device.value}".encode()
        return 0

    def version(buffer: Any, length: int) -> int:
        assert length > 8
        buffer.value = b"580.159.04"
        return 0

    cuda = SimpleNamespace(
        cuInit=lambda flags: started + flags,
        cuGetErrorName=lambda code, at: put(at, f"CUDA_ERROR_{code}".encode()),
        cuDeviceGetCount=lambda at: put(at, count),
        cuDeviceGet=put,
        cuDeviceGetName=name,
        cuDeviceGetAttribute=lambda at, which, _: put(at, {75: 8, 76: 6}[which]),
        cuDeviceTotalMem_v2=lambda at, _: put(at, 16 * 2**30),
        cuDriverGetVersion=lambda at: put(at, 13010),
    )
    nvml = SimpleNamespace(nvmlInit_v2=int, nvmlSystemGetDriverVersion=version, nvmlShutdown=int)

    def load(library: str) -> Any:
        if "ml" in library:
            if not management:
                raise OSError("cannot open shared object file")
            return nvml
        return cuda

    return load


def no_library(name: str) -> Any:
    raise OSError(f"{name}: cannot open shared object file")


def test_a_driver_describes_its_gpus() -> None:
    first, second = gpus(driver())
    assert (first.name, second.name, second.index) == ("Card 0", "Card 1", 1)
    assert str(first) == "Card 0 (16 GiB, sm_86, driver 580.159.04)"
    assert gpus(driver(management=False))[0].driver == "CUDA 13.1"


@pytest.mark.parametrize(
    ("load", "index", "reason"),
    [
        (no_library, 0, "no NVIDIA driver is here .* install it, or use --device cpu"),
        (driver(started=100), 0, r"answers CUDA_ERROR_100 \(100\); ask nvidia-smi why"),
        (driver(count=0), 0, "shows no GPU; check CUDA_VISIBLE_DEVICES"),
        (driver(), 2, r"there is no GPU cuda:2; the last one is cuda:1 \(Card 1\)"),
    ],
)
def test_why_there_is_no_gpu_is_told_with_the_cure(
    load: Callable[[str], Any], index: int, reason: str
) -> None:
    told = cuda_missing(index, load=load)
    with pytest.raises(NoGpuError, match=reason):
        raise NoGpuError(told)


def test_a_torch_that_knows_no_cuda_is_noticed_without_importing_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tensorrt_gpu, "module_of", lambda _: "tensorrt")
    built_for = tensorrt_gpu._torch_cuda
    monkeypatch.setattr(tensorrt_gpu, "_torch_cuda", lambda _: None)
    assert "torch is a build without CUDA" in str(cuda_missing(0, load=driver()))
    monkeypatch.setattr(tensorrt_gpu, "_torch_cuda", lambda _: "13.0")
    assert cuda_missing(0, load=driver()) is None
    import torch  # noqa: PLC0415 - only to compare

    folder = Path(torch.__file__).parent
    assert built_for(folder) == torch.version.cuda


def test_libraries_that_are_not_installed_are_named_with_their_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tensorrt_gpu, "module_of", lambda _: None)
    told = str(libraries_missing(("tensorrt", "tensorrt-rtx")))
    assert told.startswith("tensorrt and tensorrt-rtx not installed; pip install 'live-smlm[")
    assert "[gpu]" in str(libraries_missing(("tensorrt-rtx",)))
