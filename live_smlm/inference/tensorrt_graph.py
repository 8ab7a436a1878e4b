"""A model's graph on a GPU: arrays of the host in, arrays of the host out.

One stream, not the default one; memory of the host from which copies need
not wait. Every shape has its plan and memory bound to it; those of the last
few shapes are kept.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from live_smlm.core import AnyArray
from live_smlm.inference.tensorrt_build import Shapes
from live_smlm.inference.tensorrt_card import Card
from live_smlm.inference.tensorrt_plan import Plan

_KEPT = 4
"""Shapes whose memory stays."""
Load = Callable[[Shapes], tuple[Plan, Callable[[], None]]]
"""The plan for inputs of these shapes, and what is to be done once it has run."""
_Key = tuple[tuple[str, tuple[int, ...]], ...]


class CardGraph:
    """A graph that runs there; `close` gives everything back."""

    def __init__(self, card: Card, load: Load, rows: int) -> None:
        self._card, self._load, self._rows = card, load, rows
        self._stream = card.stream()
        self._bound: dict[_Key, _Bound] | None = {}
        """The newest last."""

    def __call__(self, given: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
        """All outputs; with rows, of as many as are given, at most so many at once."""
        if self._bound is None:
            raise ValueError("the graph is closed")
        shapes = {
            name: (self._rows, *value.shape[1:]) if self._rows else value.shape
            for name, value in given.items()
        }
        with self._card.on(self._stream):
            self._stream.synchronize()  # a call that failed may have left work
            bound = self._bound_to(shapes)
            bound.begin(given, self._stream)
            self._stream.synchronize()
        rows = len(next(iter(given.values()))) if self._rows else None
        return {name: _out(host, rows) for name, host in bound.outputs.items()}

    def warm(self, shapes: Shapes) -> None:
        """Make ready for inputs of these shapes, so that what cannot be run is told now."""
        with self._card.on(self._stream):
            self._bound_to(shapes)

    def _bound_to(self, shapes: Shapes) -> "_Bound":
        """The plan for these shapes with its memory; the stream is the current one."""
        kept = self._bound if self._bound is not None else {}
        key = tuple(sorted(shapes.items()))
        found = kept.pop(key, None)
        if found is None:
            plan, ran = self._load(shapes)
            found = _Bound(self._card, plan, shapes)
            found.begin({}, self._stream)
            self._stream.synchronize()
            ran()
        kept[key] = found
        for old in list(kept)[:-_KEPT]:
            del kept[old]
        return found

    def close(self) -> None:
        """Free everything on the GPU and the pinned memory; for good."""
        self._stream.synchronize()
        self._bound = None
        self._card.cuda.empty_cache()


class _Bound:
    """Memory on both sides for one shape."""

    def __init__(self, card: Card, plan: Plan, inputs: Shapes) -> None:
        self._execution = plan.execution()
        self._there = {
            name: card.zeros(plan.shapes[name], plan.types[name]) for name in plan.shapes
        }
        for name, tensor in self._there.items():
            self._execution.bind(name, tensor)
        host = {name: card.pinned(plan.shapes[name], plan.types[name]) for name in plan.shapes}
        self._inputs: dict[str, Tensor] = {name: host[name] for name in inputs}
        self.outputs: dict[str, Tensor] = {n: t for n, t in host.items() if n not in inputs}
        """On the host, as the last call left them."""

    def begin(self, given: Mapping[str, AnyArray], stream: Any) -> None:
        """Set it on its way; what stands behind few rows is computed, and nobody reads it."""
        for name, value in given.items():
            self._inputs[name].numpy()[_front(value)] = value
            self._there[name].copy_(self._inputs[name], non_blocking=True)
        self._execution.enqueue(stream)
        for name, host in self.outputs.items():
            host.copy_(self._there[name], non_blocking=True)


def _front(value: AnyArray) -> Any:
    """Where it goes in memory that may hold more rows."""
    return slice(len(value)) if value.ndim else ...


def _out(host: Tensor, rows: int | None) -> AnyArray:
    """The first rows, or all of what may have none."""
    values = host.numpy()
    return np.array(values if rows is None else values[:rows])
