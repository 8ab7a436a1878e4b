"""How fast the whole live chain is: Micro-Manager's core, ring, lanes, store.

    python bench/live.py steady          512x512 at 100 frames/s for 60 s: losses and latency
    python bench/live.py rates           the highest rate held at 256, 512, 1024, 2048 pixels
    python bench/live.py soak --minutes 30   half the held rate: memory, handles, losses
    python bench/live.py networks        glint at 100 frames/s, and its speed over `--engine`s'

Frames are simulated beforehand and repeated, so that the simulator takes no time
meanwhile; clock, buffer and numbers are the demo camera's. Workers are processes.
`--json FILE` keeps the figures.
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from live_smlm.core import CameraModel, FrameBatch, RawPixels, StreamInfo
from live_smlm.physics.psf.gaussian import GaussianPSF
from live_smlm.physics.scenario import Scenario
from live_smlm.pipeline.dispatcher import Overload
from live_smlm.session import Control, Finish, Outcome, RunPlan, Topology
from live_smlm.session.folder import run_into
from live_smlm.sources.specimen import in_demo_camera

PSF = GaussianPSF(130.0)
DENSITY = 0.02
"""Molecules per um2 and frame: sparse."""
PRECOMPUTED = 64


def scenario(size: int, interval_s: float, density: float) -> Scenario:
    camera = CameraModel(shape=(size, size), pixel_size_nm=100.0, read_noise_e=1.6)
    return Scenario(camera=camera, psf=PSF, density=density, frame_interval_s=interval_s)


def plan(engine: str, overload: Overload, seconds: float | None, size: int) -> RunPlan:
    frame_mb = size * size * 2 / 2**20
    return RunPlan(
        engine=engine,
        psf=PSF,
        topology=Topology.PROCESSES,
        workers=1,
        lanes=2,
        ring_mb=max(128.0, 96 * frame_mb),
        chunk_frames=16 if size < 1024 else 4,
        overload=overload,
        most_seconds=seconds,
    )


def through_camera(
    size: int,
    exposure_ms: float,
    seconds: float,
    control: Control | None = None,
    engine: str = "gauss-mle",
    density: float = DENSITY,
) -> Outcome:
    """One run through Micro-Manager's core."""
    simulator = scenario(size, exposure_ms / 1000, density).simulator()
    with (
        tempfile.TemporaryDirectory() as folder,
        in_demo_camera(simulator, precomputed=PRECOMPUTED, buffer_mb=512) as source,
    ):
        chosen = plan(engine, Overload.THIN, seconds, size)
        return run_into(
            Path(folder) / "run",
            source,
            chosen,
            {},
            record_raw=False,
            control=control or Control(),
        )


@dataclass(slots=True)
class Cycled:
    """The same frames again and again, as fast as they are taken."""

    frames: RawPixels
    count: int
    info: StreamInfo

    @contextmanager
    def open(self) -> Iterator[Iterator[FrameBatch]]:
        yield self._batches()

    def _batches(self) -> Iterator[FrameBatch]:
        n = len(self.frames)
        for first in range(0, self.count, n):
            index = np.arange(first, first + n, dtype=np.int64)
            yield FrameBatch(self.frames, index, np.zeros(n))


