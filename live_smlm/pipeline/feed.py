"""The source's thread: it owns the camera and writes each frame once, into the ring.

It waits for nothing downstream, unless the source is one that can wait (a
file, a free-running simulation). A frame that finds no slot is lost; the gap
in the camera's numbers says so.
"""

import threading
import time
from dataclasses import dataclass, field

from live_smlm.core import FrameBatch, FrameSource, LiveSource
from live_smlm.pipeline.hub import Hub

_WAIT_S = 0.0005


@dataclass(slots=True)
class Feed:
    """State of the source's thread; others call `end`, or set `stop`, and read the rest."""

    source: FrameSource
    hub: Hub
    most_frames: int | None = None
    """End after so many."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Take no more frames, from now on."""
    refused: int = 0
    """Frames that found no slot."""
    error: Exception | None = None
    """Why the source ended, if not by itself or by `stop`."""

    def end(self) -> None:
        """Let the source end; what a camera has taken already still comes."""
        if isinstance(self.source, LiveSource):
            self.source.stop()
        else:
            self.stop.set()

    def run(self) -> None:
        """Feed until the source ends, fails, or is told to stop."""
        refused_last = 0
        try:
            with self.source.open() as batches:
                for batch in batches:
                    refused_last = self._feed(batch, refused_last)
                    if self._over():
                        break
        except Exception as error:  # noqa: BLE001 - told by the session, which waits for us
            self.error = error
        finally:
            with self.hub.lock:
                self.hub.dispatcher.end(lost_at_end=refused_last)

    def _feed(self, batch: FrameBatch, refused_last: int) -> int:
        """Frames into slots; how many at the end found none."""
        dispatcher = self.hub.dispatcher
        arrived = time.monotonic()
        for frame, index, time_s in zip(batch.pixels, batch.index, batch.time_s, strict=True):
            if not self._has_room():
                if self._over():
                    return refused_last
                self.refused += 1
                refused_last += 1
                continue
            self.hub.ring.write(dispatcher.captured, frame)
            with self.hub.lock:
                dispatcher.capture(int(index), float(time_s), arrived)
            refused_last = 0
            if self._over():
                break
        return refused_last

    def _has_room(self) -> bool:
        while True:
            with self.hub.lock:
                if self.hub.dispatcher.has_room():
                    return True
            if not self.source.info.can_wait or self._over():
                return False
            time.sleep(_WAIT_S)

    def _over(self) -> bool:
        enough = self.most_frames is not None and self.hub.dispatcher.captured >= self.most_frames
        return enough or self.stop.is_set() or self.hub.abort.is_set()
