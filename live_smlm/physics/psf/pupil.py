"""A PSF computed from the objective's pupil: scalar, or vectorial for a freely rotating dipole.

The field at any point of the camera is the sum of the pupil's plane waves (a
matrix Fourier transform), so positions are exact at every fraction of a
pixel. The pixel's integral is a Gauss-Legendre sum. Light that misses the
patch is counted: over the whole plane the shares add up to 1. Some
milliseconds per molecule: `sampling.sample` makes the same PSF quick.

z is measured from the focal plane where `z_stage_nm` is 0, and otherwise from
the cover slip: the phase is k_z(medium) z - k_z(immersion) z_stage, where
z_stage is how far the objective's nominal focus was moved into the sample.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import ClassVar, Literal

import numpy as np

from live_smlm.core import F32, F64, PsfImage, require
from live_smlm.physics.psf.extent import half_width
from live_smlm.physics.psf.masks import mask_phase
from live_smlm.physics.psf.vectorial import C128, cosine, dipole_fields
from live_smlm.physics.psf.zernike import coefficients, zernike

_SAMPLES = 64
"""Of the pupil's diameter, at least."""
_MOST_SAMPLES = 1024
_MARGIN_NM = 2500.0
"""Of the image, beyond defocus: for diffraction, aberrations and masks."""
_EXTENT_LIMIT_NM = 3000.0
_NO_ABERRATION: Mapping[int, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class _Pupil:
    """What the optics fix: fields and wave numbers on the pupil's grid (per nm)."""

    fields: C128
    """(components, n, n) times the aperture's share of the cell, with all phases but that of z."""
    power: F64
    """(n, n) light through the cell."""
    k_lateral: F64
    """(n,)"""
    k_medium: C128
    """(n, n) axial wave number at the molecule."""

    @property
    def period_nm(self) -> float:
        """The image repeats with it."""
        return float(2 * np.pi / (self.k_lateral[1] - self.k_lateral[0]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PupilPSF:
    """A diffraction-limited or engineered PSF."""

    na: float = 1.4
    wavelength_nm: float = 670.0
    """Of the emission, in vacuum."""
    n_immersion: float = 1.518
    n_medium: float = 1.518
    model: Literal["scalar", "vectorial"] = "vectorial"
    zernike: str | Mapping[int, float] = field(default_factory=lambda: _NO_ABERRATION)
    """Aberrations: rad rms by Noll's index, or the same as text: `5:0.3/11:-0.2`."""
    mask: str = "none"
    """none, double_helix, tetrapod, or a .npy file with a phase map."""
    mask_rms_rad: float = 1.5
    """Strength of the tetrapod mask; 1.5 suits a range of 3 um."""
    z_stage_nm: float = 0.0
    z_min_nm: float = -750.0
    z_max_nm: float = 750.0
    extent_nm: float = field(init=False)
    """Half-width that holds the light."""
    _pupil: _Pupil = field(init=False, repr=False)

    name: ClassVar[str] = "pupil"

    def __post_init__(self) -> None:
        self._check()
        object.__setattr__(self, "zernike", coefficients(self.zernike))
        object.__setattr__(self, "_pupil", self._build())
        object.__setattr__(self, "extent_nm", half_width(self, 100.0, _EXTENT_LIMIT_NM))

    def _check(self) -> None:
        for name, low, high in (
            ("wavelength_nm", 200, 2000),
            ("n_immersion", 1, 2),
            ("n_medium", 1, 2),
            ("mask_rms_rad", 0, 50),
            ("z_stage_nm", -1e5, 1e5),
            ("z_min_nm", -1e5, 1e5),
            ("z_max_nm", -1e5, 1e5),
        ):
            value = getattr(self, name)
            require(
                low <= value <= high,
                f"pupil {name} is {value:g}; it must be between {low:g} and {high:g}",
            )
        require(
            0.05 <= self.na < self.n_immersion,
            f"pupil na is {self.na:g}; it must be at least 0.05 and below n_immersion "
            f"{self.n_immersion:g}",
        )
        require(
            self.model in ("scalar", "vectorial"),
            f"pupil model is {self.model!r}; give scalar or vectorial",
        )
        require(
            self.z_min_nm < self.z_max_nm,
            f"pupil z_min_nm {self.z_min_nm:g} is not below z_max_nm {self.z_max_nm:g}",
        )
        require(
            self.na <= self.n_medium or self.z_min_nm >= 0,
            f"pupil na {self.na:g} above n_medium {self.n_medium:g} collects light that decays "
            f"from the cover slip on, but z_min_nm is {self.z_min_nm:g}; count z from the cover "
            "slip (z_min_nm=0 or more) and set z_stage_nm",
        )

    @property
    def z_range_nm(self) -> tuple[float, float] | None:
        """Where the model was asked to hold."""
        return self.z_min_nm, self.z_max_nm

    def _build(self) -> _Pupil:
        n = self._samples()
        edge: F64 = (np.arange(n, dtype=np.float64) + 0.5) * (2 / n) - 1
        u, v = np.meshgrid(edge, edge)
        rho, phi = np.minimum(np.hypot(u, v), 1.0), np.arctan2(v, u)
        wave_number = 2 * np.pi / self.wavelength_nm
        phase = mask_phase(self.mask, self.mask_rms_rad, rho, phi)
        for noll, amplitude in coefficients(self.zernike).items():
            phase = phase + amplitude * zernike(noll, rho, phi)
        k_immersion = wave_number * self.n_immersion * cosine(self.na * rho, self.n_immersion).real
        phase = phase - k_immersion * self.z_stage_nm
        light = np.exp(1j * phase)[None]
        if self.model == "vectorial":
            light = light * dipole_fields(self.na * rho, phi, self.n_medium, self.n_immersion)
        k_medium = wave_number * self.n_medium * cosine(self.na * rho, self.n_medium)
        open_share = _coverage(n)
        power = open_share * (np.abs(light) ** 2).sum(axis=0)
        return _Pupil(open_share * light, power, edge * wave_number * self.na, k_medium)

    def _samples(self) -> int:
        """So many that the image of the widest defocus does not meet its own repetition."""
        rho = np.sqrt((np.arange(200) + 0.5) / 200)
        slopes = []
        for z in (self.z_min_nm, self.z_max_nm):
            medium = self.n_medium * cosine(self.na * rho, self.n_medium).real * z
            immersion = self.n_immersion * cosine(self.na * rho, self.n_immersion).real
            slopes.append(np.gradient(medium - immersion * self.z_stage_nm, self.na * rho))
        reach = float(np.percentile(np.abs(slopes), 95)) + _MARGIN_NM
        samples = max(_SAMPLES, 2 * int(np.ceil(2 * self.na * reach / self.wavelength_nm)))
        require(
            samples <= _MOST_SAMPLES,
            f"pupil z_min_nm {self.z_min_nm:g} to z_max_nm {self.z_max_nm:g} with z_stage_nm "
            f"{self.z_stage_nm:g} needs {samples} samples of the pupil, {_MOST_SAMPLES} are the "
            "most; narrow the range",
        )
        return samples

    def images(
        self,
        x_nm: F32 | F64,
        y_nm: F32 | F64,
        z_nm: F32 | F64,
        shape: tuple[int, int],
        pixel_size_nm: float,
    ) -> PsfImage:
        """Images and derivatives; see `core.PSF`."""
        out = np.empty((4, len(x_nm), *shape))
        places, weights = _quadrature(pixel_size_nm, 2 * self.na / self.wavelength_nm)
        for m, (x, y, z) in enumerate(zip(x_nm, y_nm, z_nm, strict=True)):
            inside = float(np.clip(z, self.z_min_nm, self.z_max_nm))
            across = (np.arange(shape[1])[:, None] * pixel_size_nm + places).ravel() - x
            down = (np.arange(shape[0])[:, None] * pixel_size_nm + places).ravel() - y
            fine = _intensity(self._pupil, across, down, inside)
            cells = fine.reshape(4, shape[0], len(weights), shape[1], len(weights))
            out[:, m] = np.einsum("arick,i,k->arc", cells, weights, weights)
            if inside != z:
                out[3, m] = 0
        return PsfImage(out[0], out[1], out[2], out[3])

    def describe(self) -> dict[str, object]:
        """Kind and parameters."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.init}
        values["zernike"] = {str(j): a for j, a in coefficients(self.zernike).items()}
        return {"kind": self.name, **values}


def _coverage(n: int) -> F64:
    """The share of each cell of the grid that lies in the aperture."""
    fine = 8
    at = (np.arange(n * fine) + 0.5) * (2 / (n * fine)) - 1
    inside = np.hypot(*np.meshgrid(at, at)) <= 1
    return np.asarray(inside.reshape(n, fine, n, fine).mean(axis=(1, 3)))


def _quadrature(pixel_size_nm: float, cut_off_per_nm: float) -> tuple[F64, F64]:
    """Places in a pixel and weights: three, and more where the pixel is coarse for the optics."""
    number = 2 + int(np.ceil(pixel_size_nm * cut_off_per_nm))
    nodes, weights = np.polynomial.legendre.leggauss(number)
    return (nodes + 1) / 2 * pixel_size_nm, weights / 2 * pixel_size_nm


def _intensity(pupil: _Pupil, x: F64, y: F64, z: float) -> F64:
    """(4, y, x) light per nm² at points relative to the molecule, and how it follows it.

    Where the pupil collects evanescent waves they decay with z: so the total
    has a slope too.
    """
    wave = np.exp(1j * pupil.k_medium * z)
    light = pupil.fields * wave
    power = pupil.power * np.abs(wave) ** 2
    total = power.sum()
    slope = (-2 * pupil.k_medium.imag * power).sum()
    to_x = _transform(pupil, x)
    to_y = _transform(pupil, y).T
    columns = light @ to_x
    e = to_y @ columns
    e_x = to_y @ (light @ (-1j * pupil.k_lateral[:, None] * to_x))
    e_y = (-1j * to_y * pupil.k_lateral) @ columns
    e_z = to_y @ ((1j * pupil.k_medium * light) @ to_x)
    value = (np.abs(e) ** 2).sum(axis=0)
    derivatives = [2 * (e.conj() * d).real.sum(axis=0) for d in (e_x, e_y, e_z)]
    derivatives[2] -= value * slope / total
    return np.asarray(np.stack([value, *derivatives]) / (total * pupil.period_nm**2))


def _transform(pupil: _Pupil, place: F64) -> C128:
    """(n, places) the plane waves there; none beyond half a period, where the image repeats."""
    waves = np.exp(1j * pupil.k_lateral[:, None] * place)
    return np.asarray(waves * (np.abs(place) < pupil.period_nm / 2))
