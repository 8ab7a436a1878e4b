"""`desk.json` in a run's folder: where a running acquisition can be watched, and the token.

The file is its owner's alone to read, for with the token a run can be stopped; it is
there from the first frame to the end. What a killed run leaves is known for what it
is by the log, which nobody holds.
"""

import json
import os
from pathlib import Path

from live_smlm.core import InputError, require
from live_smlm.session.audience import Doors
from live_smlm.store import log
from live_smlm.store.json_text import several_lines
from live_smlm.store.run_folder import RUNS, desk_path

_NAMES = ("status", "desk", "token")


def tell(folder: Path, doors: Doors) -> None:
    """Write the file: it appears whole, and never readable by others."""
    path = desk_path(folder)
    text = several_lines({"pid": os.getpid(), **{n: getattr(doors, n) for n in _NAMES}})
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def forget(folder: Path) -> None:
    """Remove the file: the doors are closed."""
    desk_path(folder).unlink(missing_ok=True)


def doors_of(folder: Path) -> Doors:
    """The doors of the run that goes on in a folder."""
    path = desk_path(folder)
    require(log.is_open(folder), f"no run is going on in {folder}; look at it with live-smlm info")
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return Doors(**{name: str(said[name]) for name in _NAMES})
    except FileNotFoundError as error:
        raise InputError(f"{path} is not there: the run is only starting or ending") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}); give the run's address instead") from error


def find(where: str) -> Doors:
    """The doors of a run, from its folder or the address of its status stream."""
    if "://" in where:
        return Doors(status=where, desk="", token="")
    require(
        Path(where).is_dir(),
        f"{where!r} is neither the folder of a run nor an address; write tcp://host:port",
    )
    return doors_of(Path(where))


def running(runs: Path = RUNS) -> list[Path]:
    """The folders below `runs` in which a run goes on, the newest last."""
    known = sorted(runs.glob(f"*/{desk_path(Path()).name}"), key=lambda path: path.stat().st_mtime)
    return [path.parent for path in known if log.is_open(path.parent)]
