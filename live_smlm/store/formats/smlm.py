"""The SMLM format 0.2 (.smlm): a zip of `manifest.json` and binary tables; nm.

The format leaves origin and first frame open. We write nm from the outer corner
of the first pixel and frames from 0, and say so in the manifest
(`"live_smlm": {"first_frame": 0}`); where no one says, a table with a frame 0
counts from 0 and others from 1. Its types are unsigned or floating: signed
numbers are written as float64. Columns with several values per molecule are
left out on reading; several tables are joined and told apart by `channel`.
"""

import json
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from live_smlm.core import AnyArray, InputError, Localizations, from_columns, require
from live_smlm.core.files import replacing
from live_smlm.store.formats.csv_text import need, whole
from live_smlm.store.formats.own import own_columns, standard_columns
from live_smlm.store.formats.table_format import TableContext, TableFormat
from live_smlm.store.log import join

_MANIFEST = "manifest.json"
_TABLE = "table-0.bin"
_FORMAT = "smlm-table(binary)"
_WRITTEN = {
    "x_nm": "x",
    "y_nm": "y",
    "z_nm": "z",
    "photons": "intensity",
    "sigma_x_nm": "x_precision",
    "sigma_y_nm": "y_precision",
    "sigma_z_nm": "z_precision",
}
"""The format's name by ours; those not here are the same or ours."""
_READ = {
    **{theirs: own for own, theirs in _WRITTEN.items()},
    "position_x": "x_nm",
    "position_y": "y_nm",
    "position_z": "z_nm",
    "local_background": "background",
}
_IN_NM = {"": 1.0, "nm": 1.0, "pm": 1e-3, "angstrom": 0.1, "um": 1e3, "mm": 1e6, "m": 1e9}
_SIZES = {
    f"{kind}{bits}": f"<{kind[0]}{bits // 8}"
    for kind, bits in [
        ("int", 8),
        ("int", 16),
        ("int", 32),
        ("int", 64),
        ("uint", 8),
        ("uint", 16),
        ("uint", 32),
        ("uint", 64),
        ("float", 32),
        ("float", 64),
    ]
}


def _read(path: Path, _pixel_size_nm: float | None) -> Localizations:
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read(_MANIFEST))
            told = [file for file in manifest["files"] if file.get("type") == "table"]
            tables = [
                _table(path, manifest["formats"][file["format"]], file, archive.read(file["name"]))
                for file in told
            ]
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, OSError, struct.error) as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is not a whole SMLM file ({reason}); write it again") from error
    require(bool(tables), f"{path} holds no table of localizations; give one that does")
    first = manifest.get("live_smlm", {}).get("first_frame")
    parts = [_molecules(path, columns, first) for columns in tables]
    if len(parts) > 1:
        numbers = [np.full(len(part), k, np.int16) for k, part in enumerate(parts)]
        parts = [p.with_columns(channel=n) for p, n in zip(parts, numbers, strict=True)]
    return join(parts)


def _table(
    path: Path, layout: Mapping[str, Any], file: Mapping[str, Any], content: bytes
) -> dict[str, AnyArray]:
    require(
        layout["mode"] == "binary", f"{path} holds text; unpack it and give the text's own name"
    )
    sizes = [
        () if int(np.prod(s, dtype=int)) == 1 else tuple(s) for s in map(_shape, layout["shape"])
    ]
    names = layout["headers"]
    kinds = [_SIZES[name] for name in layout["dtype"]]
    row = np.dtype(list(zip(names, kinds, sizes, strict=True)))
    rows = int(file["rows"])
    require(
        len(content) == rows * row.itemsize,
        f"{path}: {file['name']} has {len(content)} bytes instead of {rows} rows of "
        f"{row.itemsize}; write it again",
    )
    values = np.frombuffer(content, row)
    units = dict(zip(names, layout.get("units") or [""] * len(names), strict=True))
    offsets = file.get("offset") or {}
    single = [name for name, size in zip(names, sizes, strict=True) if size == ()]
    return {
        name: _in_ours(path, name, values[name], units[name], float(offsets.get(name, 0)))
        for name in single
    }


def _shape(said: Any) -> list[int]:
    return [int(n) for n in (said if isinstance(said, list) else [said])]


def _in_ours(path: Path, name: str, values: AnyArray, unit: str, offset: float) -> AnyArray:
    shifted = values.astype(np.float64) + offset if offset else values
    if not _READ.get(name, "").endswith("_nm"):
        return shifted
    known = ", ".join(unit for unit in _IN_NM if unit)
    require(unit in _IN_NM, f"{path} has {name} in {unit!r}; save it in one of {known}")
    return shifted if _IN_NM[unit] == 1 else shifted * _IN_NM[unit]


def _molecules(path: Path, columns: dict[str, AnyArray], first: int | None) -> Localizations:
    ours = {_READ.get(name, name): column for name, column in columns.items()}
    need(path, ours, ["frame", "x_nm", "y_nm"])
    frame = whole(path, "frame", ours["frame"])
    if first is None:
        first = 0 if not len(frame) or np.any(frame == 0) else 1
    ours["frame"] = frame - first
    return from_columns(standard_columns(path, ours))


def _write(path: Path, localizations: Localizations, context: TableContext) -> None:
    ours = own_columns(localizations)
    lowest = int(ours["frame"].min(initial=0))
    require(lowest >= 0, f"{path}: frame {lowest} cannot be written; SMLM counts from 0")
    theirs = {_WRITTEN.get(name, name): _storable(path, name, c) for name, c in ours.items()}
    table = np.empty(len(localizations), [(name, c.dtype) for name, c in theirs.items()])
    for name, values in theirs.items():
        table[name] = values
    with (
        replacing(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        archive.writestr(_MANIFEST, json.dumps(_manifest(theirs, list(ours), context), indent=2))
        archive.writestr(_TABLE, table.tobytes())


def _storable(path: Path, name: str, values: AnyArray) -> AnyArray:
    require(
        values.dtype.kind in "biuf",
        f"{path}: column {name!r} holds {values.dtype}, not numbers; drop it for SMLM",
    )
    if name == "frame":
        return values.astype("<u4")
    if values.dtype.kind == "b":
        return values.astype("u1")
    allowed = values.dtype.kind == "f" and values.dtype.itemsize >= 4
    allowed |= values.dtype.kind == "u" and values.dtype.itemsize <= 4
    return values.astype(values.dtype.newbyteorder("<") if allowed else "<f8")


def _manifest(
    theirs: dict[str, AnyArray], own_names: list[str], context: TableContext
) -> dict[str, Any]:
    rows = len(next(iter(theirs.values())))
    units = {"frame": "frame", "photons": "photon", "background": "photon"}
    return {
        "format_version": "0.2",
        "formats": {
            _FORMAT: {
                "name": _FORMAT,
                "type": "table",
                "mode": "binary",
                "extension": ".bin",
                "columns": len(theirs),
                "headers": list(theirs),
                "dtype": [column.dtype.name for column in theirs.values()],
                "shape": [1] * len(theirs),
                "units": [units.get(n, "nm" if n.endswith("_nm") else "") for n in own_names],
            }
        },
        "files": [
            {
                "name": _TABLE,
                "type": "table",
                "format": _FORMAT,
                "channel": "default",
                "rows": rows,
                "offset": {},
            }
        ],
        "name": "localizations",
        "description": "",
        "tags": [],
        "live_smlm": {"first_frame": 0, "pixel_size_nm": context.pixel_size_nm},
    }


SMLM = TableFormat(name="smlm", endings=(".smlm",), read=_read, write=_write)
