"""Where benches open lanes: a GPU by TensorRT, or by torch where that does not run, or a double."""

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch

from live_smlm.core import CameraModel, EngineContext, InputError, RawPixels
from live_smlm.inference.bundle import Bundle
from live_smlm.inference.tensorrt import graph_type, make_lane
from live_smlm.inference.tensorrt_build import Library, library
from live_smlm.inference.tensorrt_cache import PlanCache, user_cache
from live_smlm.inference.tensorrt_card import Card, card
from live_smlm.inference.tensorrt_gpu import Gpu, gpus, module_of
from live_smlm.inference.tensorrt_lane import Lane
from live_smlm.inference.tensorrt_layout import layout_of
from live_smlm.testing import tensorrt_double
from live_smlm.testing.cuda_double import Cuda
from live_smlm.testing.torch_plan import torch_plans


@dataclass(slots=True)
class Place:
    """Where lanes run, and by what."""

    gpu: Gpu
    card: Card
    library: Library
    cache: PlanCache
    by_torch: bool
    why: str = ""
    """Why by torch."""

    @contextmanager
    def lane(
        self, model: Bundle, camera: CameraModel, precision: str, *, graphs: bool = True
    ) -> Iterator[Lane]:
        """An open lane."""
        short = graph_type("fp16" if precision == "fp16" else "fp32")
        layout = layout_of(self.library, model, camera.shape, short)
        context = EngineContext(camera=camera, device="cuda")
        if self.by_torch:
            plans: Any = torch_plans(model, layout, self.card.device)
            lane = Lane(
                self.card,
                layout,
                plans,
                camera,
                threshold=model.manifest.threshold,
                grid=model.manifest.grid,
                identity=f"torch {torch.__version__} {self.gpu.name} {precision}",
                graphs=graphs,
            )
        else:
            threshold = model.manifest.threshold
            lane = make_lane(
                self.card, self.gpu, layout, model, context, threshold, self.cache, graphs=graphs
            )
        try:
            yield lane
        finally:
            lane.close()


def camera_of(size: int) -> CameraModel:
    """A square one."""
    return CameraModel(shape=(size, size), pixel_size_nm=100.0, read_noise_e=1.5)


def movie(size: int, frames: int) -> RawPixels:
    """Background of 10 photons with 0.2 spots per µm², every frame another."""
    rng = np.random.default_rng(size)
    expected = np.full((frames, size, size), 10.0, np.float32)
    spots = max(1, int(0.2 * (size / 10) ** 2))
    rows, columns = rng.integers(3, size - 3, (2, frames, spots))
    which = np.arange(frames)[:, None]
    for down in range(-2, 3):
        for right in range(-2, 3):
            light = 90 * np.exp(-(down**2 + right**2) / (2 * 1.3**2))
            np.add.at(expected, (which, rows + down, columns + right), light)
    return (rng.poisson(expected) + 100).astype(np.uint16)


TARGETS = ((), ("CURRENT",), ("SM80",), ("SM89",))
"""For which GPUs TensorRT-RTX is to build: the first with which a model runs is taken."""


def gpu_place(model: Bundle, by_torch: bool) -> Place:  # noqa: FBT001 - a choice of two
    """The GPU of this machine, by TensorRT if that runs the model there."""
    runtime = "tensorrt" if module_of("tensorrt") else "tensorrt-rtx"
    known = module_of(runtime) is not None
    on = library(runtime) if known else tensorrt_double.tensorrt()
    why = "as asked" if known else "TensorRT is not installed"
    if known and not by_torch:
        faults = []
        for targets in TARGETS if runtime == "tensorrt-rtx" else TARGETS[:1]:
            on = replace(on, targets=targets)
            faults.append(_fault(model.folder, runtime, targets))
            if not faults[-1]:
                break
        why = "" if not faults[-1] else "; ".join(faults)
    torch.backends.cudnn.benchmark = True
    by_torch = by_torch or bool(why)
    return Place(gpus()[0], card(0), on, user_cache(), by_torch, why)


def _fault(model: Path, runtime: str, targets: tuple[str, ...]) -> str:
    """Why the runtime does not run a model here; tried in a process that may die of it."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_try, args=(model, runtime, targets, theirs))
    process.start()
    theirs.close()
    try:
        why = str(ours.recv())
    except EOFError:
        process.join()
        why = f"{runtime} ends its process with code {process.exitcode}"
    process.join()
    return why


def _try(
    model: Path, runtime: str, targets: tuple[str, ...], answer: "Connection[str, Any]"
) -> None:
    on = replace(library(runtime), targets=targets)
    place = Place(gpus()[0], card(0), on, user_cache(), by_torch=False)
    try:
        with place.lane(Bundle.load(model), camera_of(64), "fp16") as lane:
            lane(movie(64, 8), np.arange(8))
    except (InputError, RuntimeError, MemoryError) as error:
        answer.send(str(error))
    else:
        answer.send("")


def double_place(folder: Path) -> Place:
    """No GPU: the same calls on the processor."""
    at, on = Card(Cuda(), torch.device("cpu")), tensorrt_double.tensorrt()
    return Place(tensorrt_double.GPU, at, on, PlanCache(folder / "plans"), by_torch=False)


def median_s(work: Callable[[], object], repeats: int) -> float:
    """Of a piece of work on the GPU, by its own clock."""
    work()
    times = []
    for _ in range(repeats):
        begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call] # torch leaves it so
        begun.record()
        work()
        ended.record()
        ended.synchronize()
        times.append(begun.elapsed_time(ended) / 1e3)
    return float(np.median(times))


def peak_tflops(side: int = 8192) -> float:
    """Of a large product of half-precision matrices."""
    a, b = (torch.randn(side, side, device="cuda", dtype=torch.float16) for _ in range(2))
    return 2 * side**3 / median_s(lambda: a @ b, 10) / 1e12
