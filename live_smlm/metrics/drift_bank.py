"""Following a walk of unknown vigour: many filters at once, each believed as it deserves.

Every filter is Kalman's for a random walk; they differ in the walk's variance per
frame and in how much worse the measurements are than they claim. What is told
is the mean over them, weighted by how well each has foretold of late.
"""

from dataclasses import dataclass

import numpy as np

from live_smlm.core import F64
from live_smlm.metrics.drift_smooth import smooth

WALKS = np.logspace(-6, 1.5, 16)
"""Variances per frame, nm²; the first is a sample that lies still."""
_CLAIMS = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
"""By how much the true variance of a measurement may exceed the claimed."""
_Q = np.repeat(WALKS, len(_CLAIMS))
_C = np.tile(_CLAIMS, len(WALKS))
_FORGET = 0.98
_FAR = 16.0
"""Squares of deviations count up to here."""
_UNKNOWN = 1e6
_STILLNESS, _STILLNESS_BEHIND = 0.35, 1.0
"""How much less likely, as a logarithm, each walk is than the next slower before any is seen:
while it is followed, and when all of it is weighed at once."""
_PRIOR = -_STILLNESS * np.repeat(np.arange(len(WALKS)), len(_CLAIMS))


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """Filters of x, y and z: (3, filters)."""

    frame: float
    level: F64
    variance: F64
    belief: F64
    """Logarithm, up to a constant."""

    @property
    def shares(self) -> F64:
        """Of each filter, in all."""
        belief = self.belief + _PRIOR
        weight = np.exp(belief - belief.max(axis=1, keepdims=True))
        return np.asarray(weight / weight.sum(axis=1, keepdims=True))

    def at(self, frame: float) -> tuple[F64, F64]:
        """Mean and variance (3,) at a frame not before the newest measurement."""
        share = self.shares
        mean = (share * self.level).sum(axis=1)
        spread = self.variance + _Q * max(frame - self.frame, 0.0)
        spread = spread + (self.level - mean[:, None]) ** 2
        return mean, (share * spread).sum(axis=1)

    def stepped(self, frame: float, by: F64, variance: F64, frames: float) -> "Bank":
        """At a later frame, having moved by so much in some of the frames between.

        An infinite variance tells nothing.
        """
        lapse = max(frame - self.frame, 0.0)
        may, rest = _Q * min(frames, lapse), _Q * max(lapse - frames, 0.0)
        told = np.isfinite(variance)[:, None]
        noise = np.where(told, variance[:, None], 1.0)
        whole = may + noise
        gain = -0.5 * (np.log(whole) + np.minimum(by[:, None] ** 2 / whole, _FAR))
        level = self.level + np.where(told, may / whole * by[:, None], 0.0)
        spread = self.variance + rest + np.where(told, may * noise / whole, may)
        return Bank(frame, level, spread, self.belief + np.where(told, gain, 0.0))

    def measured(self, frame: float, at: F64, variance: F64) -> "Bank":
        """After a measurement; an infinite variance tells nothing."""
        ahead = self.variance + _Q * max(frame - self.frame, 0.0)
        told = np.isfinite(variance)[:, None]
        noise = np.where(told, np.where(told, variance[:, None], 1.0) * _C, 1.0)
        whole = ahead + noise
        off = np.where(told, at[:, None] - self.level, 0.0)
        step = np.where(told, ahead / whole, 0.0)
        gain = -0.5 * (np.log(whole) + np.minimum(off**2 / whole, _FAR))
        belief = np.where(told, _FORGET * self.belief + gain, self.belief)
        return Bank(frame, self.level + step * off, ahead * (1 - step), belief)

    def moved(self, by: F64) -> "Bank":
        """The same knowledge in another place."""
        return Bank(self.frame, self.level + by[:, None], self.variance, self.belief)

    def jumped(self, axes: F64) -> "Bank":
        """Nothing is known of where the marked axes (3,) are; all is known of how they walk."""
        wide = np.where(axes[:, None] > 0, _UNKNOWN, self.variance)
        return Bank(self.frame, self.level, wide, self.belief)


def bank() -> Bank:
    """Before the first measurement, which defines where zero is."""
    none = np.zeros((3, len(_Q)))
    return Bank(0.0, none, none, none)


def path(
    frame: F64, free: F64, at: F64, variance: F64, step: F64, step_variance: F64, lapse: F64
) -> tuple[F64, F64]:
    """The best walk through measurements (n, 3) and its variance.

    `free` (n, 3): above 0 where an axis jumped before. `step`: how far it moved in
    the `lapse`, frames, before a measurement. The walk is as vigorous as makes the
    measurements most likely.
    """
    best, doubt = np.zeros_like(at), np.zeros_like(at)
    value, error = np.zeros(len(frame)), np.zeros(len(frame))
    for axis in range(3):
        if not np.isfinite(variance[:, axis]).any():
            continue
        most = -np.inf
        marks = (free[:, axis] > 0).astype(np.int64)
        told = [np.ascontiguousarray(part[:, axis]) for part in (at, step, step_variance)]
        for claim in _CLAIMS:
            noise = claim * variance[:, axis]
            for rank, walk in enumerate(WALKS):
                likelihood = smooth(
                    frame, marks, told[0], noise, told[1], told[2], lapse, walk, value, error
                )
                likelihood -= _STILLNESS_BEHIND * rank
                if likelihood > most:
                    most = likelihood
                    best[:, axis], doubt[:, axis] = value, error
    return best, doubt
