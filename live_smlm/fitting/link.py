"""Which molecules must be fitted together: those within reach of each other, in bounded groups."""

import numpy as np

from live_smlm.core import F64, I64
from live_smlm.physics.jit import jit

LARGEST = 10
"""Molecules in a group; the time of a fit grows with its square."""
_SHRINK = 0.8


def groups(x: F64, y: F64, link: float) -> tuple[I64, I64]:
    """Members of all groups one after the other, and where each group ends.

    Molecules closer than `link` are together; a group that is too large is
    told apart by a shorter distance, until it is small enough.
    """
    label = np.zeros(len(x), np.int64)
    _label(x, y, link, label)
    order = np.argsort(label, kind="stable")
    return order, np.flatnonzero(np.diff(label[order], append=len(x))) + 1


@jit
def _label(x: F64, y: F64, link: float, label: I64) -> None:
    """Give molecules of one group the same number."""
    n = x.size
    order = np.argsort(y)
    radius = np.full(n, link)
    waiting = np.empty(n, np.int64)
    crowded = True
    label[:] = -1
    while crowded:
        crowded, following = False, 0
        fresh = np.full(n, -1)
        for seed in range(n):
            if fresh[seed] >= 0:
                continue
            size = _spread(
                x, y, order, radius[seed], label, label[seed], fresh, following, seed, waiting
            )
            following += 1
            if size > LARGEST:
                crowded = True
                for i in range(size):
                    radius[waiting[i]] *= _SHRINK
        label[:] = fresh


@jit
def _spread(
    x: F64, y: F64, order: I64, radius: float, old: I64, within: int, fresh: I64, number: int,
    seed: int, waiting: I64,
) -> int:  # fmt: skip
    """Number everything that hangs together with `seed` in its old group; return how many."""
    waiting[0], size, done = seed, 1, 0
    fresh[seed] = number
    sorted_y = y[order]
    while done < size:
        i = waiting[done]
        done += 1
        first = np.searchsorted(sorted_y, y[i] - radius)
        for place in range(first, order.size):
            j = order[place]
            if y[j] > y[i] + radius:
                break
            near = (x[i] - x[j]) ** 2 + (y[i] - y[j]) ** 2 < radius**2
            if near and fresh[j] < 0 and old[j] == within:
                fresh[j] = number
                waiting[size] = j
                size += 1
    return size
