"""OpenVINO on the processor: faster than ONNX Runtime, most of all in bfloat16.

The library rounds to bfloat16 by itself where the processor can; here it does
so only when asked, and only after its answers were compared with float32's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import ClassVar

from live_smlm.core import CameraModel, DeviceKind, EngineContext
from live_smlm.inference.agreement import check_agreement, sample
from live_smlm.inference.bundle import Bundle
from live_smlm.inference.openvino_graphs import detector, encoder, library
from live_smlm.inference.runtime import Opened, Precision, RuntimeName, RuntimeSettings
from live_smlm.inference.stream import Streamed, network_of


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
        if precision == "bf16" and "BF16" not in library().Core().get_property(
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
    fixed = not settings.skip_dark  # which looks at windows of all sizes
    network = network_of(
        bundle,
        lambda path: encoder(path, precision, fixed=fixed),
        lambda path: detector(path, precision, sum(bundle.manifest.halo), fixed=fixed),
    )
    return Streamed(network, camera, settings, identity)


def _version() -> str:
    return str(library().__version__).split("-")[0]
