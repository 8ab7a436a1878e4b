"""One writer at a time: a lock that the operating system frees when its holder dies."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from live_smlm.core import require

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _leave(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _leave(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


@contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file `path`; refuse where another holds it. `what` it guards, for people."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        require(_taken(descriptor), f"{what} is being written by another program; wait for its end")
        try:
            yield
        finally:
            _leave(descriptor)
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether a living program holds the lock."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        free = _taken(descriptor)
        if free:
            _leave(descriptor)
        return not free
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        _take(descriptor)
    except (BlockingIOError, PermissionError):
        return False
    return True
