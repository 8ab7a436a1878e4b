"""One record of the log: an Arrow record batch that says which frames it answers for.

The batch's custom metadata hold `first` and `count` (stream numbers), `index`
(the camera's numbers as runs [[first, count], ...]) and `crc32` of the columns'
bytes, by which a batch that a power cut tore is told from a whole one. Columns
have our names in files (`x_nm`); the schema says what it is and which version.
"""

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from live_smlm.core import I64, AnyArray, InputError, Localizations, from_columns, require
from live_smlm.store.formats.own import OWN_NAMES, own_columns

_ABOUT = {"format": "live-smlm localizations", "version": "1"}
_STANDARD = {own: standard for standard, own in OWN_NAMES.items()}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Record:
    """The molecules of `count` frames, from stream number `first` on."""

    first: int
    count: int
    index: I64
    """The camera's numbers of these frames."""
    molecules: Localizations

    def __post_init__(self) -> None:
        require(
            self.first >= 0 and self.count > 0,
            f"frames {self.first} to {self.first + self.count - 1} are none; give at least one",
        )
        require(
            len(self.index) == self.count,
            f"{self.count} frames have {len(self.index)} camera numbers; give one each",
        )

    @property
    def stop(self) -> int:
        """The stream number after the last."""
        return self.first + self.count


def batch_of(molecules: Localizations) -> pa.RecordBatch:
    """The columns as Arrow holds them."""
    columns = {name: pa.array(column) for name, column in own_columns(molecules).items()}
    schema = pa.schema([(n, c.type) for n, c in columns.items()], metadata=_ABOUT)
    return pa.record_batch(list(columns.values()), schema=schema)


def schema_bytes(schema: pa.Schema) -> bytes:
    """How a stream of such batches begins."""
    return bytes(schema.serialize())


def record_bytes(record: Record, batch: pa.RecordBatch) -> bytes:
    """The record as one message of a stream."""
    said = {
        "first": str(record.first),
        "count": str(record.count),
        "index": json.dumps(_runs(record.index), separators=(",", ":")),
        "crc32": str(_sum(batch)),
    }
    sink = pa.BufferOutputStream()
    # The writer begins with the schema, which the file has; it is left open, so it ends nothing.
    writer = pa.ipc.new_stream(sink, batch.schema)
    writer.write_batch(batch, custom_metadata=said)
    return bytes(memoryview(sink.getvalue())[len(schema_bytes(batch.schema)) :])


def read_records(name: str, file: BinaryIO) -> Iterator[Record]:
    """The whole records of a stream; what comes after the first that is not whole is ignored."""
    try:
        reader = pa.ipc.open_stream(file)
    except (pa.ArrowInvalid, OSError, EOFError):
        return  # cut off before the first record
    about = {k.decode(): v.decode() for k, v in (reader.schema.metadata or {}).items()}
    if about != _ABOUT:
        raise InputError(f"{name} is {about or 'unnamed'}, not {_ABOUT}; give a log by live-smlm")
    while (record := _next(reader)) is not None:
        yield record


def _next(reader: pa.RecordBatchReader) -> Record | None:
    try:
        batch, said = reader.read_next_batch_with_custom_metadata()
        told = {key: json.loads(said[key]) for key in ("first", "count", "index", "crc32")}
        batch.validate(full=True)
    except (StopIteration, pa.ArrowException, OSError, EOFError, KeyError, TypeError, ValueError):
        return None
    if told["crc32"] != _sum(batch):
        return None
    index = np.concatenate([np.arange(a, a + n, dtype=np.int64) for a, n in told["index"]])
    molecules = molecules_of(batch)
    return Record(first=told["first"], count=told["count"], index=index, molecules=molecules)


def molecules_of(batch: Any) -> Localizations:
    """The core's columns of a record batch or table of ours."""
    columns = {name: _plain(batch.column(name)) for name in batch.schema.names}
    return from_columns({_STANDARD.get(name, name): c for name, c in columns.items()})


def _plain(column: Any) -> AnyArray:
    chunked = isinstance(column, pa.ChunkedArray)
    values: AnyArray = column.to_numpy() if chunked else column.to_numpy(zero_copy_only=False)
    return values.astype(str) if values.dtype == object else values


def _runs(index: I64) -> list[tuple[int, int]]:
    """Numbers in a row as (first, count)."""
    cuts = np.flatnonzero(np.diff(index) != 1) + 1
    return [(int(run[0]), len(run)) for run in np.split(index, cuts)]


def _sum(batch: pa.RecordBatch) -> int:
    total = 0
    for column in batch.columns:
        for buffer in column.buffers():
            total = zlib.crc32(buffer, total) if buffer is not None else total
    return total
