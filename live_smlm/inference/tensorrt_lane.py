"""One lane on a GPU: raw frames of the host in, molecules out, all between on one stream.

Every frame crosses once, as the camera's uint16, and only molecules come back.
Features of earlier frames stay on the GPU, so each frame is encoded once. Two
batches are under way: while one computes, the next is copied in and the last
one's molecules are taken out.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from live_smlm.core import F32, I32, I64, CameraModel, RawPixels
from live_smlm.fitting.counts import count_scale
from live_smlm.fitting.fields import FIELDS
from live_smlm.inference.runtime import Peaks
from live_smlm.inference.tensorrt_card import Card
from live_smlm.inference.tensorrt_layout import Layout
from live_smlm.inference.tensorrt_plan import Plan
from live_smlm.inference.tensorrt_steps import Intake, Scale, Sieve

UNDER_WAY = 2
"""Batches."""
_Part = tuple[F32, I64, I64]
"""Molecules, how many per frame, candidates without a slot per frame."""


class Lane:
    """`runtime.Opened` on a GPU; `close` gives everything back."""

    def __init__(
        self,
        card: Card,
        layout: Layout,
        plans: Mapping[str, Plan],
        camera: CameraModel,
        *,
        threshold: float,
        grid: int,
        identity: str,
        graphs: bool = True,
    ) -> None:
        self._card, self._layout = card, layout
        self._stream = card.stream()
        self._known: tuple[I64, RawPixels] | None = None
        """The frames whose features stand at the ring's front."""
        with card.on(self._stream):
            self._batch: _Batch | None = _Batch(
                card, layout, plans, camera, self._stream, threshold, grid
            )
            fault = self._batch.warm(graphs=graphs)
        self.identity = identity if graphs and fault is None else f"{identity} without CUDA graphs"
        if fault is not None:
            warnings.warn(f"{identity}: no CUDA graph, batches take longer: {fault}", stacklevel=2)

    def __call__(self, pixels: RawPixels, index: I64, /) -> Peaks:
        """See `runtime.Opened`."""
        if self._batch is None:
            raise ValueError("the lane is closed")
        layout, batch = self._layout, self._batch
        n = len(pixels) - layout.halo
        firsts = range(0, n, layout.batch)
        parts: list[_Part] = []
        with self._card.on(self._stream):
            self._stream.synchronize()  # a call that failed may have left work
            batch.begin(None if self._again(pixels, index) else pixels[: layout.halo])
            self._known = None
            for turn, first in enumerate(firsts):
                if turn >= UNDER_WAY:
                    parts.append(batch.collect(turn - UNDER_WAY))
                begin = first + layout.halo
                batch.submit(turn, pixels[begin : begin + layout.batch])
            late = range(max(0, len(firsts) - UNDER_WAY), len(firsts))
            parts.extend(batch.collect(turn) for turn in late)
        if n % layout.batch == 0:
            last = slice(len(pixels) - layout.halo, None)
            self._known = index[last].copy(), pixels[last].copy()
        return _peaks(parts)

    def close(self) -> None:
        """Free everything on the GPU and the pinned memory; for good."""
        self._stream.synchronize()
        self._batch = None
        self._card.cuda.empty_cache()

    def _again(self, pixels: RawPixels, index: I64) -> bool:
        """Whether the context is what the last call ended with: numbers and pixels."""
        if self._known is None:
            return False
        numbers, frames = self._known
        halo = self._layout.halo
        return np.array_equal(numbers, index[:halo]) and np.array_equal(frames, pixels[:halo])


