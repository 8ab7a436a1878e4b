"""How fast pictures grow, late as early, and how soon a zoom shows: `python bench/render.py`.

Three parts. `speed`: molecules drawn on one accumulator. `growth`: a batch
given to a viewer (store, field, window) that holds a million molecules, and to
one that holds `--late`. `zoom`: from the press of the wheel to the complete
window. The specimen is filaments with precisions about 20 nm, over the field
of a camera of 2048 x 2048 pixels (`chip`) and over a part of it (`dense`).

`--card` measures the graphics card of this machine instead, without a screen: batches drawn and
the picture read back, by the clock.

Times are of the processor, on one core, since that is what is left alone by
other programs. `--json FILE` keeps the figures. 1e8 molecules take 3 GB.
"""

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil

from live_smlm.core import Localizations, from_columns
from live_smlm.render.accumulator import CpuAccumulator, Drawing, Mode
from live_smlm.render.look import Look
from live_smlm.render.painter import IDLE, Painter
from live_smlm.render.store import MoleculeStore
from live_smlm.render.viewport import Rect, Viewport, covering

PIXELS_NM = (10.0, 20.0)
BATCH = 100_000
YOUNG = 1_000_000
SCREEN = (800, 1000)
GATES = {
    "1e6 counted, ms": 15.0,
    "1e6 Gaussians at 20 nm per pixel, ms": 250.0,
    "batch late / early": 1.2,
    "memory, GB": 3.0,
    "zoom, ms": 150.0,
}
Row = dict[str, Any]


class Specimen(NamedTuple):
    """Straight filaments over a square field."""

    side_nm: float
    filaments: int

    def molecules(self, count: int, seed: int) -> Localizations:
        """Each off its filament by its own precision, in random order."""
        ends = np.random.default_rng(0).uniform(0, self.side_nm, (self.filaments, 2, 2))
        rng = np.random.default_rng(seed)
        line, along = rng.integers(self.filaments, size=count), rng.random((count, 1))
        sigma = 20 * np.exp(rng.normal(0, 0.35, (count, 1)))
        place = ends[line, 0] + along * (ends[line, 1] - ends[line, 0])
        place += sigma * rng.normal(size=(count, 2))
        columns = {
            "frame": 100 * seed + np.arange(count) // 1000,
            "x": place[:, 0],
            "y": place[:, 1],
            "z": 1000 * along[:, 0],
            "photons": 4e5 / sigma[:, 0] ** 2,
            "sigma_x": sigma[:, 0],
            "sigma_y": sigma[:, 0],
            "probability": rng.random(count),
            "channel": line % 2,
        }
        return from_columns(columns)


SPECIMENS = {"chip": Specimen(204_800.0, 300), "dense": Specimen(40_960.0, 60)}


def seconds(job: Callable[[], object]) -> float:
    began = time.thread_time()
    job()
    return time.thread_time() - began


def speed(found: Localizations, mode: Mode, pixel_nm: float, by: str | None, times: int) -> Row:
    """Molecules drawn in a second."""
    side = SPECIMENS["dense"].side_nm
    drawn = CpuAccumulator(covering((side, side), pixel_nm), Drawing(mode=mode), by=by)
    drawn.add(found.where(slice(1000)))
    best = min(seconds(lambda: drawn.add(found)) for _ in range(times))
    row = {"mode": str(mode), "pixel_nm": pixel_nm, "colour_by": by, "ms": 1e3 * best}
    return {**row, "molecules_per_s": round(len(found) / best)}


