"""From an ONNX graph to a serialized TensorRT plan, for one shape.

TensorRT 10, 11 and TensorRT-RTX are built through the same calls, strongly
typed: the precision of every layer is the graph's own. Every shape is static,
so that a plan can be captured as a CUDA graph and no kernel is chosen late.
TensorRT-RTX builds on a machine without a GPU.
"""

import functools
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from live_smlm.core import InputError, require
from live_smlm.inference.tensorrt_gpu import EXTRAS, module_of

Shapes = Mapping[str, tuple[int, ...]]
"""Of every input by name."""


@dataclass(frozen=True, slots=True)
class Library:
    """One TensorRT, as installed."""

    runtime: str
    """`tensorrt` or `tensorrt-rtx`."""
    trt: Any
    """Its module."""
    log: Any
    """The one logger that all its objects share; `log.said` is what it last complained of."""

    @property
    def version(self) -> str:
        """As the package says it."""
        return str(self.trt.__version__)


@functools.cache
def library(runtime: str) -> Library:
    """The TensorRT of that name; refused with the cure where it is not installed."""
    name = module_of(runtime)
    cure = f"pip install 'live-smlm[{EXTRAS[runtime]}]'"
    require(name is not None, f"runtime {runtime} is not installed; {cure}")
    try:
        trt = importlib.import_module(str(name))
    except ImportError as error:
        raise InputError(f"runtime {runtime} cannot be loaded: {error}; {cure}") from error
    return Library(runtime, trt, _logger(trt))


def build_plan(library: Library, onnx: bytes, shapes: Shapes, *, what: str = "the graph") -> bytes:
    """The plan of a graph whose inputs have these shapes; `what` names it in errors."""
    trt = library.trt
    library.log.said.clear()
    builder = trt.Builder(library.log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, library.log)
    if not parser.parse(onnx):
        raise InputError(f"{library.runtime} cannot read {what}: {_complaints(parser)}{_CURE}")
    config = builder.create_builder_config()
    config.add_optimization_profile(_profile(builder, network, shapes, what))
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        told = "; ".join(library.log.said) or "it does not say why"
        raise InputError(f"{library.runtime} cannot build {what}: {told}{_CURE}")
    return bytes(plan)


_CURE = "; use runtime=onnxruntime with device cpu"


def _profile(builder: Any, network: Any, shapes: Shapes, what: str) -> Any:
    """Least, best and most are one: the shape."""
    profile = builder.create_optimization_profile()
    inputs = [network.get_input(i) for i in range(network.num_inputs)]
    names = {tensor.name for tensor in inputs}
    require(
        names == set(shapes),
        f"{what} takes {', '.join(sorted(names))}, but shapes are given for "
        f"{', '.join(sorted(shapes))}; export the bundle again",
    )
    for tensor in inputs:
        shape, free = shapes[tensor.name], tuple(tensor.shape)
        fits = len(free) == len(shape) and all(
            f in (-1, s) for f, s in zip(free, shape, strict=True)
        )
        require(
            fits,
            f"input {tensor.name} of {what} has shape {free}, where -1 is free; {shape} does not "
            "fit: choose another size or export the bundle again",
        )
        profile.set_shape(tensor.name, shape, shape, shape)
    return profile


def _complaints(parser: Any) -> str:
    """What the parser says, in one line."""
    errors = [parser.get_error(i) for i in range(parser.num_errors)]
    return "; ".join(
        f"node {error.node_name() or error.node()} ({error.node_operator()}): {error.desc()}"
        for error in errors
    )


def _logger(trt: Any) -> Any:
    """Keeps what is at least a warning; the first logger that TensorRT meets serves all."""

    class Log(trt.ILogger):  # type: ignore[misc] # known at run time only
        """TensorRT's ear."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.said: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            """Called by TensorRT, from any of its threads."""
            if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR):
                del self.said[:-_KEPT]
                self.said.append(" ".join(message.split()))

    return Log()


_KEPT = 7
