"""Files that appear whole or not at all: written beside their place, then moved there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from live_smlm.core.errors import require


def check_place(path: Path) -> None:
    """Refuse a path where no file can be written."""
    folder = path.parent
    require(folder.is_dir(), f"folder {folder} does not exist; create it to write {path.name}")
    require(os.access(folder, os.W_OK), f"folder {folder} is not writable; choose another")
    require(not path.is_dir(), f"{path} is a folder; give the name of a file")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; it takes the place of `path` on success only.

    After an error neither the temporary file nor a changed `path` is left.
    """
    check_place(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
