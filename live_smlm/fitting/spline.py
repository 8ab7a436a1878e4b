"""Single molecules of a spline PSF: a coarse look along z, then `group` from the best."""

import numpy as np

from live_smlm.core import F32, F64
from live_smlm.fitting.group import fit_group
from live_smlm.fitting.lanes import CHI2, CONVERGED, ITERATIONS, PARAMETERS
from live_smlm.fitting.model import draw
from live_smlm.physics.jit import jit

_STARTS = 2
_ORDER = (0, 1, 2, 4, 3)
"""Where x, y, photons, z, background of a group stand in a result of `lanes`."""


@jit
def fit_splines(
    data: F32,
    known: F32,
    start: F32,
    kind: int,
    curve: F64,
    coefficients: F32,
    planes: F64,
    flat: bool,  # noqa: FBT001 - compiled functions take flags by position
    tolerance: float,
    most: int,
    out: F32,
) -> None:
    """Fit n cut-outs as `fit_lanes` does, with z looked for at `planes` (nm, rising).

    `start` gives x and y alone. The likelier of the fits from the two best
    planes that are not neighbours is kept.
    """
    n, k, _ = data.shape
    depth = np.array([planes[0], planes[-1]])
    theta, error = np.empty(PARAMETERS), np.empty(PARAMETERS)
    for i in range(n):
        counts, base = data[i].astype(np.float64), known[i].astype(np.float64)
        guesses = _look(counts - base, start[i], kind, curve, coefficients, planes)
        lowest = np.inf
        for guess in guesses:
            if guess[2] <= 0:
                continue
            theta[:] = guess
            value, chi2, steps, converged = fit_group(
                counts,
                base,
                kind,
                curve,
                coefficients,
                k,
                depth,
                flat,
                tolerance,
                most,
                theta,
                error,
            )
            if value < lowest:
                lowest = value
                for j, target in enumerate(_ORDER):
                    out[i, target] = theta[j]
                    out[i, PARAMETERS + target] = error[j]
                out[i, CHI2], out[i, ITERATIONS] = chi2, steps
                out[i, CONVERGED] = 1.0 if converged else 0.0


@jit
def _look(light: F64, start: F32, kind: int, curve: F64, coefficients: F32, planes: F64) -> F64:
    """The best start values (x, y, photons, z, background) by linear least squares per plane.

    Looks at `start` and at the middle, since a phasor errs where light has gaps.
    Photons are 0 in rows where there was nothing to choose.
    """
    k, n = len(light), planes.size
    image = np.empty((4, k, k))
    gain, photons = np.empty(2 * n), np.empty(2 * n)
    mean = light.mean()
    for p in range(2 * n):
        x, y = (start[0], start[1]) if p < n else (0.5 * k, 0.5 * k)
        draw(kind, curve, coefficients, x, y, planes[p % n], image)
        shape = image[0]
        middle = shape.mean()
        covariance = ((light - mean) * (shape - middle)).sum()
        variance = ((shape - middle) ** 2).sum() + 1e-30
        photons[p] = covariance / variance
        gain[p] = covariance * abs(covariance) / variance
    out = np.zeros((_STARTS, PARAMETERS))
    for s in range(_STARTS):
        best = np.argmax(gain)
        if gain[best] == -np.inf:
            break
        out[s, 0], out[s, 1] = (start[0], start[1]) if best < n else (0.5 * k, 0.5 * k)
        out[s, 2], out[s, 3] = max(photons[best], 1.0), planes[best % n]
        out[s, 4] = max(mean - photons[best] / (k * k), 0.1)
        gain[max(best - 1, 0) : best + 2] = -np.inf
    return out
