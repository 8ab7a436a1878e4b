"""Whether the program measures as precisely as is possible: `python bench/precision.py`.

Movies, PSFs, tables and scores come from the command line (`simulate`,
`calibrate`, `localize`, `score`; every command is printed); only the
Cramér-Rao bound at the truth is computed here, in a patch that holds all the
light. Isolated molecules on 10 photons of background, 100 nm pixels, sCMOS
with 1.6 electrons of read noise. The double helix is simulated from its pupil
and localized with a spline calibrated from noisy beads, new ones for each seed.
`--data DIR` adds the simulated movies of another laboratory that lie there.
Exit code 1 if a gate is missed.
"""

import argparse
import contextlib
import io
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from live_smlm import config
from live_smlm.calibration.simulated import bead_stack
from live_smlm.cli import main as command
from live_smlm.core import F64, Localizations, concatenate
from live_smlm.core.files import replacing
from live_smlm.evaluate.matching import match
from live_smlm.evaluate.precision import Precision, precision
from live_smlm.physics.crlb import Bound, Readout, crlb
from live_smlm.store.tables import read_table, write_table

SEEDS = (1, 2, 3)
PIXEL, BACKGROUND = 100.0, 10.0
CAMERA = "scmos:offset_adu=100,gain_e_per_adu=1,read_noise_e=1.6,qe=1"
BEAD_CAMERA = "scmos:offset_adu=100,gain_e_per_adu=1,read_noise_e=0,qe=1"
BIAS_GATE = 0.05
LOWEST = 0.95  # a ratio below it would say that the bound is wrong
DATA_PIXEL = "160"
JACCARD_GATE = 0.95
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Isolated molecules of one PSF, and how near to the bound they must be."""

    name: str
    psf: str
    photons: float
    density: float
    """Of the grid, per µm²: so far apart that no molecule sees another."""
    side: int
    frames: int
    patch: int
    """Pixels along the square in which the bound is computed."""
    highest: dict[str, float]
    """std/CRLB by axis."""
    z_range_nm: float = 0.0
    calibrated: bool = False
    """Localized with a spline from beads, not with the truth."""


CASES = (
    Case(
        name="2D",
        psf="gaussian:sigma_nm=130",
        photons=1000.0,
        density=0.25,
        side=256,
        frames=40,
        patch=31,
        highest={"x": 1.05, "y": 1.05},
    ),
    Case(
        name="astigmatic",
        psf="astigmatic:sx0_nm=130,sy0_nm=130,gx_nm=250,gy_nm=-250,d_nm=400,ax=0,bx=0,ay=0,by=0",
        photons=2000.0,
        density=0.11,
        side=256,
        frames=80,
        patch=31,
        highest={"x": 1.10, "y": 1.10, "z": 1.15},
        z_range_nm=400.0,
    ),
    Case(
        name="double helix",
        psf="pupil:mask=double_helix,z_min_nm=-900,z_max_nm=900",
        photons=2000.0,
        density=0.0277,
        side=512,
        frames=40,
        patch=39,
        highest={"x": 1.25, "y": 1.25, "z": 1.25},
        z_range_nm=400.0,
        calibrated=True,
    ),
)


def live_smlm(*arguments: object) -> Row:
    """A command as it is typed; its JSON."""
    words = [str(a) for a in (*arguments, "--json")]
    print("$ live-smlm", *words, flush=True)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = command(words)
    if code:
        sys.exit(code)
    answer: Row = json.loads(said.getvalue())
    return answer


def measure(case: Case, seed: int, frames: int) -> Row:
    """One movie there and back, in the current folder."""
    settings = ("--photons", case.photons, "--background", BACKGROUND, "--pixel-nm", PIXEL)
    field = ("--frames", frames, "--size", f"{case.side}x{case.side}", "--density", case.density)
    places = ("--specimen", "grid", "--z-range-nm", case.z_range_nm)
    optics = ("--psf", case.psf, "--camera", CAMERA)
    files = ("--out", "movie.tif", "--truth", "truth.csv")
    live_smlm("simulate", *field, *places, *settings, *optics, "--seed", seed, *files)
    psf = calibrated(case, seed) if case.calibrated else case.psf
    engine = ("--engine", "gauss-mle", "--camera", CAMERA, "--psf", psf, "--pixel-nm", PIXEL)
    live_smlm("localize", "movie.tif", *engine, "--out", "found.csv")
    scored = live_smlm("score", "found.csv", "truth.csv")
    return {"seed": seed, "jaccard": scored["jaccard"], **spread(case)}


def calibrated(case: Case, seed: int) -> str:
    """`--psf` of a spline from six beads of 20,000 photons, 61 planes of 25 nm."""
    beads = bead_stack(config.psf(case.psf), np.arange(-750.0, 751.0, 25.0), beads=6, seed=seed)
    tifffile.imwrite("beads.tif", beads.stack, photometric="minisblack")
    steps = ("--z-step-nm", "25", "--z-first-nm", "-750", "--pixel-nm", PIXEL)
    kind = ("--kind", "spline", "--camera", BEAD_CAMERA)
    live_smlm("calibrate", "beads.tif", *kind, *steps, "--out", "beads.h5")
    return "spline:file=beads.h5"


def spread(case: Case) -> Row:
    """Errors of the matched molecules over the bound at the truth, by axis."""
    found, truth = read_table("found.csv"), read_table("truth.csv")
    pairs = match(found, truth)
    bound = bound_at(case, truth.where(pairs.truth))
    row: Row = {"n": len(pairs)}
    for axis in case.highest:
        ratio: Precision = precision(pairs.errors(found, truth, axis), getattr(bound, axis))
        row[axis] = {"std": ratio.std.value, "error": ratio.std.standard_error}
        row[axis] |= {"bias": ratio.bias.value, "robust": ratio.robust_std.value}
    return row


def bound_at(case: Case, truth: Localizations) -> Bound:
    shape = (case.patch, case.patch)
    camera = config.camera_model(config.camera_spec(CAMERA), shape, PIXEL)
    x, y = (
        np.mod(truth.axis(axis).astype(np.float64), PIXEL) + case.patch // 2 * PIXEL
        for axis in ("x", "y")
    )
    z: F64 = truth.axis("z").astype(np.float64)
    light = truth.axis("photons")
    readout = Readout.at(camera, 0, 0, shape)
    return crlb(config.psf(case.psf), x, y, z, light, BACKGROUND, shape, PIXEL, readout)


def summary(case: Case, rows: list[Row]) -> Row:
    """Means over seeds with their standard errors; which gates are missed."""
    told: Row = {"case": case.name, "n": sum(r["n"] for r in rows)}
    told["jaccard"] = float(np.mean([r["jaccard"] for r in rows]))
    missed = []
    for axis, highest in case.highest.items():
        ratio, bias = (np.array([r[axis][k] for r in rows]) for k in ("std", "bias"))
        told[axis], told[f"bias {axis}"] = _mean(ratio), _mean(bias)
        told[f"robust {axis}"] = _mean(np.array([r[axis]["robust"] for r in rows]))
        if not LOWEST <= ratio.mean() <= highest:
            missed.append(f"std/CRLB {axis} within {LOWEST:g} to {highest:g}")
        if case.name == "2D" and abs(bias.mean()) >= BIAS_GATE:
            missed.append(f"bias {axis} below {BIAS_GATE:g} sigma")
    return {**told, "missed": missed, "seeds": rows}


def _mean(values: F64) -> tuple[float, float]:
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return float(values.mean()), float(error)


def sparse(folder: Path) -> Row:
    """Overlapping molecules; the width is measured on the movie itself first."""
    optics = ("--camera", CAMERA, "--pixel-nm", DATA_PIXEL)
    free = ("--engine", "gauss-mle:free_sigma=true", "--psf", "gaussian:sigma_nm=200")
    live_smlm("localize", folder / "frames.tif", *optics, *free, "--out", "width.csv")
    width = round(float(np.median(read_table("width.csv").extra["psf_sigma_nm"])))
    joint = ("--engine", "gauss-mle:joint=true", "--psf", f"gaussian:sigma_nm={width}")
    live_smlm("localize", folder / "frames.tif", *optics, *joint, "--out", "found.csv")
    scored = live_smlm("score", "found.csv", folder / "truth.csv", "--pixel-nm", DATA_PIXEL)
    missed = [f"Jaccard from {JACCARD_GATE:g}"] if scored["jaccard"] < JACCARD_GATE else []
    return {"score": scored, "missed": missed}


def helix(folder: Path) -> Row:
    """Each frame localized with the spline that the other frames' molecules make."""
    frames = tifffile.imread(folder / "frames.tif")
    truth = read_table(folder / "truth.csv", pixel_size_nm=float(DATA_PIXEL))
    parts = []
    for k in range(len(frames)):
        others = np.arange(len(frames)) != k
        z = planes(frames[others], truth.where(truth.frame == 0))
        step = f"{(z[-1] - z[0]) / (len(z) - 1):.2f}"
        steps = ("--z-step-nm", step, "--z-first-nm", f"{z[0]:g}", "--pixel-nm", DATA_PIXEL)
        live_smlm("calibrate", "beads.tif", "--camera", BEAD_CAMERA, *steps, "--out", "beads.h5")
        tifffile.imwrite("movie.tif", frames[k], photometric="minisblack")
        optics = ("--camera", BEAD_CAMERA, "--psf", "spline:file=beads.h5")
        live_smlm("localize", "movie.tif", *optics, *steps[-2:], "--out", "part.csv")
        part = read_table("part.csv")
        parts.append(part.with_columns(frame=part.frame + k))
    write_table("found.csv", concatenate(parts))
    scored = live_smlm("score", "found.csv", folder / "truth.csv", "--pixel-nm", DATA_PIXEL)
    return {"score": scored}


