"""Tables of comma-separated text: fast, and clear about what is wrong with one.

Knows nothing of molecules. Undefined values are empty or `nan` and come as NaN.
"""

import csv
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

from live_smlm.core import I64, AnyArray, InputError, require


def read_header(path: Path) -> list[str]:
    """The names in the first line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            names = next(csv.reader(file), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a table of text ({error}); give a CSV file") from error
    # Some spreadsheets quote the whole line once more.
    if len(names) == 1 and "," in names[0]:
        names = next(csv.reader(names))
    names = [name.strip() for name in names]
    require(any(names), f"{path} is empty; a table starts with a line of column names")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{path} has more than one column {twice[0]!r}; rename all but one")
    return names


def read_columns(
    path: Path, singles: Collection[str] = (), doubles: Collection[str] = ()
) -> dict[str, AnyArray]:
    """All columns by name, those in `singles` as float32 and in `doubles` as float64.

    Others come as int64, float64, bool or text, whichever fits first.
    """
    names = read_header(path)
    _check_whole(path)
    types = {n: pa.float32() for n in names if n in singles}
    types |= {n: pa.float64() for n in names if n in doubles}
    if _has_one_line(path):
        return {n: np.zeros(0, types[n].to_pandas_dtype() if n in types else float) for n in names}
    return parse(path, path.read_bytes(), names, types, skip_rows=1)


def parse(
    path: Path,
    content: bytes,
    names: Sequence[str],
    types: Mapping[str, pa.DataType],
    *,
    skip_rows: int = 0,
    delimiter: str = ",",
) -> dict[str, AnyArray]:
    """The columns of lines of text; `path` is for messages."""
    try:
        table = pc.read_csv(
            pa.BufferReader(content),
            read_options=pc.ReadOptions(column_names=list(names), skip_rows=skip_rows),
            parse_options=pc.ParseOptions(delimiter=delimiter),
            convert_options=pc.ConvertOptions(column_types=dict(types)),
        )
    except pa.ArrowInvalid as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is damaged: {reason}; correct or remove that line") from error
    return {name: _plain(table.column(name)) for name in names}


def _check_whole(path: Path) -> None:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        end = file.read(1)
    require(
        end in b"\r\n",
        f"{path} ends in the middle of a line, as if cut off; write it again, "
        "or end its last line if it is complete",
    )


def _has_one_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.readline()
        return not any(line.strip() for line in file)


def _plain(column: pa.ChunkedArray) -> AnyArray:
    values: AnyArray = column.to_numpy()
    return values.astype(str) if values.dtype == object else values


def write_columns(path: Path, columns: Mapping[str, AnyArray], *, quote_names: bool) -> None:
    """Write columns; floats in the fewest digits that read back exactly."""
    with path.open("w", encoding="utf-8", newline="") as file:
        quoting: Literal[0, 1] = csv.QUOTE_ALL if quote_names else csv.QUOTE_MINIMAL
        csv.writer(file, quoting=quoting, lineterminator="\n").writerow(columns)
    table = pa.table({name: pa.array(np.asarray(c)) for name, c in columns.items()})
    with path.open("ab") as file:
        pc.write_csv(table, file, pc.WriteOptions(include_header=False, quoting_style="needed"))


def need(path: Path, found: Collection[str], wanted: Sequence[str]) -> None:
    """Refuse a table that lacks a wanted column."""
    for name in wanted:
        require(
            name in found,
            f"{path} has no column {name!r}; it has {', '.join(found)}",
        )


def whole(path: Path, name: str, values: AnyArray) -> I64:
    """Values that must be whole numbers."""
    bad = np.flatnonzero(~(np.isfinite(values) & (np.rint(values) == values)))
    if len(bad):
        raise InputError(
            f"{path} has {name} {values[bad[0]]} in row {bad[0]}; it must be a whole number"
        )
    return np.asarray(values, dtype=np.int64)
