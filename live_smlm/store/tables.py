"""Localization tables by path: the format is told by the ending, for text by the header.

A further format is a module under `formats` and a line in `FORMATS`.
"""

from pathlib import Path

from live_smlm.core import InputError, Localizations, require
from live_smlm.core.files import check_place
from live_smlm.store.formats.csv_text import read_header
from live_smlm.store.formats.own import OWN
from live_smlm.store.formats.picasso import PICASSO
from live_smlm.store.formats.pixel_truth import PIXEL_TRUTH
from live_smlm.store.formats.table_format import TableContext, TableFormat
from live_smlm.store.formats.thunderstorm import THUNDERSTORM

FORMATS = (OWN, THUNDERSTORM, PIXEL_TRUTH, PICASSO)
"""Where an ending serves several, the first is written unless another is named."""


def read_table(path: str | Path, pixel_size_nm: float | None = None) -> Localizations:
    """The molecules of a table, in nm from the outer corner of pixel (0, 0), frames from 0.

    `pixel_size_nm` is for tables that count in pixels; it goes before what the
    file says.
    """
    path = Path(path)
    TableContext(pixel_size_nm=pixel_size_nm)
    chosen = _of_ending(path)
    require(path.exists(), f"{path} does not exist; check the name")
    require(path.is_file(), f"{path} is a folder; give the name of a table")
    require(path.stat().st_size > 0, f"{path} is empty; write it again")
    return _by_header(path, chosen).read(path, pixel_size_nm)


def write_table(
    path: str | Path,
    localizations: Localizations,
    *,
    table_format: str | None = None,
    pixel_size_nm: float | None = None,
    shape: tuple[int, int] | None = None,
    frames: int | None = None,
) -> None:
    """Write a whole table or none; what comes back exactly is said by each format's module.

    `table_format` is a format's name where the ending leaves a choice; the
    pixel size, frame shape (rows, columns) and number of frames are for formats
    that tell them.
    """
    path = Path(path)
    context = TableContext(pixel_size_nm=pixel_size_nm, shape=shape, frames=frames)
    writable = [f for f in _of_ending(path) if f.write is not None]
    for candidate in writable:
        if table_format in (None, candidate.name) and candidate.write is not None:
            candidate.write(path, localizations, context)
            return
    known = ", ".join(f.name for f in writable)
    raise InputError(f"table format {table_format!r} is unknown for {path.name}; use {known}")


def check_writable(path: str | Path) -> None:
    """Refuse a table that could not be written, before the work that fills it."""
    path = Path(path)
    _of_ending(path)
    check_place(path)


def _of_ending(path: Path) -> list[TableFormat]:
    ending = path.suffix.lower()
    chosen = [f for f in FORMATS if f.ending == ending]
    known = ", ".join(dict.fromkeys(f.ending for f in FORMATS))
    require(bool(chosen), f"{path} has the unknown ending {ending!r}; use {known}")
    return chosen


def _by_header(path: Path, chosen: list[TableFormat]) -> TableFormat:
    if len(chosen) == 1:
        return chosen[0]
    header = read_header(path)
    for candidate in chosen:
        if candidate.marks.intersection(header):
            return candidate
    known = "; ".join(f"{f.name}: {', '.join(sorted(f.marks))}" for f in chosen)
    raise InputError(
        f"{path} has columns {', '.join(header)}, which tell no known format ({known}); rename them"
    )
