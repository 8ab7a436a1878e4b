"""Safe values: who sets them when the process that turned the devices is no more.

A core of our own dies with its process, so a guardian, a process beside it,
waits for that and then sets the safe values through a core of its own, with no
more devices than it needs. (Behind the Java bridge the child that owns the
connection does it; see `mm_child`.) A device that was never reached is told on
standard error, where the run's own last words are.
"""

import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from live_smlm.core import InputError, SourceFault
from live_smlm.core.actuator import EXPOSURE
from live_smlm.sources import mm_config, mm_errors
from live_smlm.sources.mm_devices import CoreDevices

START_S = 30.0
"""For so long may the guardian take to load."""
PATIENCE_S = 20.0
"""For so long a device is tried: a port that its owner lost may be held for a while."""
_AGAIN_S = 0.5

Attach: TypeAlias = Callable[[Path], AbstractContextManager[Any]]
"""Makes a core with this configuration file."""


def make_safe(devices: CoreDevices, safe: Mapping[str, float]) -> list[str]:
    """Set all, whatever happens to some of them; what went wrong."""
    wrong = []
    for name, value in safe.items():
        try:
            devices.set(name, value)
        except Exception as error:  # noqa: BLE001 - the others are set nevertheless
            wrong.append(mm_errors.one_line(error))
    return wrong


def tell(what: str) -> None:
    """A line on standard error, if anybody still listens."""
    with suppress(OSError, ValueError):
        print(f"live-smlm: {what}", file=sys.stderr, flush=True)  # noqa: T201 - who else would


@contextmanager
def guardian(attach: Attach, config: Path, safe: Mapping[str, float]) -> Iterator[None]:
    """A process that sets these values should this one be no more before the exit."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(
        target=main, args=(theirs, attach, config, dict(safe)), name="guardian", daemon=True
    )
    process.start()
    theirs.close()
    try:
        if not ours.poll(START_S):
            raise SourceFault(f"the guardian of {', '.join(safe)} does not start; try again")
        with suppress(EOFError):
            ours.recv()
        yield
    finally:
        with suppress(OSError):
            ours.send("all is well")
        process.join(_AGAIN_S)
        process.kill()
        process.join()
        process.close()
        ours.close()


def main(
    control: "Connection[Any, Any]", attach: Attach, config: Path, safe: Mapping[str, float]
) -> None:
    """Wait for the parent's word; without one, it is gone."""
    for name in ("SIGINT", "SIGHUP"):  # what ends a terminal must not end this
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        control.send("ready")
        control.recv()
    except (EOFError, OSError):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _rescue(attach, config, safe)


def _interrupt(_: int, __: object) -> None:
    """Whoever ends a whole group of processes ends the run, too."""
    raise InterruptedError


def _rescue(attach: Attach, config: Path, safe: Mapping[str, float]) -> None:
    """By a core that has the devices in question only; if it cannot be made, by the whole."""
    told = ", ".join(f"{name} = {value:g}" for name, value in safe.items())
    deadline = time.monotonic() + PATIENCE_S
    with TemporaryDirectory() as folder:
        small = Path(folder) / config.name
        wanted = [name for name in safe if name != EXPOSURE]
        text = config.read_text("utf-8", "surrogateescape")
        small.write_text(mm_config.only(text, wanted), "utf-8", "surrogateescape")
        while True:
            for chosen in (small, config):
                try:
                    with attach(chosen) as core:
                        said = _set(CoreDevices(core), safe)
                except (InputError, SourceFault, RuntimeError, OSError) as error:
                    said = mm_errors.one_line(error)
                else:
                    tell(f"the run was killed; {said}")
                    return
            if time.monotonic() > deadline:
                tell(f"the run was killed and {told} could not be set, do it by hand: {said}")
                return
            time.sleep(_AGAIN_S)


def _set(devices: CoreDevices, safe: Mapping[str, float]) -> str:
    wrong = make_safe(devices, safe)
    if wrong:
        raise SourceFault("; ".join(wrong))
    return ", ".join(
        f"{name} was set to {safe[name]:g} and is {devices.get(name)}" for name in safe
    )
