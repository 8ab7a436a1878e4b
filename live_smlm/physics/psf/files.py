"""PSFs in files: parameters as TOML, splines as HDF5. Neither can run code when it is read."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from live_smlm.core import PSF, InputError, require
from live_smlm.core.files import check_place, replacing
from live_smlm.core.options import build
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.physics.psf.pupil import PupilPSF
from live_smlm.physics.psf.spline import SplinePSF

PARAMETRIC: dict[str, type[GaussianPSF] | type[AstigmaticPSF] | type[PupilPSF]] = {
    "gaussian": GaussianPSF,
    "astigmatic": AstigmaticPSF,
    "pupil": PupilPSF,
}
"""The PSFs that are given by their parameters."""
_FORMAT = "live-smlm spline PSF 1"
_STEPS = ("pixel_size_nm", "z_step_nm", "z0_nm")
_HDF5_ENDINGS = (".h5", ".hdf5")


def save(psf: PSF, path: Path) -> None:
    """Write one of this room's PSFs: a spline to `.h5`, any other to `.toml`."""
    check_saved(path, ".h5" if isinstance(psf, SplinePSF) else ".toml")
    require(
        isinstance(psf, SplinePSF) or psf.name in PARAMETRIC,
        f"a {psf.name} PSF cannot be saved; sample it as a spline first",
    )
    with replacing(path) as draft:
        if isinstance(psf, SplinePSF):
            _write_spline(psf, draft)
        else:
            draft.write_text(_toml(psf.describe()), encoding="utf-8")


def check_saved(path: Path, ending: str) -> None:
    """Refuse a name under which no PSF of the kind that ends so could be saved."""
    endings = _HDF5_ENDINGS if ending in _HDF5_ENDINGS else (ending,)
    require(
        path.suffix in endings, f"PSF file {path} should end in {ending} for this kind; rename it"
    )
    check_place(path)


def load_psf(path: Path) -> PSF:
    """Read what `save` wrote, or a TOML file written by hand: `kind` and its parameters."""
    require(path.is_file(), f"PSF file {path} does not exist; check the path")
    if path.suffix in _HDF5_ENDINGS:
        return _read_spline(path)
    require(
        path.suffix == ".toml",
        f"PSF file {path} ends in {path.suffix!r}; give .toml, or .h5 for a spline",
    )
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"PSF file {path} is not valid TOML: {error}") from error
    return _from_table(table, path)


def _from_table(table: dict[str, Any], path: Path) -> PSF:
    """A mask's file is looked up beside the PSF's."""
    kind = table.pop("kind", None)
    require(
        kind in PARAMETRIC,
        f"PSF file {path} has kind {kind!r}; write kind = one of {', '.join(PARAMETRIC)}",
    )
    if str(table.get("mask", "")).endswith(".npy"):
        table["mask"] = str(path.parent / table["mask"])
    return build(PARAMETRIC[kind], table, f"PSF file {path}")


def _toml(table: Mapping[str, object]) -> str:
    """The few kinds of value that `describe` gives; tables last, as TOML wants."""
    lines = [f"{k} = {_literal(v)}" for k, v in table.items() if not isinstance(v, Mapping)]
    for name, inner in table.items():
        if isinstance(inner, Mapping):
            lines += ["", f"[{name}]", *(f"{k} = {_literal(v)}" for k, v in inner.items())]
    return "\n".join(lines) + "\n"


def _literal(value: object) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(float(value))  # type: ignore[arg-type] # describe gives numbers and strings


def _write_spline(psf: SplinePSF, path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["format"] = _FORMAT
        for name in _STEPS:
            file.attrs[name] = getattr(psf, name)
        file.create_dataset("coefficients", data=psf.coefficients, compression="gzip", shuffle=True)


def _read_spline(path: Path) -> SplinePSF:
    try:
        with h5py.File(path, "r") as file:
            found = file.attrs.get("format")
            require(
                found == _FORMAT,
                f"PSF file {path} has format {found!r}, not {_FORMAT!r}; calibrate again",
            )
            steps = {name: float(file.attrs[name]) for name in _STEPS}
            coefficients = np.asarray(file["coefficients"], np.float32)
    except (OSError, KeyError) as error:
        raise InputError(f"PSF file {path} holds no spline PSF: {error}") from error
    return SplinePSF(coefficients=coefficients, **steps)
