"""DECODE's HDF5: pixels (or nm) from the centre of the first pixel, frames from 0.

Its first axis runs along rows and its second along columns, so its x is our y.
Read only.
"""

from pathlib import Path

import h5py
import numpy as np

from live_smlm.core import F64, AnyArray, InputError, Localizations, from_columns, require
from live_smlm.store.formats.own import standard_columns
from live_smlm.store.formats.table_format import TableFormat

_NAMES = {
    "frame_ix": "frame",
    "phot": "photons",
    "bg": "background",
    "prob": "probability",
    "phot_sig": "sigma_photons",
    "bg_sig": "sigma_background",
    "id": "id",
}


def _tells(path: Path) -> bool:
    try:
        with h5py.File(path, "r") as file:
            return "data/xyz" in file and "meta" in file
    except OSError:
        return False


def _read(path: Path, pixel_size_nm: float | None) -> Localizations:
    try:
        with h5py.File(path, "r") as file:
            data = {name: _values(item) for name, item in file["data"].items()}
            about = dict(file["meta"].attrs)
    except (OSError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path} is not a whole table by DECODE ({reason}); write it again"
        ) from error
    said = {_NAMES[n]: c for n, c in data.items() if n in _NAMES and c is not None}
    xyz, unit = data.get("xyz"), about.get("xy_unit")
    if xyz is None or "frame" not in said:
        raise InputError(f"{path} lacks xyz or frame_ix; give a table of localizations by DECODE")
    require(unit in ("px", "nm"), f"{path} has xy_unit {unit!r}; it must be px or nm")
    pixel = _pixel(path, pixel_size_nm, about.get("px_size"))
    scale = pixel if unit == "px" else np.ones(2)
    said |= {
        "y_nm": xyz[:, 0] * scale[0] + pixel[0] / 2,
        "x_nm": xyz[:, 1] * scale[1] + pixel[1] / 2,
        "z_nm": xyz[:, 2],
    }
    sigma = data.get("xyz_sig")
    if sigma is not None:
        said |= {"sigma_y_nm": sigma[:, 0] * scale[0], "sigma_x_nm": sigma[:, 1] * scale[1]}
        said |= {"sigma_z_nm": sigma[:, 2]}
    return from_columns(standard_columns(path, said))


def _values(item: h5py.Dataset) -> AnyArray | None:
    """None for what DECODE leaves empty."""
    values = None if item.shape is None else np.asarray(item[()])
    return values.astype(np.float64) if values is not None and values.dtype.kind == "f" else values


def _pixel(path: Path, given: float | None, told: AnyArray | None) -> F64:
    """Pixel sizes along DECODE's two axes."""
    if given is not None:
        return np.full(2, given)
    if told is None or np.shape(told) != (2,):
        raise InputError(
            f"{path} does not say how large a pixel is; say it (pixel_size_nm, --pixel-nm)"
        )
    return np.asarray(told, np.float64)


DECODE = TableFormat(name="decode", endings=(".h5", ".hdf5"), tells=_tells, read=_read)
