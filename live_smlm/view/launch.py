"""Start a run as a process of its own: whatever happens to the window, the run goes on.

The run is exactly `live-smlm run FILE`; the file stays beside the run's folder,
and so does what the run printed. Where it can be joined stands in its folder.
"""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from live_smlm.config import RunConfig
from live_smlm.core import require
from live_smlm.view import entries

_DESK = "desk.json"
"""What a run writes into its folder once it can be joined."""
_RUNS = Path("runs")
MODULE = ("-c", "import sys; from live_smlm.cli import main; sys.exit(main())")
"""How Python runs this program, from the same installation."""


@dataclass(frozen=True, slots=True)
class Launched:
    """A run that was started from here."""

    folder: Path
    process: "subprocess.Popen[bytes]"
    printed: Path
    """What the run printed, its errors included."""

    @property
    def ready(self) -> bool:
        """Whether it can be joined: it goes on, or has been and left its record."""
        ended = self.process.poll() is not None
        return (self.folder / _DESK).is_file() or (ended and self.folder.is_dir())

    def failure(self) -> str | None:
        """The last line of a run that ended before it began; None otherwise."""
        if self.process.poll() is None or self.ready:
            return None
        lines = self.printed.read_text(encoding="utf-8", errors="replace").split("\n")
        said = [line.removeprefix("live-smlm: ") for line in lines if line.strip()]
        return said[-1] if said else f"it ended with code {self.process.returncode}"


def launch(config: RunConfig, now: datetime, arguments: Sequence[str] = MODULE) -> Launched:
    """Start the run in a session of its own; its folder is named where the settings do not."""
    folder = Path(config.out) if config.out else free_folder(config.engine, now)
    require(not folder.exists(), f"run folder {folder} exists; give another name, or none")
    folder.parent.mkdir(parents=True, exist_ok=True)
    file, printed = (folder.with_name(f"{folder.name}.{end}") for end in ("toml", "log"))
    entries.save(file, replace(config, out=str(folder)))
    with printed.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - our own command, a file of ours
            [sys.executable, *arguments, "run", str(file)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Launched(folder, process, printed)


def free_folder(engine: str, now: datetime, runs: Path = _RUNS) -> Path:
    """As `runs/2026-11-21_053000_gauss-mle`; with a number where that exists."""
    plain = "".join(c if c.isalnum() or c in "-." else "-" for c in engine).strip("-.")
    name = f"{now:%Y-%m-%d_%H%M%S}_{plain or 'run'}"
    twins = (runs / (name if n == 1 else f"{name}~{n}") for n in range(1, 10_000))
    return next(folder for folder in twins if not folder.exists())
