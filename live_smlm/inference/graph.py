"""A model's graph as a function of arrays, on a processor or on a GPU.

Whoever calls it sees no runtime: arrays go in by name and come out by name.
What counts rows of independent things is computed in pieces of the usual
length, so that memory is bounded and a GPU meets shapes that it knows.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np

from live_smlm.core import AnyArray, EngineContext, require
from live_smlm.inference.model import Axes, Model, Ports
from live_smlm.inference.onnx_cpu import session
from live_smlm.inference.runtime import RuntimeName, choose
from live_smlm.inference.tensorrt import opened_on_card
from live_smlm.inference.tensorrt_gpu import LIBRARIES

Run: TypeAlias = Callable[[Mapping[str, AnyArray]], dict[str, AnyArray]]
"""From all inputs to all outputs; called from one thread, gives arrays that stay as they are."""
_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}
"""By onnxruntime's words."""


@contextmanager
def opened_graph(
    model: Model,
    name: str,
    context: EngineContext,
    *,
    runtime: RuntimeName = "auto",
    at_once: int = 0,
) -> Iterator[Run]:
    """The graph, ready to run where the context says; everything is freed on exit.

    Inputs of another type than the graph's are converted. Where the graph is
    computed by rows (axis 0 of all is `n`), `at_once` of them go in together,
    0: as many as usual; there may be none at all.
    """
    chosen = choose(runtime, context).name
    ports = model.ports(name)
    rows = ports.rows(at_once)
    if chosen in LIBRARIES:
        with opened_on_card(chosen, model, name, context, rows) as run:
            yield _checked(run, ports, model, name, rows)
        return
    require(chosen == "onnxruntime", f"runtime {chosen} runs no graphs of models; say runtime=auto")
    yield _checked(_on_processor(model, name), ports, model, name, rows)


def _on_processor(model: Model, name: str) -> Run:
    opened = session(model.graph(name))
    types = {given.name: _TYPES[given.type] for given in opened.get_inputs()}
    outputs = [given.name for given in opened.get_outputs()]

    def run(given: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        ready: dict[str, AnyArray] = {
            k: np.ascontiguousarray(v, types[k]) for k, v in given.items()
        }
        return dict(zip(outputs, opened.run(outputs, ready), strict=True))

    return run


def _checked(run: Run, ports: Ports, model: Model, name: str, rows: int) -> Run:
    """With shapes that are looked at first, a few rows at a time."""
    what = f"graph {name} of model {model.name!r}"

    def call(given: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        check_shapes({k: v.shape for k, v in given.items()}, ports.inputs, what)
        return _by_rows(run, given, rows) if rows else run(given)

    return call


def _by_rows(run: Run, given: Mapping[str, AnyArray], rows: int) -> dict[str, AnyArray]:
    total = len(next(iter(given.values())))
    if not total:  # shapes of nothing are told by something
        one = run({k: np.zeros((1, *v.shape[1:]), v.dtype) for k, v in given.items()})
        return {name: value[:0] for name, value in one.items()}
    parts = [
        run({k: v[first : first + rows] for k, v in given.items()})
        for first in range(0, total, rows)
    ]
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def check_shapes(
    shapes: Mapping[str, tuple[int, ...]], inputs: Mapping[str, Axes], what: str
) -> None:
    """Refuse shapes that do not fit; a free axis is as long wherever its name stands."""
    require(
        set(shapes) == set(inputs),
        f"{what} takes {', '.join(sorted(inputs))}; given are {', '.join(sorted(shapes))}",
    )
    lengths: dict[str, int] = {}
    for name, axes in inputs.items():
        fits = len(axes) == len(shapes[name])
        for axis, length in zip(axes, shapes[name], strict=False):
            fits &= length == (lengths.setdefault(axis, length) if isinstance(axis, str) else axis)
        require(fits, f"{what} takes {name} of shape {axes}; given is {shapes[name]}")
