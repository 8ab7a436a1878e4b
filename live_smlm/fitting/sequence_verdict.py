"""What a fit is worth beside the network's own values: plain arithmetic on columns.

Fit and network saw the same photons. So their errors share the noise of the
pixels, of variance v (Fisher's), and each has a part of its own: the network
n² = its own variance less v, for not using the light as well as it could; the
fit m² = what a model that is wrong adds. The best mean of the two gives the
network the weight w = m² / (m² + n²), and has the variance v + m² n² / (m² + n²).

What makes a model wrong, and how it shows:
- neighbours that are known are not known exactly: `sequence_doubt` derives it;
- a linked frame may show a stranger, with the chance that `sequence_fit` tells; he
  lies about as far off as the network would have let him be;
- neighbours that nobody saw leave residuals: chi² of the pixels beyond chance;
- a fit that ran away disagrees with the network by more than both claim.
For the last two, what they add to m² goes by their excess over chance.

Among neighbours, most of what the network claims beyond Fisher's bound is not its
own fault: it doubts how many molecules shine there, and the fit takes its word
for that. So a share of n² is common to both where neighbours make a fit unsure.

Fisher's bound is what many photons reach. Where light itself is known to a tenth only,
places scatter more than that, by a share of the variance that goes with the square of
the light's relative error, the same for all PSFs that were tried.

The proportions were found on movies of 0.2 and 2 molecules per µm², by the true
errors of glint's first networks on tuning seeds; twice or half changes little.
"""

from dataclasses import dataclass

import numpy as np

from live_smlm.core import F64, Bool
from live_smlm.fitting.sequence_sweep import Fits

_PER_CHI2 = 0.03
_PER_DISSENT = 0.05
_DISSENT_BY_CHANCE = 10.0
"""Chi² of four numbers that chance exceeds once in 25 times."""
_COMMON = 0.85
"""Share of the network's surplus of variance that fits among neighbours have, too."""
_CROWDED = 0.15
"""Growth of a fit's variance by its neighbours' doubts at which they are a crowd."""
_LEAST_OWN = 0.05
"""Share of its variance that the network has for itself at least."""
_PER_DIM = 14.0
"""Growth of the variance by the squared relative error of the photons: isolated molecules of
800 photons, three PSFs, tuning seeds 201 and 202; 12 to 18 in each range of that error."""
_DIMMEST = 0.5
"""Relative error beyond which nothing was tried."""
_TRUSTED = 0.7
"""Weight of the network above which a fit is not worth having."""


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """By row: the best mean of fit and network."""

    value: F64
    """(m, 5) x, y, z, photons; the background is the fit's"""
    covariance: F64
    """(m, 4, 4), zero between place and photons"""
    chi2: F64
    """Per degree of freedom."""
    trusted: Bool
    """Where the fit counts for more than the network."""


def judge(fits: Fits, network: F64, doubt: F64, axes: int) -> Verdict:
    """Weigh fits against the network's x, y, z, photons (m, 4 or more), of covariance `doubt`.

    `axes` is 3, or 2 where z means nothing.
    """
    free = np.r_[0:axes, 3]
    own, whole, claim = (np.einsum("nii->ni", c)[:, free] for c in (fits.own, fits.whole, doubt))
    value, other = fits.state[:, free], network[:, free]
    degrees = np.maximum(fits.pixels - axes - 2 * fits.frames, 1)
    scatter = np.maximum(fits.chi2 - degrees - np.sqrt(2 * degrees), 0)
    # A fit that found nothing may have infinite variance; then it is not trusted.
    with np.errstate(over="ignore", invalid="ignore"):
        wrong = np.maximum(whole - own, 0) + claim * fits.stranger[:, None]
        wrong += _PER_CHI2 * scatter[:, None] * own
        less = np.maximum(claim - own, _LEAST_OWN * claim)
        votes = np.sum((value - other) ** 2 / (wrong + less), axis=1)
        dissent = _PER_DISSENT * np.maximum(votes - _DISSENT_BY_CHANCE, 0)
        wrong += dissent[:, None] * (wrong + less)
        weight = wrong / (wrong + less)
        mean, variance = fits.state.copy(), np.zeros((len(claim), 4))
        mean[:, free] += weight * (other - value)
        crowd = np.mean(whole / own - 1, axis=1, keepdims=True) / _CROWDED
        common = _COMMON * np.clip(crowd, 0, 1) * np.maximum(claim - own, 0)
        less = np.maximum(less - common, _LEAST_OWN * claim)
        dim = np.minimum(own[:, -1:] / np.square(value[:, -1:]), _DIMMEST**2)
        variance[:, free] = (1 + _PER_DIM * dim) * own + common + wrong * less / (wrong + less)
        covariance = _scaled(fits.whole, variance)
    finite = np.isfinite(covariance).all(axis=(1, 2)) & np.isfinite(mean).all(axis=1)
    trusted = fits.converged & finite & (weight[:, :axes].mean(axis=1) < _TRUSTED)
    return Verdict(mean, covariance, fits.chi2 / degrees, trusted)


def _scaled(covariance: F64, variance: F64) -> F64:
    """The same correlations with other variances."""
    had = np.einsum("nii->ni", covariance)
    scale = np.sqrt(variance / np.where(had > 0, had, 1))
    return np.asarray(covariance * scale[:, :, None] * scale[:, None, :])
