"""ONI Nanoimager's CSV: nm, frames from 0; read only.

The file does not say what its origin is; it is taken for the outer corner of
the first pixel.
"""

from pathlib import Path

from live_smlm.core import Localizations, from_columns
from live_smlm.store.formats.csv_text import need, read_columns
from live_smlm.store.formats.own import standard_columns
from live_smlm.store.formats.table_format import TableFormat

_NAMES = {
    "Frame": "frame",
    "X (nm)": "x_nm",
    "Y (nm)": "y_nm",
    "Z (nm)": "z_nm",
    "Photons": "photons",
    "Background": "background",
    "Channel": "channel",
}


def _read(path: Path, _pixel_size_nm: float | None) -> Localizations:
    columns = read_columns(path, doubles=_NAMES)
    need(path, columns, ["Frame", "X (nm)", "Y (nm)"])
    ours = {_NAMES.get(name, name): column for name, column in columns.items()}
    return from_columns(standard_columns(path, ours))


NANOIMAGER = TableFormat(
    name="nanoimager", endings=(".csv",), marks=frozenset({"X (nm)", "Y (nm)"}), read=_read
)
