"""How fast the classical engines fit, beside Picasso's `gaussmle`: `python bench/fit.py`.

Needs the extra `bench`. Everything is measured in one run, the competitors in
turn, and told as medians, since machines are noisy. Picasso gets the best of
circumstances: its kernels are driven directly by as many threads as ours,
without the waits of its own progress loop.
"""

import argparse
import json
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from picasso import gaussmle, localize

from live_smlm.core import (
    F32,
    F64,
    CameraModel,
    EngineContext,
    FrameBatch,
    Localizations,
    RawPixels,
    RoiBatch,
    concatenate,
)
from live_smlm.engines.chain import Chain
from live_smlm.engines.detect_engine import Detect
from live_smlm.engines.fit_engine import MaximumLikelihood
from live_smlm.engines.gauss_mle import GaussMle
from live_smlm.engines.phasor_engine import Phasor
from live_smlm.evaluate.precision import precision
from live_smlm.evaluate.score import score
from live_smlm.physics.crlb import crlb
from live_smlm.physics.psf.gaussian import GaussianPSF
from live_smlm.physics.scenario import Scenario

PIXEL, PHOTONS, BACKGROUND, BOX, THREADS = 100.0, 1000.0, 10.0, 7, 2
PSF = GaussianPSF(130.0)
PICASSO_STEPS = {"eps": 0.001, "max_it": 100}
"""Picasso's own defaults."""
CAMERA_INFO = {"Baseline": 100, "Sensitivity": 1.0, "Gain": 1}
Row = dict[str, Any]


