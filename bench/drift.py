"""How well drift is followed, and at what cost: `python bench/drift.py`.

Tables of molecules straight from the simulator's truth, each place with a normal error
as large as a fit's (Mortensen et al. 2010; three times as much in z). Three estimates:

live   blocks laid on the map of all before, filtered (live_smlm.metrics.drift): the house's
aim    adaptive intersection maximisation after Ma et al. 2024: coincidences within 20 nm of a
       block of 100 frames with the first and then with all before, peak by the Fourier phase
rcc    redundant cross-correlation after Wang et al. 2014: pictures of 500 frames, all pairs

Root mean square of what is left, nm, but for a constant: `arrival`, with the curve as
it was before a molecule's frames came; `drawn`, just after; `end`, when all is in. Lateral is
both axes in quadrature. Milliseconds of processor time per 100 frames. Means over three
specimens and seeds 1 to 3 (`bench/results/drift.json`):

                 linear               walk                 jump
                 arrival drawn  end   arrival drawn  end   arrival drawn  end   ms
    live/3          2.6   2.5   1.2      6.0   5.1   3.6      1.9   0.7   0.2   31
    live/5          2.4   2.4   1.1      6.3   5.0   3.5      2.2   0.7   0.1   18
    aim/100         2.9   2.9   2.2     18.0   8.5   7.5      9.6   4.5   4.2    3
    rcc/500         5.4   4.4   1.1     39.1  18.0  15.7     22.3   7.0   7.0   32

Nothing moves: live/3 makes up 0.3 nm at arrival and 0.0 in the end (`none`), and 1.1 and 1.0
where molecules blink again and an engine sees three frames (`resting`; 3 and 4 in clusters).

The newest value is held: at 300 nm per 10,000 frames a slope could win 0.2 nm per block.

    python bench/drift.py --json FILE
    python bench/drift.py --busy     1e5 molecules/s on 50 µm, all of 1e7
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np

from live_smlm.core import F64, AnyArray, DriftCurve, Localizations, drift_curve, from_columns
from live_smlm.core.files import replacing
from live_smlm.metrics import drift
from live_smlm.physics.blinking import Exponential, FourState
from live_smlm.physics.emitters import Brightness, start_emitters
from live_smlm.physics.field import Field
from live_smlm.physics.specimens import Clusters, Specimen
from live_smlm.physics.structures import Filaments, Rings

SIZE_NM, DENSITY, PHOTONS, BACKGROUND = 12800.0, 0.2, 600.0, 20.0
PSF_NM, PIXEL_NM, DIMMEST = 130.0, 100.0, 150.0
DEPTH_NM = 300.0
SPECIMENS: dict[str, Specimen] = {
    "filaments": Filaments(count=12, z_half_nm=DEPTH_NM),
    "pores": Rings(z_half_nm=DEPTH_NM),
    "clusters": Clusters(z_half_nm=DEPTH_NM, axial_sigma_nm=25.0),
}
DRIFTS = ("linear", "walk", "jump", "none", "resting")
FIELD = Field(SIZE_NM, SIZE_NM)


@dataclass(frozen=True)
class Row:
    """One acquisition by one estimate."""

    specimen: str
    drift: str
    seed: int
    method: str
    arrival_xy: float
    arrival_z: float
    drawn_xy: float
    drawn_z: float
    end_xy: float
    end_z: float
    ms_per_100_frames: float
    redrawn: int
    pull: float
    """Root mean square of the error over the error that was told."""


def path(kind: str, frames: int, rng: np.random.Generator) -> F64:
    """(frames, 3): 300 nm straight, a walk of 200 nm (all axes alike), a jump by 100 nm, none."""
    if kind == "linear":
        return np.outer(np.arange(frames) / frames, [240.0, 180.0, -200.0])
    if kind == "walk":
        step = 200 * np.array([0.5**0.5, 0.5**0.5, 1.0]) / np.sqrt(frames)
        return np.cumsum(step * rng.standard_normal((frames, 3)), axis=0)
    way = np.zeros((frames, 3))
    if kind in {"none", "resting"}:
        return way
    angle = 2 * np.pi * rng.random()
    way[int(frames * rng.uniform(0.3, 0.7)) :] = [100 * np.cos(angle), 100 * np.sin(angle), 0.0]
    return way


def table(
    specimen: Specimen, way: F64, seed: int, field: Field, density: float, *, context: bool = False
) -> Localizations:
    """What a fit would make of an acquisition; `context`: an engine that sees three frames.

    Then a molecule's errors in neighbouring frames are alike, it is on for 4 frames, and
    blinks again at the same place 4 times.
    """
    light, noise = np.random.SeedSequence(seed).spawn(2)
    rng = np.random.default_rng(noise)
    visible = density * field.area_um2
    blinking = (
        FourState(on_frames=4.0, dark_frames=20.0, blinks=4.0) if context else Exponential(3.0)
    )
    emitters = start_emitters(specimen, blinking, Brightness(PHOTONS, 0.5), field, visible, light)
    frames, places, photons, who = [], [], [], []
    for k, here in enumerate(way):
        emission = emitters.step()
        seen = emission.photons > DIMMEST
        frames.append(np.full(np.count_nonzero(seen), k))
        places.append(emission.position[seen] + here)
        photons.append(emission.photons[seen])
        who.append(emission.molecule[seen])
    at, light_seen = np.concatenate(places), np.concatenate(photons)
    sigma = _fit_error(light_seen)
    errors = np.stack([sigma, sigma, 3 * sigma], axis=1)
    when = np.concatenate(frames)
    chance: F64 = rng.standard_normal(at.shape)
    if context:
        chance = _alike(chance, np.concatenate(who), when)
    x, y, z = (at + errors * chance).T
    columns = {"frame": when, "x": x, "y": y, "z": z}
    return from_columns(columns | {"sigma_x": sigma, "sigma_y": sigma, "sigma_z": 3 * sigma})


def _alike(noise: F64, who: AnyArray, when: AnyArray) -> F64:
    """Mean over a molecule's neighbouring frames, made as large again."""
    order = np.lexsort((when, who))
    part = noise[order]
    near = (np.diff(who[order]) == 0) & (np.diff(when[order]) == 1)
    whole, count = part.copy(), np.ones(len(part))
    whole[1:][near] += part[:-1][near]
    whole[:-1][near] += part[1:][near]
    count[1:][near] += 1
    count[:-1][near] += 1
    out = np.empty_like(noise)
    out[order] = whole / np.sqrt(count)[:, None]
    return out


