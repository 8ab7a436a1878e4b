r"""All that wants a GPU, in stages of less than ten minutes each: `python bench/gpu.py --stage …`.

    probe    the GPU, its ceilings (copy, matrix product), and whether TensorRT runs on it
    parity   fp32 and fp16 against onnxruntime: Jaccard >= 0.995, positions within 1 nm
    speed    uint16 in host memory to molecules in host memory, latency, share of the peak
    models   every other graph of the repository: within 1 % of onnxruntime, calls per second
    lanes    1, 2 and 4 lanes, with and without CUDA graphs
    train    steps per second of a short training
    render   the card's pictures beside the processor's, frames/s at 1e6 molecules/s; by EGL

On a machine that reaches no registry, packed into .gpu and carried (bench/gpu_pack.py):

    export P=/tmp/rtx; export PYTHONPATH=$P:$PWD:$(echo plugins/* | tr ' ' :)
    export LIVE_SMLM_CACHE=/tmp/plans PYTHONUNBUFFERED=1
    1  python3 bench/gpu_pack.py unpack .gpu/1 $P                                (with .gpu/1)
    2  python3 bench/gpu_pack.py unpack .gpu/2 $P; \
       python3 bench/gpu.py --stage probe parity models speed                    (with .gpu/2)
    3  python3 bench/gpu.py --stage lanes train; \
       python3 bench/gpu.py --torch --stage speed --sizes 512
    4  python3 bench/gpu_pack.py unpack .gpu/3 $P; \
       python3 bench/gpu.py --stage render                                       (with .gpu/3)

`--torch` runs networks of frames with torch in TensorRT's place, on the same streams
and graphs; a stage turns to it by itself, and says so, where TensorRT does not run.
Models are the repository's and, untrained, DECODE and LiteLoc: speed does not depend on
weights. `--double` rehearses without a GPU. Figures go to $OUT, or bench/results/gpu-STAGE.json.
"""

import argparse
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch

from live_smlm.core import EngineContext, InputError, RawPixels
from live_smlm.inference.agreement import agreement, sample
from live_smlm.inference.bundle import BUNDLE, Bundle
from live_smlm.inference.onnx_cpu import OnnxRuntime
from live_smlm.inference.runtime import RuntimeSettings
from live_smlm.inference.tensorrt_lane import Lane
from live_smlm.testing.card_models import model_rows, models_below
from live_smlm.testing.gpu_place import (
    Place,
    camera_of,
    double_place,
    gpu_place,
    median_s,
    movie,
    peak_tflops,
)
from live_smlm.testing.torch_plan import SCENE, untrained
from live_smlm.training.molecules import Molecules
from live_smlm.training.trainer import Progress, Training, train

ROOT = Path(__file__).parents[1]
STAGES = ("probe", "parity", "models", "speed", "lanes", "train", "render")
FLAGSHIP = "glint"
RIVALS = (("decode", 48), ("decode", 16), ("liteloc", 64))
SIZES = (256, 512, 2048)
LINE_RATE = 419.4
"""Mpixel/s of 2048 x 2048 at 100 frames/s."""
LEAST_JACCARD, MOST_RMS_NM = 0.995, 1.0
CHUNK = 16
Row = dict[str, Any]


def probe(place: Place) -> list[Row]:
    """Ceilings of the machine; whether a plan runs."""
    rows: list[Row] = [{"what": "GPU", "value": str(place.gpu)}]
    rows += [{"what": "torch", "value": f"{torch.__version__}, CUDA {torch.version.cuda}"}]
    runs = f"no, torch instead: {place.why}" if place.by_torch else "yes"
    rows += [{"what": f"{place.library.runtime} {place.library.version} runs", "value": runs}]
    if place.card.device.type != "cuda":
        return rows
    counts = torch.arange(65536, dtype=torch.int32).to(torch.uint16).cuda()
    exact = torch.equal(counts.float().cpu(), torch.arange(65536).float())
    rows += [{"what": "uint16 to float32 on the GPU is exact", "value": exact}]
    host = torch.zeros(2**29, dtype=torch.uint8, pin_memory=True)
    there, other = (torch.zeros(2**30, dtype=torch.uint8, device="cuda") for _ in range(2))
    in_s = median_s(lambda: there[: 2**29].copy_(host, non_blocking=True), 5)
    out_s = median_s(lambda: host.copy_(there[: 2**29], non_blocking=True), 5)
    on_s = median_s(lambda: other.copy_(there), 10)
    figures = {
        "host to GPU, GB/s": 2**29 / in_s / 1e9,
        "GPU to host, GB/s": 2**29 / out_s / 1e9,
        "on the GPU, GB/s read and written": 2 * 2**30 / on_s / 1e9,
        "matrix product fp16, TFLOP/s": peak_tflops(),
    }
    return rows + [{"what": name, "value": round(value, 1)} for name, value in figures.items()]


