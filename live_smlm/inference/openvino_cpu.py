"""OpenVINO on the processor: faster than ONNX Runtime, most of all in bfloat16.

The library rounds to bfloat16 by itself where the processor can; here it does
so only when asked, and only after its answers were compared with float32's.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from live_smlm.core import F32, AnyArray, CameraModel, DeviceKind, EngineContext
from live_smlm.inference.agreement import check_agreement, sample
from live_smlm.inference.bundle import Bundle
from live_smlm.inference.runtime import Opened, Precision, RuntimeName, RuntimeSettings
from live_smlm.inference.stream import Graph, Streamed, network_of

_LEAST = -1e30
"""Below every value of a graph, and a bfloat16 still."""
_TYPES = {"fp32": "f32", "bf16": "bf16"}


class OpenVino:
    """One thread and one stream a lane: lanes share the processor among themselves."""

    name: ClassVar[RuntimeName] = "openvino"
    device: ClassVar[DeviceKind] = "cpu"
    precisions: ClassVar[tuple[Precision, ...]] = ("fp32", "bf16")
    needs: ClassVar[tuple[str, ...]] = ("openvino",)

    def unavailable(self, context: EngineContext, precision: Precision) -> str | None:  # noqa: ARG002 - one processor is like another
        """Without the package, or bfloat16 without a processor that has it."""
        if find_spec("openvino") is None:
            return "openvino is not installed; pip install 'live-smlm[openvino]'"
        if precision == "bf16" and "BF16" not in _core().get_property(
            "CPU", "OPTIMIZATION_CAPABILITIES"
        ):
            return "this processor has no bfloat16; say precision=fp32"
        return None

    @contextmanager
    def open(
        self, bundle: Bundle, context: EngineContext, settings: RuntimeSettings
    ) -> Iterator[Opened]:
        """See `runtime.Runtime`; bfloat16 that disagrees with float32 is refused."""
        precision = settings.precision or "fp32"
        opened = _opened(bundle, context.camera, settings, precision)
        if precision != "fp32":
            _check(bundle, settings, precision)
        yield opened


def _check(bundle: Bundle, settings: RuntimeSettings, precision: str) -> None:
    on = sample(bundle)
    check_agreement(
        _opened(bundle, on.camera, settings, precision),
        _opened(bundle, on.camera, settings, "fp32"),
        bundle,
        on,
    )


def _opened(
    bundle: Bundle, camera: CameraModel, settings: RuntimeSettings, precision: str
) -> Streamed:
    identity = f"openvino {_version()} cpu {precision}"
    network = network_of(bundle, lambda path: graph(path, precision))
    return Streamed(network, camera, settings, identity)


def graph(path: Path, precision: str) -> Graph:
    """A graph with one input, in one thread."""
    core = _core()
    hints = {
        "INFERENCE_PRECISION_HINT": _TYPES[precision],
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,  # lanes know nothing of each other's cores
    }
    request = core.compile_model(_read(path), "CPU", hints).create_infer_request()

    def run(values: F32) -> tuple[AnyArray, ...]:
        answer = request.infer([values], share_inputs=True)
        return tuple(answer.to_tuple())

    return run


def _read(path: Path) -> Any:
    """The graph, so that the library does not spoil it.

    It leaves out a slice before a gather of elements, and then finds (2026.4)
    that the shapes do not match; a maximum that changes nothing stands between.
    """
    from openvino import opset13  # noqa: PLC0415 - as the package

    model = _core().read_model(str(path))
    for node in model.get_ordered_ops():
        if node.get_type_name() == "GatherElements":
            sliced = node.input_value(0)
            if sliced.get_node().get_type_name() in {"Slice", "StridedSlice"}:
                same = opset13.maximum(sliced, np.float32(_LEAST))
                node.input(0).replace_source_output(same.output(0))
    return model


def _core() -> Any:
    return _library().Core()


def _version() -> str:
    return str(_library().__version__).split("-")[0]


def _library() -> Any:
    """The package, without the report over the network that its import would start."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type] # as Python defines it
    import openvino  # noqa: PLC0415 - an extra, and heavy

    return openvino
