"""Parquet with our columns: as our CSV, but all types come back as they were.

What is known of the movie stands in the file's metadata under `live-smlm`, as
JSON.
"""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from live_smlm.core import InputError, Localizations, from_columns
from live_smlm.core.files import replacing
from live_smlm.store.formats.csv_text import need
from live_smlm.store.formats.own import OWN_NAMES, own_columns, standard_columns
from live_smlm.store.formats.table_format import TableContext, TableFormat


def _read(path: Path, _pixel_size_nm: float | None) -> Localizations:
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path} is not a whole Parquet file ({reason}); write it again"
        ) from error
    need(path, table.column_names, [OWN_NAMES[name] for name in ("frame", "x", "y")])
    columns = {name: table.column(name).to_numpy() for name in table.column_names}
    plain = {n: c.astype(str) if c.dtype == object else c for n, c in columns.items()}
    return from_columns(standard_columns(path, plain))


def _write(path: Path, localizations: Localizations, context: TableContext) -> None:
    columns = {name: pa.array(column) for name, column in own_columns(localizations).items()}
    about = {
        "pixel_size_nm": context.pixel_size_nm,
        "shape": context.shape,
        "frames": context.frames,
    }
    table = pa.table(columns).replace_schema_metadata({"live-smlm": json.dumps(about)})
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


PARQUET = TableFormat(name="parquet", endings=(".parquet",), read=_read, write=_write)
