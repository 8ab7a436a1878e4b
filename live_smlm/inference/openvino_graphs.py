"""Graphs as OpenVINO runs them fastest: alone knows the library's models.

Three things cost more than the arithmetic and are rewritten, none of which
changes what is computed: channels brought from the last place to the first and
back at every border (features stay as the convolutions leave them), channels
joined only to be summed over (a convolution of a concatenation is a sum of
convolutions), and frames stacked only to be taken apart again.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from live_smlm.core import AnyArray
from live_smlm.inference.ring import PerFrame
from live_smlm.inference.stream import Detect, Encode

Shape = tuple[int, ...]
_LEAST = -1e30
"""Below every value of a graph, and a bfloat16 still."""
_TYPES = {"fp32": "f32", "bf16": "bf16"}
_CHANNELS = 1
_FEATURES = 4
"""Axes of features: frames, channels, rows, columns."""
_MOST_SHAPES = 16


def library() -> Any:
    """The package, without the report over the network that its import would start."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type] # as Python defines it
    import openvino  # noqa: PLC0415 - an extra, and heavy

    return openvino


@dataclass(slots=True, eq=False)
class Compiled:
    """A graph ready to run in one thread, made ready anew for each shape of a frame."""

    model: Any
    precision: str
    fixed: bool = True
    """Whether the library may count on the shape; it then needs half the time."""
    _requests: dict[Shape, Any] = field(default_factory=dict)

    def __call__(self, given: Sequence[Any], shape: Shape) -> Sequence[AnyArray]:
        """All outputs, as the library left them: the next call overwrites them.

        `shape` is that of every input.
        """
        shape = shape if self.fixed else ()
        request = self._requests.get(shape) or self._request(shape)
        request.infer(list(given), share_inputs=True)
        return [output.data for output in request.output_tensors]

    def _request(self, shape: Shape) -> Any:
        model = self.model
        if shape:
            model = model.clone()
            model.reshape({k: list(shape) for k in range(len(model.inputs))})
        hints = {
            "INFERENCE_PRECISION_HINT": _TYPES[self.precision],
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": 1,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # lanes know nothing of each other's cores
        }
        while len(self._requests) >= _MOST_SHAPES:
            self._requests.pop(next(iter(self._requests)))
        made = library().Core().compile_model(model, "CPU", hints).create_infer_request()
        self._requests[shape] = made
        return made


def encoder(path: Path, precision: str, *, fixed: bool) -> Encode:
    """(n, rows, columns) to the features of each frame, as `detector` takes them."""
    model = read(path)
    run = Compiled(_kept(_summed(model), precision, of_outputs=True), precision, fixed=fixed)

    def encode(frames: AnyArray) -> PerFrame:
        return [run([frame[np.newaxis]], (1, *frame.shape))[0][0].copy() for frame in frames]

    return encode


def detector(path: Path, precision: str, context: int, *, fixed: bool) -> Detect:
    """Features (or frames, where nothing encodes them) to all outputs, window by window.

    `context` frames more go in than come out.
    """
    model = _summed(_apart(read(path), context))
    if len(_sizes(model.inputs[0])) == _FEATURES:
        model = _kept(model, precision, of_outputs=False)
    run = Compiled(model, precision, fixed=fixed)
    tensor, kind = library().Tensor, model.inputs[0].get_element_type()
    apart = len(model.inputs) > 1

    def answer(window: PerFrame) -> Sequence[AnyArray]:
        parts = [one[np.newaxis] for one in window] if apart else [np.stack(list(window))]
        return run([tensor(part, part.shape, kind) for part in parts], parts[0].shape)

    def detect(values: PerFrame) -> tuple[AnyArray, ...]:
        n = len(values) - context
        answers = (answer(values[k : k + context + 1]) for k in range(n))
        if n == 1:  # large frames come one by one, and are looked at before the next
            return tuple(next(answers))
        copies = [[output.copy() for output in outputs] for outputs in answers]
        return tuple(np.concatenate(parts) for parts in zip(*copies, strict=True))

    return detect


def read(path: Path) -> Any:
    """The graph, so that the library does not spoil it.

    It leaves out a slice before a gather of elements, and then finds (2026.4)
    that the shapes do not match; a maximum that changes nothing stands between.
    """
    from openvino import opset13  # noqa: PLC0415 - as the package

    model = library().Core().read_model(str(path))
    for node in model.get_ordered_ops():
        if node.get_type_name() == "GatherElements":
            sliced = node.input_value(0)
            if sliced.get_node().get_type_name() in {"Slice", "StridedSlice"}:
                same = opset13.maximum(sliced, np.float32(_LEAST))
                node.input(0).replace_source_output(same.output(0))
    return model


def _apart(model: Any, context: int) -> Any:
    """With an input for each frame of a window, where the graph begins by cutting its one apart."""
    from openvino import Model, opset13  # noqa: PLC0415 - as the package

    (given,) = model.inputs
    sizes = _sizes(given)
    taken = [target.get_node() for target in given.get_target_inputs()]
    slices = [node for node in taken if node.get_type_name() == "Slice"]
    starts = [_constant(node.input_value(1)) for node in slices]
    if context == 0 or len(sizes) != _FEATURES or sorted(starts) != [*range(context + 1)]:
        return model
    frames = {}
    for start, node in zip(starts, slices, strict=True):
        frames[start] = opset13.parameter(sizes, given.get_element_type(), name=f"frame{start}")
        node.output(0).replace(frames[start].output(0))
    return Model(model.get_results(), [frames[k] for k in sorted(frames)])


def _summed(model: Any) -> Any:
    """The model, its convolutions of joined channels made sums of convolutions."""
    from openvino import opset13  # noqa: PLC0415 - as the package

    names = ("strides", "pads_begin", "pads_end", "dilations", "auto_pad")
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Convolution":
            continue
        joined, weights = (node.input_value(k).get_node() for k in (0, 1))
        if joined.get_type_name() != "Concat" or joined.get_attributes()["axis"] != _CHANNELS:
            continue
        kernel, how, parts, begin = weights.get_data(), node.get_attributes(), [], 0
        for source in joined.input_values():
            end = begin + _sizes(source)[_CHANNELS]
            part = opset13.constant(np.ascontiguousarray(kernel[:, begin:end]))
            parts.append(opset13.convolution(source, part, *(how[name] for name in names)))
            begin = end
        node.output(0).replace(reduce(opset13.add, parts).output(0))
    return model


def _kept(model: Any, precision: str, *, of_outputs: bool) -> Any:
    """With features at its inputs (or outputs) as the convolutions have them inside."""
    from openvino import Layout, Type  # noqa: PLC0415 - as the package
    from openvino.preprocess import PrePostProcessor  # noqa: PLC0415 - as the package

    kept = PrePostProcessor(model)
    for k in range(len(model.outputs if of_outputs else model.inputs)):
        border = kept.output(k) if of_outputs else kept.input(k)
        border.model().set_layout(Layout("NCHW"))
        border.tensor().set_layout(Layout("NHWC")).set_element_type(
            getattr(Type, _TYPES[precision])
        )
    return kept.build()


def _sizes(border: Any) -> list[int]:
    """Of an input or output; -1 where it is open."""
    return [s.get_length() if s.is_static else -1 for s in border.get_partial_shape()]


def _constant(value: Any) -> int:
    """A whole number that the graph holds; -1 where it works one out."""
    node = value.get_node()
    return int(node.get_data().item()) if node.get_type_name() == "Constant" else -1
