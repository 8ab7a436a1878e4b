"""A run that has ended, told to a window from its folder as if it went on."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from live_smlm.core import STILL, Reconstruction
from live_smlm.metrics import series
from live_smlm.session import judgement
from live_smlm.session.layers import words
from live_smlm.store.json_text import seconds
from live_smlm.store.layers import read_layers
from live_smlm.store.log import records
from live_smlm.store.quality import Judged, read_quality
from live_smlm.store.record import Finish, read_events, read_run
from live_smlm.store.run_folder import check_run
from live_smlm.transport.pictures import Shown
from live_smlm.transport.viewing import Event
from live_smlm.view.follow import Sink

_EVERY = 50
"""Records between two states."""
_LATENCY_UNKNOWN = np.zeros(0)


@dataclass(frozen=True, slots=True)
class Ended:
    """A run of which nothing can be asked any more but its pictures."""

    layers: Mapping[str, Reconstruction]
    sink: Sink
    in_control: bool = False

    def show(self, layer: str) -> None:
        """See `view.link.Control`."""
        if layer in self.layers:
            self.sink.layer(layer, self.layers[layer])

    def stop(self, reason: str) -> str | None:
        """See `view.link.Control`."""
        return f"the run has ended; it needs no stop ({reason})"

    def abort(self, reason: str) -> str | None:
        """See `view.link.Control`."""
        return self.stop(reason)

    def order(self, what: str, words: str) -> str | None:
        """See `view.link.Control`."""
        return f"the run has ended; it takes no order ({what}: {words})"


@contextmanager
def replayed(folder: Path, sink: Sink) -> Iterator[Ended]:
    """Tell `sink` all that a folder holds, on a thread of its own, while this is open."""
    check_run(folder)
    reading = _Reading(folder, sink, read_run(folder), read_layers(folder))
    thread = threading.Thread(target=reading.run, name="replay")
    thread.start()
    try:
        yield Ended(reading.layers, sink)
    finally:
        reading.leave.set()
        thread.join()
    if reading.failure is not None:
        raise reading.failure


@dataclass(slots=True)
class _Reading:
    folder: Path
    sink: Sink
    record: Mapping[str, Any]
    layers: Mapping[str, Reconstruction]
    leave: threading.Event = field(default_factory=threading.Event)
    failure: Exception | None = None

    def run(self) -> None:
        """Read until all is told, or nobody listens."""
        try:
            self._read()
        except Exception as error:  # noqa: BLE001 - raised again where `replayed` is left
            self.failure = error
            self.sink.lost(f"{self.folder} cannot be read: {error}")

    def _read(self) -> None:
        for event in map(_event, read_events(self.folder)):
            self.sink.event(event)
        judged = read_quality(self.folder)
        if judged.drift is not STILL:
            self.sink.drift(judged.drift)
        camera = self.record["camera"]
        rows, columns = camera["shape"]
        area_um2 = rows * columns * (camera["pixel_size_nm"] / 1000) ** 2
        charts = series.start(area_um2, None)
        known = {
            **_known(judged),
            "layers": {n: words(Shown(1, p)) for n, p in self.layers.items()},
        }
        self.sink.state(self._state(charts, known))
        for number, record in enumerate(records(self.folder)):
            if self.leave.is_set():
                return
            self.sink.molecules(record.molecules)
            frames = record.stop - record.first
            item = series.part(record.first, frames, record.molecules, _LATENCY_UNKNOWN)
            charts = series.fold(charts, item)
            if number % _EVERY == 0:
                self.sink.state(self._state(charts, known))
        ended = {"finish": self.record["finish"], "reason": self.record["reason"]}
        if ended["finish"] == Finish.RUNNING.value:  # though nobody holds its log
            ended = {"finish": "cut off", "reason": "its process was killed before the end"}
        self.sink.state(self._state(series.ended(charts), {**known, "finished": ended}))
        self.sink.lost(f"{ended['finish']}: {ended['reason']}")

    def _state(self, charts: series.Series, more: Mapping[str, Any]) -> dict[str, Any]:
        said, camera = self.record, self.record["camera"]
        return {
            "run": self.folder.name,
            "shape": camera["shape"],
            "pixel_size_nm": camera["pixel_size_nm"],
            **said["frames"],
            **{name: said[name] for name in ("molecules", "trust", "engine", "device", "source")},
            "simulated": said["simulated"],
            "latency_ms": said["latency_ms"],
            "series": series.newest(charts)["points"],
            **more,
        }


def _known(judged: Judged) -> dict[str, Any]:
    """What was known last of how good the picture is, as the run told it."""
    if not judged.history:
        return {}
    return {"quality": {**judged.said, "charts": judgement.charts(judged.history)}}


def _event(said: Mapping[str, Any]) -> Event:
    """A line of `events.jsonl` as viewers know events."""
    return Event(str(said.get("what", "")), str(said.get("detail", "")), seconds(said["time"]))
