"""Zeiss Elyra's text: tabs, nm, frames from 1, a description of the image after a NUL.

Read only. A molecule seen in several frames stands once, under its first. The
file does not say what its origin is; it is taken for the outer corner of the
first pixel.
"""

from pathlib import Path

import pyarrow as pa

from live_smlm.core import Localizations, from_columns
from live_smlm.store.formats.csv_text import need, parse, whole
from live_smlm.store.formats.own import standard_columns
from live_smlm.store.formats.table_format import TableFormat

_BEGINNING = b"Index\tFirst Frame\t"
_FRAME = "First Frame"
_NAMES = {
    _FRAME: "frame",
    "Position X [nm]": "x_nm",
    "Position Y [nm]": "y_nm",
    "Position Z [nm]": "z_nm",
    "Number Photons": "photons",
    "Channel": "channel",
}
_PRECISION = "Precision [nm]"


def _tells(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_BEGINNING)) == _BEGINNING


def _read(path: Path, _pixel_size_nm: float | None) -> Localizations:
    table, _, _ = path.read_bytes().partition(b"\0")
    first, _, lines = table.partition(b"\n")
    names = first.decode("latin-1").strip().split("\t")
    need(path, names, [_FRAME, "Position X [nm]", "Position Y [nm]"])
    types = dict.fromkeys(names, pa.float64())
    theirs = parse(
        path,
        lines if lines.strip() else b"\t" * (len(names) - 1) + b"\n",
        names,
        types,
        delimiter="\t",
    )
    if not lines.strip():
        theirs = {name: column[:0] for name, column in theirs.items()}
    columns = {_NAMES.get(n, n): c for n, c in theirs.items() if n != _PRECISION}
    columns["frame"] = whole(path, _FRAME, columns["frame"]) - 1
    if _PRECISION in theirs:
        columns |= {"sigma_x_nm": theirs[_PRECISION], "sigma_y_nm": theirs[_PRECISION]}
    return from_columns(standard_columns(path, columns))


ELYRA = TableFormat(name="elyra", endings=(".txt",), tells=_tells, read=_read)
