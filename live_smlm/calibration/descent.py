"""Levenberg and Marquardt's descent, for models of a handful of parameters.

Knows nothing of beads. The loss says what noise the data have; the Hessian is
Fisher's, so that a maximum-likelihood fit is a least-squares fit whose weights
follow the model.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from live_smlm.core import F64

Model: TypeAlias = Callable[[F64], tuple[F64, F64] | None]
"""Parameters to expected data (n,) and Jacobian (parameters, n); None where they are impossible."""
Loss: TypeAlias = Callable[[F64, F64], tuple[float, F64, F64]]
"""Expected and measured data to the loss, its slope and its expected curvature by the former."""

_FIRST_DAMPING = 1e-3
_LAST_DAMPING = 1e8


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """Where the descent ended."""

    parameters: F64
    loss: float
    converged: bool


def squares(expected: F64, measured: F64) -> tuple[float, F64, F64]:
    """Half the sum of squared differences."""
    difference = expected - measured
    return 0.5 * float(difference @ difference), difference, np.ones_like(difference)


def poisson(expected: F64, measured: F64) -> tuple[float, F64, F64]:
    """Half the Poisson deviance; data below 0 (read noise) count by their difference from 0."""
    if np.min(expected) <= 0:
        return np.inf, expected, expected
    seen = np.maximum(measured, 1e-9)
    loss = float(np.sum(expected - measured + np.maximum(measured, 0) * np.log(seen / expected)))
    return loss, 1 - measured / expected, 1 / expected


def descend(
    model: Model, start: F64, measured: F64, loss: Loss, *, tolerance: float = 1e-6, limit: int = 60
) -> Fitted:
    """Descend from `start` until a step promises less than `tolerance` of the loss.

    `start` must be possible.
    """
    now = np.array(start, np.float64)
    state = _assess(model, now, measured, loss)
    if state is None:
        return Fitted(now, np.inf, converged=False)
    damping = _FIRST_DAMPING
    for _ in range(limit):
        cost, gradient, hessian = state
        scale = np.diag(np.maximum(np.diag(hessian), 1e-12 * np.max(np.diag(hessian))))
        step = -np.linalg.solve(hessian + damping * scale, gradient)
        promise = -float(gradient @ step) / 2
        tried = _assess(model, now + step, measured, loss)
        if tried is not None and tried[0] <= cost:
            now, state = now + step, tried
            damping = max(damping / 10, 1e-12)
            if promise <= tolerance * max(tried[0], 1e-12):
                return Fitted(now, tried[0], converged=True)
            continue
        damping *= 10
        if damping > _LAST_DAMPING:
            return Fitted(now, cost, converged=promise <= tolerance * max(cost, 1e-12))
    return Fitted(now, state[0], converged=False)


def _assess(model: Model, at: F64, measured: F64, loss: Loss) -> tuple[float, F64, F64] | None:
    """Loss, gradient and Hessian; None where the model is impossible."""
    answer = model(at) if np.all(np.isfinite(at)) else None
    if answer is None:
        return None
    expected, jacobian = answer
    cost, slope, curvature = loss(expected, measured)
    if not np.isfinite(cost):
        return None
    return cost, jacobian @ slope, (jacobian * curvature) @ jacobian.T
