"""A segment of a run's log as a table; a whole log is read by its folder. Read only."""

from pathlib import Path

from live_smlm.core import Localizations
from live_smlm.store.formats.table_format import TableFormat
from live_smlm.store.log import ENDING, read_log


def _read(path: Path, _pixel_size_nm: float | None) -> Localizations:
    return read_log(path).molecules


ARROW_LOG = TableFormat(name="live-smlm log", endings=(ENDING,), read=_read)
