"""What a format of localization table is to the rest of the program."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from live_smlm.core import Localizations, require

Reader: TypeAlias = Callable[[Path, float | None], Localizations]
"""Path and, where the file does not say it, pixel size in nm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableContext:
    """What some formats want to know beyond the molecules."""

    pixel_size_nm: float | None = None
    shape: tuple[int, int] | None = None
    """Rows, columns of the camera's frames."""
    frames: int | None = None

    def __post_init__(self) -> None:
        require(
            self.pixel_size_nm is None or 0 < self.pixel_size_nm < float("inf"),
            f"pixel_size_nm is {self.pixel_size_nm}; it must be above 0",
        )


Writer: TypeAlias = Callable[[Path, Localizations, TableContext], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFormat:
    """A format, found by the file's ending and, where several share it, by its content."""

    name: str
    endings: tuple[str, ...]
    """The first is the usual one."""
    marks: frozenset[str] = frozenset()
    """Columns of which any one tells this format from others of the same ending."""
    tells: Callable[[Path], bool] | None = None
    """Whether the file's beginning is of this format, where columns do not tell."""
    read: Reader
    write: Writer | None = None
