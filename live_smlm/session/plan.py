"""What a run is to do, the hand on it while it runs, and what came of it."""

import threading
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from live_smlm.core import CPU, PSF, Device, require
from live_smlm.pipeline.dispatcher import Overload
from live_smlm.pipeline.ledger import Tally
from live_smlm.store.record import Finish
from live_smlm.transport.endpoints import Keys


class Topology(Enum):
    """Where the workers of this machine live."""

    THREADS = "threads"
    PROCESSES = "processes"
    NONE = "none"
    """Workers come from elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """How to run, apart from the source and the places of storage."""

    engine: str
    psf: PSF | None = None
    device: Device = CPU
    device_why: str = ""
    """Why this device, where nobody asked for it."""
    shadow: bool = True
    """Fit a few of the engine's molecules again, to see whether it may be believed."""
    fallback: str | None = None
    topology: Topology = Topology.THREADS
    workers: int = 1
    lanes: int = 2
    """Per worker."""
    ring_mb: float = 256.0
    chunk_frames: int = 16
    overload: Overload = Overload.WAIT
    most_frames: int | None = None
    most_seconds: float | None = None
    listen: tuple[str, ...] = ()
    """Where workers from other machines may come, `tcp://host:port`."""
    status: str = "tcp://127.0.0.1:*"
    desk: str | None = None
    """Where viewers ask and command; None: beside the status stream, at any port."""
    keys: Keys | None = None

    def __post_init__(self) -> None:
        for name in ("workers", "lanes", "chunk_frames"):
            value = getattr(self, name)
            require(value >= 1, f"{name} is {value}; give at least 1")

    @property
    def desk_at(self) -> str:
        """The address that the desk is to listen at."""
        if self.desk is not None:
            return self.desk
        host = self.status.rpartition(":")[0] if self.status.startswith("tcp:") else ""
        return f"{host or 'tcp://127.0.0.1'}:*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run came to."""

    finish: Finish
    reason: str
    tally: Tally
    molecules: int
    latency_ms: dict[str, float | None]
    rate_mpx_s: float
    seconds: float
    deferred: list[tuple[int, int]]
    """(first, stop) stream numbers; shed alike."""
    shed: list[tuple[int, int]]
    trust: dict[str, Any]
    """Whether the engine may be believed on these data; see `metrics.trust`."""


@dataclass(slots=True)
class Control:
    """The hand on a running session; every method returns at once and may be called twice."""

    _reason: str | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _abort: threading.Event = field(default_factory=threading.Event)

    def stop(self, reason: str) -> None:
        """End the acquisition; localize what was captured; keep everything."""
        if self._reason is None:
            self._reason = reason
        self._stop.set()

    def abort(self, reason: str) -> None:
        """End now; frames that wait are deferred or shed."""
        if not self._abort.is_set():
            before = self._reason
            known = before is None or reason.startswith(before)
            self._reason = reason if known else f"{reason}, after {before}"
        self._abort.set()
        self._stop.set()

    @property
    def reason(self) -> str | None:
        """Why, in words, if somebody asked."""
        return self._reason

    @property
    def stopping(self) -> bool:
        """Whether somebody asked for the end."""
        return self._stop.is_set()

    @property
    def aborting(self) -> bool:
        """Whether somebody asked for it now."""
        return self._abort.is_set()


@dataclass(slots=True)
class Part(Control):
    """The hand on one of several runs in a row; it ends with the whole, too."""

    whole: Control = field(default_factory=Control)

    @property
    def reason(self) -> str | None:
        """Why, in words, if somebody asked."""
        return self._reason or self.whole.reason

    @property
    def stopping(self) -> bool:
        """Whether somebody asked for the end of this, or of all."""
        return self._stop.is_set() or self.whole.stopping

    @property
    def aborting(self) -> bool:
        """Whether somebody asked for it now."""
        return self._abort.is_set() or self.whole.aborting
