"""What the metrics cost, and how true they are: `python bench/quality.py`.

`cost`: a field of 50 um in which 1e5 molecules a second are found, 1e7 by the end; every
0.2 s they are folded, every 2 s all metrics are looked at. Time of the processor, as a
share of one core. `--data FOLDER` adds the Fourier ring resolution and NeNA of the real
table `FOLDER/mitochondria_table`, whose values by other programs are known. They split
localizations into halves at random, so that one blink lies in both: so do we, to compare,
and tell what whole blinks give. `--json FILE` keeps the figures.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from live_smlm.core import Localizations, from_columns
from live_smlm.metrics import frc, halves, quality

FIELD_NM = 50_000.0
PIXEL_NM, SIGMA_NM = 100.0, 10.0
FRAMES_PER_S, PER_FRAME, ON_FRAMES = 100, 1000, 4
FOLD_S, LOOK_S = 0.2, 2.0
CHUNK = 100
"""Frames of the real table that are folded at once."""
GATES = {"share of one core, %": 5.0, "FRC off, %": 10.0, "NeNA off, %": 10.0}
KNOWN = {"frc_nm": (44.0, 46.0), "nena_nm": (7.2, 7.2)}
"""By two implementations of the Fourier ring correlation, and by Picasso."""
Row = dict[str, Any]


def filaments(count: int, first: int, rng: np.random.Generator) -> Localizations:
    """Blinks of `ON_FRAMES` frames on straight filaments; the last ones are cut off."""
    ends = np.random.default_rng(0).uniform(0, FIELD_NM, (80, 2, 2))
    frames = count // PER_FRAME
    blinks = count * (frames + ON_FRAMES - 1) // (frames * ON_FRAMES)
    line, along = rng.integers(len(ends), size=blinks), rng.random((blinks, 1))
    begin = rng.integers(-ON_FRAMES + 1, frames, blinks)
    place = ends[line, 0] + along * (ends[line, 1] - ends[line, 0])
    frame = (begin[:, None] + np.arange(ON_FRAMES)).ravel()
    place = np.repeat(place, ON_FRAMES, axis=0)
    place += rng.normal(0, SIGMA_NM, place.shape)
    kept = np.flatnonzero((frame >= 0) & (frame < frames))
    kept = kept[np.argsort(frame[kept], kind="stable")]
    some = np.ones(len(kept), np.float32)
    columns = {"frame": first + frame[kept], "y": place[kept, 0], "x": place[kept, 1]}
    claimed = dict.fromkeys(("sigma_x", "sigma_y"), SIGMA_NM * some)
    return from_columns({**columns, **claimed, "photons": 1000 * some, "background": 5 * some})


def cost(seconds: float) -> Row:
    """Processor time of the folds and of the looks."""
    rng = np.random.default_rng(1)
    state = quality.start((FIELD_NM, FIELD_NM), PIXEL_NM)
    folds, looks = [], []
    size = round(FOLD_S * FRAMES_PER_S)
    last = quality.checkpoint(state)
    for k in range(1, round(seconds / FOLD_S) + 1):
        found = filaments(size * PER_FRAME, (k - 1) * size, rng)
        began = time.thread_time()
        state = quality.fold(state, found, k * size, k * FOLD_S)
        folds.append(time.thread_time() - began)
        if k % round(LOOK_S / FOLD_S) == 0:
            began = time.thread_time()
            last = quality.checkpoint(state)
            looks.append(time.thread_time() - began)
    return {
        "molecules": int(last.values["molecules"]),
        "share of one core, %": 100 * (sum(folds) + sum(looks)) / seconds,
        "folds, ns per molecule": 1e9 * sum(folds) / last.values["molecules"],
        "look, ms": 1e3 * float(np.mean(looks)),
        "slowest look, ms": 1e3 * max(looks),
        "values": {name: round(value, 4) for name, value in last.values.items()},
    }


def table(path: Path) -> Localizations:
    """The real table, in the order of frames."""
    with path.open(encoding="utf-8") as file:
        names = file.readline().strip().split(",")
        rows = np.loadtxt(file, delimiter=",", ndmin=2)
    rows = rows[np.argsort(rows[:, names.index("frame")], kind="stable")]
    wanted = {"frame": "frame", "x": "x [nm]", "y": "y [nm]"}
    wanted |= {"sigma_x": "crlbX", "sigma_y": "crlbY", "photons": "intensity"}
    return from_columns({ours: rows[:, names.index(theirs)] for ours, theirs in wanted.items()})


def real(found: Localizations, splits: int) -> Row:
    """FRC by random halves and by whole blinks, and NeNA."""
    bounds = (0.0, 0.0, float(found.y.max()) + 1, float(found.x.max()) + 1)
    sigma = float(np.median((found.axis("sigma_x") + found.axis("sigma_y")) / 2))
    resolutions = []
    for seed in range(splits):
        half = np.random.default_rng(seed).integers(0, 2, len(found))
        both = halves.start(bounds, sigma, found.y, found.x, block_frames=1)
        curve = frc.correlate(halves.fold(both, found.y, found.x, half))
        if curve is not None and curve.resolution_nm is not None:
            resolutions.append(curve.resolution_nm)
    state, frames = quality.start((bounds[2], bounds[3]), PIXEL_NM), int(found.frame[-1]) + 1
    for stop in [*range(CHUNK, frames, CHUNK), frames]:
        first, last = np.searchsorted(found.frame, [(stop - 1) // CHUNK * CHUNK, stop])
        state = quality.fold(state, found.where(slice(first, last)), stop, stop * 0.05)
    values = quality.checkpoint(state).values
    middle, scatter = float(np.mean(resolutions)), float(np.std(resolutions))
    return {
        "FRC, random halves, nm": middle,
        "its scatter over splits": scatter,
        "FRC off, %": _off(middle, KNOWN["frc_nm"]),
        "FRC, whole blinks, nm": values.get("frc_nm"),
        "its error": values.get("frc_error_nm"),
        "NeNA, nm": values.get("nena_nm"),
        "NeNA off, %": _off(values.get("nena_nm", 0.0), KNOWN["nena_nm"]),
        "values": {name: round(value, 4) for name, value in values.items()},
    }


def _off(value: float, known: tuple[float, float]) -> float:
    """Percent beyond the nearer of two known values."""
    low, high = known
    return 100 * max(low / value - 1 if value else 1.0, value / high - 1, 0.0)


def show(name: str, row: Row) -> bool:
    print(name)
    good = True
    for key, value in row.items():
        gate = GATES.get(key)
        verdict = (
            "" if gate is None else f"   at most {gate:g}: {'ok' if value <= gate else 'MISSED'}"
        )
        good = good and (gate is None or value <= gate)
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        print(f"  {key:<26} {text}{verdict}")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=100.0, help="of the acquisition")
    parser.add_argument("--data", type=Path, help="folder that holds mitochondria_table")
    parser.add_argument("--splits", type=int, default=20, help="random halves of the real table")
    parser.add_argument("--json", type=Path, help="file for the figures")
    asked = parser.parse_args()
    rows = {}
    if asked.data is not None:
        found = table(asked.data / "mitochondria_table" / "localizations.csv")
        rows["real"] = real(found, asked.splits)
    if asked.seconds > 0:
        cost(4.0)
        rows["cost"] = cost(asked.seconds)
    good = [show(name, row) for name, row in rows.items()]
    if asked.json is not None:
        asked.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 0 if all(good) else 1


if __name__ == "__main__":
    raise SystemExit(main())
