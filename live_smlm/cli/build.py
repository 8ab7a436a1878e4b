"""`live-smlm build MODEL`: TensorRT plans before the acquisition, not at its start."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from live_smlm.cli.words import Json, console, tell
from live_smlm.core import CameraModel, EngineContext, read_device, require
from live_smlm.engines import registry
from live_smlm.inference.bundle import Bundle, shipped
from live_smlm.inference.model import MODEL, Model, models_of
from live_smlm.inference.tensorrt import graph_type, make_graph, make_lane, model_part
from live_smlm.inference.tensorrt_build import library
from live_smlm.inference.tensorrt_cache import PlanCache, user_cache
from live_smlm.inference.tensorrt_gpu import LIBRARIES, Gpu, cuda_missing, gpus, module_of
from live_smlm.inference.tensorrt_layout import Layout, Part, layout_of

if TYPE_CHECKING:
    from live_smlm.inference.tensorrt_card import Card

PRECISIONS = ("fp16", "fp32")
WITHOUT_GPU = "tensorrt-rtx"
"""The one that builds on a machine without a GPU."""
_SIZE = "512x512"


def build(
    model: Annotated[str, typer.Argument(help="Folder of a model, or the name of a shipped one")],
    *,
    device: Annotated[str, typer.Option("--device", help="cuda or cuda:N")] = "cuda",
    size: Annotated[
        str, typer.Option("--size", help=f"Camera region for a network of frames; {_SIZE}")
    ] = "",
    axes: Annotated[
        str, typer.Option("--axes", help="Lengths of other graphs' free axes, n=256,h=64")
    ] = "",
    precision: Annotated[
        str, typer.Option("--precision", help="fp16 (for networks of frames) or fp32")
    ] = "",
    runtime: Annotated[
        str, typer.Option("--runtime", help="auto, tensorrt or tensorrt-rtx")
    ] = "auto",
    out: Annotated[
        Path | None,
        typer.Option("--out", help="New folder: only see that plans can be built, GPU or not"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Build the TensorRT plans that a model needs, and keep them for later runs."""
    known = precision in ("", *PRECISIONS)
    require(known, f"--precision is {precision!r}; choose fp16 or fp32")
    folder = _folder(model)
    name = _runtime(runtime, prefers=WITHOUT_GPU if out is not None else "tensorrt")
    wanted: _Wanted
    if MODEL.lies_in(folder):
        require(not size, f"--size is {size}, but {model} takes no camera's frames; say --axes")
        require(
            precision != "fp16", f"the graphs of {model} compute in fp32; leave --precision out"
        )
        wanted = _Graphs(Model.load(folder), _lengths(axes), name)
    else:
        bundle = Bundle.load(folder)
        require(not axes, f"--axes is {axes}, but {model} takes a camera's frames; say --size")
        wanted = _Frames(bundle, _shape(size or _SIZE), precision or PRECISIONS[0], name)
    answer = _kept(wanted, device) if out is None else _written(wanted, out)
    tell(answer, as_json=as_json)


class _Wanted(Protocol):
    """What plans are built for."""

    @property
    def runtime(self) -> str: ...

    def parts(self) -> Mapping[str, Part]:
        """Every plan by its purpose."""

    def said(self) -> dict[str, Any]:
        """For the answer."""

    def run(self, card: "Card", gpu: Gpu, cache: PlanCache) -> str:
        """Try the plans on the GPU, where they are built and kept; what ran."""


@dataclass(frozen=True, slots=True)
class _Frames:
    """A network of frames, for a camera."""

    bundle: Bundle
    shape: tuple[int, int]
    precision: str
    runtime: str

    def _layout(self) -> Layout:
        precision = graph_type("fp16" if self.precision == "fp16" else "fp32")
        return layout_of(library(self.runtime), self.bundle, self.shape, precision)

    def parts(self) -> Mapping[str, Part]:
        return self._layout().parts

    def said(self) -> dict[str, Any]:
        rows, columns = self.shape
        told = {"model": self.bundle.manifest.name, "precision": self.precision}
        return {**told, "size": f"{rows}x{columns}", "frames at once": self._layout().batch}

    def run(self, card: "Card", gpu: Gpu, cache: PlanCache) -> str:
        camera = CameraModel(shape=self.shape, pixel_size_nm=100.0)
        context = EngineContext(camera=camera, device="cuda", device_index=gpu.index)
        lane = make_lane(card, gpu, self._layout(), self.bundle, context, 0.5, cache)
        lane.close()
        return lane.identity


