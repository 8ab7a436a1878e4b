"""Localization tables by path: the ending tells the format, among several the content.

A further format is a module under `formats` and a line in `FORMATS`.
"""

from pathlib import Path

from live_smlm.core import InputError, Localizations, require
from live_smlm.core.files import check_place
from live_smlm.store.formats.arrow_log import ARROW_LOG
from live_smlm.store.formats.csv_text import read_header
from live_smlm.store.formats.decode import DECODE
from live_smlm.store.formats.elyra import ELYRA
from live_smlm.store.formats.nanoimager import NANOIMAGER
from live_smlm.store.formats.own import OWN
from live_smlm.store.formats.parquet import PARQUET
from live_smlm.store.formats.picasso import PICASSO
from live_smlm.store.formats.pixel_truth import PIXEL_TRUTH
from live_smlm.store.formats.rapidstorm import RAPIDSTORM
from live_smlm.store.formats.smap import SMAP, SMAP_MAT
from live_smlm.store.formats.smlm import SMLM
from live_smlm.store.formats.table_format import TableContext, TableFormat
from live_smlm.store.formats.thunderstorm import THUNDERSTORM
from live_smlm.store.log import read_log, segments

FORMATS = (
    OWN,
    THUNDERSTORM,
    SMAP,
    NANOIMAGER,
    PIXEL_TRUTH,
    PICASSO,
    DECODE,
    PARQUET,
    SMLM,
    ELYRA,
    RAPIDSTORM,
    SMAP_MAT,
    ARROW_LOG,
)
"""Where an ending serves several, the first is written unless another is named."""


def read_table(path: str | Path, pixel_size_nm: float | None = None) -> Localizations:
    """The molecules of a table, in nm from the outer corner of pixel (0, 0), frames from 0.

    The folder of a run is a table too. `pixel_size_nm` is for tables that count
    in pixels; it goes before what the file says.
    """
    path = Path(path)
    TableContext(pixel_size_nm=pixel_size_nm)
    if path.is_dir() and segments(path):
        return read_log(path).molecules
    chosen = _of_ending(path)
    require(path.exists(), f"{path} does not exist; check the name")
    require(path.is_file(), f"{path} is a folder; give the name of a table or the folder of a run")
    require(path.stat().st_size > 0, f"{path} is empty; write it again")
    return _by_content(path, chosen).read(path, pixel_size_nm)


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
    writable = _writable(path)
    for candidate in writable:
        if table_format in (None, candidate.name) and candidate.write is not None:
            candidate.write(path, localizations, context)
            return
    known = ", ".join(f.name for f in writable)
    raise InputError(f"table format {table_format!r} is unknown for {path.name}; use {known}")


def check_writable(path: str | Path) -> None:
    """Refuse a table that could not be written, before the work that fills it."""
    path = Path(path)
    _writable(path)
    check_place(path)


def _writable(path: Path) -> list[TableFormat]:
    writable = [f for f in _of_ending(path) if f.write is not None]
    known = ", ".join(dict.fromkeys(f.endings[0] for f in FORMATS if f.write is not None))
    require(bool(writable), f"{path}: {path.suffix} tables are read only; write one of {known}")
    return writable


def _of_ending(path: Path) -> list[TableFormat]:
    ending = path.suffix.lower()
    chosen = [f for f in FORMATS if ending in f.endings]
    known = ", ".join(dict.fromkeys(e for f in FORMATS for e in f.endings))
    require(bool(chosen), f"{path} has the unknown ending {ending!r}; use {known}")
    return chosen


def _by_content(path: Path, chosen: list[TableFormat]) -> TableFormat:
    if len(chosen) == 1:
        return chosen[0]
    told = next((f for f in chosen if f.tells is not None and f.tells(path)), None)
    if told is not None or not any(f.marks for f in chosen):
        return told or chosen[0]
    header = read_header(path)
    for candidate in chosen:
        if candidate.marks.intersection(header):
            return candidate
    known = "; ".join(f"{f.name}: {', '.join(sorted(f.marks))}" for f in chosen)
    raise InputError(
        f"{path} has columns {', '.join(header)}, which tell no known format ({known}); rename them"
    )
