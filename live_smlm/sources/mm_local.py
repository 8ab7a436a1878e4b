"""A camera of a core in this process, and the guardian that outlives it."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias

from live_smlm.core import FrameBatch, SourceFault, SourceStatus
from live_smlm.sources.mm_camera import CoreCamera
from live_smlm.sources.mm_loop import Sequence
from live_smlm.sources.mm_safe import make_safe

Guardian: TypeAlias = Callable[[Mapping[str, float]], AbstractContextManager[None]]
"""Who sets these values should this process be killed."""


class LocalDevice:
    """Pops in the thread that asks; other calls go straight to the core from any thread."""

    def __init__(self, camera: CoreCamera, guardian: Guardian) -> None:
        self._camera, self._guardian = camera, guardian
        self._sequence: Sequence | None = None
        self._stopped = threading.Event()
        """Since the last start, which may take long."""
        self._last = SourceStatus()
        self.description = camera.description

    @contextmanager
    def acquire(self) -> Iterator[Iterator[FrameBatch]]:
        """A sequence; it is stopped on exit."""
        self._stopped.clear()
        sequence = Sequence(self._camera, self._camera.start())
        self._sequence = sequence
        if self._stopped.is_set():
            sequence.stop()
        stream = sequence.batches()
        try:
            yield stream
        finally:
            stream.close()
            self._last, self._sequence = sequence.status, None
            self._camera.halt()

    def stop(self) -> None:
        """End the sequence that runs or starts, if any, with what is in the buffer."""
        self._stopped.set()
        if (sequence := self._sequence) is not None:
            sequence.stop()

    def status(self) -> SourceStatus:
        """Of the sequence that runs, or of the last one."""
        return self._last if (sequence := self._sequence) is None else sequence.status

    def call(self, name: str, *values: Any) -> Any:
        """A request to a device: a method of `CoreDevices`."""
        return getattr(self._camera.devices, name)(*values)

    @contextmanager
    def guarded(self, safe: Mapping[str, float]) -> Iterator[None]:
        """See `core.Safeguard`."""
        with self._guardian(safe):
            try:
                yield
            finally:
                wrong = make_safe(self._camera.devices, safe)
        if wrong:
            raise SourceFault(f"not safe, see to it by hand: {'; '.join(wrong)}")