def seconds(job: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    answer = job()
    return time.perf_counter() - began, answer


def medians(
    jobs: Mapping[str, Callable[[], Any]], repetitions: int
) -> dict[str, tuple[float, Any]]:
    """Median seconds and last answer of each job, run in turn, after one run to compile."""
    for job in jobs.values():
        job()
    times: dict[str, list[float]] = {name: [] for name in jobs}
    answers: dict[str, Any] = {}
    for _ in range(repetitions):
        for name, job in jobs.items():
            taken, answers[name] = seconds(job)
            times[name].append(taken)
    return {name: (float(np.median(times[name])), answers[name]) for name in jobs}


def in_threads(work: Callable[[Any], Any], parts: Sequence[Any]) -> list[Any]:
    """`work` on every part, each in its own thread."""
    answers: list[Any] = [None] * len(parts)

    def run(i: int) -> None:
        answers[i] = work(parts[i])

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(parts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def rois(n: int) -> tuple[F32, F64, F64]:
    """Poisson cut-outs of isolated molecules in the middle pixel, and their true x, y in nm."""
    rng = np.random.default_rng(1)
    x, y = rng.uniform(BOX / 2 - 0.5, BOX / 2 + 0.5, (2, n)) * PIXEL
    image = PSF.images(x, y, x, (BOX, BOX), PIXEL).value
    return rng.poisson(PHOTONS * image + BACKGROUND).astype(np.float32), x, y


def fits(n: int, repetitions: int) -> list[Row]:
    """(a) One thread each on the same cut-outs."""
    photons, x, y = rois(n)
    camera = CameraModel(shape=(BOX, BOX), pixel_size_nm=PIXEL)
    corner = np.zeros(n, np.int32)
    batch = RoiBatch(photons, np.arange(n), corner, corner)
    jobs: dict[str, Callable[[], Any]] = {}
    for method in ("sigma", "sigmaxy"):
        jobs[f"picasso {method}"] = partial(picasso_fits, photons, method)
    for free in (True, False):
        name = f"ours, {'free' if free else 'fixed'} sigma"
        jobs[name] = partial(our_fits, batch, camera, free_sigma=free)
    rows: list[Row] = []
    for name, (taken, (found_x, found_y, kept)) in medians(jobs, repetitions).items():
        free = "fixed" not in name
        bound = crlb(PSF, x, y, 0.0, PHOTONS, BACKGROUND, (BOX, BOX), PIXEL, free_sigma=free)
        spread = [
            precision(found - true[kept], sigma[kept]).std.value
            for found, true, sigma in ((found_x, x, bound.x), (found_y, y, bound.y))
        ]
        row = {"fit": name, "fits/s": n / taken, "std/CRLB x": spread[0], "std/CRLB y": spread[1]}
        rows.append(row | {"failed": n - len(kept)})
    for row in rows:
        row["times picasso sigma"] = row["fits/s"] / rows[0]["fits/s"]
    return rows


def picasso_fits(photons: F32, method: str) -> tuple[F64, F64, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theta, *_ = gaussmle.gaussmle(photons, **PICASSO_STEPS, method=method)
    return (theta[:, 0] + 0.5) * PIXEL, (theta[:, 1] + 0.5) * PIXEL, np.arange(len(theta))


def our_fits(batch: RoiBatch, camera: CameraModel, *, free_sigma: bool) -> tuple[F32, F32, Any]:
    engine = MaximumLikelihood(free_sigma=free_sigma)
    with engine.open(EngineContext(camera=camera, psf=PSF)) as fit:
        found = fit(batch)
    return found.x, found.y, found.frame


def movie(side: int, frames: int, density: float) -> tuple[FrameBatch, Localizations, CameraModel]:
    camera = CameraModel(shape=(side, side), pixel_size_nm=PIXEL)
    scenario = Scenario(
        camera=camera, psf=PSF, density=density, photons=PHOTONS, background=BACKGROUND, seed=1
    )
    parts = list(scenario.simulator().stream(frames))
    pixels = np.concatenate([batch.pixels for batch, _ in parts])
    return stack(pixels), concatenate([truth for _, truth in parts]), camera


def stack(pixels: RawPixels, first: int = 0) -> FrameBatch:
    index = np.arange(first, first + len(pixels))
    return FrameBatch(pixels, index, index.astype(np.float64))


def halves(pixels: RawPixels) -> list[FrameBatch]:
    cuts = np.linspace(0, len(pixels), THREADS + 1).astype(int)
    return [stack(pixels[a:b], a) for a, b in pairwise(cuts)]


def engine_on(
    engine: Any, batches: list[FrameBatch], camera: CameraModel, chunk: int = 16
) -> Localizations:
    """Every thread opens the engine and takes its frames, `chunk` at a time."""
    context = EngineContext(camera=camera, psf=PSF)

    def work(batch: FrameBatch) -> Localizations:
        with engine.open(context) as process:
            starts = range(0, len(batch), chunk)
            first = int(batch.index[0])
            return concatenate(
                [process(stack(batch.pixels[s : s + chunk], first + s)) for s in starts]
            )

    return concatenate(in_threads(work, batches))


def picasso_chain(path: Path, shape: tuple[int, int, int], gradient: float) -> Localizations:
    """Picasso's identification, cutting and fitting, all in THREADS threads."""
    film = np.memmap(path, np.uint16, "r", shape=shape)
    numbers = np.array_split(np.arange(shape[0]), THREADS)

    def identify(part: Any) -> Any:
        found = [localize.identify_by_frame_number(film, gradient, BOX, int(f)) for f in part]
        return localize.pd.concat(found, ignore_index=True)

    def fit(found: Any) -> tuple[Any, F64, F64]:
        photons = np.concatenate([_cut(film, found)])
        x, y, _ = picasso_fits(photons, "sigma")
        half = BOX // 2
        left, top = (found[a].to_numpy() - half for a in ("x", "y"))
        return found["frame"].to_numpy(), x + left * PIXEL, y + top * PIXEL

    parts = in_threads(fit, in_threads(identify, numbers))
    frame, x, y = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Localizations(frame=frame, x=x.astype(np.float32), y=y.astype(np.float32))


def _cut(film: Any, found: Any) -> F32:
    photons = localize.get_spots(film, found, BOX, CAMERA_INFO)
    return np.ascontiguousarray(photons, np.float32)


def chains(repetitions: int, megapixels: float) -> list[Row]:
    """(b) Whole chains on the same movies at 0.1 molecules per µm², THREADS threads each."""
    rows: list[Row] = []
    for side in (256, 512):
        batch, truth, camera = movie(side, round(megapixels * 1e6 / side**2), 0.1)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "movie.raw"
            batch.pixels.tofile(path)
            gradient = best_gradient(path, batch.pixels.shape, truth)
            jobs = {"picasso": partial(picasso_chain, path, batch.pixels.shape, gradient)}
            for name, engine in our_chains().items():
                jobs[name] = partial(engine_on, engine, halves(batch.pixels), camera)
            measured = medians(jobs, repetitions)
        base = measured["picasso"][0]
        for name, (taken, found) in measured.items():
            verdict = score(found, truth)
            row: Row = {"side": side, "chain": name, "Mpixel/s": batch.pixels.size / taken / 1e6}
            row |= {"times picasso": base / taken, "jaccard": verdict.jaccard}
            rows.append(row | {"rmse nm": verdict.rmse_lateral_nm, "molecules": len(found)})
    return rows


def our_chains() -> dict[str, Any]:
    return {
        "gauss-mle": GaussMle(roi_px=BOX),
        "gauss-mle, free sigma": GaussMle(roi_px=BOX, free_sigma=True),
        "gauss-mle, joint": GaussMle(roi_px=BOX, joint=True),
    }


def best_gradient(path: Path, shape: tuple[int, int, int], truth: Localizations) -> float:
    """The threshold with which Picasso scores best on the first frames."""
    few = (min(shape[0], 10), *shape[1:])
    part = truth.where(truth.frame < few[0])

    def jaccard(gradient: float) -> float:
        return score(picasso_chain(path, few, gradient), part).jaccard or 0.0

    return max((300.0, 400.0, 500.0, 600.0, 800.0), key=jaccard)


def sparse(repetitions: int, megapixels: float) -> list[Row]:
    """(c) Detection and phasor on sparse frames, beside reading the same memory once."""
    side = 512
    batch, truth, camera = movie(side, round(megapixels * 1e6 / side**2), 0.005)
    parts = halves(batch.pixels)
    chain = Chain((Detect(roi_px=BOX), Phasor()))
    jobs: dict[str, Callable[[], Any]] = {
        "detect+phasor": lambda: engine_on(chain, parts, camera),
        "gauss-mle": lambda: engine_on(GaussMle(roi_px=BOX), parts, camera),
        "sum of the same array": lambda: in_threads(
            lambda part: part.pixels.reshape(-1).view(np.uint64).sum(), parts
        ),
    }
    rows: list[Row] = []
    for name, (taken, found) in medians(jobs, repetitions).items():
        row: Row = {"sparse 512": name, "Mpixel/s": batch.pixels.size / taken / 1e6}
        if isinstance(found, Localizations):
            row |= {"jaccard": score(found, truth).jaccard}
        rows.append(row)
    return rows


def table(rows: list[Row]) -> None:
    names = list(rows[0])
    widths = [max(len(n), *(len(told(r.get(n))) for r in rows)) + 2 for n in names]
    for row in [dict(zip(names, names, strict=True)), *rows]:
        cells = zip(names, widths, strict=True)
        print("".join(told(row.get(n)).rjust(w) for n, w in cells))
    print()


def told(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return "" if value is None else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.add_argument("--rois", type=int, default=4000)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--megapixels", type=float, default=13.0, help="length of each movie")
    options = parser.parse_args()
    answer = {
        "fits": fits(options.rois, options.repetitions),
        "chains": chains(options.repetitions, options.megapixels),
        "sparse": sparse(options.repetitions, options.megapixels),
    }
    if options.json:
        print(json.dumps(answer))
        return
    for rows in answer.values():
        table(rows)


if __name__ == "__main__":
    main()