@dataclass(frozen=True, slots=True)
class _Graphs:
    """A model of any graphs, for inputs of some shapes."""

    model: Model
    lengths: Mapping[str, int]
    runtime: str

    def _shapes(self) -> dict[str, dict[str, tuple[int, ...]]]:
        """Of the inputs, by graph; a length may be of some of the graphs only."""
        ports = {name: self.model.ports(name) for name in self.model.said.graphs}
        free = {axis for port in ports.values() for axis in port.usual}
        unknown = sorted(set(self.lengths) - free)
        require(
            not unknown,
            f"--axes names {', '.join(unknown)}; model {self.model.name} has "
            f"{', '.join(sorted(free)) or 'no free axes'}",
        )
        return {
            name: port.shapes({k: v for k, v in self.lengths.items() if k in port.usual})
            for name, port in ports.items()
        }

    def parts(self) -> Mapping[str, Part]:
        of = library(self.runtime)
        shapes = self._shapes()
        return {name: model_part(of, self.model, name, shapes[name]) for name in shapes}

    def said(self) -> dict[str, Any]:
        told = {
            f"shape of {given}": "x".join(map(str, shape))
            for shapes in self._shapes().values()
            for given, shape in shapes.items()
        }
        return {"model": self.model.name, "precision": "fp32", **told}

    def run(self, card: "Card", gpu: Gpu, cache: PlanCache) -> str:
        of = library(self.runtime)
        for name, shapes in self._shapes().items():
            graph = make_graph(card, gpu, of, self.model, name, cache, 0)
            graph.warm(shapes)
            graph.close()
        return f"{of.runtime} {of.version} {gpu.name} fp32"


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

    gpu, cache, parts = gpus()[at.index], user_cache(), wanted.parts()
    known = sum(cache.path(part.key(gpu)).exists() for part in parts.values())
    console.print(f"{wanted.runtime} builds for {gpu}; with TensorRT this can take minutes")
    begun = time.monotonic()
    ran = wanted.run(card(at.index), gpu, cache)
    sizes = [cache.path(part.key(gpu)).stat().st_size for part in parts.values()]
    answer = _answer(wanted, parts, sizes, time.monotonic() - begun)
    return {**answer, "built before": known, "runs as": ran, "kept in": str(cache.folder)}


def _written(wanted: _Wanted, out: Path) -> dict[str, Any]:
    """Plans in a folder: whether and how fast they can be built, and how large they are."""
    reason = cuda_missing(0, (wanted.runtime,))
    require(
        wanted.runtime == WITHOUT_GPU or reason is None,
        f"{wanted.runtime} builds on a GPU only, and {reason}; use --runtime {WITHOUT_GPU}",
    )
    require(not out.exists(), f"{out} exists; give a new folder")
    parts = wanted.parts()
    begun = time.monotonic()
    plans = {name: part.build() for name, part in parts.items()}
    seconds = time.monotonic() - begun
    out.mkdir(parents=True)
    for name, plan in plans.items():
        (out / f"{name}.plan").write_bytes(plan)
    answer = _answer(wanted, parts, [len(plan) for plan in plans.values()], seconds)
    return {**answer, "written to": str(out)}


def _answer(
    wanted: _Wanted, parts: Mapping[str, Part], sizes: list[int], seconds: float
) -> dict[str, Any]:
    version = next(iter(parts.values())).library.version
    return {
        **wanted.said(),
        "runtime": f"{wanted.runtime} {version}",
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


def _lengths(axes: str) -> dict[str, int]:
    pairs = [item.partition("=") for item in axes.split(",") if item]
    require(
        all(length.isdecimal() and int(length) > 0 for _, _, length in pairs),
        f"--axes is {axes!r}; write NAME=LENGTH, for example n=256,h=64",
    )
    return {name.strip(): int(length) for name, _, length in pairs}


def _folder(model: str) -> Path:
    """Where the model lies: a folder, or the name of one that an engine ships."""
    if Path(model).exists():
        return Path(model)
    packages = {
        point.value.partition(":")[0].partition(".")[0] for point in registry.found().values()
    }
    ours = {
        name: folder
        for package in sorted(packages)
        for name, folder in {**shipped(package), **models_of(package)}.items()
    }
    require(
        model in ours,
        f"model {model!r} is neither a folder nor shipped; there are {', '.join(ours) or 'none'}",
    )
    return ours[model]