def parity(place: Place, models: list[Bundle]) -> list[Row]:
    """The same frames by onnxruntime and by a lane."""
    rows = []
    for model in models:
        if model.manifest.name.startswith("untrained"):
            continue  # it finds nothing to compare
        on = sample(model)
        context = EngineContext(camera=on.camera)
        settings = RuntimeSettings(threshold=model.manifest.threshold)
        with OnnxRuntime().open(model, context, settings) as reference:
            for precision in ("fp32", "fp16"):
                with place.lane(model, on.camera, precision) as lane:
                    found = agreement(lane, reference, model, on)
                good = found.jaccard >= LEAST_JACCARD and found.rms_nm <= MOST_RMS_NM
                row: Row = {"model": model.manifest.name, "by": lane.identity, "ok": good}
                row |= {"molecules": found.molecules, "jaccard": round(found.jaccard, 5)}
                rows.append({**row, "rms_nm": round(found.rms_nm, 4)})
    return rows


def rate(lanes: list[Lane], frames: RawPixels, halo: int, seconds: float) -> float:
    """Frames per second of lanes in threads of their own, each at its own chunks."""
    index = np.arange(len(frames))
    ready = threading.Barrier(len(lanes) + 1)
    stop = threading.Event()

    def localize(which: int) -> int:
        ready.wait()
        turn = which
        while not stop.is_set():
            first = turn * CHUNK % (len(frames) - CHUNK - halo + 1)
            chunk = slice(first, first + CHUNK + halo)
            lanes[which](frames[chunk], index[chunk])
            turn += len(lanes)
        return (turn - which) // len(lanes) * CHUNK

    with ThreadPoolExecutor(len(lanes)) as pool:
        running = [pool.submit(localize, which) for which in range(len(lanes))]
        ready.wait()
        begun = time.perf_counter()
        time.sleep(seconds)
        stop.set()
        done = sum(one.result() for one in running)
        return done / (time.perf_counter() - begun)


def latency_ms(lane: Lane, frames: RawPixels, count: int, halo: int, seconds: float) -> list[float]:
    """p50 and p99 of calls with so many frames."""
    index = np.arange(len(frames))
    times: list[float] = []
    while sum(times) < seconds:
        first = len(times) % (len(frames) - count - halo + 1)
        chunk = slice(first, first + count + halo)
        begun = time.perf_counter()
        lane(frames[chunk], index[chunk])
        times.append(time.perf_counter() - begun)
    return [round(float(np.percentile(times, q)) * 1e3, 3) for q in (50, 99)]


def speed(place: Place, models: list[Bundle], sizes: Sequence[int], seconds: float) -> list[Row]:
    """Every network at every size: two lanes for the rate, one for the latency."""
    unlike = {model.manifest.macs_per_pixel: model for model in reversed(models)}
    peak = peak_tflops() if place.card.device.type == "cuda" else 0.0
    rows = []
    for size in sizes:
        frames = movie(size, 2 * CHUNK + 4)
        for model in reversed(unlike.values()):
            with ExitStack() as held:
                try:
                    ways = [place.lane(model, camera_of(size), "fp16") for _ in range(2)]
                    lanes = [held.enter_context(way) for way in ways]
                except (MemoryError, InputError, RuntimeError) as error:
                    rows.append({"model": model.manifest.name, "size": size, "failed": str(error)})
                    continue
                rows.append(speed_row(model, lanes, frames, peak, seconds))
            print(rows[-1], flush=True)
    return rows


def speed_row(
    model: Bundle, lanes: list[Lane], frames: RawPixels, peak: float, seconds: float
) -> Row:
    halo, size = sum(model.manifest.halo), frames.shape[1]
    rate(lanes, frames, halo, 0.3)
    mpx = rate(lanes, frames, halo, seconds) * size**2 / 1e6
    one, chunk = (latency_ms(lanes[0], frames, n, halo, seconds) for n in (1, CHUNK))
    tflops = mpx * 2 * model.manifest.macs_per_pixel / 1e6
    return {
        "model": model.manifest.name,
        "size": size,
        "kMAC/px": round(model.manifest.macs_per_pixel / 1e3, 1),
        "Mpixel/s": round(mpx, 3),
        "of line rate": round(mpx / LINE_RATE, 3),
        "TFLOP/s": round(tflops, 2),
        "of peak": round(tflops / peak, 4) if peak else None,
        "1 frame p50 ms": one[0],
        "p99": one[1],
        f"{CHUNK} frames p50 ms": chunk[0],
        "p99 ": chunk[1],
        "by": lanes[0].identity,
    }


