"""ONNX Runtime on the processor: the one that is always there."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from live_smlm.core import AnyArray, DeviceKind, EngineContext, require
from live_smlm.inference.bundle import Bundle
from live_smlm.inference.ring import PerFrame
from live_smlm.inference.runtime import Opened, Precision, RuntimeName, RuntimeSettings
from live_smlm.inference.stream import Detect, Encode, Streamed, network_of

_PROVIDER = "CPUExecutionProvider"
_ERRORS_ONLY = 3


class OnnxRuntime:
    """One thread a lane: lanes share the processor among themselves."""

    name: ClassVar[RuntimeName] = "onnxruntime"
    device: ClassVar[DeviceKind] = "cpu"
    precisions: ClassVar[tuple[Precision, ...]] = ("fp32",)
    needs: ClassVar[tuple[str, ...]] = ("onnxruntime",)

    def unavailable(self, context: EngineContext, precision: Precision) -> str | None:  # noqa: ARG002 - it is always there
        """Never: it comes with the program."""
        return None

    @contextmanager
    def open(
        self, bundle: Bundle, context: EngineContext, settings: RuntimeSettings
    ) -> Iterator[Opened]:
        """See `runtime.Runtime`."""
        identity = f"onnxruntime {version('onnxruntime')} cpu fp32"
        network = network_of(bundle, encoder, graph)
        yield Streamed(network, context.camera, settings, identity)


def encoder(path: Path) -> Encode:
    """A graph with one output, taken apart by frames."""
    run = graph(path)
    return lambda frames: run(frames)[0]


def graph(path: Path) -> Detect:
    """A graph with one input, one array per frame, in one thread."""
    opened = session(path)
    (given,) = opened.get_inputs()

    def run(values: PerFrame) -> tuple[AnyArray, ...]:
        return tuple(opened.run(None, {given.name: np.asarray(values)}))

    return run


def session(graph: Path | bytes) -> Any:
    """A graph, or its file, as onnxruntime has it: in one thread."""
    import onnxruntime as ort  # noqa: PLC0415 - heavy: loaded where a lane opens

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    opened = ort.InferenceSession(graph, options, providers=[_PROVIDER])
    require(
        opened.get_providers() == [_PROVIDER],
        f"onnxruntime runs on {opened.get_providers()}, not on {_PROVIDER}; "
        "install the plain onnxruntime package",
    )
    return opened
