"""Whether a GPU can be used here, and if not, why and what helps.

The driver itself is asked, before any library that could fail in its own
way: without one, parts of TensorRT answer None and parts of it crash.
Imports neither torch nor TensorRT.
"""

import ctypes
import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LIBRARIES = {
    "tensorrt": ("tensorrt", "tensorrt_bindings"),
    "tensorrt-rtx": ("tensorrt_rtx", "tensorrt_rtx_bindings"),
}
"""Runtime -> modules that offer it; the bare bindings serve where the whole is not installed."""
EXTRAS = {"tensorrt": "tensorrt", "tensorrt-rtx": "gpu"}
"""Runtime -> the extra of live-smlm that brings it."""
_DRIVER, _MANAGEMENT = (
    ("nvcuda.dll", "nvml.dll") if sys.platform == "win32" else ("libcuda.so.1", "libnvidia-ml.so.1")
)
_MAJOR, _MINOR = 75, 76
"""CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR."""
Load = Callable[[str], Any]


class NoGpuError(Exception):
    """There is no GPU; the message says why and what helps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU, as its driver describes it."""

    index: int
    name: str
    capability: tuple[int, int]
    memory_bytes: int
    driver: str

    def __str__(self) -> str:
        major, minor = self.capability
        memory = self.memory_bytes / 2**30
        return f"{self.name} ({memory:.0f} GiB, sm_{major}{minor}, driver {self.driver})"


def gpus(load: Load = ctypes.CDLL) -> list[Gpu]:
    """Every GPU that the driver shows us, at least one; NoGpuError otherwise."""
    cuda = _opened(load)
    count = ctypes.c_int()
    _check(cuda, cuda.cuDeviceGetCount(ctypes.byref(count)))
    if not count.value:
        raise NoGpuError("the NVIDIA driver shows no GPU; check CUDA_VISIBLE_DEVICES and the card")
    driver = _driver(cuda, load)
    return [_gpu(cuda, index, driver) for index in range(count.value)]


def cuda_missing(
    index: int = 0, runtimes: Sequence[str] = tuple(LIBRARIES), load: Load = ctypes.CDLL
) -> str | None:
    """Why engines cannot compute on GPU `index` with one of the runtimes; None if they can."""
    try:
        there = gpus(load)
    except NoGpuError as error:
        return str(error)
    if index >= len(there):
        last = f"cuda:{len(there) - 1}" if len(there) > 1 else "cuda:0"
        return f"there is no GPU cuda:{index}; the last one is {last} ({there[-1].name})"
    return libraries_missing(runtimes)


def libraries_missing(runtimes: Sequence[str] = tuple(LIBRARIES)) -> str | None:
    """What is not installed of what a GPU needs; None if all is there."""
    if not any(module_of(runtime) for runtime in runtimes):
        extras = " or ".join(f"pip install 'live-smlm[{EXTRAS[name]}]'" for name in runtimes)
        return f"{' and '.join(runtimes)} not installed; {extras}"
    found = importlib.util.find_spec("torch")
    if found is None or not found.submodule_search_locations:
        return f"torch is not installed; pip install 'live-smlm[{EXTRAS[runtimes[-1]]}]'"
    if not _torch_cuda(Path(found.submodule_search_locations[0])):
        return "torch is a build without CUDA; install its CUDA build (pytorch.org says how)"
    return None


def module_of(runtime: str) -> str | None:
    """The installed module that offers a runtime; None if there is none."""
    return next((name for name in LIBRARIES[runtime] if importlib.util.find_spec(name)), None)


def _opened(load: Load) -> Any:
    try:
        cuda = load(_DRIVER)
    except OSError:
        raise NoGpuError(
            f"no NVIDIA driver is here ({_DRIVER} is not found); install it, or use --device cpu"
        ) from None
    _check(cuda, cuda.cuInit(0))
    return cuda


def _check(cuda: Any, code: int) -> None:
    if code:
        name = ctypes.c_char_p()
        cuda.cuGetErrorName(code, ctypes.byref(name))
        told = (name.value or b"unknown").decode()
        raise NoGpuError(
            f"the NVIDIA driver answers {told} ({code}); ask nvidia-smi why, or use --device cpu"
        )


def _gpu(cuda: Any, index: int, driver: str) -> Gpu:
    name = ctypes.create_string_buffer(256)
    device, major, minor, memory = ctypes.c_int(), ctypes.c_int(), ctypes.c_int(), ctypes.c_size_t()
    _check(cuda, cuda.cuDeviceGet(ctypes.byref(device), index))
    _check(cuda, cuda.cuDeviceGetName(name, len(name), device))
    _check(cuda, cuda.cuDeviceGetAttribute(ctypes.byref(major), _MAJOR, device))
    _check(cuda, cuda.cuDeviceGetAttribute(ctypes.byref(minor), _MINOR, device))
    _check(cuda, cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), device))
    return Gpu(
        index=index,
        name=name.value.decode(errors="replace"),
        capability=(major.value, minor.value),
        memory_bytes=memory.value,
        driver=driver,
    )


def _driver(cuda: Any, load: Load) -> str:
    """The driver's own version, or the CUDA version that it serves."""
    try:
        management = load(_MANAGEMENT)
    except OSError:
        version = ctypes.c_int()
        _check(cuda, cuda.cuDriverGetVersion(ctypes.byref(version)))
        return f"CUDA {version.value // 1000}.{version.value % 1000 // 10}"
    text = ctypes.create_string_buffer(96)
    management.nvmlInit_v2()
    management.nvmlSystemGetDriverVersion(text, len(text))
    management.nvmlShutdown()
    return text.value.decode(errors="replace")


def _torch_cuda(folder: Path) -> str | None:
    """The CUDA version that torch was built with, read without importing torch."""
    found = importlib.util.spec_from_file_location("_torch_version", folder / "version.py")
    if found is None or found.loader is None:
        return None
    constants = importlib.util.module_from_spec(found)
    found.loader.exec_module(constants)
    return getattr(constants, "cuda", None)
