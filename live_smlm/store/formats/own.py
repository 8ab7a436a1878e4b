"""Our own CSV: the core's columns with their units in the names.

Origin and units are the core's: nm from the outer corner of pixel (0, 0),
photons, frames from 0. Standard columns read back bit by bit. Extra columns
keep their names and values; their types come back as int64, float64, bool or
text, whichever fits first.
"""

from pathlib import Path

import numpy as np

from live_smlm.core import COLUMNS, AnyArray, Localizations, from_columns, require
from live_smlm.core.files import replacing
from live_smlm.store.formats.csv_text import need, read_columns, whole, write_columns
from live_smlm.store.formats.table_format import TableContext, TableFormat

_IN_NM = ("x", "y", "z", "sigma_x", "sigma_y", "sigma_z")
OWN_NAMES = {name: f"{name}_nm" if name in _IN_NM else name for name in COLUMNS}
"""Our name in files by standard column."""
_STANDARD = {own: standard for standard, own in OWN_NAMES.items()}
WHOLE = ("frame", "channel")
_MOST_CHANNEL = 2**15 - 1
SINGLES = frozenset(own for own in _STANDARD if own not in WHOLE)


def own_columns(localizations: Localizations) -> dict[str, AnyArray]:
    """The columns under our names in files, extra ones last."""
    clash = sorted(SINGLES.intersection(localizations.extra))
    require(
        not clash, f"extra column {clash} has the name of a standard one; rename it before writing"
    )
    return {OWN_NAMES.get(name, name): c for name, c in localizations.columns().items()}


def standard_columns(path: Path, columns: dict[str, AnyArray]) -> dict[str, AnyArray]:
    """The other way: columns under the core's names."""
    wholes = {name: whole(path, name, columns[name]) for name in WHOLE if name in columns}
    highest = int(np.abs(wholes.get("channel", 0)).max(initial=0))
    require(highest <= _MOST_CHANNEL, f"{path} has channel {highest}; {_MOST_CHANNEL} is the most")
    return {_STANDARD.get(name, name): c for name, c in {**columns, **wholes}.items()}


def _read(path: Path, _pixel_size_nm: float | None) -> Localizations:
    columns = read_columns(path, singles=SINGLES, doubles=WHOLE)
    need(path, columns, [OWN_NAMES[name] for name in ("frame", "x", "y")])
    return from_columns(standard_columns(path, columns))


def _write(path: Path, localizations: Localizations, _context: TableContext) -> None:
    columns = own_columns(localizations)
    with replacing(path) as temporary:
        write_columns(temporary, columns, quote_names=False)


OWN = TableFormat(
    name="live-smlm", endings=(".csv",), marks=frozenset({"x_nm", "y_nm"}), read=_read, write=_write
)
