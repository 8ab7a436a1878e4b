"""The loop that smooths a walk: Kalman's filter forwards, Rauch's smoother backwards."""

import math

import numpy as np

from live_smlm.core import F64, I64
from live_smlm.physics.jit import jit


@jit
def smooth(
    frame: F64, free: I64, at: F64, variance: F64, step: F64, step_variance: F64, lapse: F64,
    q: float, out: F64, doubt: F64,
) -> float:  # fmt: skip
    """Best path of a random walk through measurements; returns its logarithmic likelihood.

    `free`: 1 where the walk may have jumped just before. A variance of infinity measures
    nothing; `step` is how far it moved in the `lapse` before one. `out` and
    `doubt` become the path and its variance.
    """
    n = frame.size
    ahead, spread = np.zeros(n), np.zeros(n)
    level, var, worth_all = 0.0, 1e12, 0.0
    for k in range(n):
        if k > 0:
            whole = frame[k] - frame[k - 1]
            may = q * min(lapse[k], whole)
            var += q * whole - may
            if math.isfinite(step_variance[k]) and free[k] == 0:
                s = may + step_variance[k]
                worth_all -= 0.5 * (math.log(s) + min(step[k] * step[k] / s, 16.0))
                level += may / s * step[k]
                may *= step_variance[k] / s
            var += may
        if free[k] == 1:
            var += 1e12
        ahead[k], spread[k] = level, var
        if math.isfinite(variance[k]):
            s = var + variance[k]
            off = at[k] - level
            if s < 1e11:
                worth_all -= 0.5 * (math.log(s) + min(off * off / s, 16.0))
            level += var / s * off
            var *= variance[k] / s
        out[k], doubt[k] = level, var
    for k in range(n - 2, -1, -1):
        if free[k + 1] == 1 or spread[k + 1] <= 0.0:
            continue
        share = doubt[k] / spread[k + 1]
        out[k] += share * (out[k + 1] - ahead[k + 1])
        doubt[k] += share * share * (doubt[k + 1] - spread[k + 1])
    return worth_all
