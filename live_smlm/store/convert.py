"""Any table that can be read to any that can be written.

Movies stay with whoever reads them: `store.movies.write_tiff` takes their frames.
"""

from pathlib import Path

from live_smlm.store.quality import without_drift
from live_smlm.store.tables import check_writable, read_table, write_table


def convert(
    source: str | Path,
    target: str | Path,
    *,
    pixel_size_nm: float | None = None,
    table_format: str | None = None,
    drift: bool = False,
) -> int:
    """Write the molecules of `source` (a table, or the folder of a run) to `target`; how many.

    `pixel_size_nm` is for formats that count in pixels, on either side;
    `table_format` where the target's ending leaves a choice; `drift` takes the sample's
    drift off, which a run's folder tells.
    """
    check_writable(target)
    molecules = read_table(source, pixel_size_nm)
    if drift:
        molecules = without_drift(Path(source), molecules)
    write_table(target, molecules, table_format=table_format, pixel_size_nm=pixel_size_nm)
    return len(molecules)
