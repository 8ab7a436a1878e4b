"""`live-smlm build MODEL`: TensorRT plans before the acquisition, not at its start."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from live_smlm.cli.words import Json, console, tell
from live_smlm.core import CameraModel, EngineContext, read_device, require
from live_smlm.engines import registry
from live_smlm.inference.bundle import Bundle, shipped
from live_smlm.inference.tensorrt import graph_type, make_lane
from live_smlm.inference.tensorrt_build import library
from live_smlm.inference.tensorrt_cache import user_cache
from live_smlm.inference.tensorrt_gpu import LIBRARIES, cuda_missing, gpus, module_of
from live_smlm.inference.tensorrt_layout import Layout, layout_of

PRECISIONS = ("fp16", "fp32")
WITHOUT_GPU = "tensorrt-rtx"
"""The one that builds on a machine without a GPU."""


def build(
    model: Annotated[str, typer.Argument(help="Folder of a model, or the name of a shipped one")],
    *,
    device: Annotated[str, typer.Option("--device", help="cuda or cuda:N")] = "cuda",
    size: Annotated[str, typer.Option("--size", help="Camera region, ROWSxCOLUMNS")] = "512x512",
    precision: Annotated[str, typer.Option("--precision", help="fp16 or fp32")] = "fp16",
    runtime: Annotated[
        str, typer.Option("--runtime", help="auto, tensorrt or tensorrt-rtx")
    ] = "auto",
    out: Annotated[
        Path | None,
        typer.Option("--out", help="New folder: only see that plans can be built, GPU or not"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Build the TensorRT plans that a model needs for a camera, and keep them for later runs."""
    require(precision in PRECISIONS, f"--precision is {precision!r}; choose fp16 or fp32")
    bundle = Bundle.load(_folder(model))
    name = _runtime(runtime, prefers=WITHOUT_GPU if out is not None else "tensorrt")
    wanted = _Wanted(bundle, _shape(size), precision, name)
    answer = _kept(wanted, device) if out is None else _written(wanted, out)
    tell(answer, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Wanted:
    bundle: Bundle
    shape: tuple[int, int]
    precision: str
    runtime: str

    def layout(self) -> Layout:
        precision = graph_type("fp16" if self.precision == "fp16" else "fp32")
        return layout_of(library(self.runtime), self.bundle, self.shape, precision)


def _kept(wanted: _Wanted, device: str) -> dict[str, Any]:
    """Plans for a GPU that is here, in the user's cache, and tried on it."""
    at = read_device(device)
    require(at.kind == "cuda", f"--device is {device}, but plans are for GPUs; give cuda or cuda:N")
    reason = cuda_missing(at.index, (wanted.runtime,))
    require(
        reason is None,
        f"no plan can be kept: {reason}. Plans are built on the machine with the GPU; here, "
        f"--runtime {WITHOUT_GPU} --out FOLDER shows whether the model can be built at all",
    )
    from live_smlm.inference.tensorrt_card import card  # noqa: PLC0415 - imports torch

    gpu, cache, layout = gpus()[at.index], user_cache(), wanted.layout()
    known = sum(cache.path(part.key(gpu)).exists() for part in layout.parts.values())
    console.print(f"{wanted.runtime} builds for {gpu}; with TensorRT this can take minutes")
    begun = time.monotonic()
    camera = CameraModel(shape=wanted.shape, pixel_size_nm=100.0)
    context = EngineContext(camera=camera, device="cuda", device_index=at.index)
    lane = make_lane(card(at.index), gpu, layout, wanted.bundle, context, 0.5, cache)
    lane.close()
    sizes = [cache.path(part.key(gpu)).stat().st_size for part in layout.parts.values()]
    answer = _answer(wanted, layout, sizes, time.monotonic() - begun)
    return {**answer, "built before": known, "runs as": lane.identity, "kept in": str(cache.folder)}


def _written(wanted: _Wanted, out: Path) -> dict[str, Any]:
    """Plans in a folder: whether and how fast they can be built, and how large they are."""
    reason = cuda_missing(0, (wanted.runtime,))
    require(
        wanted.runtime == WITHOUT_GPU or reason is None,
        f"{wanted.runtime} builds on a GPU only, and {reason}; use --runtime {WITHOUT_GPU}",
    )
    require(not out.exists(), f"{out} exists; give a new folder")
    layout = wanted.layout()
    begun = time.monotonic()
    plans = {name: part.build() for name, part in layout.parts.items()}
    seconds = time.monotonic() - begun
    out.mkdir(parents=True)
    for name, plan in plans.items():
        (out / f"{name}.plan").write_bytes(plan)
    answer = _answer(wanted, layout, [len(plan) for plan in plans.values()], seconds)
    return {**answer, "written to": str(out)}


def _answer(wanted: _Wanted, layout: Layout, sizes: list[int], seconds: float) -> dict[str, Any]:
    rows, columns = layout.shape
    return {
        "model": wanted.bundle.manifest.name,
        "runtime": f"{wanted.runtime} {layout.find.library.version}",
        "precision": wanted.precision,
        "size": f"{rows}x{columns}",
        "frames at once": layout.batch,
        "plans": len(sizes),
        "MB": round(sum(sizes) / 1e6, 2),
        "seconds": round(seconds, 2),
    }


def _runtime(said: str, prefers: str) -> str:
    """The runtime that is meant; with `auto` the preferred one, where it is installed."""
    known = tuple(LIBRARIES)
    require(said in ("auto", *known), f"--runtime is {said!r}; choose auto or {' or '.join(known)}")
    if said != "auto":
        return said
    order = sorted(known, key=lambda name: name != prefers)
    return next((name for name in order if module_of(name)), prefers)


def _shape(size: str) -> tuple[int, int]:
    rows, _, columns = size.partition("x")
    whole = rows.isdecimal() and columns.isdecimal()
    require(
        whole and 1 <= int(rows) <= 16384 and 1 <= int(columns) <= 16384,
        f"--size is {size!r}; write ROWSxCOLUMNS, for example 512x512",
    )
    return int(rows), int(columns)


def _folder(model: str) -> Path:
    """Where the model lies: a folder, or the name of one that an engine ships."""
    if Path(model).exists():
        return Path(model)
    packages = {
        point.value.partition(":")[0].partition(".")[0] for point in registry.found().values()
    }
    ours = {name: folder for package in packages for name, folder in shipped(package).items()}
    require(
        model in ours,
        f"model {model!r} is neither a folder nor shipped; there are {', '.join(ours) or 'none'}",
    )
    return ours[model]
