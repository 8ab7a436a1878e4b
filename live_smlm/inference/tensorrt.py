"""TensorRT and TensorRT-RTX as runtimes: everything from the raw frame to molecules on the GPU.

Knows how a lane is put together; how each part works is the parts' business.
Nothing heavy is imported before a lane opens.
"""

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar
from weakref import WeakValueDictionary

from live_smlm.core import DeviceKind, EngineContext, InputError
from live_smlm.inference.bundle import Bundle, GraphType
from live_smlm.inference.model import ROWS, Model
from live_smlm.inference.runtime import Opened, Precision, RuntimeName, RuntimeSettings
from live_smlm.inference.tensorrt_build import Library, Shapes, library
from live_smlm.inference.tensorrt_cache import PlanCache, user_cache
from live_smlm.inference.tensorrt_gpu import LIBRARIES, Gpu, cuda_missing, gpus
from live_smlm.inference.tensorrt_layout import Layout, Part, layout_of, part_of

if TYPE_CHECKING:
    from live_smlm.inference.tensorrt_card import Card
    from live_smlm.inference.tensorrt_graph import CardGraph
    from live_smlm.inference.tensorrt_lane import Lane
    from live_smlm.inference.tensorrt_plan import Plan

_LOADED: "WeakValueDictionary[tuple[str, int], Plan]" = WeakValueDictionary()
"""Plans of this process, by key and GPU, while a lane holds them."""
_OPENING = threading.Lock()
"""One lane at a time loads and captures: what the others would do disturbs a capture."""


class TensorRt:
    """For GPUs of every kind; plans are built for one GPU and take minutes."""

    name: ClassVar[RuntimeName] = "tensorrt"
    device: ClassVar[DeviceKind] = "cuda"
    precisions: ClassVar[tuple[Precision, ...]] = ("fp16", "fp32")

    @property
    def needs(self) -> tuple[str, ...]:
        """See `runtime.Runtime`."""
        return (LIBRARIES[self.name][0], "torch")

    def unavailable(self, context: EngineContext, precision: Precision) -> str | None:
        """See `runtime.Runtime`."""
        del precision  # every GPU that TensorRT knows computes in both
        return cuda_missing(context.device_index, (self.name,))

    @contextmanager
    def open(
        self, bundle: Bundle, context: EngineContext, settings: RuntimeSettings
    ) -> Iterator[Opened]:
        """See `runtime.Runtime`; `tile_px` and `skip_dark` are for processors."""
        from live_smlm.inference.tensorrt_card import card  # noqa: PLC0415 - imports torch

        index = context.device_index
        on, gpu = card(index), gpus()[index]
        precision = graph_type(settings.precision or self.precisions[0])
        with _OPENING:
            layout = layout_of(library(self.name), bundle, context.camera.shape, precision)
            lane = make_lane(on, gpu, layout, bundle, context, settings.threshold, user_cache())
        try:
            yield lane
        finally:
            lane.close()


class TensorRtRtx(TensorRt):
    """For RTX cards: plans are built in a second on any machine, kernels on the GPU."""

    name: ClassVar[RuntimeName] = "tensorrt-rtx"


def make_lane(
    card: "Card",
    gpu: Gpu,
    layout: Layout,
    bundle: Bundle,
    context: EngineContext,
    threshold: float,
    cache: PlanCache,
    *,
    graphs: bool = True,
) -> "Lane":
    """A lane that is ready; its plans come from the cache, or are built and kept."""
    from live_smlm.inference.tensorrt_lane import Lane  # noqa: PLC0415 - imports torch

    card.enter()
    parts = layout.parts
    plans = {name: loaded(cache, gpu, part) for name, part in parts.items()}
    of = layout.find.library
    lane = Lane(
        card,
        layout,
        plans,
        context.camera,
        threshold=threshold,
        grid=bundle.manifest.grid,
        identity=f"{of.runtime} {of.version} {gpu.name} {layout.find.precision}",
        graphs=graphs,
    )
    for name, part in parts.items():
        keep_kernels(cache, gpu, part, plans[name])
    return lane


@contextmanager
def opened_on_card(
    runtime: str, model: Model, name: str, context: EngineContext, rows: int
) -> Iterator["CardGraph"]:
    """A model's graph on the context's GPU; with rows, so many at once."""
    from live_smlm.inference.tensorrt_card import card  # noqa: PLC0415 - imports torch

    index = context.device_index
    on, gpu = card(index), gpus()[index]
    ports = model.ports(name)
    graph = make_graph(on, gpu, library(runtime), model, name, user_cache(), rows)
    try:
        if set(ports.usual) <= {ROWS}:  # no other shape will come
            graph.warm(ports.shapes({ROWS: rows} if rows else {}))
        yield graph
    finally:
        graph.close()


def make_graph(
    card: "Card",
    gpu: Gpu,
    of: Library,
    model: Model,
    name: str,
    cache: PlanCache,
    rows: int,
) -> "CardGraph":
    """A model's graph whose plans come from the cache, or are built and kept, shape by shape."""
    from live_smlm.inference.tensorrt_graph import CardGraph  # noqa: PLC0415 - imports torch

    def load(shapes: Shapes) -> tuple["Plan", Callable[[], None]]:
        with _OPENING:
            part = model_part(of, model, name, shapes)
            plan = loaded(cache, gpu, part)
        return plan, lambda: keep_kernels(cache, gpu, part, plan)

    card.enter()
    return CardGraph(card, load, rows)


def model_part(of: Library, model: Model, name: str, shapes: Shapes) -> Part:
    """The plan of a model's graph for inputs of these shapes."""
    file = model.graph(name)
    return part_of(of, file, model.files[file.name], "fp32", shapes)


def loaded(cache: PlanCache, gpu: Gpu, part: Part) -> "Plan":
    """The plan on the GPU, shared with the other lanes; one that is rejected is built again."""
    from live_smlm.inference.tensorrt_plan import Plan, RejectedError  # noqa: PLC0415 - torch

    key = part.key(gpu)
    if (plan := _LOADED.get((key.digest, gpu.index))) is not None:
        return plan
    kernels, kept = cache.kernels(key), cache.kept(key)
    if kept is not None:
        try:
            plan = Plan(part.library, kept, kernels)
        except RejectedError as error:
            warnings.warn(f"{error}; {cache.path(key)} is built again", stacklevel=2)
    if plan is None:
        try:
            plan = Plan(part.library, cache.keep(key, part.build()), kernels)
        except RejectedError as error:
            raise InputError(f"{error}; on {gpu} use another runtime, or device cpu") from error
    _LOADED[key.digest, gpu.index] = plan
    return plan


def keep_kernels(cache: PlanCache, gpu: Gpu, part: Part, plan: "Plan") -> None:
    """Keep what was compiled for a plan, the first time."""
    key = part.key(gpu)
    if cache.kernels(key) is None and (kernels := plan.kernels()) is not None:
        cache.keep_kernels(key, kernels)


def graph_type(precision: Precision) -> GraphType:
    """The graphs in which a precision is computed."""
    return "fp16" if precision == "fp16" else "fp32"