def planes(frames: Any, truth: Localizations) -> F64:
    """Write `beads.tif`: every frame's molecules in the order of z, one bead per frame."""
    order = np.argsort(truth.axis("z"))
    half, pixel = 20, float(DATA_PIXEL)
    corners = [(int(truth.y[i] / pixel) - half, int(truth.x[i] / pixel) - half) for i in order]
    stack = [
        np.concatenate([f[r : r + 2 * half, c : c + 2 * half] for f in frames], axis=1)
        for r, c in corners
    ]
    tifffile.imwrite("beads.tif", np.stack(stack), photometric="minisblack")
    return np.asarray(truth.axis("z")[order], np.float64)


def table(rows: list[Row]) -> None:
    """Simulated cases: means and standard errors over seeds."""
    axes = [*"xyz", *(f"bias {a}" for a in "xyz")]
    print(f"\n{'std/CRLB, bias/CRLB':<22}{'n':>7}{'jaccard':>9}", *(f"{a:>15}" for a in axes))
    for row in rows:
        cells = (_cell(row.get(a)) for a in axes)
        print(f"{row['case']:<22}{row['n']:>7}{row['jaccard']:>9.4f}", *cells, _verdict(row))


def data_table(rows: list[Row]) -> None:
    names = ("jaccard", "precision", "recall", "rmse_lateral_nm", "rmse_axial_nm", "n_matched")
    print(f"\n{'other laboratories':<24}", *(f"{n:>16}" for n in names))
    for row in rows:
        values = [row.get("score", {}).get(n) for n in names]
        cells = (f"{'-' if v is None else format(v, '.4g'):>16}" for v in values)
        print(f"{row['case']:<24}", *cells, row.get("skipped") or _verdict(row))


