"""Workers on this machine: started, watched, and started again when they die.

A worker that dies takes no frame with it: its chunks go to others. Spawned
processes only, so that the same works on every system.
"""

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.context import SpawnContext, SpawnProcess

from live_smlm.pipeline.hub import Hub
from live_smlm.pipeline.lane import MakeEngine
from live_smlm.pipeline.witness import MakeWitness
from live_smlm.pipeline.worker import Place, work

RESTARTS_A_MINUTE = 5
_LOOK_S = 0.1
_PATIENCE_S = 10.0
_MAKES_WAY = 10
MakeMakeEngine = Callable[[], MakeEngine]
"""Importable from a fresh process; called there."""


@contextlib.contextmanager
def threads(
    places: list[Place], make_engine: MakeEngine, make_witness: MakeWitness | None = None
) -> Iterator[None]:
    """Workers as threads of this process: for small runs and tests."""
    stop = threading.Event()
    workers = [
        threading.Thread(
            target=work, args=(place, make_engine, stop, make_witness), name=place.name
        )
        for place in places
    ]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        stop.set()
        for worker in workers:
            worker.join()


@contextlib.contextmanager
def processes(
    places: list[Place],
    make_make_engine: MakeMakeEngine,
    hub: Hub,
    make_witness: MakeWitness | None = None,
) -> Iterator[None]:
    """Workers as processes that are started again when they die.

    `make_witness` is importable from a fresh process, too.
    """
    team = _Team(places, make_make_engine, hub, make_witness)
    watching = threading.Thread(target=team.watch, name="supervisor")
    team.start_all()
    watching.start()
    try:
        yield
    finally:
        team.stop.set()
        watching.join()
        team.end_all()


@dataclass(slots=True)
class _Team:
    places: list[Place]
    make_make_engine: MakeMakeEngine
    hub: Hub
    make_witness: MakeWitness | None
    stop: threading.Event = field(default_factory=threading.Event)
    context: SpawnContext = field(default_factory=lambda: multiprocessing.get_context("spawn"))
    members: dict[str, SpawnProcess] = field(default_factory=dict)
    deaths_s: list[float] = field(default_factory=list)

    def start_all(self) -> None:
        for place in self.places:
            self.start(place)

    def start(self, place: Place) -> None:
        process = self.context.Process(
            target=_main,
            args=(place, self.make_make_engine, self.make_witness),
            name=place.name,
            daemon=True,
        )
        process.start()
        self.members[place.name] = process

    def watch(self) -> None:
        """Look after the members until told to stop, or until there is nothing left to do."""
        while not self.stop.wait(_LOOK_S) and not self.hub.over.is_set():
            self.end_hung()
            for place in self.places:
                process = self.members.get(place.name)
                if process is None or process.is_alive() or self.hub.over.is_set():
                    continue
                self.hub.gone.put(place.name.encode())
                self.hub.tell("worker died", f"{place.name}: exit code {process.exitcode}")
                self.bury(place.name)
                if self.may_restart():
                    self.start(place)
                else:
                    self.hub.tell("worker given up", f"{place.name} died too often")

    def end_hung(self) -> None:
        """What hangs inside an engine ends with its process only."""
        with contextlib.suppress(queue.Empty):
            while (process := self.members.get(self.hub.hung.get_nowait())) is not None:
                process.kill()

    def may_restart(self) -> bool:
        now = time.monotonic()
        self.deaths_s = [at for at in self.deaths_s if now - at < 60] + [now]
        return len(self.deaths_s) <= RESTARTS_A_MINUTE

    def bury(self, name: str) -> None:
        process = self.members.pop(name)
        process.join()
        process.close()

    def end_all(self) -> None:
        """Give everybody a moment to go, then make them."""
        deadline = time.monotonic() + _PATIENCE_S
        for name in list(self.members):
            process = self.members[name]
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
            self.bury(name)


def _main(place: Place, make_make_engine: MakeMakeEngine, make_witness: MakeWitness | None) -> None:
    """A worker process: works, and goes when its parent does."""
    settle_in(_MAKES_WAY)
    work(place, make_make_engine(), threading.Event(), make_witness)


def settle_in(makes_way: int) -> None:
    """In a fresh process of ours: go when the parent does, and make way for the camera's thread.

    Frames can wait for a lane, a camera for nobody.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal tells all; the parent decides
    if hasattr(os, "nice"):
        os.nice(makes_way)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()


def _leave_with(parent: "multiprocessing.process.BaseProcess") -> None:
    parent.join()
    os._exit(1)
