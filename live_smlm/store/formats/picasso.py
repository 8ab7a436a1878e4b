"""Picasso's HDF5: positions in pixels from the centre of pixel (0, 0), frames from 0.

The description stands in the file (Picasso 0.11) and beside it as YAML (older
ones). x, y and their sigmas go through float32 pixels: they come back within
2e-7 of the distance from the first pixel's centre, plus 2e-7 of half a pixel.
All else is exact, but extra columns must be numbers. Picasso itself drops rows
with a NaN in any column when it reads.
"""

import json
import math
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from live_smlm.core import AnyArray, InputError, Localizations, from_columns, require
from live_smlm.core.files import replacing
from live_smlm.store.formats.csv_text import need
from live_smlm.store.formats.own import own_columns, standard_columns
from live_smlm.store.formats.table_format import TableContext, TableFormat

_SAME = {"photons": "photons", "bg": "background", "z": "z_nm", "lpz": "sigma_z_nm"}
_IN_PIXELS = {
    "lpx": "sigma_x_nm",
    "lpy": "sigma_y_nm",
    "sx": "psf_sigma_x_nm",
    "sy": "psf_sigma_y_nm",
}
"""Our name by Picasso's; sx and sy are widths of the fitted spots."""


def _read(path: Path, pixel_size_nm: float | None) -> Localizations:
    table, metadata = _open(path)
    need(path, table.dtype.names or (), ["frame", "x", "y"])
    pixel = pixel_size_nm or _pixel_size(path, metadata)
    columns: dict[str, AnyArray] = {}
    for name in table.dtype.names or ():
        values = table[name]
        if name in ("x", "y"):
            columns[f"{name}_nm"] = (values.astype(np.float64) + 0.5) * pixel
        elif name in _IN_PIXELS:
            columns[_IN_PIXELS[name]] = (values.astype(np.float64) * pixel).astype(np.float32)
        else:
            columns[_SAME.get(name, name)] = values
    return from_columns(standard_columns(path, columns))


def _open(path: Path) -> tuple[AnyArray, list[dict[str, Any]]]:
    """The table and the description inside the file, if any."""
    try:
        with h5py.File(path, "r") as file:
            require(
                "locs" in file,
                f"{path} has no dataset 'locs'; it has {', '.join(file) or 'none'}: "
                "give a table of localizations by Picasso",
            )
            table = np.asarray(file["locs"][()])
            metadata = json.loads(file["metadata"][()]) if "metadata" in file else []
    except (OSError, KeyError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is not a whole HDF5 file ({reason}); write it again") from error
    return table, metadata


def _pixel_size(path: Path, metadata: list[dict[str, Any]]) -> float:
    """In nm, from the YAML beside the table, or else from inside it."""
    beside = path.with_suffix(".yaml")
    said = [part["Pixelsize"] for part in metadata if "Pixelsize" in part]
    if beside.is_file():
        # One line of a file that may otherwise hold anything, as Micro-Manager's metadata.
        said += re.findall(r"^Pixelsize:\s*(\S+)\s*$", beside.read_text("utf-8"), re.MULTILINE)
    require(
        bool(said),
        f"{path} counts in pixels but neither it nor {beside.name} says 'Pixelsize'; "
        "say how large a pixel is (pixel_size_nm, --pixel-nm)",
    )
    try:
        pixel = float(said[-1])
    except ValueError:
        pixel = math.nan
    require(
        math.isfinite(pixel) and pixel > 0,
        f"{path} has Pixelsize {said[-1]!r}; it must be a number of nm above 0",
    )
    return pixel


def _write(path: Path, localizations: Localizations, context: TableContext) -> None:
    pixel = context.pixel_size_nm
    if pixel is None:
        raise InputError(
            f"{path} counts in pixels; say how large one is (pixel_size_nm, --pixel-nm)"
        )
    ours = own_columns(localizations)
    lowest = int(ours["frame"].min(initial=0))
    require(lowest >= 0, f"{path}: frame {lowest} cannot be written; Picasso counts from 0")
    table = _table(path, ours, pixel)
    description = _description(localizations, context, pixel)
    with replacing(path.with_suffix(".yaml")) as sidecar, replacing(path) as temporary:
        sidecar.write_text(
            "".join(f"{name}: {json.dumps(value)}\n" for name, value in description.items()),
            encoding="utf-8",
        )
        with h5py.File(temporary, "w") as file:
            file.create_dataset("locs", data=table)
            file.create_dataset("metadata", data=json.dumps([description]))


def _table(path: Path, ours: dict[str, AnyArray], pixel: float) -> AnyArray:
    same = {own: theirs for theirs, own in _SAME.items()}
    in_pixels = {own: theirs for theirs, own in _IN_PIXELS.items()}
    theirs: dict[str, AnyArray] = {}
    for name, values in ours.items():
        require(
            values.dtype.kind in "biuf",
            f"{path}: column {name!r} holds {values.dtype}, not numbers; drop it for Picasso",
        )
        if name == "frame":
            theirs[name] = values.astype(np.uint32)
        elif name in ("x_nm", "y_nm"):
            theirs[name[0]] = (values.astype(np.float64) / pixel - 0.5).astype(np.float32)
        elif name in in_pixels:
            theirs[in_pixels[name]] = (values.astype(np.float64) / pixel).astype(np.float32)
        else:
            theirs[same.get(name, name)] = values
    table = np.empty(len(ours["frame"]), [(name, c.dtype) for name, c in theirs.items()])
    for name, values in theirs.items():
        table[name] = values
    return table


def _description(
    localizations: Localizations, context: TableContext, pixel: float
) -> dict[str, object]:
    """What Picasso wants to know; where no one says it, the least that holds all molecules."""
    least = [
        math.floor(float(a.max(initial=0)) / pixel) + 1 for a in (localizations.y, localizations.x)
    ]
    rows, columns = context.shape or least
    return {
        "Byte Order": "<",
        "Data Type": "uint16",
        "Frames": context.frames or int(localizations.frame.max(initial=0)) + 1,
        "Generated by": "live-smlm",
        "Height": rows,
        "Pixelsize": pixel,
        "Width": columns,
    }


PICASSO = TableFormat(name="picasso", endings=(".hdf5", ".h5"), read=_read, write=_write)
