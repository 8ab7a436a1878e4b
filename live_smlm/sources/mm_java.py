"""A camera of a Micro-Manager that runs already, reached through a child process.

Knows how to start, watch and kill the child; the pop loop and the bridge are
the child's. A server that dies or hangs is noticed by the child's silence.
"""

import multiprocessing
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from live_smlm.core import FrameBatch, InputError, RawPixels, SourceFault, SourceStatus
from live_smlm.sources import mm_child
from live_smlm.sources.mm_camera import Description
from live_smlm.sources.mm_settings import MicroManager

SILENCE_S = 2.0
"""Beyond two exposures: for so long may a call to the server take."""
START_S = 30.0
"""For so long may the child take to load its libraries."""
_POLL_S = 0.05


class ChildDevice:
    """The parent's end; the same calls as `mm_local.LocalDevice`."""

    def __init__(self, attach: mm_child.Attach, settings: MicroManager) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._port = settings.port
        self._frames, frames = spawn.Pipe(duplex=False)
        self._control, control = spawn.Pipe()
        self._asking = threading.Lock()
        self._streaming = False
        self._guarding = False
        self._status = SourceStatus()
        self._silence_s = SILENCE_S
        self._process = spawn.Process(
            target=mm_child.main,
            args=(frames, control, attach, settings),
            name="micro-manager-bridge",
            daemon=True,
        )
        self._process.start()
        frames.close()
        control.close()
        try:
            self.description: Description = self._answer(START_S + settings.timeout_s)
        except BaseException:
            self._kill()
            raise
        self._silence_s += 2 * self.description.exposure_ms / 1000

    @contextmanager
    def acquire(self) -> Iterator[Iterator[FrameBatch]]:
        """A sequence; it is stopped on exit, and frames that are under way are dropped."""
        self._status = SourceStatus()
        self._ask("start")
        self._streaming = True
        stream = self._batches()
        try:
            yield stream
        finally:
            stream.close()
            if self._streaming:
                self._drop_the_rest()

    def stop(self) -> None:
        """End the sequence, if there is one, with what is in the buffer."""
        if self._streaming:
            with suppress(SourceFault):  # who takes the frames learns of it
                self._ask("stop")

    def status(self) -> SourceStatus:
        """Of the sequence that runs, or of the last one."""
        return self._status

    def call(self, name: str, *values: Any) -> Any:
        """A request to a device: a method of `CoreDevices`."""
        return self._ask(name, *values)

    @contextmanager
    def guarded(self, safe: Mapping[str, float]) -> Iterator[None]:
        """See `core.Safeguard`: the child has the devices, and notices that this process ends."""
        self._ask("guard", dict(safe))
        self._guarding = True
        try:
            yield
        finally:
            wrong = self._made_safe()
            self._guarding = False
        if wrong:
            raise SourceFault(f"not safe, see to it by hand: {'; '.join(wrong)}")

    def _made_safe(self) -> list[str]:
        """What went wrong."""
        try:
            wrong: list[str] = self._ask("make_safe")
        except (SourceFault, InputError) as fault:
            return [str(fault)]
        return wrong

    def close(self) -> None:
        """Let the child go; one that cannot is killed."""
        with suppress(SourceFault, InputError):
            self._ask("close")
        self._process.join(SILENCE_S)
        self._kill()

    def _batches(self) -> Generator[FrameBatch]:
        while (message := self._receive()) is not None:
            if isinstance(message, FrameBatch):
                yield message

    def _drop_the_rest(self) -> None:
        with suppress(SourceFault, InputError):
            self._ask("abandon")
            deadline = time.monotonic() + 2 * self._silence_s  # for a start and a halt
            while self._receive() is not None:
                if time.monotonic() > deadline:
                    raise self._lost("does not end its sequence")

    def _receive(self) -> FrameBatch | SourceStatus | None:
        """What the child says next; None at the end."""
        try:
            what, *values = self._heard()
            if what == "batch":
                return self._batch(*values)
        except (EOFError, OSError) as error:
            raise self._lost("ended") from error
        self._status, *more = values
        if what == "tick":
            return self._status
        self._streaming = False
        if what == "end":
            return None
        text, is_input = more
        raise InputError(text) if is_input else SourceFault(text)

    def _heard(self) -> tuple[Any, ...]:
        deadline = time.monotonic() + self._silence_s
        while not self._frames.poll(_POLL_S):
            if time.monotonic() > deadline:
                raise self._lost(f"has not answered for {self._silence_s:.1f} s")
        said: tuple[Any, ...] = self._frames.recv()
        return said

    def _batch(self, status: SourceStatus, index: Any, time_s: Any, frames: int) -> FrameBatch:
        rows, columns = self.description.shape
        pixels: RawPixels = np.empty((frames, rows, columns), self.description.dtype)
        self._frames.recv_bytes_into(pixels.data.cast("B"))
        self._status = status
        return FrameBatch(pixels, index, time_s)

    def _ask(self, what: str, *values: Any) -> Any:
        with self._asking:
            try:
                self._control.send((what, *values))
            except OSError as error:
                raise self._lost("is gone") from error
            return self._answer(self._silence_s)

    def _answer(self, patience_s: float) -> Any:
        try:
            if not self._control.poll(patience_s):
                raise self._lost(f"has not answered for {patience_s:.1f} s")
            what, value = self._control.recv()
        except (EOFError, OSError) as error:
            raise self._lost("ended") from error
        if what == "refused":
            raise InputError(value)
        return value

    def _lost(self, how: str) -> SourceFault:
        """The child is of no use any more; one that guards something has a last chance to act."""
        self._streaming = False
        if self._guarding:
            _close(self._control)
        else:
            self._process.kill()
        return SourceFault(
            f"the connection to Micro-Manager on port {self._port} {how}; see whether it still "
            "runs, then connect anew"
        )

    def _kill(self) -> None:
        self._process.kill()
        self._process.join()
        self._process.close()
        for pipe in (self._frames, self._control):
            _close(pipe)


def _close(pipe: "Connection[Any, Any]") -> None:
    with suppress(OSError):
        pipe.close()
