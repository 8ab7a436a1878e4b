"""Images of a pupil under many aberrations, some thousand a second: what a training needs.

The physics is that of `physics.psf.pupil` (fields of a freely rotating dipole,
phases by Zernike polynomials), on a coarser pupil and for small cut-outs.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from live_smlm.core import F32, F64, require
from live_smlm.physics.psf.pupil import PupilPSF
from live_smlm.physics.psf.vectorial import cosine, dipole_fields
from live_smlm.physics.psf.zernike import coefficients, zernike

C64 = NDArray[np.complex64]
_SAMPLES = 32
"""Of the pupil's diameter: images repeat every 7 um at usual apertures."""
_NODES = 2
"""Of a pixel's integral along one axis."""
_FINE = 8


@dataclass(frozen=True, slots=True, eq=False)
class Optics:
    """One objective, whose aberrations are its PSF's and `modes` of any strength on top."""

    psf: PupilPSF
    pixel_size_nm: float
    modes: tuple[int, ...]
    """By Noll's index."""
    _fields: C64 = field(init=False, repr=False)
    _axial: F64 = field(init=False, repr=False)
    _lateral: F64 = field(init=False, repr=False)
    _shapes: F64 = field(init=False, repr=False)
    _light: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        psf = self.psf
        require(
            psf.mask == "none" and psf.z_stage_nm == 0 and psf.na <= psf.n_medium,
            "smnet learns PSFs without a mask, z_stage_nm=0 and na below n_medium; take such a one",
        )
        edge = (np.arange(_SAMPLES) + 0.5) * (2 / _SAMPLES) - 1
        u, v = np.meshgrid(edge, edge)
        rho, phi = np.minimum(np.hypot(u, v), 1.0), np.arctan2(v, u)
        fields = np.ones((1, *rho.shape), np.complex128)
        if psf.model == "vectorial":
            fields = dipole_fields(psf.na * rho, phi, psf.n_medium, psf.n_immersion)
        cover = _cover()
        light = float((cover * (np.abs(fields) ** 2).sum(axis=0)).sum())
        phase = np.zeros_like(rho)
        for noll, amplitude in coefficients(psf.zernike).items():
            phase += amplitude * zernike(noll, rho, phi)
        wave_number = 2 * np.pi / psf.wavelength_nm
        axial = wave_number * psf.n_medium * cosine(psf.na * rho, psf.n_medium).real
        shapes = np.array([zernike(mode, rho, phi) for mode in self.modes])
        made = {
            "_fields": (cover * fields * np.exp(1j * phase)).astype(np.complex64),
            "_axial": axial,
            "_lateral": edge * wave_number * psf.na,
            "_shapes": shapes.reshape(len(self.modes), *rho.shape),
            "_light": light,
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)

    def images(self, place: F64, aberrations: F64, size: int) -> F32:
        """(4, n, size, size): shares of the light, and their slopes by x, y and z per nm.

        `place` (n, 3) is x, y, z in nm from the outer corner, `aberrations`
        (n, modes) are rad rms.
        """
        nodes, weights = np.polynomial.legendre.leggauss(_NODES)
        at = (np.arange(size)[:, None] + (nodes + 1) / 2).ravel() * self.pixel_size_nm
        out = np.empty((4, len(place), size, size), np.float32)
        for m, (x, y, z) in enumerate(place):
            wave = np.exp(1j * (self._axial * z + np.tensordot(aberrations[m], self._shapes, 1)))
            fine = self._intensity(self._fields * wave.astype(np.complex64), at - x, at - y)
            cells = fine.reshape(4, size, _NODES, size, _NODES)
            out[:, m] = np.einsum("arick,i,k->arc", cells, weights / 2, weights / 2)
        return out * np.float32(self.pixel_size_nm**2)

    def _intensity(self, light: C64, x: F64, y: F64) -> F64:
        """(4, y, x) per nm² at points relative to the molecule."""
        k = self._lateral
        to_x = np.exp(1j * k[:, None] * x).astype(np.complex64)
        to_y = np.exp(1j * k[:, None] * y).astype(np.complex64).T
        turn = (-1j * k).astype(np.complex64)
        columns = light @ np.concatenate([to_x, turn[:, None] * to_x], axis=1)
        plain, sloped = columns[..., : len(x)], columns[..., len(x) :]
        deep = ((1j * self._axial).astype(np.complex64) * light) @ to_x
        e = to_y @ plain
        slopes = (to_y @ sloped, (to_y * turn) @ plain, to_y @ deep)
        value = (np.abs(e) ** 2).sum(axis=0)
        parts = [value, *(2 * (e.conj() * d).real.sum(axis=0) for d in slopes)]
        period = 2 * np.pi / (k[1] - k[0])
        return np.asarray(np.stack(parts) / (self._light * period**2), np.float64)


def _cover() -> F64:
    """The share of each of the pupil's cells that lies in the aperture."""
    at = (np.arange(_SAMPLES * _FINE) + 0.5) * (2 / (_SAMPLES * _FINE)) - 1
    inside = np.hypot(*np.meshgrid(at, at)) <= 1
    return np.asarray(inside.reshape(_SAMPLES, _FINE, _SAMPLES, _FINE).mean(axis=(1, 3)))
