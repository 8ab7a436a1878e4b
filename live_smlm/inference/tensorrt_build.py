"""From an ONNX graph to a serialized TensorRT plan, for one shape.

TensorRT 10, 11 and TensorRT-RTX are built through the same calls, strongly
typed: the precision of every layer is the graph's own. Every shape is static,
so that a plan can be captured as a CUDA graph and no kernel is chosen late.
TensorRT-RTX builds on a machine without a GPU.
"""

import functools
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from live_smlm.core import InputError, require
from live_smlm.inference.tensorrt_gpu import EXTRAS, module_of

Shapes = Mapping[str, tuple[int, ...]]
"""Of tensors by name."""
_KEPT = 7
_CURE = "; use runtime=onnxruntime with device cpu"


@dataclass(frozen=True, slots=True)
class Library:
    """One TensorRT, as installed."""

    runtime: str
    """`tensorrt` or `tensorrt-rtx`."""
    trt: Any
    """Its module."""
    log: Any
    """The one logger that all its objects share; `log.said` is what it last complained of."""
    targets: tuple[str, ...] = ()
    """TensorRT-RTX: kinds of GPU to build for, `SM89` or `CURRENT`; none: as it thinks best."""

    @property
    def version(self) -> str:
        """As the package says it, and what else its plans depend on."""
        return " ".join([str(self.trt.__version__), *self.targets])

    def complaint(self) -> str:
        """What was last said, in one line; forgotten then."""
        told = "; ".join(self.log.said) or "it does not say why"
        self.log.said.clear()
        return told


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
    return Library(runtime, trt, logger(trt))


@dataclass(frozen=True, slots=True)
class Graph:
    """An ONNX graph that was read, every shape fixed."""

    library: Library
    what: str
    """Names it in errors."""
    builder: Any
    network: Any
    outputs: Shapes
    _parser: Any = field(repr=False)
    """Owns the weights until the plan is built."""

    def plan(self) -> bytes:
        """The serialized plan."""
        self.library.log.said.clear()
        config = self.builder.create_builder_config()
        if self.library.targets:
            config.num_compute_capabilities = len(self.library.targets)
        for place, name in enumerate(self.library.targets):
            kind = getattr(self.library.trt.ComputeCapability, name)
            config.set_compute_capability(kind, place)
        plan = self.builder.build_serialized_network(self.network, config)
        if plan is None:
            told = self.library.complaint()
            raise InputError(f"{self.library.runtime} cannot build {self.what}: {told}{_CURE}")
        return bytes(plan)


def read_graph(library: Library, onnx: bytes, shapes: Shapes, what: str = "the graph") -> Graph:
    """The graph for inputs of these shapes; refused where TensorRT does not know a part of it."""
    trt = library.trt
    builder = trt.Builder(library.log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, library.log)
    if not parser.parse(onnx):
        raise InputError(f"{library.runtime} cannot read {what}: {_complaints(parser)}{_CURE}")
    _fix(network, shapes, what)
    outputs = [network.get_output(i) for i in range(network.num_outputs)]
    told = {tensor.name: tuple(int(side) for side in tensor.shape) for tensor in outputs}
    for name, shape in told.items():
        require(
            min(shape, default=1) > 0,
            f"output {name} of {what} has shape {shape} for inputs {dict(shapes)}; "
            "export the bundle again",
        )
    return Graph(library, what, builder, network, told, parser)


def _fix(network: Any, shapes: Shapes, what: str) -> None:
    """Give every input its shape."""
    inputs = {t.name: t for t in (network.get_input(i) for i in range(network.num_inputs))}
    require(
        set(inputs) == set(shapes),
        f"{what} takes {', '.join(sorted(inputs))}, but {', '.join(sorted(shapes))} is given; "
        "export the bundle again",
    )
    for name, tensor in inputs.items():
        shape, free = shapes[name], tuple(tensor.shape)
        fits = len(free) == len(shape) and all(
            side in (-1, wanted) for side, wanted in zip(free, shape, strict=True)
        )
        require(
            fits,
            f"input {name} of {what} has shape {free}, where -1 is free; {shape} does not "
            "fit: choose another size or export the bundle again",
        )
        tensor.shape = shape


def _complaints(parser: Any) -> str:
    """What the parser says, in one line."""
    errors = [parser.get_error(i) for i in range(parser.num_errors)]
    return "; ".join(
        f"{error.desc()} (node {error.node_name() or error.node()}, {error.node_operator()})"
        if error.node_operator()
        else error.desc()
        for error in errors
    )


def logger(trt: Any) -> Any:
    """A logger that keeps errors; the first that TensorRT meets serves the whole process."""

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
