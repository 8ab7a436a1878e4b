"""A file of JSON, one line for each entry, that grows while a run goes on."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from live_smlm.core import InputError
from live_smlm.store.append_file import AppendFile
from live_smlm.store.json_text import one_line


class JsonLines:
    """Open within `with`; goes on where the file ends, after its last whole line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: AppendFile | None = None

    def __enter__(self) -> Self:
        keep = None
        if self._path.exists():
            keep = self._path.read_bytes().rfind(b"\n") + 1  # a kill may have cut the last line
        self._file = AppendFile(self._path, keep=keep)
        return self

    def add(self, entry: Mapping[str, Any]) -> None:
        """One more line; on return it is with the operating system."""
        if self._file is None:
            raise InputError(f"{self._path} is not open; use it in a with statement")
        self._file.append(one_line(entry))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