def _cell(value: tuple[float, float] | None) -> str:
    return " " * 15 if value is None else f"{value[0]:>8.3f} ±{value[1]:.3f}"


def _verdict(row: Row) -> str:
    return f"  MISSED: {'; '.join(row['missed'])}" if row["missed"] else "  met"


def elsewhere(data: Path) -> list[Row]:
    """Movies of other laboratories, as far as they are there."""
    rows = []
    for name, judge in (("sparse_2d_simulated", sparse), ("double_helix_simulated", helix)):
        there = (data / name).is_dir()
        row = judge(data / name) if there else {"skipped": f"  {data / name} is not there"}
        rows.append({"case": name, "missed": [], **row})
    return rows


def run(data: Path | None, *, quick: bool) -> dict[str, list[Row]]:
    """All cases, in a temporary folder."""
    seeds = SEEDS[:1] if quick else SEEDS
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        rows = [summary(c, [measure(c, s, 2 if quick else c.frames) for s in seeds]) for c in CASES]
        others = [] if data is None else elsewhere(data)
    return {"simulated": rows, "data": others}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, help="folder with sparse_2d_simulated/ and others")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there, too")
    parser.add_argument("--quick", action="store_true", help="one small seed; gates do not count")
    options = parser.parse_args()
    data = None if options.data is None else options.data.resolve()
    print("seeds", *SEEDS)
    answer = run(data, quick=options.quick)
    table(answer["simulated"])
    data_table(answer["data"]) if data else print("\nno --data: nothing of other laboratories")
    if options.json:
        with replacing(options.json) as draft:
            draft.write_text(json.dumps(answer, indent=1), encoding="utf-8")
    missed = any(row["missed"] for rows in answer.values() for row in rows)
    return 1 if missed and not options.quick else 0


if __name__ == "__main__":
    sys.exit(main())
