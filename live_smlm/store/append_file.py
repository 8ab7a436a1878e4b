"""A file that grows by whole pieces only.

After a piece could not be written (a full disk), the file ends where it ended
before, and the same piece can be tried again. A kill in the middle of a piece
leaves its beginning at the end of the file: readers must know it for a part.
"""

import os
from pathlib import Path
from types import TracebackType
from typing import Self


class AppendFile:
    """An open file; what `append` took is with the operating system when it returns."""

    def __init__(self, path: Path, *, keep: int | None = None) -> None:
        """A new file; or, with `keep`, the first `keep` bytes of one that exists."""
        how = os.O_RDWR | getattr(os, "O_BINARY", 0)
        how |= os.O_CREAT | os.O_EXCL if keep is None else 0
        self.path = path
        self._size = keep or 0
        self._descriptor = os.open(path, how, 0o666)
        self._torn = keep is not None

    @property
    def size(self) -> int:
        """Bytes of whole pieces."""
        return self._size

    def append(self, *pieces: bytes | memoryview) -> None:
        """Add all pieces or, with an OSError, nothing."""
        self._mend()
        self._torn = True
        try:
            os.lseek(self._descriptor, self._size, os.SEEK_SET)
            for piece in pieces:
                write_whole(self._descriptor, piece)
        except BaseException:
            self._mend()
            raise
        self._size += sum(len(piece) for piece in pieces)
        self._torn = False

    def cut(self, size: int) -> None:
        """Take back the pieces after the first `size` bytes."""
        self._size, self._torn = size, True
        self._mend()

    def sync(self) -> None:
        """Return when all is on the disk itself."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close; twice does no harm."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _mend(self) -> None:
        """Cut off what is no whole piece."""
        if self._torn:
            os.ftruncate(self._descriptor, self._size)
            self._torn = False


def write_whole(descriptor: int, piece: bytes | memoryview) -> None:
    """Write all of it: the system may take less at a time."""
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_folder(folder: Path) -> None:
    """Let the names of new files survive a power cut; Windows needs and knows no such thing."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
