"""Frames through an engine in threads of this process, results in order.

One thread is one lane: it opens the engine, calls it, closes it. The number
of chunks under way is bounded, so a long movie never fills the memory.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from live_smlm.core import Engine, EngineContext, FrameBatch, FrameSource, require
from live_smlm.pipeline.chunks import chunks

_CHUNKS_PER_LANE = 2


def run(
    source: FrameSource,
    engine: Engine[FrameBatch, Any],
    context: EngineContext,
    *,
    lanes: int,
    chunk_frames: int,
) -> Iterator[tuple[FrameBatch, Any]]:
    """Each chunk with the engine's answer, in the order of the frames."""
    require(lanes > 0, f"number of lanes is {lanes}; give at least 1")
    reason = engine.unsupported(context)
    require(reason is None, f"engine {engine.spec.name!r} cannot run: {reason}")
    with source.open() as batches, _lanes(engine, context, lanes) as submit:
        waiting: list[tuple[FrameBatch, Future[Any]]] = []
        for chunk in chunks(batches, chunk_frames, engine.spec.halo):
            waiting.append((chunk, submit(chunk)))
            if len(waiting) >= lanes * _CHUNKS_PER_LANE:
                oldest, answer = waiting.pop(0)
                yield oldest, answer.result()
        for chunk, answer in waiting:
            yield chunk, answer.result()


@dataclass(frozen=True, slots=True)
class _Work:
    chunk: FrameBatch
    answer: Future[Any] = field(default_factory=Future)


Submit = Callable[[FrameBatch], "Future[Any]"]


@contextmanager
def _lanes(engine: Engine[FrameBatch, Any], context: EngineContext, count: int) -> Iterator[Submit]:
    """Threads that each hold one opened engine; on exit they drop what waits and end."""
    todo: queue.Queue[_Work | None] = queue.Queue()
    threads = [
        threading.Thread(target=_lane, args=(engine, context, todo), name=f"lane-{number}")
        for number in range(count)
    ]
    for thread in threads:
        thread.start()

    def submit(chunk: FrameBatch) -> "Future[Any]":
        work = _Work(chunk)
        todo.put(work)
        return work.answer

    try:
        yield submit
    finally:
        _drop(todo)
        for _ in threads:
            todo.put(None)
        for thread in threads:
            thread.join()


def _lane(
    engine: Engine[FrameBatch, Any], context: EngineContext, todo: "queue.Queue[_Work | None]"
) -> None:
    """Answer work until told to end; an engine that fails to open fails all its work."""
    try:
        with engine.open(context) as process:
            while (work := todo.get()) is not None:
                _answer(work, process)
    except Exception as error:  # noqa: BLE001 - handed to whoever waits for the answer
        while (work := todo.get()) is not None:
            work.answer.set_exception(error)


def _answer(work: _Work, process: Callable[[FrameBatch], Any]) -> None:
    try:
        work.answer.set_result(process(work.chunk))
    except Exception as error:  # noqa: BLE001 - handed to whoever waits for the answer
        work.answer.set_exception(error)


def _drop(todo: "queue.Queue[_Work | None]") -> None:
    while True:
        try:
            todo.get_nowait()
        except queue.Empty:
            return
