"""The process that owns the bridge to a running Micro-Manager.

A call to a dead server never returns, so it is made where it can be killed.
Frames and signs of life leave through one pipe, from the thread that pops;
requests come through another, each with an answer. It owns what it has been
told to guard: before it ends, however it ends, it sets the safe values.
"""

import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

from live_smlm.core import InputError, SourceFault, SourceStatus
from live_smlm.sources import mm_errors
from live_smlm.sources.mm_camera import CoreCamera
from live_smlm.sources.mm_loop import IDLE_S, Sequence
from live_smlm.sources.mm_safe import make_safe, tell
from live_smlm.sources.mm_settings import MicroManager

TICK_S = 0.2
"""A child whose pop loop turns says so this often."""

Attach: TypeAlias = Callable[[MicroManager], AbstractContextManager[Any]]
"""Makes a core that speaks through the bridge."""


def main(frames: Connection, control: Connection, attach: Attach, settings: MicroManager) -> None:
    """Connect, tell what the camera is, then do what is asked until told to close."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    threading.excepthook = _say_nothing  # the bridge's own thread fails before its caller does
    try:
        with attach(settings) as core:
            child = _Child(CoreCamera(core, settings), frames, control)
            try:
                control.send(("ready", child.camera.description))
                child.serve()
            finally:
                child.make_safe()
    except Exception as error:  # noqa: BLE001 - the parent raises it, if it is there
        known = isinstance(error, InputError)
        why = str(error if known else mm_errors.refused("the connection", error))
        with suppress(OSError):
            control.send(("refused", why))
    os._exit(0)  # the bridge's threads may wait for a dead server


def _end(sequence: Sequence, how: str) -> None:
    if how == "abandon":
        sequence.abandon()
    else:
        sequence.stop()


def _say_nothing(_: threading.ExceptHookArgs) -> None:
    pass


class _Child:
    def __init__(self, camera: CoreCamera, frames: Connection, control: Connection) -> None:
        self.camera = camera
        self._frames, self._control = frames, control
        self._orders: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._sequence: Sequence | None = None
        """The one that runs, or the last one."""
        self._ending: list[str] = []
        """How its end was asked for since the last start, which may take long."""
        self._safe: dict[str, float] = {}
        self._saving = threading.Lock()

    def serve(self) -> None:
        """Stream whenever asked to; requests are answered meanwhile."""
        threading.Thread(target=self._answer, daemon=True).start()
        while self._orders.get() == "start":
            try:
                self._stream()
            except (InputError, SourceFault) as error:
                self._tell_fault(str(error), is_input=isinstance(error, InputError))
            except Exception as error:  # noqa: BLE001 - the parent raises it
                self._tell_fault(mm_errors.one_line(error), is_input=False)

    def make_safe(self) -> list[str]:
        """Set what is guarded to its safe values, once; what went wrong."""
        with self._saving:
            safe, self._safe = self._safe, {}
            return make_safe(self.camera.devices, safe)

    def _tell_fault(self, text: str, *, is_input: bool) -> None:
        status = SourceStatus() if self._sequence is None else self._sequence.status
        self._frames.send(("fault", status, text, is_input))

    def _stream(self) -> None:
        self._sequence = None
        self._sequence = sequence = Sequence(self.camera, self.camera.start())
        for how in tuple(self._ending):
            _end(sequence, how)
        try:
            self._frames.send(("tick", sequence.status))
            said = time.monotonic()
            while not sequence.ended:
                batch = sequence.turn()
                if batch is not None:
                    self._frames.send(
                        ("batch", sequence.status, batch.index, batch.time_s, len(batch))
                    )
                    self._frames.send_bytes(batch.pixels.data.cast("B"))
                    said = time.monotonic()
                elif time.monotonic() - said > TICK_S:
                    self._frames.send(("tick", sequence.status))
                    said = time.monotonic()
                else:
                    time.sleep(IDLE_S)
        finally:
            self.camera.halt()
        self._frames.send(("end", sequence.status))

    def _answer(self) -> None:
        try:
            while True:
                self._control.send(self._reply(*self._control.recv()))
        except (EOFError, OSError):
            self._orphaned()
            os._exit(1)

    def _orphaned(self) -> None:
        """The parent is gone, or has given this process up."""
        names = ", ".join(f"{name} to {value:g}" for name, value in self._safe.items())
        wrong = self.make_safe()
        if wrong:
            tell(f"the run was killed and is not safe, see to it by hand: {'; '.join(wrong)}")
        elif names:
            tell(f"the run was killed; set {names}")
        with suppress(Exception):  # a camera that goes on would refuse the next run
            self.camera.halt()

    def _reply(self, what: str, *values: Any) -> tuple[str, Any]:
        if what in ("start", "close"):
            self._ending.clear()
            self._orders.put(what)
        elif what in ("stop", "abandon"):
            self._ending.append(what)  # first, so that a sequence that comes now sees it
            if (sequence := self._sequence) is not None:
                _end(sequence, what)
        elif what == "guard":
            self._safe = dict(values[0])
        elif what == "make_safe":
            return "done", self.make_safe()
        else:
            return self._called(what, *values)
        return "done", None

    def _called(self, name: str, *values: Any) -> tuple[str, Any]:
        try:
            return "done", getattr(self.camera.devices, name)(*values)
        except InputError as error:
            return "refused", str(error)
        except Exception as error:  # noqa: BLE001 - the parent raises it
            return "refused", str(mm_errors.refused(name, error))
