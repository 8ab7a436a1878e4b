"""How wide errors scatter in units of what they should: of a bound, or of claimed sigmas.

With CRLBs the spread is std/CRLB and tells whether an estimator is efficient;
with the sigmas an engine claims it is that of the pulls and tells whether the
engine is honest. One formula serves both.
"""

from dataclasses import dataclass

import numpy as np

from live_smlm.core import F32, F64, require

_SIGMA_PER_MAD = 1.482602218505602
"""Standard deviation over the median absolute deviation, for a normal distribution."""
_MAD_ERROR = 1.1664
"""Standard error of that robust sigma times sqrt(n) / sigma, for a normal distribution."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number and its standard error."""

    value: float
    standard_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """The distribution of error / bound."""

    n: int
    bias: Estimate
    """Mean, in units of the bound."""
    std: Estimate
    """Standard deviation about the mean: std/CRLB, or the pulls' width. Feels outliers."""
    robust_std: Estimate
    """The same from the median absolute deviation: does not."""


def precision(error: F32 | F64, bound: F32 | F64) -> Precision:
    """Spread and bias of errors in units of each molecule's own bound; same unit, one each.

    The standard errors of bias and std hold for any distribution with a fourth
    moment (delta method), that of the robust one for nearly normal errors.
    """
    require(
        np.ndim(error) == 1 and np.shape(error) == np.shape(bound),
        f"errors have shape {np.shape(error)} and bounds {np.shape(bound)}; "
        "give one of each per molecule",
    )
    require(len(error) > 1, f"precision of {len(error)} molecules is not defined; give 2 or more")
    unusable = np.count_nonzero(~(np.isfinite(bound) & np.greater(bound, 0)))
    require(unusable == 0, f"{unusable} bounds are not finite and above 0; leave those out")
    lost = np.count_nonzero(~np.isfinite(error))
    require(lost == 0, f"{lost} errors are not finite; leave those molecules out")
    return _precision(np.asarray(error, np.float64) / np.asarray(bound, np.float64))


def _precision(u: F64) -> Precision:
    n = len(u)
    mean = float(u.mean())
    std = float(u.std(ddof=1))
    fourth = float(np.mean((u - mean) ** 4))
    robust = float(_SIGMA_PER_MAD * np.median(np.abs(u - np.median(u))))
    # Var(s²) = (m4 - s⁴) / n, and Var(s) = Var(s²) / 4 s².
    std_error = np.sqrt(max(fourth - std**4, 0) / n) / (2 * std) if std > 0 else 0.0
    return Precision(
        n=n,
        bias=Estimate(mean, std / np.sqrt(n)),
        std=Estimate(std, float(std_error)),
        robust_std=Estimate(robust, _MAD_ERROR * robust / np.sqrt(n)),
    )
