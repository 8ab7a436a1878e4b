"""The light of a freely rotating dipole in the pupil of a high-aperture objective.

Knows angles, Fresnel's coefficients and the aplanatic lens; no phases, no
pixels. One plane interface: the medium meets the immersion (a cover slip of
the immersion's index is no interface).
"""

import numpy as np
from numpy.typing import NDArray

from live_smlm.core import F64

C128 = NDArray[np.complex128]


def cosine(na_rho: F64, index: float) -> C128:
    """Cosine of the ray's angle in a medium; imaginary (decaying) beyond the critical angle."""
    return np.sqrt((1 - (na_rho / index) ** 2).astype(np.complex128))


def dipole_fields(na_rho: F64, phi: F64, n_medium: float, n_immersion: float) -> C128:
    """(6, ...) amplitudes: E_x then E_y of dipoles along x, y, z, to be added as intensities.

    A plane wave of the dipole's spectrum carries 1 / cos(medium); the lens
    turns flux into area: sqrt(cos(immersion)). With equal indices the two make
    the known 1 / sqrt(cos). The first is joined with Fresnel's coefficients,
    where it cancels, so nothing diverges at the critical angle.
    """
    c1, c2 = cosine(na_rho, n_medium), cosine(na_rho, n_immersion)
    lens = np.sqrt(c2)
    t_s = 2 * n_medium / (n_medium * c1 + n_immersion * c2) * lens
    t_p = 2 * n_medium / (n_immersion * c1 + n_medium * c2) * lens
    sin, cos = np.sin(phi), np.cos(phi)
    radial = np.stack([c1 * cos, c1 * sin, -(na_rho / n_medium) + 0j]) * t_p
    around = np.stack([-sin, cos, 0 * phi]) * t_s
    return np.concatenate([cos * radial - sin * around, sin * radial + cos * around])
