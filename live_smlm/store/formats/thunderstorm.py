"""ThunderSTORM's CSV, and ZOLA-3D's dialect of it: nm from the corner, frames from 1.

Written: frame, positions, photons and background exactly; the lateral sigmas as
one `uncertainty [nm]` (their root mean square), so they come back alike; what
ThunderSTORM has no name for goes under ours. A table with a frame 0 is taken to
count from 0.
"""

from pathlib import Path

import numpy as np

from live_smlm.core import AnyArray, Localizations, from_columns
from live_smlm.core.files import replacing
from live_smlm.store.formats.csv_text import need, read_columns, whole, write_columns
from live_smlm.store.formats.own import SINGLES, WHOLE, own_columns, standard_columns
from live_smlm.store.formats.table_format import TableContext, TableFormat

_WRITTEN = {
    "x_nm": "x [nm]",
    "y_nm": "y [nm]",
    "z_nm": "z [nm]",
    "photons": "intensity [photon]",
    "background": "offset [photon]",
    "sigma_z_nm": "uncertainty_z [nm]",
}
"""ThunderSTORM's name by ours."""
_READ = {
    **{theirs: ours for ours, theirs in _WRITTEN.items()},
    "intensity": "photons",
    "crlbX": "sigma_x_nm",
    "crlbY": "sigma_y_nm",
    "crlbZ": "sigma_z_nm",
}
_LATERAL = ("uncertainty [nm]", "uncertainty_xy [nm]")


def _read(path: Path, _pixel_size_nm: float | None) -> Localizations:
    theirs = read_columns(path, singles={*SINGLES, *_READ, *_LATERAL}, doubles=WHOLE)
    need(path, theirs, ["frame", "x [nm]", "y [nm]"])
    columns = {_READ.get(name, name): c for name, c in theirs.items() if name not in _LATERAL}
    for name in _LATERAL:
        if name in theirs:
            columns |= {"sigma_x_nm": theirs[name], "sigma_y_nm": theirs[name]}
    frame = whole(path, "frame", columns["frame"])
    columns["frame"] = frame if np.any(frame == 0) else frame - 1
    return from_columns(standard_columns(path, columns))


def _write(path: Path, localizations: Localizations, _context: TableContext) -> None:
    ours = own_columns(localizations)
    ours["frame"] = ours["frame"] + 1
    lateral = [ours.pop(name) for name in ("sigma_x_nm", "sigma_y_nm") if name in ours]
    theirs: dict[str, AnyArray] = {"id": np.arange(1, len(localizations) + 1)}
    theirs |= {_WRITTEN.get(name, name): c for name, c in ours.items() if name != "id"}
    if lateral:
        theirs[_LATERAL[0]] = np.sqrt(np.mean(np.square(lateral), axis=0))
    with replacing(path) as temporary:
        write_columns(temporary, theirs, quote_names=True)


THUNDERSTORM = TableFormat(
    name="thunderstorm",
    endings=(".csv",),
    marks=frozenset({"x [nm]", "y [nm]"}),
    read=_read,
    write=_write,
)
