"""Cutting a stream of frames into chunks with context.

Each frame is in the core of exactly one chunk. A chunk gets the halo that the
engine asked for wherever those frames exist; at the ends of the stream and
beside a lost frame there is less, and the batch says so.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np

from live_smlm.core import FrameBatch, require


def chunks(
    batches: Iterable[FrameBatch], frames: int, halo: tuple[int, int] = (0, 0)
) -> Iterator[FrameBatch]:
    """Chunks of at most `frames` core frames, in order; never across a gap."""
    require(frames > 0, f"chunk size is {frames} frames; give at least 1")
    for run in _runs(batches):
        yield from _cut(run, frames, halo)


def _runs(batches: Iterable[FrameBatch]) -> Iterator[Iterator[FrameBatch]]:
    """Streams of consecutive frames; a run must be used up before the next is taken."""
    pending = _split_at_gaps(batches)
    first = next(pending, None)
    while first is not None:
        held: list[FrameBatch] = []
        yield _consecutive(first, pending, held)
        first = held[0] if held else None


def _consecutive(
    first: FrameBatch, pending: Iterator[FrameBatch], held: list[FrameBatch]
) -> Iterator[FrameBatch]:
    """The run that starts with `first`; the batch after it goes to `held`."""
    yield first
    last = int(first.index[-1])
    for batch in pending:
        if batch.index[0] != last + 1:
            held.append(batch)
            return
        last = int(batch.index[-1])
        yield batch


def _split_at_gaps(batches: Iterable[FrameBatch]) -> Iterator[FrameBatch]:
    for batch in batches:
        edges = [0, *(np.flatnonzero(np.diff(batch.index) != 1) + 1).tolist(), len(batch)]
        for first, last in pairwise(edges):
            if last > first:
                yield _slice(batch, first, last)


def _cut(run: Iterator[FrameBatch], frames: int, halo: tuple[int, int]) -> Iterator[FrameBatch]:
    before, after = halo
    held: FrameBatch | None = None
    start = 0  # first frame in `held` that no chunk has had in its core
    for batch in run:
        held = batch if held is None else _joined(held, batch)
        while len(held) - start >= frames + after:
            yield _chunk(held, start, start + frames, halo)
            start += frames
        keep = max(0, start - before)
        held, start = _slice(held, keep, len(held)), start - keep
    while held is not None and start < len(held):
        yield _chunk(held, start, min(start + frames, len(held)), halo)
        start += frames


def _chunk(held: FrameBatch, first: int, last: int, halo: tuple[int, int]) -> FrameBatch:
    begin, end = max(0, first - halo[0]), min(len(held), last + halo[1])
    return replace(_slice(held, begin, end), halo=(first - begin, end - last))


def _slice(batch: FrameBatch, first: int, last: int) -> FrameBatch:
    window = slice(first, last)
    return FrameBatch(batch.pixels[window], batch.index[window], batch.time_s[window])


def _joined(left: FrameBatch, right: FrameBatch) -> FrameBatch:
    if not len(left):
        return right
    return FrameBatch(
        np.concatenate([left.pixels, right.pixels]),
        np.concatenate([left.index, right.index]),
        np.concatenate([left.time_s, right.time_s]),
    )
