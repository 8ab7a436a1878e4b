"""What a fit is worth beside the network's own values: plain arithmetic on columns.

Fit and network saw the same photons. So their errors share the noise of the
pixels, of variance v (Fisher's), and each has a part of its own: the network
n² = its own variance less v, for not using the light as well as it could; the
fit m² = what a model that is wrong adds. The best mean of the two gives the
network the weight w = m² / (m² + n²), and has the variance v + m² n² / (m² + n²).

What makes a model wrong, and how it shows:
- neighbours that are known are not known exactly: `sequence_doubt` derives it;
- neighbours that nobody saw leave residuals: chi² of the pixels beyond chance;
- they, and strangers linked by mistake, pull the frames apart: `split`;
- a fit that ran away disagrees with the network by more than both claim.
Each adds to m² in proportion to its excess over chance. The proportions were
found by the likelihood of the true errors in simulated movies of 0.2 to 2
molecules per µm² (`bench/sequence.py`), and change little if halved or doubled.
"""

from dataclasses import dataclass

import numpy as np

from live_smlm.core import F64, Bool
from live_smlm.fitting.sequence_sweep import Fits

_NEIGHBOURS = 1.4
"""Above 1, as neighbours' errors are alike and some neighbours are unseen."""
_PER_CHI2 = 0.0165
_PER_SPLIT = 0.05
_PER_DISSENT = 0.035
_SPLIT_BY_CHANCE = 2.0
_DISSENT_BY_CHANCE = 10.0
_LEAST = 1e-4
_LEAST_OWN = 0.05
"""Share of its variance that the network has for itself at least."""
_TRUSTED = 0.5
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
    per_frame = axes * (fits.frames - 1)
    degrees = np.maximum(fits.pixels - axes - 2 * fits.frames, 1)
    scatter = np.maximum(fits.chi2 - degrees - np.sqrt(2 * degrees), 0)
    split = np.maximum(fits.split - per_frame - _SPLIT_BY_CHANCE, 0)
    excess = _LEAST + _PER_CHI2 * scatter + _PER_SPLIT * split
    wrong = _NEIGHBOURS * np.maximum(whole - own, 0) + own * excess[:, None]
    less = np.maximum(claim - own, _LEAST_OWN * claim) + np.finfo(np.float64).tiny
    votes = np.sum((value - other) ** 2 / (wrong + less), axis=1)
    dissent = _PER_DISSENT * np.maximum(votes - _DISSENT_BY_CHANCE, 0)
    wrong += dissent[:, None] * (wrong + less)
    weight = wrong / (wrong + less)
    trusted = (
        fits.converged
        & (weight[:, :axes].mean(axis=1) < _TRUSTED)
        & np.isfinite(weight).all(axis=1)
    )
    mean, variance = fits.state.copy(), np.zeros((len(claim), 4))
    mean[:, free] += weight * (other - value)
    variance[:, free] = own + wrong * less / (wrong + less)
    return Verdict(mean, _scaled(fits.whole, variance), fits.chi2 / degrees, trusted)


def _scaled(covariance: F64, variance: F64) -> F64:
    """The same correlations with other variances."""
    had = np.einsum("nii->ni", covariance)
    scale = np.sqrt(variance / np.where(had > 0, had, 1))
    return np.asarray(covariance * scale[:, :, None] * scale[:, None, :])
