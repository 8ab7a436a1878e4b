"""A GPU's memory, streams and graphs, as lanes use them: the few calls of torch.cuda.

A double with the same names can stand in for torch.cuda where there is no GPU.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Card:
    """One GPU as this process uses it."""

    cuda: Any
    """`torch.cuda`, or its double."""
    device: torch.device

    def enter(self) -> None:
        """Make it this thread's GPU: TensorRT takes the one that is current, and begun."""
        self.cuda.set_device(self.device)
        self.zeros((1,), torch.uint8)

    def on(self, stream: Any) -> AbstractContextManager[Any]:
        """Work inside goes to that stream, memory made inside belongs to it."""
        on: AbstractContextManager[Any] = self.cuda.stream(stream)
        return on

    def stream(self) -> Any:
        """A stream that is not the default one."""
        return self.cuda.Stream(device=self.device)

    def zeros(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Memory on the GPU."""
        return torch.zeros(shape, dtype=dtype, device=self.device)

    def pinned(self, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """Memory of the host from which copies need not wait."""
        pins = self.device.type == "cuda"
        return torch.zeros(shape, dtype=dtype, pin_memory=pins)

    def capture(self, work: Callable[[], None], stream: Any) -> Any:
        """The work as a graph that can be replayed; RuntimeError if it cannot be captured.

        The stream is the current one, and the work has run on it before.
        """
        stream.synchronize()
        graph = self.cuda.CUDAGraph()
        with self.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            work()
        return graph


def card(index: int) -> Card:
    """The GPU of that number."""
    return Card(torch.cuda, torch.device("cuda", index))
