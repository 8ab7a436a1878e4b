"""The record of a run: `run.json`, as it stands, and `events.jsonl`, as it went.

`run.json` is written whole at the start, every few seconds and at the end, so
after a kill it says "running" and how far the run had come a moment before.
Events are handed to the operating system line by line.
"""

import json
import os
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from live_smlm.core import InputError
from live_smlm.core.files import replacing
from live_smlm.store.json_lines import JsonLines
from live_smlm.store.json_text import plain, several_lines, utc, utc_now
from live_smlm.store.run_folder import check_run, events_path, record_path

EVERY_S = 2.0
_TOLD = ("live-smlm", "numpy", "numba", "pyarrow", "pyzmq", "pymmcore", "pycromanager")


class Finish(Enum):
    """How a run ended, or that it has not."""

    RUNNING = "running"
    """Also after a kill: the dead write nothing."""
    COMPLETED = "completed"
    STOPPED = "stopped"
    CANCELED = "canceled"
    ERRORED = "errored"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameCounts:
    """The ledger in numbers."""

    captured: int = 0
    localized: int = 0
    deferred: int = 0
    shed: int = 0
    lost: int = 0

    @property
    def waiting(self) -> int:
        """Captured frames whose fate is open: none at the end."""
        return self.captured - self.localized - self.deferred - self.shed


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is known of a run before its first frame."""

    engine: str
    source: str
    simulated: bool
    config: Mapping[str, Any]
    camera: Mapping[str, Any]
    """As `CameraModel.describe()` tells it."""
    models: Mapping[str, Any] = field(default_factory=dict)
    """Which network each engine opened, its hash and what ran it, by the engine's name."""
    device: str = "cpu"
    """Where engines computed, and why there if nobody asked for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run has come."""

    frames: FrameCounts = field(default_factory=FrameCounts)
    molecules: int = 0
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    """`p50` and `p99` from capture to localized; absent before the first."""
    rate_mpx_s: float | None = None
    deferred: tuple[tuple[int, int], ...] = ()
    """Stream numbers (first, stop)."""
    shed: tuple[tuple[int, int], ...] = ()
    trust: Mapping[str, Any] = field(default_factory=dict)
    """Whether the engine may be believed: verdict, alarms and the numbers behind them."""
    quality: Mapping[str, Any] = field(default_factory=dict)
    """How good the picture had become, and what the stop rule said to that."""


class RunRecord:
    """The record of a run that goes on; leaving it without `end` says that it errored."""

    def __init__(self, folder: Path, about: About, *, every_s: float = EVERY_S) -> None:
        self._path = record_path(folder)
        self._about = about
        self._every_s = every_s
        self._started = utc_now()
        self._written_s = 0.0
        self._progress = Progress()
        self._ended = False

    def __enter__(self) -> Self:
        self._write(Finish.RUNNING, "")
        return self

    def update(self, progress: Progress) -> None:
        """Take note; written every few seconds."""
        self._progress = progress
        if time.monotonic() - self._written_s >= self._every_s:
            self._write(Finish.RUNNING, "")

    def end(self, finish: Finish, reason: str, progress: Progress) -> None:
        """How it ended; every captured frame has its fate by now."""
        counts = progress.frames
        if counts.waiting:
            raise ValueError(f"the run ends with {counts.waiting} frames without a fate: {counts}")
        if finish is Finish.RUNNING:
            raise ValueError("a run cannot end as running")
        self._progress = progress
        self._write(finish, reason)
        self._ended = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._ended:
            told = " ".join(str(error).split()) or repr(error)
            reason = told if error is not None else "ended without saying how"
            self._write(Finish.ERRORED, reason)

    def _write(self, finish: Finish, reason: str) -> None:
        text = several_lines(self._content(finish, reason))
        with replacing(self._path) as draft, draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if finish is not Finish.RUNNING:
                os.fsync(file.fileno())
        self._written_s = time.monotonic()

    def _content(self, finish: Finish, reason: str) -> dict[str, Any]:
        about, so_far = self._about, self._progress
        counts = so_far.frames
        return {
            "finish": finish,
            "reason": reason,
            "started": self._started,
            "ended": None if finish is Finish.RUNNING else utc_now(),
            "frames": {**plain(counts), "waiting": counts.waiting},
            "molecules": so_far.molecules,
            "latency_ms": {key: so_far.latency_ms.get(key) for key in ("p50", "p99")},
            "rate_mpx_s": so_far.rate_mpx_s,
            "trust": so_far.trust,
            "quality": so_far.quality,
            "engine": about.engine,
            "device": about.device,
            "source": about.source,
            "simulated": about.simulated,
            "models": about.models,
            "camera": about.camera,
            "ranges": {"deferred": so_far.deferred, "shed": so_far.shed},
            "versions": versions(),
            "config": about.config,
        }


class EventLog(JsonLines):
    """What happened."""

    def __init__(self, folder: Path) -> None:
        super().__init__(events_path(folder))

    def append(self, what: str, at_s: float | None = None, **values: Any) -> None:
        """Write an event with its time, or now."""
        moment = utc_now() if at_s is None else utc(at_s)
        self.add({"time": moment, "what": what, **values})


def read_run(folder: str | Path) -> dict[str, Any]:
    """What `run.json` says."""
    folder = Path(folder)
    check_run(folder)
    path = record_path(folder)
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}); restore it from a copy") from error
    if not isinstance(said, dict) or "finish" not in said:
        raise InputError(f"{path} is no record of a run; give the folder of a run")
    return said


def write_run(folder: str | Path, said: Mapping[str, Any]) -> None:
    """Replace `run.json`: for a run that is completed later."""
    with replacing(record_path(Path(folder))) as draft:
        draft.write_text(several_lines(said), encoding="utf-8")


def read_events(folder: str | Path) -> list[dict[str, Any]]:
    """The events of a run in order; a last line that is cut is left out."""
    path = events_path(Path(folder))
    if not path.exists():
        return []
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    return [json.loads(line) for line in whole.splitlines()]


def versions() -> dict[str, str]:
    """Of ourselves, what we stand on, and the machine."""
    told = {"python": platform.python_version(), "platform": f"{sys.platform} {platform.machine()}"}
    for name in _TOLD:
        try:
            told[name] = version(name)
        except PackageNotFoundError:
            continue
    return told
