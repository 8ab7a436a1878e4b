"""rapidSTORM's text: fields told in a first line, nm from the centre of the first pixel.

Read only; frames from 0. Half a pixel is added, so the pixel size must be
given: the file does not tell it. Amplitudes and background are camera counts,
not photons, and stay under names of their own.
"""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa

from live_smlm.core import AnyArray, InputError, Localizations, from_columns, require
from live_smlm.store.formats.csv_text import need, parse
from live_smlm.store.formats.own import standard_columns
from live_smlm.store.formats.table_format import TableFormat

_BEGINNING = b"# <localizations"
_FIELD = re.compile(r"<field\b([^>]*)>")
_NAMES = {
    "ImageNumber-0-0": "frame",
    "Position-0-0": "x_nm",
    "Position-1-0": "y_nm",
    "Position-2-0": "z_nm",
    "PositionUncertainty-0-0": "sigma_x_nm",
    "PositionUncertainty-1-0": "sigma_y_nm",
    "PositionUncertainty-2-0": "sigma_z_nm",
    "PSFWidth-0-0": "psf_fwhm_x_nm",
    "PSFWidth-1-0": "psf_fwhm_y_nm",
    "Amplitude-0-0": "amplitude_adu",
    "LocalBackground-0-0": "background_adu",
}
_IN_NM = {"picometer": 1e-3, "nanometer": 1.0, "micrometer": 1e3, "meter": 1e9}


def _tells(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_BEGINNING)) == _BEGINNING


def _read(path: Path, pixel_size_nm: float | None) -> Localizations:
    if pixel_size_nm is None:
        raise InputError(
            f"{path} counts from the centre of the first pixel; say how large one is "
            "(pixel_size_nm)"
        )
    first, _, lines = path.read_bytes().partition(b"\n")
    fields = _fields(first.decode("utf-8", errors="replace"))
    need(path, fields, ["Position-0-0", "Position-1-0", "ImageNumber-0-0"])
    columns: dict[str, AnyArray] = {name: np.zeros(0) for name in fields}
    if lines.strip():
        types = dict.fromkeys(fields, pa.float64())
        columns = parse(path, lines, list(fields), types, delimiter=" ")
    ours = {}
    for name, values in columns.items():
        own = _NAMES.get(name, name)
        ours[own] = values * _scale(path, name, fields[name]) if own.endswith("_nm") else values
    for name in ("x_nm", "y_nm"):
        ours[name] = ours[name] + 0.5 * pixel_size_nm
    return from_columns(standard_columns(path, ours))


def _fields(line: str) -> dict[str, str]:
    """Unit by identifier, in the order of columns."""
    told = [dict(re.findall(r'(\w+)="([^"]*)"', field)) for field in _FIELD.findall(line)]
    return {field["identifier"]: field.get("unit", "") for field in told if "identifier" in field}


def _scale(path: Path, name: str, unit: str) -> float:
    known = ", ".join(_IN_NM)
    require(unit in _IN_NM, f"{path} has {name} in {unit!r}; save it in one of {known}")
    return _IN_NM[unit]


RAPIDSTORM = TableFormat(name="rapidstorm", endings=(".txt",), tells=_tells, read=_read)
