"""Plain truth tables in pixels from the corner, frames from 0; read only."""

from pathlib import Path

import numpy as np

from live_smlm.core import AnyArray, InputError, Localizations, from_columns
from live_smlm.store.formats.csv_text import need, read_columns
from live_smlm.store.formats.own import SINGLES, WHOLE, standard_columns
from live_smlm.store.formats.table_format import TableFormat

_FRAME = "frame_0based"
_PIXELS = {"x_px_from_corner": "x_nm", "y_px_from_corner": "y_nm"}


def _read(path: Path, pixel_size_nm: float | None) -> Localizations:
    columns = read_columns(path, singles=SINGLES, doubles={_FRAME, *WHOLE, *_PIXELS})
    need(path, columns, [_FRAME, *_PIXELS])
    if pixel_size_nm is None:
        raise InputError(
            f"{path} counts in pixels; say how large one is (pixel_size_nm, --pixel-nm)"
        )
    ours: dict[str, AnyArray] = {"frame": columns.pop(_FRAME)}
    for theirs, name in _PIXELS.items():
        ours[name] = np.multiply(columns.pop(theirs), pixel_size_nm)
    return from_columns(standard_columns(path, {**ours, **columns}))


PIXEL_TRUTH = TableFormat(
    name="pixel-truth", endings=(".csv",), marks=frozenset({_FRAME, *_PIXELS}), read=_read
)
