"""The Cramér-Rao bound: how precisely one isolated molecule can be measured at all.

Knows how a PSF's derivatives and a camera's noise make Fisher information. The
noise enters as a variance per pixel, so the information is

    I_ij = sum over pixels of  dm/di dm/dj / Var,    m = QE (N h + b) + spurious,
    Var  = excess m + (read noise / EM gain)^2       (electrons before multiplication)

That is exact for Poisson noise. Otherwise it is never too optimistic: a pixel
tells at least so much. By how much more it tells, exactly (bound² is too large
by this much where all pixels are so dim):

    electrons m per pixel            0.1    0.3      1      3     10     30
    read noise 1.6                  19 %   14 %    7 %    2 %  0.2 %    0 %
    EMCCD, gain 300, read noise 74  41 %   27 %   19 %    9 %    3 %    1 %

So the excess factor of 2 holds for an EMCCD with a background of 3 electrons or
more; at 0.3 a perfect fit would be up to 12 % better than the bound given here.
"""

from dataclasses import dataclass

import numpy as np

from live_smlm.core import F32, F64, PSF, AnyArray, CameraModel, require
from live_smlm.physics.jit import jit
from live_smlm.physics.psf.gaussian import GaussianPSF
from live_smlm.physics.psf.profile import profile

Values = float | F32 | F64
_PIXELS_PER_BLOCK = 400_000
_SINGULAR = 1e-12
"""Smallest eigenvalue of the correlation matrix at which parameters count as determined."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Readout:
    """What turns expected photons into variance in a patch."""

    quantum_efficiency: float = 1.0
    spurious_e: float = 0.0
    excess_noise: float = 1.0
    read_variance_e: float | F32 | F64 = 0.0
    """Electrons² before multiplication; one value, or (rows, columns), or (n, rows, columns)."""

    def __post_init__(self) -> None:
        lowest = float(np.min(self.read_variance_e)) if np.size(self.read_variance_e) else 0.0
        require(
            lowest >= 0,
            f"read_variance_e has the value {lowest:g}; a variance is not negative",
        )

    @classmethod
    def at(
        cls,
        camera: CameraModel,
        row: AnyArray | int,
        column: AnyArray | int,
        shape: tuple[int, int],
    ) -> "Readout":
        """The camera in patches of `shape` whose first pixels are at `row`, `column`."""
        row, column = np.atleast_1d(row), np.atleast_1d(column)
        rows, columns = camera.shape
        require(
            bool(
                np.all((row >= 0) & (column >= 0))
                and np.all((row + shape[0] <= rows) & (column + shape[1] <= columns))
            ),
            f"a patch of {shape[0]}x{shape[1]} leaves the camera's {rows}x{columns} pixels; "
            "choose corners inside",
        )
        sigma = np.broadcast_to(np.asarray(camera.read_noise_e, np.float64), camera.shape)
        r = row[:, None, None] + np.arange(shape[0])[:, None]
        c = column[:, None, None] + np.arange(shape[1])
        return cls(
            quantum_efficiency=camera.quantum_efficiency,
            spurious_e=camera.spurious_e,
            excess_noise=camera.excess_noise,
            read_variance_e=(sigma[r, c] / camera.em_gain) ** 2,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bound:
    """Smallest standard errors of an unbiased estimate, (n,) each.

    Infinite where the patch does not determine the parameters.
    """

    x: F64
    """nm; y, z and sigma (the PSF's width) alike."""
    y: F64
    z: F64 | None
    """None where the PSF says nothing about z."""
    photons: F64
    background: F64
    """Photons per pixel."""
    sigma: F64 | None
    """None unless the width was free."""


def crlb(
    psf: PSF,
    x_nm: Values,
    y_nm: Values,
    z_nm: Values,
    photons: Values,
    background: Values,
    shape: tuple[int, int],
    pixel_size_nm: float,
    readout: Readout | None = None,
    *,
    free_sigma: bool = False,
) -> Bound:
    """The bound for molecules at x, y from the outer corner of their (rows, columns) patch.

    All parameters are unknown together: x, y, photons, background, z if the PSF
    tells z, and the width if `free_sigma`. Molecule values are (n,) or one for all.
    """
    information = fisher_information(
        psf,
        x_nm,
        y_nm,
        z_nm,
        photons,
        background,
        shape,
        pixel_size_nm,
        readout,
        free_sigma=free_sigma,
    )
    sigmas = dict(zip(parameters(psf, free_sigma=free_sigma), _errors(information), strict=True))
    return Bound(
        x=sigmas["x"],
        y=sigmas["y"],
        z=sigmas.get("z"),
        photons=sigmas["photons"],
        background=sigmas["background"],
        sigma=sigmas.get("sigma"),
    )


def parameters(psf: PSF, *, free_sigma: bool = False) -> tuple[str, ...]:
    """What is unknown of a molecule with this PSF, in the order of the information matrix."""
    z = () if psf.z_range_nm is None else ("z",)
    return ("x", "y", "photons", "background", *z, *(("sigma",) if free_sigma else ()))


def fisher_information(
    psf: PSF,
    x_nm: Values,
    y_nm: Values,
    z_nm: Values,
    photons: Values,
    background: Values,
    shape: tuple[int, int],
    pixel_size_nm: float,
    readout: Readout | None = None,
    *,
    free_sigma: bool = False,
) -> F64:
    """(n, p, p) information on `parameters(psf, free_sigma)`; see `crlb`."""
    require(
        not free_sigma or isinstance(psf, GaussianPSF),
        f"free_sigma needs a gaussian psf, not {psf.name!r}; leave the width fixed",
    )
    readout = readout or Readout()
    variance = np.asarray(readout.read_variance_e, np.float64)
    patches = len(variance) if variance.ndim == 3 else 1
    molecules = _checked(patches, x_nm, y_nm, z_nm, photons, background)
    n, size = len(molecules), len(parameters(psf, free_sigma=free_sigma))
    require(
        variance.ndim in (0, 2, 3) and variance.shape[-2:] in ((), shape) and patches in (1, n),
        f"read_variance_e has shape {variance.shape}; give one value, {shape} or {(n, *shape)}",
    )
    variance = np.broadcast_to(variance, (n, *shape))
    information = np.empty((n, size, size))
    block = max(1, _PIXELS_PER_BLOCK // (shape[0] * shape[1]))
    for start in range(0, n, block):
        part = np.s_[start : start + block]
        mean, slopes = _model(psf, molecules[part], shape, pixel_size_nm, free_sigma=free_sigma)
        electrons = readout.quantum_efficiency * mean + readout.spurious_e
        total = readout.excess_noise * electrons + variance[part].reshape(mean.shape)
        weighted = slopes * (readout.quantum_efficiency**2 / total)[:, None]
        information[part] = weighted @ slopes.transpose(0, 2, 1)
    return information


def _checked(least: int, *values: Values) -> F64:
    """Molecules as rows of x, y, z, photons, background; `least` rows if all values are single."""
    arrays = [np.asarray(value, np.float64).reshape(-1) for value in values]
    names = ("x_nm", "y_nm", "z_nm", "photons", "background")
    lengths = {name: len(array) for name, array in zip(names, arrays, strict=True)}
    n = next((length for length in lengths.values() if length != 1), least)
    require(
        all(length in (1, n) for length in lengths.values()),
        f"molecule values differ in length: {lengths}; give one of each per molecule",
    )
    table = np.stack([np.broadcast_to(array, n) for array in arrays], axis=-1)
    for name, column in zip(names, table.T, strict=True):
        bad = int(np.count_nonzero(~np.isfinite(column)))
        require(bad == 0, f"{name} holds {bad} values that are not finite; leave those out")
    dimmest = float(table[:, 3].min(initial=np.inf))
    require(dimmest > 0, f"photons has the value {dimmest:g}; the bound needs it above 0")
    darkest = float(table[:, 4].min(initial=np.inf))
    require(darkest >= 0, f"background has the value {darkest:g}; it must not be negative")
    return table


def _model(
    psf: PSF,
    molecules: F64,
    shape: tuple[int, int],
    pixel_size_nm: float,
    *,
    free_sigma: bool,
) -> tuple[F64, F64]:
    """Expected photons (n, pixels) and their derivatives (n, parameters, pixels)."""
    x, y, z, photons, background = (column[:, None] for column in molecules.T)
    image = psf.images(x[:, 0], y[:, 0], z[:, 0], shape, pixel_size_nm)
    n = len(molecules)
    value = image.value.reshape(n, -1)
    slopes = [
        photons * image.d_x.reshape(n, -1),
        photons * image.d_y.reshape(n, -1),
        value,
        np.ones_like(value),
    ]
    if psf.z_range_nm is not None:
        slopes.append(photons * image.d_z.reshape(n, -1))
    if free_sigma and isinstance(psf, GaussianPSF):
        out = np.empty((n, *shape))
        s = psf.sigma_nm / pixel_size_nm
        _fill_d_sigma(x[:, 0] / pixel_size_nm, y[:, 0] / pixel_size_nm, s, out)
        slopes.append(photons * out.reshape(n, -1) / pixel_size_nm)
    # Light far from the molecule underflows, and a spline may undershoot: variance stays positive.
    mean = np.maximum(photons * value + background, 1e-9)
    return mean, np.stack(slopes, axis=1)


@jit
def _fill_d_sigma(x: F64, y: F64, sigma: float, out: F64) -> None:
    """Derivative of a Gaussian's image by its width; lengths in pixels."""
    n, rows, columns = out.shape
    ex, dx, wx = np.empty(columns), np.empty(columns), np.empty(columns)
    ey, dy, wy = np.empty(rows), np.empty(rows), np.empty(rows)
    for m in range(n):
        profile(x[m], sigma, ex, dx, wx)
        profile(y[m], sigma, ey, dy, wy)
        for r in range(rows):
            for c in range(columns):
                out[m, r, c] = ey[r] * wx[c] + wy[r] * ex[c]


def _errors(information: F64) -> F64:
    """(p, n) standard errors: roots of the diagonal of the inverse.

    A parameter without any information is infinite and leaves the others as if
    it were known; parameters that only a combination is known of are all infinite.
    """
    diagonal = np.einsum("nii->ni", information)
    blind = diagonal <= 0
    scale = np.sqrt(np.where(blind, 1.0, diagonal))
    correlation = information / (scale[:, :, None] * scale[:, None, :])
    np.einsum("nii->ni", correlation)[...] = 1.0
    undetermined = np.linalg.eigvalsh(correlation)[:, 0] < _SINGULAR
    correlation[undetermined] = np.eye(information.shape[1])
    variance = np.einsum("nii->ni", np.linalg.inv(correlation))
    sigmas = np.sqrt(variance) / scale
    sigmas[blind | undetermined[:, None]] = np.inf
    return np.asarray(sigmas.T)
