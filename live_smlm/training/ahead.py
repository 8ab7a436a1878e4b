"""Batches in the order of the steps, drawn here or ahead of time by other processes."""

import multiprocessing
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from live_smlm.core import InputError
from live_smlm.training.scene import Batch, Scene, sample

Shape = tuple[int, int, tuple[int, int]]
"""Movies, core frames of a movie, frames of context before and after."""
_AHEAD = 4
"""Batches per process that may wait to be used."""


@contextmanager
def batches(
    scene: Scene,
    seed: int,
    steps: range,
    workers: int,
    shape: Shape,
) -> Iterator[Iterator[tuple[int, Batch]]]:
    """Yield (step, batch) for each of the steps; the same whoever draws them."""
    if workers == 0:
        yield ((step, _sample(scene, seed, step, shape)) for step in steps)
        return
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, spawn, initializer=_adopt, initargs=(scene, seed))
    try:
        yield _ahead(pool, steps, workers, shape)
    except BrokenProcessPool as error:
        raise InputError(
            f"one of {workers} workers that draw movies died, often for want of memory; give "
            "fewer, and the training goes on from its last checkpoint"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_ADOPTED: list[tuple[Scene, int]] = []
"""In a drawing process: what it draws, sent once and not with every step."""


def _adopt(scene: Scene, seed: int) -> None:
    _ADOPTED[:] = [(scene, seed)]


def _draw(step: int, shape: Shape) -> Batch:
    return _sample(*_ADOPTED[0], step, shape)


def _sample(scene: Scene, seed: int, step: int, shape: Shape) -> Batch:
    movies, frames, halo = shape
    return sample(scene, seed, step, movies=movies, frames=frames, halo=halo)


def _ahead(
    pool: ProcessPoolExecutor,
    steps: range,
    workers: int,
    shape: Shape,
) -> Iterator[tuple[int, Batch]]:
    waiting: deque[tuple[int, Future[Batch]]] = deque()
    for step in steps:
        waiting.append((step, pool.submit(_draw, step, shape)))
        if len(waiting) == _AHEAD * workers:
            number, batch = waiting.popleft()
            yield number, batch.result()
    for number, batch in waiting:
        yield number, batch.result()
