"""Counts that scatter like Poisson's: the one scale in which all classical engines work.

A count is an electron, or two electrons of an EMCCD, whose multiplication
doubles the variance. Data and model both carry `extra`, the variance that the
camera adds to each pixel (read noise, spurious charge): then mean and
variance agree, and bounds from Fisher's information hold for every camera.
"""

from dataclasses import dataclass

import numpy as np

from live_smlm.core import F32, AnyArray, CameraModel


@dataclass(frozen=True, slots=True, eq=False)
class CountScale:
    """From one camera's photons to counts."""

    per_photon: float
    """Counts that one photon makes in the mean."""
    extra: F32
    """(rows, columns) counts of variance beyond the light's."""
    offset: F32
    """(rows, columns) or (1, 1) ADU of no light."""
    gain: F32
    """(rows, columns) or (1, 1) counts per ADU."""


def count_scale(camera: CameraModel) -> CountScale:
    """The scale of a camera; the spurious charge is part of `extra`, not of the data."""
    share = 1.0 / camera.excess_noise
    per_electron = share / camera.em_gain
    read = (np.asarray(camera.read_noise_e) * per_electron) ** 2
    gain = np.asarray(camera.gain_e_per_adu) * per_electron
    spurious = camera.spurious_e * share
    return CountScale(
        camera.quantum_efficiency * share,
        np.ascontiguousarray(np.broadcast_to(read + spurious, camera.shape), np.float32),
        _map(np.asarray(camera.offset_adu) + spurious / gain),
        _map(gain),
    )


def _map(value: AnyArray) -> F32:
    return np.ascontiguousarray(value if np.ndim(value) else np.reshape(value, (1, 1)), np.float32)
