"""Pages of a log that is being written, for readers who must not cost its writer anything.

The writer notes where each record lies, five numbers; a page is one piece of a
file between two records, read and decoded by whoever asks for it. Nothing is
searched for on the disk.
"""

import threading
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from live_smlm.core import Localizations, empty, require
from live_smlm.store.log_record import Record, molecules_of
from live_smlm.transport.viewing import Span

MOST_MOLECULES = 1 << 16
"""Of a page, unless one record alone has more."""


def _numbers() -> "array[int]":
    return array("q")


@dataclass(slots=True)
class Pages:
    """Where the records of a log lie; one thread notes, any thread reads."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _first: "array[int]" = field(default_factory=_numbers)
    _stop: "array[int]" = field(default_factory=_numbers)
    _begin: "array[int]" = field(default_factory=_numbers)
    """The record's first byte."""
    _end: "array[int]" = field(default_factory=_numbers)
    _total: "array[int]" = field(default_factory=_numbers)
    """Molecules up to and with the record."""
    _run: "array[int]" = field(default_factory=_numbers)
    """Which of `_runs` it belongs to."""
    _runs: list[tuple[Path, int]] = field(default_factory=list)
    """Records in a row in one file: that file, and the length of its schema."""
    _rising: bool = True

    def note(self, path: Path, schema: int, record: Record, place: tuple[int, int]) -> None:
        """A record was written at `place`, first and last byte, of a file."""
        with self._lock:
            if not self._runs or self._runs[-1][0] != path:
                self._runs.append((path, schema))
            self._rising &= not self._stop or record.first >= self._stop[-1]
            self._first.append(record.first)
            self._stop.append(record.stop)
            self._begin.append(place[0])
            self._end.append(place[1])
            self._total.append(len(record.molecules) + (self._total[-1] if self._total else 0))
            self._run.append(len(self._runs) - 1)

    def page(self, first: int, stop: int) -> Span:
        """The molecules of the frames from `first` on, at most to before `stop`.

        It ends where a record ends. A span that is empty, in frames, says that no
        more is in the log.
        """
        with self._lock:
            require(self._rising, "the log was not written in the order of frames; read it whole")
            at = bisect_left(self._first, first)
            after = bisect_right(self._stop, stop)
            last = self._stop[-1] if self._stop else 0
            known = min(stop, self._first[after] if after < len(self._first) else last)
            if at >= after:
                return Span(first=first, stop=max(first, known), molecules=empty())
            most = MOST_MOLECULES + (self._total[at - 1] if at else 0)
            enough = min(bisect_right(self._total, most), bisect_right(self._run, self._run[at]))
            end = min(after, max(at + 1, enough))
            path, schema = self._runs[self._run[at]]
            place = self._begin[at], self._end[end - 1]
            until = self._stop[end - 1] if end < after else known
        return Span(first=first, stop=until, molecules=_read(path, schema, place))


def _read(path: Path, schema: int, place: tuple[int, int]) -> Localizations:
    """The records between two places of a file, as one table."""
    with path.open("rb") as file:
        head = file.read(schema)
        file.seek(place[0])
        records = file.read(place[1] - place[0])
    with pa.ipc.open_stream(pa.py_buffer(head + records)) as stream:
        return molecules_of(stream.read_all())
