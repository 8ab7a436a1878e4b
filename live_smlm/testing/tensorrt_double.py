"""A double of TensorRT, by the names that lanes call, on the processor.

Its answers are real: a plan is the graph itself with its shapes, run by
onnxruntime. What TensorRT demands of its callers is asserted.
"""

import ctypes
import json
from collections.abc import Mapping
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

from live_smlm.core import AnyArray
from live_smlm.inference.tensorrt_build import Library, logger
from live_smlm.inference.tensorrt_gpu import Gpu
from live_smlm.testing.cuda_double import NOW, STREAMS, holds

GPU = Gpu(index=0, name="Double", capability=(9, 9), memory_bytes=2**34, driver="1.0")


class Severity(IntEnum):
    """TensorRT's."""

    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)


class ILogger:
    """TensorRT's."""

    INTERNAL_ERROR, ERROR = Severity.INTERNAL_ERROR, Severity.ERROR

    def log(self, severity: Severity, message: str) -> None:
        """Overridden."""


class _Tensor:
    """An input or output of a network; its shape can be set."""

    def __init__(self, value: onnx.ValueInfoProto) -> None:
        self.name = value.name
        self.shape: tuple[int, ...] = tuple(
            d.dim_value or -1 for d in value.type.tensor_type.shape.dim
        )


class _Network:
    """What the parser fills."""

    onnx = b""
    inputs: tuple[_Tensor, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def num_inputs(self) -> int:
        return len(self.inputs)

    def get_input(self, place: int) -> _Tensor:
        return self.inputs[place]

    @property
    def num_outputs(self) -> int:
        return len(self.names)

    def get_output(self, place: int) -> Any:
        shapes, _ = _run_shapes(self.onnx, {t.name: t.shape for t in self.inputs})
        return SimpleNamespace(name=self.names[place], shape=shapes[self.names[place]])


class _Parser:
    def __init__(self, network: _Network, log: ILogger) -> None:
        del log
        self._network = network

    def parse(self, data: bytes) -> bool:
        graph = onnx.load_from_string(data).graph
        self._network.onnx = data
        self._network.inputs = tuple(_Tensor(v) for v in graph.input)
        self._network.names = tuple(v.name for v in graph.output)
        return True


class _Builder:
    def __init__(self, log: ILogger) -> None:
        self._log = log

    def create_network(self, flags: int) -> _Network:
        assert flags == 1, "networks are strongly typed"
        return _Network()

    def create_builder_config(self) -> object:
        return object()

    def build_serialized_network(self, network: _Network, config: object) -> bytes:
        del config
        shapes = {t.name: t.shape for t in network.inputs}
        return json.dumps(shapes).encode() + b"\n" + network.onnx


class _Runtime:
    def __init__(self, log: ILogger) -> None:
        self._log = log

    def deserialize_cuda_engine(self, plan: bytes) -> "_Engine | None":
        head, _, data = plan.partition(b"\n")
        try:
            shapes = {name: tuple(shape) for name, shape in json.loads(head).items()}
        except ValueError:
            self._log.log(Severity.ERROR, "Serialization assertion magicTagRead failed")
            return None
        return _Engine(data, shapes)


class _Engine:
    def __init__(self, data: bytes, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.session = _session(data)
        outputs, types = _run_shapes(data, shapes)
        self.inputs = dict(shapes)
        self.shapes = {**shapes, **outputs}
        self.types = types
        self._names = list(self.shapes)

    @property
    def num_io_tensors(self) -> int:
        return len(self._names)

    def get_tensor_name(self, place: int) -> str:
        return self._names[place]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self.shapes[name]

    def get_tensor_dtype(self, name: str) -> Any:
        names = {"float32": "FLOAT", "float16": "HALF", "int32": "INT32"}
        return SimpleNamespace(name=names[self.types[name].name])

    def create_runtime_config(self) -> Any:
        cache = SimpleNamespace(deserialize=bool, serialize=lambda: b"kernels")
        return SimpleNamespace(create_runtime_cache=lambda: cache, set_runtime_cache=bool)

    def create_execution_context(self, runtime_config: object = None) -> "_Context":
        del runtime_config
        return _Context(self)


class _Context:
    def __init__(self, engine: _Engine) -> None:
        self._engine = engine
        self._address: dict[str, int] = {}

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._address[name] = address
        return True

    def execute_async_v3(self, handle: int) -> bool:
        stream = STREAMS.get(handle)
        assert stream is not None, f"{handle} is no stream, or the default one"
        assert stream is NOW.stream, "run on another stream than the current one"
        assert set(self._address) == set(self._engine.shapes), "not every tensor is bound"
        engine, addresses = self._engine, dict(self._address)
        NOW.note(lambda: _run(engine, addresses))
        return True


def _run(engine: _Engine, addresses: Mapping[str, int]) -> None:
    at = {name: _memory(engine, name, address) for name, address in addresses.items()}
    outputs = [name for name in engine.shapes if name not in engine.inputs]
    values = engine.session.run(outputs, {name: at[name] for name in engine.inputs})
    for name, value in zip(outputs, values, strict=True):
        at[name][...] = value


def _memory(engine: _Engine, name: str, address: int) -> AnyArray:
    kind = engine.types[name]
    size = int(np.prod(engine.shapes[name])) * kind.itemsize
    assert holds(address, size), f"tensor {name} lies in memory that nobody holds"
    raw = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))
    there: AnyArray = raw.view(kind).reshape(engine.shapes[name])
    return there


_SESSIONS: dict[bytes, ort.InferenceSession] = {}


def _session(data: bytes) -> ort.InferenceSession:
    if data not in _SESSIONS:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        _SESSIONS[data] = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return _SESSIONS[data]


def _run_shapes(
    data: bytes, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, tuple[int, ...]], dict[str, np.dtype[Any]]]:
    """Shapes of the outputs, types of all, as a run tells them."""
    session = _session(data)
    words = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int32)": np.int32}
    given = {t.name: np.zeros(shapes[t.name], words[t.type]) for t in session.get_inputs()}
    names = [t.name for t in session.get_outputs()]
    values = dict(zip(names, session.run(names, given), strict=True))
    types = {name: value.dtype for name, value in {**given, **values}.items()}
    return {name: value.shape for name, value in values.items()}, types


def tensorrt(runtime: str = "tensorrt") -> Library:
    """The double in TensorRT's place."""
    trt = SimpleNamespace(
        __version__="0.0",
        ILogger=ILogger,
        NetworkDefinitionCreationFlag=SimpleNamespace(STRONGLY_TYPED=0),
        Builder=_Builder,
        OnnxParser=_Parser,
        Runtime=_Runtime,
    )
    return Library(runtime, trt, logger(trt))
