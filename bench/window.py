"""How far the window lags behind the run, and how often it draws, when molecules pour in.

    xvfb-run -a -s '-screen 0 1920x1080x24' python bench/window.py --seconds 20

A producer process publishes a million molecules a second; the window follows it as it
follows any run, draws them as a histogram, and is panned all the time. Lag is from the
moment molecules are published to the moment a drawing that holds them is on the screen.
Gates: lag p95 at most 150 ms, at least 15 drawings a second, and no growing backlog.
"""

import argparse
import json
import multiprocessing
import time
from collections import deque
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import zmq
from PySide6.QtCore import QTimer

from live_smlm.core import Localizations, from_columns
from live_smlm.render.accumulator import Mode
from live_smlm.transport.codec import Envelope
from live_smlm.transport.endpoints import bound, send
from live_smlm.transport.viewing import Span, span_message
from live_smlm.view.app import application
from live_smlm.view.follow import Sink, following
from live_smlm.view.link import Control
from live_smlm.view.window import Window

MOST_LAG_MS = 150.0
LEAST_FRAMES_S = 15.0
FIELD_NM = 40_960.0
BATCH_S = 0.02
MOUSE_MS = 16
"""As often as a mouse tells."""
STATE = {"shape": [512, 512], "pixel_size_nm": 80.0, "id": "bench", "run": "bench", "events": 0}


def batch(number: int, size: int) -> Localizations:
    """Molecules along some rings."""
    rng = np.random.default_rng(number % 50)
    angle, ring = rng.uniform(0, 2 * np.pi, size), rng.integers(1, 20, size)
    radius = ring * 1000 + rng.normal(0, 15, size)
    return from_columns(
        {
            "frame": np.full(size, number),
            "x": FIELD_NM / 2 + radius * np.cos(angle),
            "y": FIELD_NM / 2 + radius * np.sin(angle),
            "sigma_x": np.full(size, 15.0),
            "sigma_y": np.full(size, 15.0),
        }
    )


def produce(told: Connection, per_s: float) -> None:
    """Publish until told to end; each batch's number tells when it was published."""
    batches = [batch(number, round(per_s * BATCH_S)) for number in range(50)]
    with zmq.Context() as context, bound(context, zmq.PUB, "tcp://127.0.0.1:*") as socket:
        told.send(socket.getsockopt_string(zmq.LAST_ENDPOINT))
        told.recv()
        start, number = time.monotonic(), 0
        while not told.poll():
            span = Span(first=number, stop=number + 1, molecules=batches[number % 50])
            told.send((number, time.monotonic()))
            send(socket, span_message(span), wait=False)
            number += 1
            send(socket, Envelope("state", {**STATE, "published": number}), wait=False)
            time.sleep(max(0.0, start + number * BATCH_S - time.monotonic()))


@dataclass
class Watch:
    """When molecules were published, and when they were seen."""

    told: Connection
    published: deque[tuple[int, float]] = field(default_factory=deque)
    """Molecules up to and with a batch, and when."""
    lags_ms: list[float] = field(default_factory=list)
    drawn_s: list[float] = field(default_factory=list)
    backlog: list[int] = field(default_factory=list)

    def drawn(self, window: Window, per_batch: int) -> None:
        """A drawing is on the screen."""
        now = time.monotonic()
        while self.told.poll():
            number, at = self.told.recv()
            self.published.append(((number + 1) * per_batch, at))
        near = window.presenter.near
        if near is None:
            return
        self.drawn_s.append(now)
        while self.published and self.published[0][0] <= near.molecules:
            self.lags_ms.append(1000 * (now - self.published.popleft()[1]))
        self.backlog.append(len(self.published) * per_batch)


def measure(seconds: float, per_s: float) -> dict[str, Any]:
    """Follow a producer for so long."""
    here, there = multiprocessing.Pipe()
    spawn = multiprocessing.get_context("spawn")
    producer = spawn.Process(target=produce, args=(there, per_s))
    producer.start()
    address = here.recv()

    def join(sink: Sink) -> AbstractContextManager[Control]:
        return following(address, sink)

    app = application()
    window = Window(lambda _where: join)
    window.setGeometry(0, 0, 1366, 768)
    window.show()
    window.choose(replace(window.presenter.taste.drawn(mode=Mode.HISTOGRAM)))
    window.join("bench")
    watch = Watch(here)
    per_batch = round(per_s * BATCH_S)
    # A timer, as a mouse's words wake Qt: the window does not wait for them.
    mouse = QTimer(interval=MOUSE_MS)
    mouse.timeout.connect(
        lambda: window.stage.steer(
            lambda hand: hand.stepped(0, 1 if time.monotonic() % 2 < 1 else -1)
        )
    )
    mouse.start()
    # Qt puts a drawing on the screen when it has composed the window: after the canvas's draw.
    window.stage.surface.canvas.events.draw.connect(lambda _e: watch.drawn(window, per_batch))
    here.send("go")
    QTimer.singleShot(round(1000 * seconds), app.quit)
    app.exec()
    mouse.stop()
    here.send("end")
    window.leave_running()
    while producer.is_alive():
        if here.poll(0.01):
            here.recv()
    return summary(watch, per_s)


def summary(watch: Watch, per_s: float) -> dict[str, Any]:
    """What came of it; the first second warms up."""
    gaps = np.diff(watch.drawn_s)
    late = watch.backlog[len(watch.backlog) // 2 :]
    lag = np.percentile(watch.lags_ms, [50, 95])
    numbers = {
        "molecules_s": per_s,
        "lag_ms_p50": round(float(lag[0]), 1),
        "lag_ms_p95": round(float(lag[1]), 1),
        "frames_s": round(1 / float(gaps.mean()), 1),
        "gap_ms_p95": round(1000 * float(np.percentile(gaps, 95)), 1),
        "seen": len(watch.lags_ms),
        "backlog_end": watch.backlog[-1],
        "backlog_most_2nd_half": max(late),
    }
    kept = max(late) < 0.5 * per_s
    good = numbers["lag_ms_p95"] <= MOST_LAG_MS and numbers["frames_s"] >= LEAST_FRAMES_S and kept
    return {**numbers, "passed": bool(good)}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seconds", type=float, default=20.0)
    asked.add_argument("--molecules-s", type=float, default=1e6)
    asked.add_argument("--json", type=Path, metavar="FILE", help="write it there, too")
    given = asked.parse_args()
    found = measure(given.seconds, given.molecules_s)
    told = json.dumps(found, indent=1)
    print(told)
    if given.json is not None:
        given.json.write_text(told + "\n", encoding="utf-8")
    raise SystemExit(0 if found["passed"] else 1)


if __name__ == "__main__":
    main()
