"""The log of localizations: Arrow IPC streams that only grow, readable at any moment.

A folder holds segments `localizations-0000.arrows`, `-0001`, ...: one per set
of columns and per time the log was opened; nothing is ever written over. Each
record answers for a range of frames, also where these hold no molecules, and
no frame is answered for twice.

What `append` took survives the kill of any process, since it is with the
operating system. Against a power cut the log is synchronized to the disk every
`sync_s` seconds and at the end; what is lost then is the end only, as every
record carries a checksum and readers stop at the first that is not whole.

Where records differ in columns, the joined table has all of them; what a
record does not tell is NaN in columns of numbers (whole numbers and truth
values become float64 then), -1 in `channel`, and empty in text.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa

from live_smlm.core import (
    I64,
    AnyArray,
    Localizations,
    concatenate,
    empty,
    from_columns,
    require,
)
from live_smlm.core.ranges import Ranges
from live_smlm.store import lock
from live_smlm.store.append_file import AppendFile, sync_folder
from live_smlm.store.log_pages import Pages
from live_smlm.store.log_record import (
    Record,
    batch_of,
    read_records,
    record_bytes,
    schema_bytes,
)
from live_smlm.transport.viewing import Span

PREFIX = "localizations-"
ENDING = ".arrows"
_LOCK = "localizations.lock"
_UNKNOWN_CHANNEL = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Log:
    """All that a log holds."""

    molecules: Localizations
    """In the order of frames; within a frame as the engine gave them."""
    covered: list[tuple[int, int]]
    """Stream numbers (first, stop) of the frames that were localized, rising."""


class LocalizationLog:
    """The log of a run, open for writing; one program at a time."""

    def __init__(self, folder: Path, *, sync_s: float | None = 5.0) -> None:
        """Begin a log in an existing folder, or go on with the one there.

        `sync_s` None leaves it to the system when data reach the disk.
        """
        self._folder = folder
        self._sync_s = sync_s
        self._synced_s = time.monotonic()
        self._held = ExitStack()
        self._files: dict[pa.Schema, AppendFile] = {}
        self._last: pa.Schema | None = None
        self._covered = Ranges()
        self._molecules = 0
        self._pages = Pages()

    def page(self, first: int, stop: int) -> Span:
        """A page of what was appended since the log was opened; from any thread. See `Pages`."""
        return self._pages.page(first, stop)

    @property
    def covered(self) -> list[tuple[int, int]]:
        """Stream numbers (first, stop) of the frames in the log, rising."""
        return list(self._covered)

    @property
    def molecules(self) -> int:
        """How many the log holds."""
        return self._molecules

    def __enter__(self) -> Self:
        with ExitStack() as held:
            held.enter_context(lock.held(self._folder / _LOCK, f"the log in {self._folder}"))
            for record in records(self._folder):
                self._covered.add(record.first, record.stop)
                self._molecules += len(record.molecules)
            self._held = held.pop_all()
        return self

    def append(self, first: int, count: int, index: I64, molecules: Localizations) -> None:
        """Add the molecules of frames `first` ... `first + count - 1` by stream number.

        `index` are the camera's numbers of these frames. On return the record
        is with the operating system. After an OSError (a full disk) the log is
        as before, and the same record may be tried again.
        """
        record = Record(first=first, count=count, index=index, molecules=molecules)
        require(
            not self._covered.overlaps(first, record.stop),
            f"frames {first} to {record.stop - 1} are in the log already, in part; "
            "append each frame once",
        )
        if self._sync_s is not None and time.monotonic() - self._synced_s >= self._sync_s:
            self.sync()
        batch = batch_of(molecules)
        if not len(molecules) and self._last is not None:
            batch = pa.RecordBatch.from_pylist([], self._last)
        self._write(batch, record)
        self._last = batch.schema
        self._covered.add(first, record.stop)
        self._molecules += len(molecules)

    def sync(self) -> None:
        """Return when everything is on the disk itself."""
        for file in self._files.values():
            file.sync()
        self._synced_s = time.monotonic()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._sync_s is not None:
                self.sync()
        finally:
            for file in self._files.values():
                file.close()
            self._files.clear()
            self._held.close()

    def _write(self, batch: pa.RecordBatch, record: Record) -> None:
        file = self._files.get(batch.schema)
        if file is None:
            number = 1 + max((_number(path) for path in segments(self._folder)), default=-1)
            file = AppendFile(self._folder / f"{PREFIX}{number:04d}{ENDING}")
            self._files[batch.schema] = file
            if self._sync_s is not None:
                sync_folder(self._folder)
        schema = schema_bytes(batch.schema)
        head = b"" if file.size else schema
        begin = file.size + len(head)
        file.append(head, record_bytes(record, batch))
        self._pages.note(file.path, len(schema), record, (begin, file.size))


def segments(folder: Path) -> list[Path]:
    """The files of a log, oldest first."""
    return sorted(folder.glob(f"{PREFIX}*{ENDING}"), key=_number)


def is_open(folder: Path) -> bool:
    """Whether a living program is writing the log."""
    return lock.is_held(folder / _LOCK)


def records(path: str | Path) -> Iterator[Record]:
    """The whole records of a folder's log or of one segment, one by one, as they were written.

    The log may be growing meanwhile.
    """
    path = Path(path)
    require(path.exists(), f"{path} does not exist; check the name")
    for segment in segments(path) if path.is_dir() else [path]:
        with segment.open("rb") as file:
            yield from read_records(str(segment), file)


def read_log(path: str | Path) -> Log:
    """All of a folder's log or of one segment, in the order of frames."""
    found = sorted(records(path), key=lambda record: record.first)
    molecules = join([record.molecules for record in found])
    order = np.argsort(molecules.frame, kind="stable")
    covered = Ranges((record.first, record.stop) for record in found)
    return Log(molecules=molecules.where(order), covered=list(covered))


def join(parts: list[Localizations]) -> Localizations:
    """All rows in the order given, with the columns of all; see the module on what is missing."""
    filled = [part for part in parts if len(part)]
    if not filled:
        return max(parts, key=lambda part: len(part.columns()), default=empty())
    names = list(dict.fromkeys(name for part in filled for name in part.columns()))
    if any(list(part.columns()) != names for part in filled):
        samples = {
            name: [p.columns()[name] for p in filled if name in p.columns()] for name in names
        }
        filled = [_completed(part, samples) for part in filled]
    return concatenate(filled)


def _completed(part: Localizations, samples: dict[str, list[AnyArray]]) -> Localizations:
    have = part.columns()
    lacking = {
        name: _unknown(name, len(part), s) for name, s in samples.items() if name not in have
    }
    return from_columns({name: have.get(name, lacking.get(name)) for name in samples})


def _unknown(name: str, rows: int, samples: list[AnyArray]) -> AnyArray:
    """Values for a column that these rows do not tell."""
    if name == "channel":
        return np.full(rows, _UNKNOWN_CHANNEL, np.int16)
    kind = np.result_type(*samples)
    if kind.kind == "U":
        return np.full(rows, "", kind)
    return np.full(rows, np.nan, kind if kind.kind == "f" else np.float64)


def _number(segment: Path) -> int:
    digits = segment.name.removeprefix(PREFIX).removesuffix(ENDING)
    return int(digits) if digits.isdigit() else -1