def from_memory(engine: str, size: int, count: int, density: float = DENSITY) -> Outcome:
    """Frames from memory, as fast as the engine takes them."""
    made = scenario(size, 0.01, density)
    batch, _ = made.simulator().start().advance(PRECOMPUTED)
    info = StreamInfo(name="memory", camera=made.camera, can_wait=True)
    whole = max(1, count // PRECOMPUTED) * PRECOMPUTED
    source = Cycled(batch.pixels, whole, info)
    with tempfile.TemporaryDirectory() as folder:
        chosen = plan(engine, Overload.WAIT, None, size)
        return run_into(
            Path(folder) / "run", source, chosen, {}, record_raw=False, control=Control()
        )


def row(outcome: Outcome, size: int) -> dict[str, Any]:
    tally = outcome.tally
    return {
        "size": size,
        "frames_s": round(tally.captured / outcome.seconds, 1),
        "Mpixel_s": round(outcome.rate_mpx_s, 1),
        "molecules_s": round(outcome.molecules / outcome.seconds),
        "captured": tally.captured,
        "localized": tally.localized,
        "deferred": tally.deferred,
        "shed": tally.shed,
        "lost": tally.lost,
        "p50_ms": outcome.latency_ms["p50"],
        "p99_ms": outcome.latency_ms["p99"],
    }


def show(name: str, values: dict[str, Any]) -> None:
    told = ", ".join(
        f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in values.items()
    )
    print(f"{name}: {told}", flush=True)


def steady(seconds: float) -> dict[str, Any]:
    """512x512 at 100 frames/s."""
    result = row(through_camera(512, 10.0, seconds), 512)
    show("steady", result)
    result["met"] = (
        result["lost"] == result["deferred"] == result["shed"] == 0 and result["p99_ms"] <= 250
    )
    print(f"lost 0, deferred 0, p99 <= 250 ms: {'met' if result['met'] else 'MISSED'}")
    return result


def held_rate(size: int, seconds: float) -> dict[str, Any]:
    """The fastest exposure at which nothing is shed or lost: halving, then closing in."""
    low: dict[str, Any] = {}
    fast, slow = 910.0, 0.0
    rate = fast
    while not low or (fast - slow > 0.1 * fast and slow < 900):
        outcome = through_camera(size, 1000 / rate, seconds)
        tried = row(outcome, size) | {"asked_frames_s": round(rate, 1)}
        show(f"  {outcome.finish.value}", tried)
        if outcome.finish is Finish.COMPLETED and tried["lost"] == tried["shed"] == 0:
            low, slow = tried, rate
        else:
            fast = rate
        if slow >= 900:
            break
        rate = (fast + slow) / 2
    return low


def rates(seconds: float) -> list[dict[str, Any]]:
    """Held rates by frame size, and the pipeline's own."""
    results = []
    for size in (256, 512, 1024, 2048):
        held = held_rate(size, seconds)
        null = from_memory("null", size, int(6e9 / (size * size * 2)))
        gigabytes = null.rate_mpx_s * 2 / 1000
        results.append({**held, "null_GB_s": round(gigabytes, 2)})
        show(f"rates {size}", results[-1])
    return results


@dataclass(slots=True)
class Health:
    """Memory and handles of this process and its children, now and then."""

    every_s: float
    rows: list[dict[str, float]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        while not self.over.wait(self.every_s):
            us = psutil.Process()
            family = [us, *us.children(recursive=True)]
            private = sum(p.memory_full_info().uss for p in family) / 2**20
            handles = sum(p.num_fds() for p in family)
            self.rows.append({"s": time.monotonic(), "MB": private, "handles": float(handles)})


def soak(minutes: float) -> dict[str, Any]:
    """Half the held rate at 512x512, for long."""
    rate = held_rate(512, 6.0)["frames_s"] / 2
    health = Health(every_s=max(1.0, minutes))
    watching = threading.Thread(target=health.watch)
    watching.start()
    try:
        outcome = through_camera(512, 1000 / rate, 60 * minutes)
    finally:
        health.over.set()
        watching.join()
    settled = health.rows[max(1, len(health.rows) // 10) : -1]
    memory = np.array([r["MB"] for r in settled])
    handles = [r["handles"] for r in settled]
    quarter = max(1, len(memory) // 4)
    growth = 100 * (memory[-quarter:].mean() / memory[:quarter].mean() - 1)
    result = row(outcome, 512) | {
        "minutes": minutes,
        "MB_start": round(float(memory[:quarter].mean()), 1),
        "MB_end": round(float(memory[-quarter:].mean()), 1),
        "growth_percent": round(float(growth), 2),
        "handles_start": handles[0],
        "handles_end": handles[-1],
    }
    show("soak", result)
    return result


def networks(seconds: float, others: list[str]) -> dict[str, Any]:
    """100 frames/s at 0.2 molecules/um2; then what others take of the same frames, unhurried."""
    asked = ((128, "glint"), (256, "glint:runtime=openvino,precision=bf16"))
    result: dict[str, Any] = {"live": [], "unhurried": []}
    for size, engine in asked:
        live = row(through_camera(size, 10.0, seconds, engine=engine, density=0.2), size)
        live |= {"engine": engine, "met": live["lost"] == live["shed"] == live["deferred"] == 0}
        result["live"].append(live)
        show(f"100 frames/s, {engine}", live)
    for engine in (asked[0][1], asked[1][1], *others):
        rate = row(from_memory(engine, 128, 640, density=0.2), 128)["frames_s"]
        first = result["unhurried"][0]["frames_s"] if result["unhurried"] else rate
        told = {"engine": engine, "frames_s": rate, "glint_times": round(first / rate, 2)}
        result["unhurried"].append(told)
        show("unhurried, 128x128", told)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stage", choices=["steady", "rates", "soak", "networks"])
    parser.add_argument("--seconds", type=float, default=None)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--engine", action="append", default=[], help="to compare glint with")
    parser.add_argument("--json", type=Path, default=None)
    given = parser.parse_args()
    result: Any
    if given.stage == "steady":
        result = steady(given.seconds or 60.0)
    elif given.stage == "rates":
        result = rates(given.seconds or 6.0)
    elif given.stage == "networks":
        result = networks(given.seconds or 30.0, given.engine)
    else:
        result = soak(given.minutes)
    if given.json is not None:
        given.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
