"""Batches of a lesson in the order of the steps, drawn here or ahead of time by other processes."""

import multiprocessing
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

import torch

from live_smlm.core import AnyArray, InputError
from live_smlm.training.lesson import HELD_OUT, Batch, Learnable

Drawn = Mapping[str, AnyArray]
_AHEAD = 4
"""Batches per process that may wait to be used."""


@contextmanager
def batches(
    lesson: Learnable, seed: int, steps: range, workers: int
) -> Iterator[Iterator[tuple[int, Drawn]]]:
    """Yield (step, batch) for each of the steps; the same whoever draws them."""
    if workers == 0:
        yield ((step, lesson.draw(seed, step)) for step in steps)
        return
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, spawn, initializer=_adopt, initargs=(lesson, seed))
    try:
        yield _ahead(pool, steps, workers)
    except BrokenProcessPool as error:
        raise InputError(
            f"one of {workers} workers that draw batches died, often for want of memory; give "
            "fewer, and the training goes on from its last checkpoint"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def held_out(lesson: Learnable, count: int, device: torch.device) -> list[Batch]:
    """The first batches that judge."""
    return [on(lesson.draw(HELD_OUT, step), device) for step in range(count)]


def on(drawn: Drawn, device: torch.device) -> Batch:
    """A batch where the network is."""
    return {name: torch.from_numpy(values).to(device) for name, values in drawn.items()}


_ADOPTED: list[tuple[Learnable, int]] = []
"""In a drawing process: what it draws, sent once and not with every step."""


def _adopt(lesson: Learnable, seed: int) -> None:
    _ADOPTED[:] = [(lesson, seed)]


def _draw(step: int) -> Drawn:
    lesson, seed = _ADOPTED[0]
    return lesson.draw(seed, step)


def _ahead(pool: ProcessPoolExecutor, steps: range, workers: int) -> Iterator[tuple[int, Drawn]]:
    waiting: deque[tuple[int, Future[Drawn]]] = deque()
    for step in steps:
        waiting.append((step, pool.submit(_draw, step)))
        if len(waiting) == _AHEAD * workers:
            number, batch = waiting.popleft()
            yield number, batch.result()
    for number, batch in waiting:
        yield number, batch.result()