class _Batch:
    """Memory and work of one lane; everything is made and used on its stream."""

    def __init__(
        self,
        card: Card,
        layout: Layout,
        plans: Mapping[str, Plan],
        camera: CameraModel,
        stream: Any,
        threshold: float,
        grid: int,
    ) -> None:
        self._card, self._layout, self._stream = card, layout, stream
        self._graph: Any = None
        runs = {name: plan.execution() for name, plan in plans.items()}
        self._find = runs["find"]
        source = "frames" if layout.encode is None else "features"
        held = plans["find"]
        self._ring = card.zeros(held.shapes[source], held.types[source])
        """Context first, then the batch."""
        self._find.bind(source, self._ring)
        scale = Scale(card, count_scale(camera))
        context, fresh = self._ring[: layout.halo], self._ring[layout.halo :]
        self._prime = (
            Intake(card, layout, scale, context, runs.get("prime"), grid) if layout.halo else None
        )
        self._intake = Intake(card, layout, scale, fresh, runs.get("encode"), grid)
        self._sieve = Sieve(card, self._find, threshold)
        self._context = card.pinned((layout.halo, *layout.shape), torch.uint16)
        out = card.stream()
        self._slots = [_Slot(card, layout, self._sieve, out) for _ in range(UNDER_WAY)]

    def warm(self, *, graphs: bool) -> str | None:
        """Run once, so that all that is made late is made; then capture. Why that failed."""
        self._work()
        self._stream.synchronize()
        if graphs:
            try:
                self._graph = self._card.capture(self._work, self._stream)
            except RuntimeError as error:
                return " ".join(str(error).split())
        return None

    def begin(self, context: RawPixels | None) -> None:
        """Put the context before the first batch; None: what the last batch left there."""
        if context is None or self._prime is None:
            return
        self._context.numpy()[:] = context
        self._prime.raw.copy_(self._context, non_blocking=True)
        self._prime.enqueue(self._stream)

    def submit(self, turn: int, frames: RawPixels) -> None:
        """Set a batch on its way; returns at once. The last one may be short."""
        slot = self._slots[turn % UNDER_WAY]
        slot.fill(frames)
        self._intake.raw.copy_(slot.raw, non_blocking=True)
        if self._graph is None:
            self._work()
        else:
            self._graph.replay()
        slot.take(self._sieve, self._stream)

    def collect(self, turn: int) -> _Part:
        """Wait for the batch of that turn."""
        return self._slots[turn % UNDER_WAY].give()

    def _work(self) -> None:
        """From the raw frames of a batch to its molecules; its end becomes the context."""
        self._intake.enqueue(self._stream)
        self._find.enqueue(self._stream)
        self._sieve.enqueue()
        for place in range(self._layout.halo):  # one by one: they may overlap
            self._ring[place].copy_(self._ring[place + self._layout.batch])


class _Slot:
    """A batch's place on the host, and its molecules until they are wanted."""

    def __init__(self, card: Card, layout: Layout, sieve: Sieve, out: Any) -> None:
        self.raw = card.pinned((layout.batch, *layout.shape), torch.uint16)
        self._card, self._out = card, out
        self._frames = 0
        self._rows = card.zeros((sieve.capacity, len(FIELDS)), torch.float32)
        self._host_rows = card.pinned((sieve.capacity, len(FIELDS)), torch.float32)
        self._counts = card.pinned(tuple(sieve.counts.shape), torch.int64)
        self._done = card.cuda.Event(blocking=True)

    def fill(self, frames: RawPixels) -> None:
        """Copy frames in; what stands behind a short batch is computed, and left there."""
        self._frames = len(frames)
        self.raw.numpy()[: len(frames)] = frames

    def take(self, sieve: Sieve, stream: Any) -> None:
        """Keep what the sieve holds once the stream gets here."""
        self._rows.copy_(sieve.rows[:-1])
        self._counts.copy_(sieve.counts, non_blocking=True)
        self._done.record(stream)

    def give(self) -> _Part:
        """Wait for it; the molecules themselves cross only now that their number is known."""
        self._done.synchronize()
        found, crowded = np.array(self._counts.numpy()[:, : self._frames])
        total = int(found.sum())
        with self._card.on(self._out):
            rows: Tensor = self._host_rows[:total]
            rows.copy_(self._rows[:total], non_blocking=True)
        self._out.synchronize()
        return np.array(rows.numpy()), found, crowded


def _peaks(parts: list[_Part]) -> Peaks:
    """All batches of a call together; a molecule that is not finite is none."""
    values = np.concatenate([rows for rows, _, _ in parts])
    found = np.concatenate([number for _, number, _ in parts])
    crowded: I32 = np.concatenate([number for _, _, number in parts]).astype(np.int32)
    frame = np.repeat(np.arange(len(found)), found)
    finite = np.isfinite(values).all(1)
    return Peaks(frame[finite], values[finite], crowded)