def _fit_error(photons: F64) -> F64:
    spread = PSF_NM**2 + PIXEL_NM**2 / 12
    dim = 2 * np.pi * spread * BACKGROUND / (photons * PIXEL_NM**2)
    return np.asarray(np.sqrt(spread / photons * (1 + 4 * dim + np.sqrt(2 * dim / (1 + 4 * dim)))))


@dataclass
class Told:
    """What was told of each frame: before it came and after, the error, the end's curve."""

    arrival: F64
    drawn: F64
    error: F64
    end: F64
    seconds: float
    redrawn: int = 0


def at(curve: DriftCurve, frame: AnyArray) -> F64:
    return np.stack(curve.at(frame), axis=1).astype(np.float64)


def chunks(molecules: Localizations, frames: int, size: int) -> Iterator[tuple[int, Localizations]]:
    edges = np.searchsorted(molecules.frame, np.arange(0, frames + size, size))
    for k in range(len(edges) - 1):
        yield min((k + 1) * size, frames), molecules.where(slice(edges[k], edges[k + 1]))


def live(molecules: Localizations, frames: int, block: int) -> Told:
    none = np.zeros((frames, 3))
    told = Told(none.copy(), none.copy(), none.copy(), none, 0.0)
    state = drift.start((SIZE_NM, SIZE_NM), block_frames=block, three_d=True)
    begun = time.process_time()
    first = 0
    for stop, chunk in chunks(molecules, frames, block):
        now = np.arange(first, stop)
        told.arrival[now] = at(state.curve, now)
        state = drift.fold(state, chunk, stop)
        told.drawn[now], told.error[now] = at(state.curve, now), state.error_nm
        first = stop
    told.seconds, told.redrawn = time.process_time() - begun, state.revision
    told.end = at(drift.final(state), np.arange(frames))
    return told


def held(frames: int, block: int, places: F64, seconds: float) -> Told:
    """What blocks' places tell: held until the next is known; straight lines in the end."""
    middle = (np.arange(len(places)) + 0.5) * block
    end = at(drift_curve(middle, *places.T), np.arange(frames))
    late = np.concatenate([np.zeros((1, 3)), places])
    index = np.arange(frames) // block
    drawn = late[np.minimum(index + 1, len(places))]
    return Told(late[index], drawn, np.full((frames, 3), np.nan), end, seconds)


