"""Second derivatives of a smooth function of a few numbers: what a fit's errors follow from."""

from collections.abc import Callable

import numpy as np

from live_smlm.core import F64


def curvature(cost: Callable[[F64], float], at: F64, step: float = 1e-2) -> F64:
    """The matrix of second derivatives, by central differences."""
    steps = step * np.eye(len(at))
    found = np.empty((len(at), len(at)))
    for i, a in enumerate(steps):
        for j, b in enumerate(steps):
            alike = cost(at + a + b) + cost(at - a - b)
            found[i, j] = (alike - cost(at + a - b) - cost(at - a + b)) / (4 * step**2)
    return found
