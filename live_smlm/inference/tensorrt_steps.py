"""What a lane does with a batch on the GPU: take it in, and give its molecules out.

Every step works in memory that was made before, at addresses that stay, so
that it can be captured as a CUDA graph.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from live_smlm.core import F32
from live_smlm.fitting.counts import CountScale
from live_smlm.fitting.fields import FIELDS
from live_smlm.inference.tensorrt_card import Card
from live_smlm.inference.tensorrt_layout import Layout
from live_smlm.inference.tensorrt_plan import Execution
from live_smlm.inference.tiles import reflected


class Scale:
    """A camera's offset and gain, resident on the GPU."""

    def __init__(self, card: Card, scale: CountScale) -> None:
        self.offset = _on_card(card, scale.offset)
        self.gain = _on_card(card, scale.gain)


class Intake:
    """Raw frames of a batch, calibrated, padded and encoded into `target`."""

    def __init__(
        self,
        card: Card,
        layout: Layout,
        scale: Scale,
        target: Tensor,
        encode: Execution | None,
        grid: int,
    ) -> None:
        frames = len(target)
        self.raw = card.zeros((frames, *layout.shape), torch.uint16)
        self._scale = scale
        self._encode = encode
        size = (frames, *layout.padded)
        self._padded = target if encode is None else card.zeros(size, torch.float32)
        if encode is not None:
            encode.bind("frames", self._padded)
            encode.bind("features", target)
        rows, columns = layout.shape
        self._inner = self._padded[:, :rows, :columns]
        self._right = _Mirror(card, self._padded[:, :rows], 2, columns, grid)
        self._below = _Mirror(card, self._padded, 1, rows, grid)

    def enqueue(self, stream: Any) -> None:
        """From `raw` to `target`."""
        self._inner.copy_(self.raw)  # uint16 to float32 on the GPU: TensorRT takes no uint16
        self._inner.sub_(self._scale.offset).mul_(self._scale.gain)
        self._right.enqueue()
        self._below.enqueue()
        if self._encode is not None:
            self._encode.enqueue(stream)


class _Mirror:
    """Fills an axis of a stack of frames from pixel `first` on, mirrored at the border."""

    def __init__(self, card: Card, frames: Tensor, axis: int, first: int, grid: int) -> None:
        self._axis = axis
        self._from = frames.narrow(axis, 0, first)
        count = frames.shape[axis] - first
        self._to = frames.narrow(axis, first, count)
        place = reflected(first, grid)[first:]
        self._place = _on_card(card, place)
        self._mirrored = card.zeros(tuple(self._to.shape), torch.float32)
        self._idle = count == 0

    def enqueue(self) -> None:
        if not self._idle:
            torch.index_select(self._from, self._axis, self._place, out=self._mirrored)
            self._to.copy_(self._mirrored)


class Sieve:
    """The molecules that count, in the order of their frames, at the front of `rows`.

    A molecule that does not count goes to the last row, which nobody reads:
    so shapes do not depend on the data.
    """

    def __init__(self, card: Card, find: Execution, threshold: float) -> None:
        shape = find.plan.shapes["molecules"]
        molecules = card.zeros(shape, torch.float32)
        self._crowded = card.zeros(find.plan.shapes["crowded"], torch.int32)
        find.bind("molecules", molecules)
        find.bind("crowded", self._crowded)
        self.capacity = shape[0] * shape[1] * shape[2]
        self._threshold = threshold
        self._flat = molecules.view(self.capacity, len(FIELDS))
        self._kept = card.zeros((self.capacity,), torch.bool)
        self._left = card.zeros((self.capacity,), torch.bool)
        self._place = card.zeros((self.capacity,), torch.int64)
        self._by_frame = self._kept.view(shape[0], -1)
        self.rows = card.zeros((self.capacity + 1, len(FIELDS)), torch.float32)
        self.counts = card.zeros((2, shape[0]), torch.int64)
        """Per frame: molecules, and candidates that found no slot."""

    def enqueue(self) -> None:
        """From what the graph found to `rows` and `counts`."""
        torch.ge(self._flat[:, 0], self._threshold, out=self._kept)
        torch.logical_not(self._kept, out=self._left)
        torch.cumsum(self._kept, 0, dtype=torch.int64, out=self._place)
        self._place.sub_(1).masked_fill_(self._left, self.capacity)
        self.rows.index_copy_(0, self._place, self._flat)
        torch.sum(self._by_frame, 1, dtype=torch.int64, out=self.counts[0])
        torch.sum(self._crowded, 1, dtype=torch.int64, out=self.counts[1])


def _on_card(card: Card, values: F32 | np.ndarray[Any, np.dtype[np.int64]]) -> Tensor:
    host = torch.from_numpy(np.array(values))
    there = card.zeros(tuple(host.shape), host.dtype)
    there.copy_(host)
    return there
