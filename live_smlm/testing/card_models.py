"""Models' graphs on a GPU beside onnxruntime: whether they say the same, and how often a second."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from live_smlm.core import AnyArray, EngineContext, InputError
from live_smlm.inference.graph import Run, opened_graph
from live_smlm.inference.model import MODEL, Model
from live_smlm.inference.onnx_cpu import session
from live_smlm.inference.tensorrt import make_graph
from live_smlm.testing.gpu_place import Place, camera_of

MOST_OFF = 0.01
"""Of the largest value: products with 10 bits after the point, which GPUs take for 32-bit floats,
are one part in a thousand off, layers of them a few."""
Row = dict[str, Any]


def model_rows(place: Place, models: Sequence[Model], seconds: float) -> list[Row]:
    """A row for every graph of every model, with inputs as they usually are."""
    return [
        {"model": model.name, "of": model.architecture, "graph": name}
        | _told(place, model, name, seconds)
        for model in models
        for name in model.said.graphs
    ]


def models_below(plugins: Path) -> list[Model]:
    """Of the plugins whose networks are not of frames."""
    found = sorted(plugins.glob(f"*/*/models/*/{MODEL.manifest}"))
    return [Model.load(path.parent) for path in found]


def some_inputs(model: Model, name: str, seed: int = 0) -> dict[str, AnyArray]:
    """Numbers between 0 and 1 of the graph's types and usual shapes."""
    rng = np.random.default_rng(seed)
    kinds = {given.name: given.type for given in session(model.graph(name)).get_inputs()}
    return {
        given: rng.random(shape).astype(np.float32 if "float" in kinds[given] else np.int64)
        for given, shape in model.ports(name).shapes().items()
    }


def off(found: Mapping[str, AnyArray], wanted: Mapping[str, AnyArray]) -> float:
    """The largest difference relative to the largest value, over all outputs."""
    return max(
        float(np.abs(found[name] - value).max() / max(float(np.abs(value).max()), 1e-6))
        for name, value in wanted.items()
    )


def _told(place: Place, model: Model, name: str, seconds: float) -> Row:
    given = some_inputs(model, name)
    rows = model.ports(name).rows()
    row: Row = {"inputs": " ".join("x".join(map(str, v.shape)) for v in given.values())}
    with opened_graph(model, name, EngineContext(camera=camera_of(32))) as reference:
        wanted = reference(given)
        by_cpu = _rate(reference, given, seconds)
    if place.by_torch:
        return row | {"failed": f"TensorRT does not run here: {place.why}"}
    try:
        graph = make_graph(place.card, place.gpu, place.library, model, name, place.cache, rows)
        try:
            different = off(graph(given), wanted)
            times = _rate(graph, given, seconds)
        finally:
            graph.close()
    except (InputError, RuntimeError, MemoryError) as error:
        return row | {"failed": str(error)}
    row |= {"by": f"{place.library.runtime} {place.library.version} {place.gpu.name} fp32"}
    row |= {"off": float(f"{different:.2g}"), "ok": different <= MOST_OFF}
    row |= {"calls/s": times, "calls/s by onnxruntime": by_cpu}
    return row | ({"rows/s": round(rows * times)} if rows else {})


def _rate(run: Run, given: Mapping[str, AnyArray], seconds: float) -> float:
    """Calls per second, the first one left out."""
    run(given)
    calls, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        run(given)
        calls += 1
    return round(calls / (time.perf_counter() - begun), 1)
