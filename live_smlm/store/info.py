"""What can be said of a run from its folder, whether it ended, goes on or was killed."""

from pathlib import Path
from typing import Any

from live_smlm.core import InputError
from live_smlm.core.ranges import Ranges
from live_smlm.store.log import is_open, records
from live_smlm.store.raw import read_raw
from live_smlm.store.record import Finish, read_events, read_run
from live_smlm.store.run_folder import raw_folder

KILLED = "killed"
"""The finish of a run that says "running" while no living program writes its log."""


def describe_run(folder: str | Path) -> dict[str, Any]:
    """The run's record, and what is on the disk under `disk`.

    `finish` is "killed" for a run that was never ended. `disk` has `covered`
    (ranges of stream numbers in the log), `localized`, `molecules`, `recorded`
    (frames of the raw movie; None without one), `open` (recorded but not
    localized, as ranges: what `live-smlm recover` would do), `bytes` and
    `events` (how many).
    """
    folder = Path(folder)
    said = read_run(folder)
    covered, molecules = Ranges(), 0
    for record in records(folder):
        covered.add(record.first, record.stop)
        molecules += len(record.molecules)
    if said["finish"] == Finish.RUNNING.value and not is_open(folder):
        said["finish"] = KILLED
        said["reason"] = "the program ended without a word; complete it by `live-smlm recover`"
    recorded = _recorded(folder)
    disk = {
        "covered": list(covered),
        "localized": len(covered),
        "molecules": molecules,
        "recorded": recorded,
        "open": [] if recorded is None else covered.missing(recorded),
        "bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        "events": len(read_events(folder)),
    }
    return {**said, "disk": disk}


def _recorded(folder: Path) -> int | None:
    """Frames of the raw movie; a recorder that was killed early has left none."""
    if not raw_folder(folder).is_dir():
        return None
    try:
        return read_raw(raw_folder(folder)).frames
    except InputError:
        return 0
