"""A run as a window hears it: tells a sink what a test says, from a thread as a follower would."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from live_smlm.core import DriftCurve, Localizations, Reconstruction, from_columns
from live_smlm.transport.viewing import LiveFrame
from live_smlm.view.follow import Sink

FIELD_NM = 12_800.0
STATE: dict[str, Any] = {
    "run": "a-run",
    "shape": [128, 128],
    "pixel_size_nm": 100.0,
    "captured": 1234,
    "localized": 1230,
    "deferred": 0,
    "shed": 0,
    "lost": 0,
    "molecules": 5000,
    "frames_s": 100.0,
    "elapsed_s": 12.3,
    "latency_ms": {"p50": 4.0, "p99": 9.0},
    "camera_fill": 0.03,
    "stopping": False,
    "finished": None,
    "trust": {"verdict": "ok", "alarms": [], "shadow": "48 molecules fitted again"},
}


@dataclass(slots=True)
class ToldRun:
    """`join` is what a window takes; all that is said before it joins is told then."""

    in_control: bool = True
    asked: list[tuple[str, str]] = field(default_factory=list)
    """What the window asked for, and why."""
    refusal: str | None = None
    shown: str = ""
    """The picture of an engine that is looked at."""
    _said: "queue.Queue[Callable[[Sink], None] | None]" = field(default_factory=queue.Queue)

    def say(self, word: Callable[[Sink], None]) -> None:
        """Tell the window something."""
        self._said.put(word)

    def state(self, **changes: Any) -> None:
        """The run's numbers."""
        self.say(lambda sink: sink.state({**STATE, **changes}))

    def molecules(self, molecules: Localizations) -> None:
        """Molecules of the next frames."""
        self.say(lambda sink: sink.molecules(molecules))

    def drift(self, curve: DriftCurve) -> None:
        """How the sample has wandered."""
        self.say(lambda sink: sink.drift(curve))

    def layer(self, name: str, picture: Reconstruction) -> None:
        """A picture of an engine."""
        self.say(lambda sink: sink.layer(name, picture))

    def frame(self, number: int, molecules: Localizations) -> None:
        """A camera frame with a bright spot where each molecule is."""
        pixels = np.full((128, 128), 100, np.uint16)
        pixels[(molecules.y / 100).astype(int), (molecules.x / 100).astype(int)] = 900
        live = LiveFrame(
            number=number, pixels=pixels, binning=1, pixel_size_nm=100.0, molecules=molecules
        )
        self.say(lambda sink: sink.frame(live))

    def show(self, layer: str) -> None:
        """See `view.link.Control`."""
        self.shown = layer

    def stop(self, reason: str) -> str | None:
        """See `view.link.Control`."""
        self.asked.append(("stop", reason))
        return self.refusal

    def abort(self, reason: str) -> str | None:
        """See `view.link.Control`."""
        self.asked.append(("abort", reason))
        return self.refusal

    def order(self, what: str, words: str) -> str | None:
        """See `view.link.Control`."""
        self.asked.append((what, words))
        return self.refusal

    @contextmanager
    def join(self, sink: Sink) -> "Iterator[ToldRun]":
        """While this is open the sink is told."""

        def tell() -> None:
            while (word := self._said.get()) is not None:
                word(sink)

        thread = threading.Thread(target=tell, name="teller")
        thread.start()
        try:
            yield self
        finally:
            self._said.put(None)
            thread.join()


def lines(spacing_nm: float, at_nm: float = 6000.0, count: int = 4000) -> Localizations:
    """Two upright lines of molecules, the second `spacing_nm` right of `at_nm`; z 100 and 300."""
    right = np.arange(count) % 2 == 1
    return from_columns(
        {
            "frame": np.arange(count) // 4,
            "x": np.where(right, at_nm + spacing_nm, at_nm),
            "y": np.linspace(200, FIELD_NM - 200, count),
            "z": np.where(right, 300.0, 100.0),
            "photons": np.where(right, 2000.0, 500.0),
            "sigma_x": np.full(count, 6.0),
            "sigma_y": np.full(count, 6.0),
        }
    )
