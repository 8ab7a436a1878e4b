"""How fast pictures grow, and that growing costs alike late and early: `python bench/render.py`.

Filaments over 41 µm, precisions about 20 nm. Times are of the processor, on
one core, since that is what is left alone by other programs; the fastest of
some repetitions, and late and early batches measured in turn.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from live_smlm.core import Localizations, from_columns
from live_smlm.render.accumulator import CpuAccumulator, Drawing, Mode
from live_smlm.render.viewport import covering

FIELD_NM = 40_960.0
PIXELS_NM = (10.0, 20.0)
BATCH = 100_000
Row = dict[str, Any]


def filaments(molecules: int, seed: int = 1, count: int = 60) -> Localizations:
    """Molecules along straight lines, each off by its own precision; in random order."""
    rng = np.random.default_rng(seed)
    ends = rng.uniform(0, FIELD_NM, (count, 2, 2))
    line, along = rng.integers(count, size=molecules), rng.random((molecules, 1))
    sigma = 20 * np.exp(rng.normal(0, 0.35, (molecules, 1)))
    place = ends[line, 0] + along * (ends[line, 1] - ends[line, 0])
    place += sigma * rng.normal(size=(molecules, 2))
    columns = {"frame": np.arange(molecules) // 1000, "x": place[:, 0], "y": place[:, 1]}
    widths = {"sigma_x": sigma[:, 0], "sigma_y": sigma[:, 0], "z": 1000 * along[:, 0]}
    return from_columns({**columns, **widths})


def seconds(job: Callable[[], object]) -> float:
    began = time.thread_time()
    job()
    return time.thread_time() - began


def picture(mode: Mode, pixel_nm: float, by: str | None = None) -> CpuAccumulator:
    return CpuAccumulator(covering((FIELD_NM, FIELD_NM), pixel_nm), Drawing(mode=mode), by=by)


def speed(found: Localizations, mode: Mode, pixel_nm: float, by: str | None, times: int) -> Row:
    """Molecules drawn in a second."""
    drawn = picture(mode, pixel_nm, by)
    drawn.add(found.where(slice(1000)))
    best = min(seconds(lambda: drawn.add(found)) for _ in range(times))
    row = {"mode": str(mode), "pixel_nm": pixel_nm, "colour_by": by, "ms": 1e3 * best}
    return {**row, "molecules_per_s": round(len(found) / best)}


def growth(found: Localizations, mode: Mode, late: int, times: int) -> Row:
    """Cost of one batch on a picture that holds `len(found)` molecules and on one of `late`."""
    batch = found.where(slice(BATCH))
    young, old = picture(mode, PIXELS_NM[-1]), picture(mode, PIXELS_NM[-1])
    young.add(found)
    rounds = max(2, late // len(found))
    for _ in range(rounds):
        old.add(found)
    early_s, late_s = (
        min(times) for times in zip(*(pair(young, old, batch) for _ in range(times)), strict=True)
    )
    row = {"mode": str(mode), "early": len(found), "late": rounds * len(found)}
    times_ms = {"early_ms": 1e3 * early_s, "late_ms": 1e3 * late_s}
    return {**row, **times_ms, "late/early": late_s / early_s}


def pair(young: CpuAccumulator, old: CpuAccumulator, batch: Localizations) -> tuple[float, float]:
    return seconds(lambda: young.add(batch)), seconds(lambda: old.add(batch))


def show(rows: list[Row]) -> None:
    names = list(rows[0])
    print("  ".join(f"{name:>15}" for name in names))
    for row in rows:
        cells = (f"{c:.3g}" if isinstance(c, float) else str(c or "-") for c in row.values())
        print("  ".join(f"{cell:>15}" for cell in cells))
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--molecules", type=int, default=1_000_000)
    parser.add_argument("--late", type=int, default=100_000_000, help="histogram; others a tenth")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = filaments(given.molecules)
    speeds = [
        speed(found, mode, pixel, by, given.repetitions)
        for mode in Mode
        for pixel in PIXELS_NM
        for by in (None, "z")
    ]
    grown = [
        growth(found, mode, given.late // (1 if mode is Mode.HISTOGRAM else 10), given.repetitions)
        for mode in Mode
    ]
    if given.json:
        print(json.dumps({"speed": speeds, "growth": grown}))
        return
    show(speeds)
    show(grown)


if __name__ == "__main__":
    main()
