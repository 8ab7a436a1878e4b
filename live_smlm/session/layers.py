"""Pictures that engines draw beside the molecules: added up, kept, and given to viewers.

Increments of an engine of frames are summed as they come; a prediction takes the
place of the one before. A thread of its own writes them into the run's folder now
and then: nobody waits for a disk.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from live_smlm.core import InputError, Reconstruction
from live_smlm.pipeline.outcomes import Event, Localized
from live_smlm.store.layers import write_layer
from live_smlm.transport.pictures import Shown

EVERY_S = 5.0
"""Between two writings of a picture, at least."""
_LOOK_S = 0.2


@dataclass(slots=True)
class Layers:
    """All pictures of a run, by name; a watcher of its frames."""

    folder: Path
    engine: str
    """Whose increments they are."""
    tell: Callable[[str, str], None] = lambda _, __: None
    _shown: dict[str, Shown] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _failed: bool = False
    """Whether increments do not fit any more."""

    def frames(self, localized: Localized) -> None:
        """Add what the engine has drawn of these frames."""
        if localized.picture is None or self._failed:
            return
        before = self.named(self.engine)
        try:
            total = localized.picture if before is None else before.plus(localized.picture)
        except InputError as error:
            self._failed = True
            self.tell("picture failed", f"{self.engine} draws no more: {error}")
            return
        self.put(self.engine, total)

    def event(self, event: Event) -> None:
        """Nothing of ours."""

    def tick(self) -> None:
        """Nothing is due."""

    def put(self, name: str, picture: Reconstruction) -> None:
        """A picture in place of the one before; from any thread."""
        with self._lock:
            before = self._shown.get(name)
            self._shown[name] = Shown(1 if before is None else before.version + 1, picture)

    def named(self, name: str) -> Reconstruction | None:
        """The newest of this name; from any thread."""
        shown = self.shown(name)
        return None if shown is None else shown.picture

    def shown(self, name: str) -> Shown | None:
        """The same with its version."""
        with self._lock:
            return self._shown.get(name)

    def told(self) -> dict[str, Any]:
        """What there is, for viewers."""
        with self._lock:
            shown = dict(self._shown)
        return {"layers": {name: words(one) for name, one in shown.items()}}

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Write them into the folder meanwhile, and at the end."""
        over = threading.Event()
        thread = threading.Thread(target=self._work, args=(over,), name="layers")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _work(self, over: threading.Event) -> None:
        written: dict[str, int] = {}
        next_s = time.monotonic() + EVERY_S
        while not over.wait(_LOOK_S):
            if time.monotonic() >= next_s:
                started = time.monotonic()
                self._write(written)
                next_s = max(started + EVERY_S, 2 * time.monotonic() - started)
        self._write(written)

    def _write(self, written: dict[str, int]) -> None:
        """All that have changed; a disk that does not take one is told of and tried again."""
        with self._lock:
            shown = dict(self._shown)
        for name, one in shown.items():
            if written.get(name) == one.version:
                continue
            try:
                write_layer(self.folder, name, one.picture)
                written[name] = one.version
            except OSError as error:
                self.tell("picture not kept", f"{name}: {error}; make room on the disk")


def words(shown: Shown) -> dict[str, Any]:
    """What viewers are told of a picture, in plain values."""
    picture = shown.picture
    return {
        "version": shown.version,
        "predicted": picture.predicted,
        "channels": list(picture.channels or ("",)),
        "pixel_size_nm": picture.pixel_size_nm,
        "shape": list(picture.image.shape),
        "last_frame": picture.last_frame,
    }