def cards(found: Localizations, times: int) -> tuple[str, list[Row]]:
    """Who draws, and how fast: a batch and a million onto a window and a field."""
    from live_smlm.render.gpu import GpuAccumulator, headless, renderer  # noqa: PLC0415

    rows = []
    side = SPECIMENS["dense"].side_nm
    window = Viewport(shape=SCREEN, pixel_nm=8.0, origin_nm=(side / 2, side / 2))
    with headless():
        who = renderer()
        for mode in (Mode.HISTOGRAM, Mode.PRECISION):
            for view in (window, covering((side, side), 20.0)):
                drawn = GpuAccumulator(view, Drawing(mode=mode), by="z")
                for count in (min(BATCH, len(found)), len(found)):
                    part = found.where(slice(count))
                    wall = []
                    for _ in range(times):
                        began = time.perf_counter()
                        drawn.add(part)
                        drawn.sums()
                        wall.append(time.perf_counter() - began)
                    row = {"mode": str(mode), "rows": view.shape[0], "molecules": count}
                    rows.append({**row, "ms": 1e3 * min(wall)})
    return who, rows


class Viewer:
    """A store and its painter, worked by hand."""

    def __init__(self, specimen: Specimen, look: Look) -> None:
        side = specimen.side_nm
        self.store = MoleculeStore()
        self.painter = Painter(self.store, look, field=Rect(0, 0, side, side))
        self.middle = Viewport(shape=SCREEN, pixel_nm=8.0, origin_nm=(side / 2, side / 2))
        self.painter.ask(viewport=self.middle)

    def add(self, found: Localizations) -> float:
        """Processor seconds until a batch is kept and drawn."""
        return seconds(lambda: self._take(found))

    def _take(self, found: Localizations) -> None:
        self.store.add(found)
        self.settle()

    def settle(self) -> None:
        """Draw until nothing is left, pictures that are not due yet aside."""
        while self.painter.step(0.03) == 0.0:
            pass

    def densest(self, pixel_nm: float) -> Viewport:
        """Where a window of the screen's size holds most."""
        map_ = self.painter.overview()
        rows, columns = (max(1, round(n * pixel_nm / map_.viewport.pixel_nm)) for n in SCREEN)
        sums = np.pad(map_.image.astype(float).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
        inside = sums[rows:, columns:] - sums[:-rows, columns:]
        inside += sums[:-rows, :-columns] - sums[rows:, :-columns]
        row, column = np.unravel_index(inside.argmax(), inside.shape)
        y, x = (int(n) * map_.viewport.pixel_nm for n in (row, column))
        return Viewport(shape=SCREEN, pixel_nm=pixel_nm, origin_nm=(y, x))

    def zoom(self, viewport: Viewport) -> tuple[float, float]:
        """Processor seconds until something of a window is shown, and until all of it is."""
        began, first = time.thread_time(), math.inf
        self.painter.ask(viewport=viewport)
        while True:
            self.painter.step(0.03)
            shown = self.painter.picture()
            if shown is not None and shown.viewport == viewport:
                first = min(first, time.thread_time() - began)
                if shown.complete:
                    return first, time.thread_time() - began


def grown(specimen: Specimen, count: int, look: Look, before: int) -> Iterator[tuple[str, Row]]:
    """A viewer of a million and one of `count`: batches in turn, memory, zooms."""
    process = psutil.Process()
    old = Viewer(specimen, look)
    filled = 0.0
    early = min(YOUNG, count)
    for seed in range(count // min(BATCH, count)):
        filled += old.add(specimen.molecules(min(BATCH, count), seed))
    while old.painter.step(0.03) < IDLE:
        time.sleep(0.01)
    held = process.memory_info().rss - before
    row = {"molecules": len(old.store), "store_GB": old.store.nbytes / 1e9, "all_GB": held / 1e9}
    yield "memory", {**row, "molecules_per_s": round(len(old.store) / filled)}
    for pixel_nm in (8.0, 4.0, 1.0):
        yield "zoom", zoomed(old, pixel_nm)
    young = Viewer(specimen, look)
    young.add(specimen.molecules(early, 10**5))
    yield "growth", batches(young, old, specimen)


def zoomed(viewer: Viewer, pixel_nm: float) -> Row:
    """Into the densest place, from elsewhere, some times."""
    place = viewer.densest(pixel_nm)
    times = []
    for _ in range(3):
        viewer.zoom(viewer.middle)
        times.append(viewer.zoom(place))
    first, whole = (1e3 * statistics.median(t) for t in zip(*times, strict=True))
    near = sum(len(part) for part in viewer.store.inside(place.rect))
    row = {"molecules": len(viewer.store), "pixel_nm": pixel_nm, "in_window": near}
    return {**row, "first_ms": first, "whole_ms": whole}


def batches(young: Viewer, old: Viewer, specimen: Specimen) -> Row:
    """Mean cost of a batch; every third one closes a chunk, in both."""
    count, early, late = len(old.store), list[float](), list[float]()
    for viewer in (young, old):
        viewer.zoom(viewer.middle)
    for number in range(24):
        found = specimen.molecules(BATCH, 2 * 10**5 + number)
        for viewer, times in ((young, early), (old, late)):
            times.append(viewer.add(found))
    early_ms, late_ms = (1e3 * statistics.mean(times) for times in (early, late))
    row = {"early": min(YOUNG, count), "late": count, "early_ms": early_ms, "late_ms": late_ms}
    return {**row, "late/early": late_ms / early_ms}


def verdicts(answer: Row) -> dict[str, float]:
    """The figure for each gate."""

    def ms(mode: Mode) -> float:
        return float(
            next(r["ms"] for r in answer["speed"] if (r["mode"], r["pixel_nm"]) == (mode, 20.0))
        )

    told = {
        "1e6 counted, ms": ms(Mode.HISTOGRAM),
        "1e6 Gaussians at 20 nm per pixel, ms": ms(Mode.PRECISION),
    }
    for name in SPECIMENS:
        rows = {kind: answer[kind] for kind in ("growth", "memory", "zoom")}
        mine = {kind: [r for r in found if r["specimen"] == name] for kind, found in rows.items()}
        if mine["growth"]:
            told[f"batch late / early ({name})"] = mine["growth"][0]["late/early"]
            told[f"memory, GB ({name})"] = mine["memory"][0]["all_GB"]
            told[f"zoom, ms ({name})"] = max(
                r["whole_ms"] for r in mine["zoom"] if r["pixel_nm"] < 5
            )
    return told


def gate(name: str) -> float:
    return GATES[name.split(" (", maxsplit=1)[0]]


def show(rows: list[Row]) -> None:
    names = list(rows[0])
    print("  ".join(f"{name:>15}" for name in names))
    for row in rows:
        cells = (f"{c:.3g}" if isinstance(c, float) else str(c or "-") for c in row.values())
        print("  ".join(f"{cell:>15}" for cell in cells))
    print(flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--molecules", type=int, default=1_000_000, help="per accumulator")
    parser.add_argument("--late", type=int, default=100_000_000, help="in the viewer")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--specimen", nargs="*", choices=SPECIMENS, default=list(SPECIMENS))
    parser.add_argument("--card", action="store_true", help="the graphics card alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there, too")
    given = parser.parse_args()
    found = SPECIMENS["dense"].molecules(given.molecules, 0)
    if given.card:
        who, rows = cards(found, given.repetitions)
        print(who)
        show(rows)
        return
    answer: Row = {"speed": [], "memory": [], "zoom": [], "growth": []}
    for mode in Mode:
        for pixel in PIXELS_NM:
            for by in (None, "z"):
                answer["speed"].append(speed(found, mode, pixel, by, given.repetitions))
    show(answer["speed"])
    del found
    # Compiled code and libraries are there by now, and are no molecules.
    before = psutil.Process().memory_info().rss
    for name in given.specimen:
        for kind, row in grown(SPECIMENS[name], given.late, Look(), before):
            answer[kind].append({"specimen": name, **row})
            show(answer[kind][-1:])
    answer["gates"] = verdicts(answer)
    for name, figure in answer["gates"].items():
        met = "met" if figure <= gate(name) else "MISSED"
        print(f"{name} <= {gate(name):g}: {figure:.3g} {met}")
    if given.json is not None:
        given.json.write_text(json.dumps(answer, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
