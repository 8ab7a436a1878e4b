"""What the network of backgrounds sees of a cut-out, and what its answer means.

Light is in effective counts, the scale in which every camera's noise is alike:
measured from the mean of the cut-out's rim, in units of the noise there.
"""

from dataclasses import dataclass

import numpy as np

from live_smlm.core import F32

POOLED = 4
"""Sides must be a multiple of it: the network halves them twice."""
_SOFT = 2.0
"""Noise widths from which bright pixels are compressed, so that a molecule fills no scale."""


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """Cut-outs as the network is given them."""

    images: F32
    """(n, 1, p, p), the last rows and columns repeated up to a multiple of `POOLED`."""
    level: F32
    """(n,) counts per pixel of the rim."""
    noise: F32
    """(n,) counts."""
    size: int

    def counts(self, told: F32) -> F32:
        """(n, size, size) the background that the network means, in counts; never negative."""
        part = told[:, 0, : self.size, : self.size]
        return np.maximum(self.level[:, None, None] + self.noise[:, None, None] * part, 0)


def scaled(counts: F32) -> Scaled:
    """Cut-outs (n, k, k) of counts for the network."""
    size = counts.shape[1]
    sides = [counts[:, 0], counts[:, -1], counts[:, 1:-1, 0], counts[:, 1:-1, -1]]
    level = np.concatenate(sides, axis=1).mean(axis=1).astype(np.float32)
    noise = np.sqrt(np.maximum(level, 0) + np.float32(1))
    x = (counts - level[:, None, None]) / noise[:, None, None]
    more = -size % POOLED
    wide = np.pad(np.arcsinh(x / np.float32(_SOFT)), ((0, 0), (0, more), (0, more)), mode="edge")
    return Scaled(wide[:, None].astype(np.float32, copy=False), level, noise, size)