def lanes(place: Place, models: list[Bundle], sizes: Sequence[int], seconds: float) -> list[Row]:
    """How lanes overlap, and what replaying saves."""
    model, rows = models[0], []
    for size in sizes:
        camera, frames = camera_of(size), movie(size, 2 * CHUNK + 4)
        for graphs in (True, False):
            for count in (1, 2, 4):
                with ExitStack() as held:
                    opened = [
                        held.enter_context(place.lane(model, camera, "fp16", graphs=graphs))
                        for _ in range(count)
                    ]
                    halo = sum(model.manifest.halo)
                    rate(opened, frames, halo, 0.2)
                    mpx = rate(opened, frames, halo, seconds) * size**2 / 1e6
                row = {"model": model.manifest.name, "size": size, "lanes": count}
                rows.append({**row, "graphs": graphs, "Mpixel/s": round(mpx, 3)})
    return rows


def training(steps: int, device: str) -> list[Row]:
    """Steps per second of the flagship, drawn by several processes."""
    rows = []
    for movies, workers in ((4, 4), (16, 14), (64, 14)):
        seen: list[Progress] = []
        lesson = Molecules(architecture=FLAGSHIP, scene=SCENE, movies=movies)
        plan = Training(
            lesson=lesson,
            steps=steps,
            check_every=max(1, steps // 2),
            device=device,
            workers=workers if device == "cuda" else 0,
        )
        with tempfile.TemporaryDirectory() as folder:
            train(plan, Path(folder), seen.append)
        first, last = seen[0], seen[-1]  # what is compiled once lies before the first
        per_s = (last.step - first.step) / (last.seconds - first.seconds)
        row = {"movies": movies, "workers": plan.workers, "steps/s": round(per_s, 2)}
        rows.append({**row, "windows/s": round(per_s * movies * lesson.frames, 1)})
    return rows


def models_of(folder: Path, *, rivals: bool) -> list[Bundle]:
    """Those of the repository, the flagship first; then rivals that nobody trained."""
    found = sorted(ROOT.glob(f"plugins/*/*/models/*/{BUNDLE.manifest}"))
    models = [Bundle.load(path.parent) for path in found]
    models.sort(key=lambda model: model.manifest.architecture != FLAGSHIP)
    if not models or models[0].manifest.architecture != FLAGSHIP:
        models.insert(0, untrained(FLAGSHIP, {}, folder / f"untrained {FLAGSHIP}"))
    for name, width in RIVALS if rivals else ():
        models.append(untrained(name, {"width": width}, folder / f"untrained {name}-{width}"))
    return models


def told(stage: str, rows: list[Row]) -> None:
    """A short table, and everything in a file."""
    folder = Path(os.environ.get("OUT", ROOT / "bench" / "results"))
    (folder / f"gpu-{stage}.json").write_text(json.dumps(rows, indent=1))
    print(f"\n{stage}")
    for row in rows:
        print("  " + "  ".join(f"{name} {value}" for name, value in row.items()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stage", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--torch", action="store_true", help="torch in TensorRT's place")
    parser.add_argument("--double", action="store_true", help="rehearse without a GPU")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="pixels along a side")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--steps", type=int, default=600, help="of each training")
    given = parser.parse_args()
    if "render" in given.stage:
        from live_smlm.testing.card_frames import card_rows  # noqa: PLC0415 - vispy may be absent

        given.stage.remove("render")
        told("render", card_rows(given.seconds, double=given.double))
    if not given.stage:
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = models_of(folder, rivals="speed" in given.stage)
        place = double_place(folder) if given.double else gpu_place(models[0], given.torch)
        stages: dict[str, Callable[[], list[Row]]] = {
            "probe": lambda: probe(place),
            "parity": lambda: parity(place, models),
            "models": lambda: model_rows(place, models_below(ROOT / "plugins"), given.seconds),
            "speed": lambda: speed(place, models, given.sizes, given.seconds),
            "lanes": lambda: lanes(place, models, given.sizes[-2:], given.seconds),
            "train": lambda: training(given.steps, "cpu" if given.double else "cuda"),
        }
        for stage in given.stage:
            told(stage, stages[stage]())


if __name__ == "__main__":
    main()
