"""SMAP's tables: nm in which the first pixel's centre is at one pixel, frames from 1.

Half a pixel is taken off, whose size is that of `xnm` to `xpix`, unless given.
CSV is written with both, so it reads back exactly; `locprecnm` is the root mean
square of the lateral sigmas. Read are also SMAP's own `_sml.mat`, from which
MATLAB's version 7.3 (HDF5) is known; their `xnm` count on the camera's chip.
"""

from pathlib import Path

import h5py
import numpy as np

from live_smlm.core import AnyArray, InputError, Localizations, from_columns, require
from live_smlm.core.files import replacing
from live_smlm.store.formats.csv_text import need, read_columns, whole, write_columns
from live_smlm.store.formats.own import own_columns, standard_columns
from live_smlm.store.formats.table_format import TableContext, TableFormat

_NAMES = {
    "frame": "frame",
    "xnm": "x_nm",
    "ynm": "y_nm",
    "znm": "z_nm",
    "phot": "photons",
    "bg": "background",
    "xnmerr": "sigma_x_nm",
    "ynmerr": "sigma_y_nm",
    "locprecznm": "sigma_z_nm",
    "photerr": "sigma_photons",
    "bgerr": "sigma_background",
    "prob": "probability",
    "channel": "channel",
    "PSFxnm": "psf_sigma_x_nm",
    "PSFynm": "psf_sigma_y_nm",
}
_DERIVED = ("xpix", "ypix", "locprecnm")
"""Read only for what they tell of other columns."""
_LOC = "saveloc/loc"


def _read(path: Path, pixel_size_nm: float | None) -> Localizations:
    return _ours(path, read_columns(path, doubles={*_NAMES, *_DERIVED}), pixel_size_nm)


def _read_mat(path: Path, pixel_size_nm: float | None) -> Localizations:
    with path.open("rb") as file:
        require(
            not file.read(20).startswith(b"MATLAB 5.0 MAT-file"),
            f"{path} is an older kind of MATLAB file; save it in MATLAB with the option '-v7.3'",
        )
    try:
        with h5py.File(path, "r") as file:
            require(_LOC in file, f"{path} has no {_LOC}; give a table saved by SMAP (_sml.mat)")
            theirs = {name: np.ravel(item[()]) for name, item in file[_LOC].items()}
    except OSError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is not a whole MATLAB file ({reason}); copy it again") from error
    return _ours(path, theirs, pixel_size_nm)


def _ours(path: Path, theirs: dict[str, AnyArray], pixel_size_nm: float | None) -> Localizations:
    need(path, theirs, ["frame", "xnm", "ynm"])
    columns = {_NAMES.get(n, n): c for n, c in theirs.items() if n not in _DERIVED}
    if "locprecnm" in theirs:
        for name in ("sigma_x_nm", "sigma_y_nm"):
            columns.setdefault(name, theirs["locprecnm"])
    columns["frame"] = whole(path, "frame", columns["frame"]) - 1
    half = 0.5 * (pixel_size_nm or _pixel(path, theirs)) if len(theirs["xnm"]) else 0.0
    for name in ("x_nm", "y_nm"):
        columns[name] = columns[name].astype(np.float64) - half
    return from_columns(standard_columns(path, columns))


def _pixel(path: Path, theirs: dict[str, AnyArray]) -> float:
    xpix = np.nan_to_num(theirs.get("xpix", np.zeros(1)).astype(np.float64))
    far = int(np.argmax(np.abs(xpix)))
    if xpix[far] == 0:
        raise InputError(
            f"{path} counts from the centre of the first pixel and has no xpix to tell its size; "
            "say it (pixel_size_nm, --pixel-nm)"
        )
    return float(theirs["xnm"][far] / xpix[far])


def _write(path: Path, localizations: Localizations, context: TableContext) -> None:
    pixel = context.pixel_size_nm
    if pixel is None:
        raise InputError(
            f"{path}: SMAP counts in pixels too; say how large one is (pixel_size_nm, --pixel-nm)"
        )
    ours = own_columns(localizations)
    names = {own: theirs for theirs, own in _NAMES.items()}
    ours["frame"] = ours["frame"] + 1
    for name in ("x_nm", "y_nm"):
        ours[name] = ours[name].astype(np.float64) + pixel / 2
    theirs = {names.get(name, name): c for name, c in ours.items() if name not in _DERIVED}
    theirs |= {"xpix": theirs["xnm"] / pixel, "ypix": theirs["ynm"] / pixel}
    lateral = [theirs[name] for name in ("xnmerr", "ynmerr") if name in theirs]
    if lateral:
        theirs["locprecnm"] = np.sqrt(np.mean(np.square(lateral), axis=0))
    with replacing(path) as temporary:
        write_columns(temporary, theirs, quote_names=False)


SMAP = TableFormat(
    name="smap", endings=(".csv",), marks=frozenset({"xnm", "ynm"}), read=_read, write=_write
)
SMAP_MAT = TableFormat(name="smap-mat", endings=(".mat",), read=_read_mat)
