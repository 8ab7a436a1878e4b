"""A plan on a GPU, and one lane's way of running it.

The plan (weights, kernels) is shared by the lanes of a process; each lane has
an execution of its own, bound once to fixed memory. What TensorRT would take
silently (a wrong type, a gap in memory) is refused here.
"""

from collections.abc import Mapping
from typing import Any

import torch

from live_smlm.inference.tensorrt_build import Library

ALIGNMENT = 256
"""Bytes, of every address that TensorRT is given."""
_TYPES = {
    "FLOAT": torch.float32,
    "HALF": torch.float16,
    "BF16": torch.bfloat16,
    "INT32": torch.int32,
    "INT64": torch.int64,
}


class RejectedError(RuntimeError):
    """TensorRT does not take the plan: another version or GPU, or it is damaged."""


class Plan:
    """A plan that was loaded; `kernels` is what was compiled for it in an earlier run."""

    def __init__(self, library: Library, plan: bytes, kernels: bytes | None = None) -> None:
        library.log.said.clear()
        runtime = library.trt.Runtime(library.log)
        engine = runtime.deserialize_cuda_engine(plan)
        if engine is None:  # no exception tells of another version, GPU or driver
            raise RejectedError(f"{library.runtime} rejects the plan: {library.complaint()}")
        # In this order they go: TensorRT wants what was made of a thing to go before the thing.
        self._kernels, self._config = _kernel_cache(library, engine, kernels)
        self._engine, self._runtime, self.library = engine, runtime, library
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        self.shapes: Mapping[str, tuple[int, ...]] = {
            name: tuple(int(side) for side in engine.get_tensor_shape(name)) for name in names
        }
        self.types: Mapping[str, torch.dtype] = {
            name: _TYPES[engine.get_tensor_dtype(name).name] for name in names
        }

    def execution(self) -> "Execution":
        """A way of running the plan for one lane."""
        self.library.log.said.clear()
        if self._config is None:
            context = self._engine.create_execution_context()
        else:
            context = self._engine.create_execution_context(runtime_config=self._config)
        if context is None:
            raise MemoryError(
                f"{self.library.runtime} cannot make room for a lane: {self.library.complaint()}; "
                "use fewer lanes or a smaller region of the camera"
            )
        return Execution(self, context)

    def kernels(self) -> bytes | None:
        """What was compiled on this GPU so far; None where it is part of the plan."""
        return None if self._kernels is None else bytes(self._kernels.serialize())


class Execution:
    """A plan bound to fixed memory; used by one thread, on one stream."""

    def __init__(self, plan: Plan, context: Any) -> None:
        self._context = context  # goes before the plan that it was made of
        self.plan = plan
        """Kept: TensorRT forgets what nobody holds."""
        self._bound: dict[str, torch.Tensor] = {}

    def bind(self, name: str, tensor: torch.Tensor) -> None:
        """Let an input or output lie in that memory."""
        shape, kind = self.plan.shapes[name], self.plan.types[name]
        offset = tensor.storage_offset() * tensor.element_size()
        if tuple(tensor.shape) != shape or tensor.dtype != kind:
            found = f"{tuple(tensor.shape)} {tensor.dtype}"
            raise ValueError(f"tensor {name} is {found}, the plan has {shape} {kind}")
        if not tensor.is_contiguous() or offset % ALIGNMENT:
            raise ValueError(f"tensor {name} has gaps, or begins {offset} bytes into its memory")
        if not self._context.set_tensor_address(name, tensor.data_ptr()):
            raise ValueError(f"tensor {name} cannot be bound")
        self._bound[name] = tensor

    def enqueue(self, stream: Any) -> None:
        """Run on the stream; returns at once."""
        if not self._context.execute_async_v3(stream.cuda_stream):
            library = self.plan.library
            raise RuntimeError(f"{library.runtime} cannot run the plan: {library.complaint()}")


def _kernel_cache(library: Library, engine: Any, kernels: bytes | None) -> tuple[Any, Any]:
    """TensorRT-RTX compiles when a plan is first run, and can be spared that."""
    if library.runtime != "tensorrt-rtx":
        return None, None
    config = engine.create_runtime_config()
    cache = config.create_runtime_cache()
    if kernels is not None:
        cache.deserialize(kernels)  # it refuses what does not fit, and compiles instead
    config.set_runtime_cache(cache)
    return cache, config
