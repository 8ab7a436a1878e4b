"""Gaussian PSFs, integrated over the pixel: round, and astigmatic with defocus."""

from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np

from live_smlm.core import F32, F64, PsfImage, require
from live_smlm.physics.jit import jit
from live_smlm.physics.psf.profile import profile

_SIGMAS_OF_LIGHT = 3.5
"""Half-width in sigmas that holds 99.9 % of the light."""


@dataclass(frozen=True, slots=True)
class GaussianPSF:
    """A round Gaussian; says nothing about z."""

    sigma_nm: float

    name: ClassVar[str] = "gaussian"
    z_range_nm: ClassVar[tuple[float, float] | None] = None

    def __post_init__(self) -> None:
        require(
            10 <= self.sigma_nm <= 5000,
            f"gaussian sigma_nm is {self.sigma_nm:g}; give nm between 10 and 5000 (often 100-160)",
        )

    @property
    def extent_nm(self) -> float:
        """Half-width that holds the light."""
        return _SIGMAS_OF_LIGHT * self.sigma_nm

    def images(
        self,
        x_nm: F32 | F64,
        y_nm: F32 | F64,
        z_nm: F32 | F64,  # noqa: ARG002 - a round Gaussian looks the same at every z
        shape: tuple[int, int],
        pixel_size_nm: float,
    ) -> PsfImage:
        """Images and derivatives; see `core.PSF`."""
        s = np.full(len(x_nm), self.sigma_nm)
        flat = np.zeros(len(x_nm))
        return _images(x_nm, y_nm, (s, s, flat, flat), shape, pixel_size_nm)

    def describe(self) -> dict[str, object]:
        """Name and parameters."""
        return {"kind": self.name, **asdict(self)}


@dataclass(frozen=True, slots=True)
class AstigmaticPSF:
    """An elliptical Gaussian whose widths tell z.

    sigma_x(z) = sx0 sqrt(1 + u² + ax u³ + bx u⁴) with u = (z - gx) / d; sigma_y alike.
    """

    sx0_nm: float
    sy0_nm: float
    gx_nm: float
    gy_nm: float
    d_nm: float
    ax: float = 0.0
    bx: float = 0.0
    ay: float = 0.0
    by: float = 0.0
    z_min_nm: float = -750.0
    z_max_nm: float = 750.0

    name: ClassVar[str] = "astigmatic"

    def __post_init__(self) -> None:
        for name in ("sx0_nm", "sy0_nm", "d_nm"):
            value = getattr(self, name)
            require(
                10 <= value <= 5000, f"astigmatic {name} is {value:g}; give nm between 10 and 5000"
            )
        require(
            self.z_min_nm < self.z_max_nm,
            f"astigmatic z_min_nm {self.z_min_nm:g} is not below z_max_nm {self.z_max_nm:g}",
        )
        for name, g, a, b in (
            ("x", self.gx_nm, self.ax, self.bx),
            ("y", self.gy_nm, self.ay, self.by),
        ):
            u = (np.linspace(self.z_min_nm, self.z_max_nm, 501) - g) / self.d_nm
            lowest = float(np.min(1 + u**2 + a * u**3 + b * u**4))
            require(
                lowest > 0.05,
                f"astigmatic sigma_{name}² falls to {lowest:.3g} of its value at focus between "
                f"z_min_nm and z_max_nm; narrow that range or correct a{name}, b{name}",
            )

    @property
    def z_range_nm(self) -> tuple[float, float] | None:
        """Where the defocus curve holds."""
        return self.z_min_nm, self.z_max_nm

    @property
    def extent_nm(self) -> float:
        """Half-width that holds the light of a molecule two thirds into the range."""
        ends = np.array([self.z_min_nm, self.z_max_nm]) * (2 / 3)
        sx, sy, _, _ = self.widths(ends)
        return float(_SIGMAS_OF_LIGHT * np.sqrt(np.mean(np.concatenate([sx, sy]) ** 2)))

    def widths(self, z_nm: F32 | F64) -> tuple[F64, F64, F64, F64]:
        """sigma_x, sigma_y and their derivatives by z; all in nm and nm per nm."""
        z = np.asarray(z_nm, dtype=np.float64)
        inside = np.clip(z, self.z_min_nm, self.z_max_nm)
        free = inside == z
        sx, dx = _width(inside, self.sx0_nm, self.gx_nm, self.d_nm, self.ax, self.bx)
        sy, dy = _width(inside, self.sy0_nm, self.gy_nm, self.d_nm, self.ay, self.by)
        return sx, sy, dx * free, dy * free

    def images(
        self,
        x_nm: F32 | F64,
        y_nm: F32 | F64,
        z_nm: F32 | F64,
        shape: tuple[int, int],
        pixel_size_nm: float,
    ) -> PsfImage:
        """Images and derivatives; see `core.PSF`."""
        return _images(x_nm, y_nm, self.widths(z_nm), shape, pixel_size_nm)

    def describe(self) -> dict[str, object]:
        """Name and parameters."""
        return {"kind": self.name, **asdict(self)}


def _width(z: F64, s0: float, g: float, d: float, a: float, b: float) -> tuple[F64, F64]:
    u = (z - g) / d
    width = s0 * np.sqrt(1 + u**2 + a * u**3 + b * u**4)
    return width, s0**2 * (2 * u + 3 * a * u**2 + 4 * b * u**3) / (2 * d * width)


def _images(
    x_nm: F32 | F64,
    y_nm: F32 | F64,
    widths: tuple[F64, F64, F64, F64],
    shape: tuple[int, int],
    pixel_size_nm: float,
) -> PsfImage:
    """Sampled in nm; the kernel works in pixels."""
    rows, columns = shape
    out = np.empty((4, len(x_nm), rows, columns))
    sx, sy, dsx, dsy = widths
    _fill(
        np.asarray(x_nm, np.float64) / pixel_size_nm,
        np.asarray(y_nm, np.float64) / pixel_size_nm,
        sx / pixel_size_nm,
        sy / pixel_size_nm,
        dsx,
        dsy,
        out,
    )
    out[1:] /= pixel_size_nm
    return PsfImage(out[0], out[1], out[2], out[3])


@jit
def _fill(x: F64, y: F64, sx: F64, sy: F64, dsx: F64, dsy: F64, out: F64) -> None:
    """`out` is (value, d_x, d_y, d_z) by molecule; per pixel of length."""
    _, n, rows, columns = out.shape
    ex, dx, wx = np.empty(columns), np.empty(columns), np.empty(columns)
    ey, dy, wy = np.empty(rows), np.empty(rows), np.empty(rows)
    for m in range(n):
        profile(x[m], sx[m], ex, dx, wx)
        profile(y[m], sy[m], ey, dy, wy)
        for r in range(rows):
            for c in range(columns):
                out[0, m, r, c] = ey[r] * ex[c]
                out[1, m, r, c] = ey[r] * dx[c]
                out[2, m, r, c] = dy[r] * ex[c]
                out[3, m, r, c] = ey[r] * wx[c] * dsx[m] + wy[r] * ex[c] * dsy[m]
