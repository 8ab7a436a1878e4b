"""The PSF of a training, as it lies with a network: its parameters, or a file where they fail."""

from collections.abc import Container, Mapping
from pathlib import Path

from live_smlm.core import PSF, require
from live_smlm.core.options import build
from live_smlm.fitting.model import fit_model
from live_smlm.physics.psf.files import PARAMETRIC, load_psf, save
from live_smlm.physics.psf.pupil import PupilPSF
from live_smlm.physics.psf.spline import SplinePSF

SPLINE = "psf.h5"
"""The PSF, where parameters do not tell it."""


def keep(psf: PSF, pixel_size_nm: float, folder: Path) -> None:
    """Write what `PSF.describe` does not tell; for most there is nothing."""
    if isinstance(psf, PupilPSF) and psf.mask.endswith(".npy"):  # a file of this machine
        psf = fit_model(psf, pixel_size_nm).psf
    if isinstance(psf, SplinePSF):
        save(psf, folder / SPLINE)


def kept(described: Mapping[str, object], files: Container[str], folder: Path, what: str) -> PSF:
    """The PSF of which `described` is what `PSF.describe` gave; `what` names the folder."""
    if SPLINE in files:
        return load_psf(folder / SPLINE)
    parameters = dict(described)
    kind = str(parameters.pop("kind"))
    require(
        kind in PARAMETRIC,
        f"{what} was trained for a {kind} PSF but holds no {SPLINE}; export it again",
    )
    return build(PARAMETRIC[kind], parameters, f"PSF of {what}")
