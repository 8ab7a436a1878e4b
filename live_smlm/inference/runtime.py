"""What runs a bundle, and how one is chosen: by what is there, never silently.

A runtime begins at raw camera frames and ends at molecules, because that is
where a GPU begins and ends. It knows neither engines nor nanometres.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Literal, Protocol

import numpy as np

from live_smlm.core import F32, I32, I64, DeviceKind, EngineContext, InputError, RawPixels, require
from live_smlm.fitting.fields import FIELDS
from live_smlm.inference.bundle import Bundle

RuntimeName = Literal["auto", "onnxruntime", "openvino", "tensorrt", "tensorrt-rtx"]
Precision = Literal["", "fp32", "fp16", "bf16", "int8"]
PLACES = MappingProxyType(
    {
        "onnxruntime": "live_smlm.inference.onnx_cpu:OnnxRuntime",
        "openvino": "live_smlm.inference.openvino_cpu:OpenVino",
        "tensorrt": "live_smlm.inference.tensorrt:TensorRt",
        "tensorrt-rtx": "live_smlm.inference.tensorrt:TensorRtRtx",
    }
)
"""`module:class` of every runtime; a class is imported when it is asked for."""
_AUTO: dict[DeviceKind, tuple[RuntimeName, ...]] = {
    "cpu": ("onnxruntime",),
    "cuda": ("tensorrt", "tensorrt-rtx"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """The molecules of n frames, in pixels of the camera frame and effective counts."""

    frame: I64
    """(m,) place among the n frames, rising."""
    values: F32
    """(m, 10) by `fields.FIELDS`; x, y are pixels from the frame's outer corner, z is nm."""
    crowded: I32
    """(n,) candidates per frame that found no slot."""

    def __post_init__(self) -> None:
        require(
            self.values.shape == (len(self.frame), len(FIELDS)),
            f"peaks of {len(self.frame)} frames' numbers have values {self.values.shape}; "
            f"give {len(FIELDS)} for each",
        )

    def column(self, name: str) -> F32:
        """(m,) one field."""
        return np.ascontiguousarray(self.values[:, FIELDS.index(name)])


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeSettings:
    """How a bundle is to be run."""

    threshold: float
    """Molecules below this probability are not given."""
    precision: Precision = ""
    """"": the runtime's default."""
    tile_px: int = 0
    """Side of the tiles that a CPU takes large frames apart into; 0: the runtime's choice."""
    skip_dark: bool = False
    """Leave out tiles where nothing glows."""


class Opened(Protocol):
    """One lane's session; called from one thread."""

    @property
    def identity(self) -> str:
        """Runtime, version, device and precision, for records: `onnxruntime 1.31 cpu fp32`."""

    def __call__(self, pixels: RawPixels, index: I64, /) -> Peaks:
        """The molecules of the frames between the halos.

        `pixels` are n + before + after frames (rows, columns) of the context's
        camera, with n at least 1 and (before, after) the bundle's halo; the
        caller has made the context complete. `index` numbers them: the same
        number twice in one call is the same frame twice. Numbers come again in
        later calls, mostly with the same pixels, but not surely so.
        """


class Runtime(Protocol):
    """Opens bundles. Instances are made without arguments and hold nothing."""

    @property
    def name(self) -> RuntimeName:
        """As the engine option `runtime` says it."""

    @property
    def device(self) -> DeviceKind:
        """Where it runs."""

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """What it may be asked for, its default first."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Modules that must be importable."""

    def unavailable(self, context: EngineContext, precision: Precision) -> str | None:
        """Why not here, with the cure: package, device or precision; opens nothing heavy."""

    def open(
        self, bundle: Bundle, context: EngineContext, settings: RuntimeSettings
    ) -> AbstractContextManager[Opened]:
        """One lane's session; everything is freed on exit. Never called concurrently."""


def runtime(name: RuntimeName) -> Runtime:
    """A runtime by name; its packages need not be there yet."""
    require(name in PLACES, f"runtime {name!r} is unknown; there are {', '.join(PLACES)}")
    module, _, what = PLACES[name].partition(":")
    made: Runtime = getattr(import_module(module), what)()
    return made


def choose(name: RuntimeName, context: EngineContext, precision: Precision = "") -> Runtime:
    """The runtime for a device: the one asked for, or with "auto" the first that is there.

    Refuses with the cure where there is none: a GPU that is asked for is never
    replaced by the CPU. A GPU runtime that is named runs on the context's
    `device_index` even where the context says "cpu".
    """
    reasons = []
    for candidate in _AUTO[context.device] if name == "auto" else (name,):
        found = runtime(candidate)
        reason = _unsuited(found, context, precision)
        if reason is None:
            return found
        reasons.append(f"runtime {candidate}: {reason}")
    raise InputError("; ".join(reasons))


def _unsuited(found: Runtime, context: EngineContext, precision: Precision) -> str | None:
    if context.device == "cuda" and found.device == "cpu":
        return "it runs on the CPU, but device cuda is asked for; say runtime=auto or device cpu"
    if precision and precision not in found.precisions:
        return f"it has no precision {precision!r}; it has {', '.join(found.precisions)}"
    return found.unavailable(context, precision)