def peak(picture: F64) -> tuple[float, float]:
    """The brightest place by the parabola through its neighbours, from the middle."""
    row, column = np.unravel_index(int(picture.argmax()), picture.shape)
    r = min(max(int(row), 1), picture.shape[0] - 2)
    c = min(max(int(column), 1), picture.shape[1] - 2)

    def top(a: float, b: float, c_: float) -> float:
        bend = a - 2 * b + c_
        return 0.5 * (a - c_) / bend if bend < 0 else 0.0

    up = r + top(picture[r - 1, c], picture[r, c], picture[r + 1, c])
    right = c + top(picture[r, c - 1], picture[r, c], picture[r, c + 1])
    return up - picture.shape[0] // 2, right - picture.shape[1] // 2


def rcc(molecules: Localizations, frames: int, block: int = 500, pixel: float = 20.0) -> Told:
    """Pictures of blocks, the displacement of each pair, least squares over all pairs."""
    begun = time.process_time()
    size = 1024
    spectra = []
    for _, chunk in chunks(molecules, frames, block):
        rows, columns = ((c / pixel).astype(np.int64) + 64 for c in (chunk.y, chunk.x))
        good = (rows >= 0) & (rows < size) & (columns >= 0) & (columns < size)
        flat = np.bincount(rows[good] * size + columns[good], minlength=size * size)
        spectra.append(np.fft.rfft2(flat.reshape(size, size)))
    wave = np.exp(-2 * (np.pi * np.fft.fftfreq(size)) ** 2)
    blur = np.outer(wave, wave[: size // 2 + 1])
    reach, n = 32, len(spectra)
    design, shift = [], []
    for i, j in product(range(n), range(n)):
        if i < j:
            joint = np.fft.irfft2(spectra[j] * spectra[i].conj() * blur)
            near = np.roll(joint, (reach, reach), (0, 1))[: 2 * reach + 1, : 2 * reach + 1]
            up, right = peak(near)
            line = np.zeros(n)
            line[i], line[j] = -1, 1
            design.append(line[1:])
            shift.append([right * pixel, up * pixel, 0.0])
    lines, shifts = np.array(design), np.array(shift)
    places = np.linalg.lstsq(lines, shifts, rcond=None)[0]
    off = np.hypot(*(lines @ places - shifts)[:, :2].T)
    good = off < max(float(np.median(off)) * 3, pixel)
    places = np.linalg.lstsq(lines[good], shifts[good], rcond=None)[0]
    places = np.concatenate([np.zeros((1, 3)), places])
    return held(frames, block, places, time.process_time() - begun)


def aim(molecules: Localizations, frames: int, block: int = 100, cell: float = 20.0) -> Told:
    """Coincidences of a block with a reference at shifts of whole cells, peak by the phase."""
    begun = time.process_time()
    size, margin, reach = 1024, 64, 6
    where = np.arange(-reach, reach + 1)
    places: list[F64] = []
    blocks = [chunk for _, chunk in chunks(molecules, frames, block)]
    for reference_first in (True, False):
        known = np.zeros(size * size)
        found: list[F64] = []
        for k, chunk in enumerate(blocks):
            start = found[-1] if found else np.zeros(3)
            if not reference_first:
                start = places[k]
            counts = np.zeros((2 * reach + 1, 2 * reach + 1))
            flat = _cells(chunk, start, cell, size, margin)
            for a, b in product(where, where) if k else ():
                counts[a + reach, b + reach] = known[flat - a * size - b].sum()
            step = cell * _phase(counts) if k else np.zeros(2)
            here = start + np.array([step[0], step[1], 0.0])
            found.append(here)
            if k == 0 or not reference_first:
                np.add.at(known, _cells(chunk, here, cell, size, margin), 1.0)
        places = found
    return held(frames, block, np.array(places), time.process_time() - begun)


def _cells(chunk: Localizations, shift: F64, cell: float, size: int, margin: int) -> AnyArray:
    column = np.clip(((chunk.x - shift[0]) / cell).astype(np.int64) + margin, 8, size - 9)
    row = np.clip(((chunk.y - shift[1]) / cell).astype(np.int64) + margin, 8, size - 9)
    return np.asarray(row * size + column)


def _phase(counts: F64) -> F64:
    """Where a round peak lies, in cells from the middle: by the phase of the first wave."""
    wave = np.fft.fft2(counts)
    n = len(counts)
    across, along = -np.angle([wave[0, 1], wave[1, 0]]) * n / (2 * np.pi)
    middle = n // 2
    return np.array([(v - middle + n / 2) % n - n / 2 for v in (across, along)])


def left(told: F64, way: F64) -> tuple[float, float]:
    x, y, z = (told - way).std(axis=0)
    return float(np.hypot(x, y)), float(z)


def row(names: tuple[str, str, int, str], told: Told, way: F64) -> Row:
    off = told.drawn - way
    late = slice(len(way) // 10, None)
    pull = ((off - off.mean(axis=0))[late, :2] ** 2).mean() / (told.error[late, :2] ** 2).mean()
    cost = 1e5 * told.seconds / len(way)
    numbers = (*left(told.arrival, way), *left(told.drawn, way), *left(told.end, way))
    return Row(*names, *numbers, cost, told.redrawn, float(np.sqrt(pull)))


METHODS: dict[str, Callable[[Localizations, int], Told]] = {
    "live/3": lambda molecules, frames: live(molecules, frames, 3),
    "live/5": lambda molecules, frames: live(molecules, frames, 5),
    "live/10": lambda molecules, frames: live(molecules, frames, 10),
    "aim/100": aim,
    "rcc/500": rcc,
}


def compare(frames: int, seeds: int, methods: list[str], kinds: list[str]) -> list[Row]:
    """All specimens and drifts by all estimates; a line each as they are done."""
    rows = []
    print(f"{'':34}{'arrival':>14}{'drawn':>14}{'end':>14}")
    print(
        f"{'specimen drift seed method':34}" + 3 * f"{'xy':>7}{'z':>7}" + "  ms/100  redrawn  pull"
    )
    for specimen, kind, seed in product(SPECIMENS, kinds, range(1, seeds + 1)):
        way = path(kind, frames, np.random.default_rng([seed, 7]))
        molecules = table(SPECIMENS[specimen], way, seed, FIELD, DENSITY, context=kind == "resting")
        for method in methods:
            rows.append(
                r := row((specimen, kind, seed, method), METHODS[method](molecules, frames), way)
            )
            print(
                f"{specimen:10} {kind:7} {seed}  {method:12}"
                f"{r.arrival_xy:7.1f}{r.arrival_z:7.1f}{r.drawn_xy:7.1f}{r.drawn_z:7.1f}"
                f"{r.end_xy:7.1f}{r.end_z:7.1f}{r.ms_per_100_frames:8.1f}"
                f"{r.redrawn:9}{r.pull:6.2f}",
                flush=True,
            )
    return rows


def busy() -> dict[str, float]:
    """1e5 molecules/s (1000 per frame, 100 frames/s) over 50 µm: share of a core."""
    rng = np.random.default_rng(0)
    field, frames, per_frame = 50000.0, 10000, 1000
    sites = rng.uniform(0, field, (4000, 2))
    state = drift.start((field, field), three_d=True, frame_interval_s=0.01)
    spent, worst, error = 0.0, 0.0, []
    for first in range(0, frames, 10):
        frame = np.repeat(np.arange(first, first + 10), per_frame)
        site = sites[rng.integers(len(sites), size=len(frame))]
        way = np.stack([0.03 * frame, -0.02 * frame], axis=1)
        x, y = (site + way + rng.normal(0, 25.0, site.shape)).T
        z = 200 * np.sin(site[:, 0]) + rng.normal(0, 40.0, len(frame))
        chunk = from_columns(
            {"frame": frame, "x": x, "y": y, "z": z, "sigma_z": np.full(len(z), 40.0)}
        )
        begun = time.process_time()
        state = drift.fold(state, chunk, first + 10)
        once = time.process_time() - begun
        if first >= 1000:
            spent, worst = spent + once, max(worst, once)
            error.append(float(state.curve.x[-1]) - 0.03 * (first + 4.5))
    begun = time.process_time()
    drift.final(state)
    ended = time.process_time() - begun
    share = spent / ((frames - 1000) * 0.01)
    rms = float(np.std(error))
    print(f"{frames * per_frame:.0e} molecules: {100 * share:.2f} % of a core")
    print(f"longest fold {1e3 * worst:.0f} ms")
    print(f"x left {rms:.2f} nm, the end's curve {ended:.2f} s")
    return {"share": share, "worst_s": worst, "x_nm": rms, "final_s": ended}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=10000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--method", action="append", choices=list(METHODS))
    parser.add_argument("--drift", action="append", choices=DRIFTS)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    told: object
    if asked.busy:
        told = busy()
    else:
        methods, kinds = asked.method or list(METHODS), asked.drift or list(DRIFTS)
        told = [asdict(r) for r in compare(asked.frames, asked.seeds, methods, kinds)]
    if asked.json:
        with replacing(asked.json) as file:
            file.write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
