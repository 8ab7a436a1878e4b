"""A PSF held as cubic B-spline coefficients of a volume of camera pixels.

One lateral voxel is one camera pixel, so the samples are pixel integrals and
a molecule's image is the spline at points one voxel apart: all pixels of a
patch share their fractional offsets, and three one-dimensional contractions
(z, then y, then x) of four taps each make the image and its derivatives. The
molecule sits in the lateral middle of the volume. Beyond the lateral edges
the light is 0, reached smoothly; beyond the first and last plane the image
stays that of the end.
"""

import hashlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from live_smlm.core import F32, F64, AnyArray, PsfImage, require
from live_smlm.physics.jit import jit
from live_smlm.physics.psf.extent import half_width

_FAR = 1e6
"""Pixels beyond which nothing is seen, and integers would overflow further on."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SplinePSF:
    """A measured or sampled PSF. Make one with `interpolate`, `smooth_along_z` or `sample`."""

    coefficients: F32
    """(nz, ny, nx) of the volume; the molecule is in the middle of y and x."""
    pixel_size_nm: float
    """Of the camera it was measured with; it serves no other."""
    z_step_nm: float
    z0_nm: float
    """z of the first plane."""

    name: ClassVar[str] = "spline"

    def __post_init__(self) -> None:
        c = self.coefficients
        require(
            c.ndim == 3 and min(c.shape, default=0) >= 4,
            f"spline volume has shape {c.shape}; give (planes, rows, columns), 4 or more of each",
        )
        bad = int(np.count_nonzero(~np.isfinite(c)))
        require(bad == 0, f"spline volume has {bad} values that are not finite; measure it again")
        for name in ("pixel_size_nm", "z_step_nm"):
            value = getattr(self, name)
            require(0 < value < np.inf, f"spline {name} is {value:g}; give nm above 0")
        require(bool(np.isfinite(self.z0_nm)), f"spline z0_nm is {self.z0_nm:g}; give nm")
        held = np.array(c, dtype=np.float32, order="C")
        held.setflags(write=False)
        object.__setattr__(self, "coefficients", held)

    @property
    def z_range_nm(self) -> tuple[float, float] | None:
        """First and last plane."""
        return self.z0_nm, self.z0_nm + (len(self.coefficients) - 1) * self.z_step_nm

    @property
    def extent_nm(self) -> float:
        """Half-width that holds the light, or all that was measured."""
        side = min(self.coefficients.shape[1:])
        return half_width(self, self.pixel_size_nm, (side + 1) // 2 * self.pixel_size_nm)

    def unfit(self, pixel_size_nm: float) -> str | None:
        """Why it cannot serve such pixels, if so."""
        if abs(pixel_size_nm / self.pixel_size_nm - 1) < 1e-4:
            return None
        return (
            f"spline PSF was measured with pixels of {self.pixel_size_nm:g} nm and cannot serve "
            f"{pixel_size_nm:g} nm; calibrate with this camera"
        )

    def images(
        self,
        x_nm: F32 | F64,
        y_nm: F32 | F64,
        z_nm: F32 | F64,
        shape: tuple[int, int],
        pixel_size_nm: float,
    ) -> PsfImage:
        """Images and derivatives; see `core.PSF`."""
        reason = self.unfit(pixel_size_nm)
        require(reason is None, f"{reason}")
        out = np.empty((len(x_nm), 4, *shape))
        x = np.asarray(x_nm, np.float64) / pixel_size_nm
        y = np.asarray(y_nm, np.float64) / pixel_size_nm
        z = (np.asarray(z_nm, np.float64) - self.z0_nm) / self.z_step_nm
        _fill(self.coefficients, x, y, z, out)
        value, d_x, d_y, d_z = np.moveaxis(out, 1, 0)
        return PsfImage(value, d_x / pixel_size_nm, d_y / pixel_size_nm, d_z / self.z_step_nm)

    def describe(self) -> dict[str, object]:
        """Kind, sampling and a fingerprint of the coefficients."""
        return {
            "kind": self.name,
            "shape": list(self.coefficients.shape),
            "pixel_size_nm": self.pixel_size_nm,
            "z_step_nm": self.z_step_nm,
            "z0_nm": self.z0_nm,
            "sha256": hashlib.sha256(self.coefficients.tobytes()).hexdigest(),
        }


@jit
def _fill(c: F32, x: F64, y: F64, z: F64, out: F64) -> None:
    for m in range(len(x)):
        patch(c, x[m], y[m], z[m], out[m])


@jit
def patch(coefficients: F32, x: float, y: float, z: float, out: AnyArray) -> None:
    """Fill `out` (4, rows, columns) with value, d_x, d_y (per pixel) and d_z (per voxel).

    x and y are the molecule's position in pixels from the outer corner of the
    patch, z in voxels from the first plane; `coefficients` is (nz >= 4, ny, nx).
    Computed in the precision of `out`.
    """
    nz, ny, nx = coefficients.shape
    rows, columns = out.shape[1], out.shape[2]
    if not (abs(x) < _FAR and abs(y) < _FAR and abs(z) < _FAR):
        out[:] = 0 * (x + y + z)
        return
    left, fx = _split(0.5 * nx - x)
    top, fy = _split(0.5 * ny - y)
    plane = np.empty((2, rows + 3, columns + 3), out.dtype)
    weights = np.empty((6, 4), out.dtype)
    _weigh(fx, weights[0], weights[1])
    _weigh(fy, weights[2], weights[3])
    first = _weigh_plane(z, nz, weights[4], weights[5])
    _contract_z(coefficients, first, top - 1, left - 1, weights, plane)
    _contract_lateral(plane, weights, out)


@jit
def _split(u: float) -> tuple[int, float]:
    whole = np.floor(u)
    return int(whole), u - whole


@jit
def _weigh(f: float, value: AnyArray, slope: AnyArray) -> None:
    """Cubic B-spline at the four knots around a point `f` beyond the second, and d/df."""
    g = 1.0 - f
    value[0] = g * g * g / 6.0
    value[1] = (4.0 + f * f * (3.0 * f - 6.0)) / 6.0
    value[2] = (4.0 + g * g * (3.0 * g - 6.0)) / 6.0
    value[3] = f * f * f / 6.0
    slope[0] = -0.5 * g * g
    slope[1] = 0.5 * f * (3.0 * f - 4.0)
    slope[2] = -0.5 * g * (3.0 * g - 4.0)
    slope[3] = 0.5 * f * f


@jit
def _weigh_plane(z: float, nz: int, value: AnyArray, slope: AnyArray) -> int:
    """The weights of four planes and the number of the first; the spline ends not-a-knot.

    In the first and last voxel the knot beyond the volume continues the fourth
    difference at 0, so that it too falls on the volume's own four planes.
    """
    inside = min(max(z, 0.0), nz - 1.0)
    k = min(int(inside), nz - 2)
    _weigh(inside - k, value, slope)
    for w in (value, slope):
        if k == 0:
            w0, w1, w2, w3 = w[0], w[1], w[2], w[3]
            w[0], w[1], w[2], w[3] = w1 + 4 * w0, w2 - 6 * w0, w3 + 4 * w0, -w0
        elif k == nz - 2:
            w0, w1, w2, w3 = w[0], w[1], w[2], w[3]
            w[0], w[1], w[2], w[3] = -w3, w0 + 4 * w3, w1 - 6 * w3, w2 + 4 * w3
    if inside != z:
        slope[:] = 0
    return min(max(k - 1, 0), nz - 4)


@jit
def _contract_z(
    c: F32, first: int, top: int, left: int, weights: AnyArray, plane: AnyArray
) -> None:
    """`plane` is the volume at z and its slope there, from voxel (top, left); 0 outside."""
    _, ny, nx = c.shape
    _, rows, columns = plane.shape
    a0, a1, a2, a3 = weights[4]
    b0, b1, b2, b3 = weights[5]
    start, stop = max(0, -left), min(columns, nx - left)
    for r in range(rows):
        y = top + r
        if y < 0 or y >= ny or stop <= start:
            plane[:, r] = 0
            continue
        plane[:, r, :start] = 0
        plane[:, r, stop:] = 0
        for i in range(start, stop):
            x = left + i
            c0, c1, c2, c3 = (
                c[first, y, x],
                c[first + 1, y, x],
                c[first + 2, y, x],
                c[first + 3, y, x],
            )
            plane[0, r, i] = a0 * c0 + a1 * c1 + a2 * c2 + a3 * c3
            plane[1, r, i] = b0 * c0 + b1 * c1 + b2 * c2 + b3 * c3


@jit
def _contract_lateral(plane: AnyArray, weights: AnyArray, out: AnyArray) -> None:
    """A molecule that moves by +x moves the volume's point by -x: hence the signs."""
    _, rows, columns = out.shape
    x0, x1, x2, x3 = weights[0]
    u0, u1, u2, u3 = weights[1]
    y0, y1, y2, y3 = weights[2]
    v0, v1, v2, v3 = weights[3]
    line = np.empty((3, columns + 3), out.dtype)
    for r in range(rows):
        for i in range(columns + 3):
            p0, p1, p2, p3 = (
                plane[0, r, i],
                plane[0, r + 1, i],
                plane[0, r + 2, i],
                plane[0, r + 3, i],
            )
            line[0, i] = y0 * p0 + y1 * p1 + y2 * p2 + y3 * p3
            line[1, i] = v0 * p0 + v1 * p1 + v2 * p2 + v3 * p3
            q0, q1, q2, q3 = (
                plane[1, r, i],
                plane[1, r + 1, i],
                plane[1, r + 2, i],
                plane[1, r + 3, i],
            )
            line[2, i] = y0 * q0 + y1 * q1 + y2 * q2 + y3 * q3
        for i in range(columns):
            s0, s1, s2, s3 = line[0, i], line[0, i + 1], line[0, i + 2], line[0, i + 3]
            out[0, r, i] = x0 * s0 + x1 * s1 + x2 * s2 + x3 * s3
            out[1, r, i] = -(u0 * s0 + u1 * s1 + u2 * s2 + u3 * s3)
            out[2, r, i] = -(
                x0 * line[1, i] + x1 * line[1, i + 1] + x2 * line[1, i + 2] + x3 * line[1, i + 3]
            )
            out[3, r, i] = (
                x0 * line[2, i] + x1 * line[2, i + 1] + x2 * line[2, i + 2] + x3 * line[2, i + 3]
            )


def plane_weights(z: F64, knots: int) -> F64:
    """(len(z), knots): what each knot's coefficient adds at z, in knots from the first."""
    weights = np.zeros((len(z), knots))
    value, slope = np.empty(4), np.empty(4)
    for row, at in zip(weights, z, strict=True):
        first = _weigh_plane(float(at), knots, value, slope)
        row[first : first + 4] = value
    return weights
