"""What lies where in the folder of a run; this module alone knows the names.

`localizations-*.arrows` is the log (`store.log`), `run.json` and
`events.jsonl` the record (`store.record`), `quality.json` and `quality.jsonl` how good
it was (`store.quality`), `layers` pictures of engines (`store.layers`), `raw` the movie
(`store.raw`).
"""

from datetime import datetime
from pathlib import Path

from live_smlm.core import require

RUNS = Path("runs")
"""Where runs go unless told otherwise."""


def record_path(folder: Path) -> Path:
    """How the run was set up, how it went and how it ended."""
    return folder / "run.json"


def events_path(folder: Path) -> Path:
    """What happened, line by line."""
    return folder / "events.jsonl"


def raw_folder(folder: Path) -> Path:
    """The camera's frames, where they were recorded."""
    return folder / "raw"


def picture_path(folder: Path) -> Path:
    """The picture at the end."""
    return folder / "picture.png"


def snapshot_path(folder: Path) -> Path:
    """The picture so far, while the run goes on."""
    return folder / "snapshot.png"


def history_path(folder: Path) -> Path:
    """The metrics, look by look."""
    return folder / "quality.jsonl"


def quality_path(folder: Path) -> Path:
    """The metrics at last, with the curve of drift."""
    return folder / "quality.json"


def layer_path(folder: Path, name: str) -> Path:
    """A picture that an engine has drawn, beside the molecules."""
    return folder / "layers" / f"{name}.tif"


def report_path(folder: Path) -> Path:
    """The run on one page."""
    return folder / "report.html"


def fields_path(folder: Path) -> Path:
    """What came of each field of a queue."""
    return folder / "fields.csv"


def desk_path(folder: Path) -> Path:
    """Where the running acquisition can be watched and told to stop; its owner's alone."""
    return folder / "desk.json"


def default_folder(engine: str, now: datetime, runs: Path = RUNS) -> Path:
    """As `runs/2026-11-21_053000_gauss-mle`; numbered where that exists."""
    plain = "".join(c if c.isalnum() or c in "-." else "-" for c in engine).strip("-.")
    folder = runs / f"{now:%Y-%m-%d_%H%M%S}_{plain or 'run'}"
    twin = 2
    while folder.exists():
        folder = folder.with_name(f"{folder.name.partition('~')[0]}~{twin}")
        twin += 1
    return folder


def create(folder: Path) -> Path:
    """Make the folder of a fresh run; refuse one that holds anything already."""
    require(not folder.is_file(), f"{folder} is a file; give the name of a folder for the run")
    if folder.is_dir():
        held = sorted(path.name for path in folder.iterdir())
        require(
            not held,
            f"folder {folder} is not empty (it holds {', '.join(held[:3])}); give the name of a "
            "new one, or go on with an interrupted run by `live-smlm recover`",
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def check_run(folder: Path) -> None:
    """Refuse what is no run."""
    require(folder.is_dir(), f"{folder} is no folder; give that of a run")
    path = record_path(folder)
    require(path.is_file(), f"{folder} has no {path.name}; give the folder of a run")
