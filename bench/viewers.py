"""What viewers cost a run, and how soon a late one has everything: `python bench/viewers.py`.

A run whose engine finds a fixed number of molecules in each frame goes through the whole
pipeline, twice: alone, and with viewers (processes of their own) that join at half-time
and fetch what they missed. Told are the lag of the run, the share of a core that its
threads took, and how long a viewer needed for the history. `--json FILE` keeps the figures.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from live_smlm.core import (
    CameraModel,
    DriftCurve,
    EngineContext,
    EngineSpec,
    FrameBatch,
    Localizations,
    Reconstruction,
    StreamInfo,
    from_columns,
)
from live_smlm.pipeline.dispatcher import Overload
from live_smlm.session import Outcome, RunPlan, Session
from live_smlm.store.log import LocalizationLog
from live_smlm.transport.viewing import Event, LiveFrame
from live_smlm.view.follow import following

SIDE, RATE_HZ = 512, 100.0
COLUMNS = ("x", "y", "photons", "background", "sigma_x", "sigma_y")
Row = dict[str, Any]


@dataclass(frozen=True)
class Camera:
    """Dark frames at a steady rate."""

    seconds: float

    @property
    def info(self) -> StreamInfo:
        camera = CameraModel(shape=(SIDE, SIDE), pixel_size_nm=100.0)
        return StreamInfo(name="bench", camera=camera, frame_interval_s=1 / RATE_HZ)

    @contextlib.contextmanager
    def open(self) -> Iterator[Iterator[FrameBatch]]:
        yield self._frames()

    def _frames(self) -> Iterator[FrameBatch]:
        pixels = np.full((1, SIDE, SIDE), 100, np.uint16)
        began = time.monotonic()
        for number in range(int(self.seconds * RATE_HZ)):
            time.sleep(max(0.0, began + number / RATE_HZ - time.monotonic()))
            yield FrameBatch(pixels, np.array([number]), np.array([number / RATE_HZ]))


@dataclass(frozen=True)
class Finder:
    """Finds so many molecules in each frame."""

    per_frame: int

    @property
    def spec(self) -> EngineSpec:
        return EngineSpec(name="bench", consumes=FrameBatch, produces=Localizations)

    def unsupported(self, context: EngineContext) -> str | None:
        return None if context.camera.shape == (SIDE, SIDE) else "it is for another camera"

    @contextlib.contextmanager
    def open(self, context: EngineContext) -> Iterator[Callable[[FrameBatch], Localizations]]:
        del context

        def find(frames: FrameBatch) -> Localizations:
            rows = np.repeat(frames.index, self.per_frame)
            values = np.linspace(1, 100 * SIDE, len(rows), dtype=np.float32)
            return from_columns({"frame": rows, **dict.fromkeys(COLUMNS, values)})

        yield find


@dataclass
class Viewer:
    """Counts, and notes when it has all that was told before it came."""

    began_s: float = field(default_factory=time.monotonic)
    molecules_had: int = 0
    missed: int = 0
    caught_up_s: float = 0.0
    ended: bool = False

    def molecules(self, molecules: Localizations) -> None:
        self.molecules_had += len(molecules)
        if not self.caught_up_s and self.missed and self.molecules_had >= self.missed:
            self.caught_up_s = time.monotonic() - self.began_s

    def state(self, values: Mapping[str, Any]) -> None:
        if not self.missed:
            self.missed, self.began_s = values["molecules"], time.monotonic()

    def event(self, event: Event) -> None: ...

    def frame(self, frame: LiveFrame) -> None: ...

    def drift(self, curve: DriftCurve) -> None: ...

    def layer(self, name: str, picture: Reconstruction) -> None: ...

    def lost(self, why: str) -> None:
        del why
        self.ended = True


def follow(address: str) -> None:
    """What a viewer's process does; prints its figures at the end of the run."""
    viewer = Viewer()
    with following(address, viewer):
        while not viewer.ended:
            time.sleep(0.05)
    row = {"had": viewer.molecules_had, "missed": viewer.missed, "history_s": viewer.caught_up_s}
    print(json.dumps(row), flush=True)


@dataclass
class Shares:
    """Seconds that each thread of this process has worked, by name."""

    worked_s: dict[int, float] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)

    def look(self) -> None:
        self.names |= {t.native_id: t.name for t in threading.enumerate() if t.native_id}
        for thread in psutil.Process().threads():
            self.worked_s[thread.id] = thread.user_time + thread.system_time

    def of(self, name: str) -> float:
        return sum(s for at, s in self.worked_s.items() if self.names.get(at) == name)


def run(seconds: float, rate: float, viewers: int) -> Row:
    """One run; its viewers join at half-time."""
    others: list[subprocess.Popen[str]] = []
    shares, over = Shares(), threading.Event()

    def watch(session: Session) -> None:
        invite = time.monotonic() + seconds / 2
        words = [sys.executable, __file__, "--follow", session.status_address]
        while not over.wait(0.2):
            shares.look()
            if time.monotonic() > invite and len(others) < viewers:
                others.append(
                    subprocess.Popen(words, stdout=subprocess.PIPE, text=True)  # noqa: S603 - us
                )

    watching: list[threading.Thread] = []

    def started(session: Session) -> None:
        watching.append(threading.Thread(target=watch, args=(session,)))
        watching[0].start()

    finder = Finder(round(rate / RATE_HZ))
    with tempfile.TemporaryDirectory() as folder, LocalizationLog(Path(folder)) as log:
        plan = RunPlan(engine="bench", overload=Overload.THIN, ring_mb=128, shadow=False)
        outcome = Session(
            Camera(seconds), plan, log, archive=log, make_engine=lambda _: finder, started=started
        ).run()
        over.set()
        watching[0].join()
    told = [json.loads(other.communicate(timeout=60)[0]) for other in others]
    return figures(outcome, shares, told)


def figures(outcome: Outcome, shares: Shares, told: list[Row]) -> Row:
    """One run as one row."""
    row: Row = {
        "viewers": len(told),
        "molecules": outcome.molecules,
        "lost": outcome.tally.lost + outcome.tally.shed,
        "lag p50, ms": outcome.latency_ms["published_p50"],
        "lag p99, ms": outcome.latency_ms["published_p99"],
    }
    for name in ("source", "hub", "collector", "desk"):
        row[f"{name}, % of a core"] = round(100 * shares.of(name) / outcome.seconds, 2)
    if told:
        row["viewers with all"] = sum(viewer["had"] == outcome.molecules for viewer in told)
        row["history, molecules"] = max(viewer["missed"] for viewer in told)
        row["history, s"] = round(max(viewer["history_s"] for viewer in told), 2)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each run")
    parser.add_argument("--rate", type=float, default=2e5, help="molecules per second")
    parser.add_argument("--viewers", type=int, default=2)
    parser.add_argument("--json", type=Path, help="keep the figures")
    parser.add_argument("--follow", help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.follow:
        follow(said.follow)
        return
    rows = [run(said.seconds, said.rate, viewers) for viewers in (0, said.viewers)]
    for row in rows:
        print("\n".join(f"{name:<22} {value}" for name, value in row.items()), end="\n\n")
    if said.json:
        said.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
