"""The thread that copies the ring to disk, frame for frame, when a raw record is asked for.

Slots are kept until they are recorded. If recording fails the run goes on
without it: frames can then no longer be deferred, and the operator is told.
"""

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from live_smlm.core import F64, I64, AnyArray
from live_smlm.pipeline.hub import Hub

_MOST_FRAMES = 32
_IDLE_S = 0.002


class Raw(Protocol):
    """Where raw frames stay."""

    def write(self, pixels: AnyArray, index: I64, time_s: F64) -> None:
        """Keep these frames; OSError if that cannot be."""


@dataclass(slots=True)
class Recorder:
    """State of the recording thread."""

    hub: Hub
    raw: Raw
    error: OSError | None = None

    def run(self) -> None:
        """Record until the source has ended and all is written, or the disk fails."""
        while True:
            with self.hub.lock:
                dispatcher = self.hub.dispatcher
                first, stop, ended = dispatcher.recorded_to, dispatcher.captured, dispatcher.ended
            if first == stop:
                if ended:
                    return
                time.sleep(_IDLE_S)
                continue
            count = min(stop - first, _MOST_FRAMES)
            try:
                self._write(first, count)
            except OSError as error:
                self.error = error
                with self.hub.lock:
                    dispatcher.recording_failed()
                self.hub.tell("recording failed", f"{error}; the run goes on without raw record")
                return
            with self.hub.lock:
                dispatcher.recorded_to = first + count

    def _write(self, first: int, count: int) -> None:
        dispatcher = self.hub.dispatcher
        at = np.arange(first, first + count) % dispatcher.plan.slots
        pixels = self.hub.ring.read(first, count)
        self.raw.write(pixels, dispatcher.index[at], dispatcher.time_s[at])
