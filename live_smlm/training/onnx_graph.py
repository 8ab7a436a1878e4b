"""A module as ONNX: the one place that exports, and sees whether it came out right."""

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from live_smlm.core import require
from live_smlm.inference.model import Axes, Ports
from live_smlm.inference.onnx_cpu import session
from live_smlm.training.lesson import Graph

_OPSET = 17


def onnx_of(graph: Graph) -> bytes:
    """The graph, as it is in use; its module must be on the processor."""
    graph.module.eval()  # what a lesson has just made is in training
    buffer = io.BytesIO()
    with _quiet(), torch.no_grad():
        torch.onnx.export(
            graph.module,
            tuple(graph.inputs.values()),
            buffer,  # type: ignore[arg-type] # the exporter that is asked for takes it
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            dynamic_axes={name: dict(axes) for name, axes in graph.open_axes.items()},
            opset_version=_OPSET,
            dynamo=False,
        )
    return buffer.getvalue()


def ports_of(graph: Graph) -> Ports:
    """Shapes of all that goes in and comes out, free axes by their names."""
    usual: dict[str, int] = {}
    for name, example in graph.inputs.items():
        for axis, word in graph.open_axes.get(name, {}).items():
            length = usual.setdefault(word, example.shape[axis])
            require(
                length == example.shape[axis],
                f"axis {word} is {length} long in one example and {example.shape[axis]} in {name}; "
                "give examples that go together",
            )
    return Ports(
        inputs=_axes(graph.inputs, graph.open_axes),
        outputs=_axes(_answer(graph), graph.open_axes),
        usual=usual,
    )


def difference(graph: Graph, onnx: bytes) -> float:
    """How far onnxruntime is from torch on the examples, relative to the largest value.

    Of an example that is the same everywhere little can be learnt: noise is taken.
    """
    lively = {name: _lively(example) for name, example in graph.inputs.items()}
    answer = _answer(replace(graph, inputs=lively))
    opened = session(onnx)
    given = {name: example.numpy() for name, example in lively.items()}
    found = dict(zip(answer, opened.run(list(answer), given), strict=True))
    return max(_relative(found[name], value.numpy()) for name, value in answer.items())


def _lively(example: Tensor) -> Tensor:
    if not example.is_floating_point() or bool((example != example.flatten()[0]).any()):
        return example
    return torch.rand(example.shape, generator=torch.Generator().manual_seed(0)).to(example.dtype)


def _answer(graph: Graph) -> dict[str, Tensor]:
    with torch.no_grad():
        answer = graph.module(*graph.inputs.values())
    parts = answer if isinstance(answer, tuple) else (answer,)
    return dict(zip(graph.outputs, parts, strict=True))


def _axes(
    tensors: Mapping[str, Tensor], open_axes: Mapping[str, Mapping[int, str]]
) -> dict[str, Axes]:
    return {
        name: tuple(open_axes.get(name, {}).get(axis, side) for axis, side in enumerate(t.shape))
        for name, t in tensors.items()
    }


def _relative(found: Any, wanted: Any) -> float:
    found, wanted = (np.nan_to_num(np.asarray(v, np.float64)) for v in (found, wanted))
    require(found.shape == wanted.shape, f"shapes {found.shape} and {wanted.shape} differ")
    return float(np.abs(found - wanted).max(initial=0) / max(1e-6, np.abs(wanted).max(initial=0)))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on shapes that are meant to be constants."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
