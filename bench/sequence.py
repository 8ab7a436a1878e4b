"""What refinement over several frames does to a network's molecules: `python bench/sequence.py`.

Astigmatic movies of rising density, natural on-times. The network is simulated
from the truth (or a real one: `--model FOLDER`). Its errors are those of the
best possible joint fit of each frame to that frame's very pixels, with noise of
its own on top; crowded molecules are missed first, and a missed one draws its
nearest neighbour towards itself. What it claims knows nothing of the missed.

Told per density, over three seeds: std of the errors over the Cramér-Rao bound
of one frame, std of the errors over the claims (pull, of refined rows), RMSE in
nm of molecules from 200 photons, and the processor's time.
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from live_smlm.core import F32, F64, I64, CameraModel, EngineContext, FrameBatch, Localizations
from live_smlm.evaluate.matching import match
from live_smlm.fitting.counts import count_scale
from live_smlm.fitting.fields import FIELDS
from live_smlm.fitting.sequence import SequenceFitter, sequence_fitter
from live_smlm.inference.model_engine import ModelEngine
from live_smlm.physics.psf.gaussian import AstigmaticPSF
from live_smlm.physics.scenario import Scenario

PIXEL, SIZE, DEPTH, READ_NOISE = 100.0, 64, 500.0, 1.6
CAMERA = CameraModel(shape=(SIZE, SIZE), pixel_size_nm=PIXEL, read_noise_e=READ_NOISE)
PSF = AstigmaticPSF(130.0, 130.0, 250.0, -250.0, 400.0)
MEDIAN, SPREAD = 2000.0, 0.4
MISSED = {0.02: 0.0, 0.2: 0.03, 1.0: 0.08, 2.0: 0.15}
FRAMES = {0.02: 500, 0.2: 240, 1.0: 100, 2.0: 60}
NOISE = 1.3
"""Standard errors of the simulated network over those of the best fit."""
ALIKE = 0.3
"""Share of its own noise's variance that is the same in all frames of a molecule."""
WIDEST = 3.0
"""A network's errors in a crowd, over the bound of a molecule alone."""
FALSE_SHARE, DIMMEST, TOLD_FROM, PULL_PX = 0.01, 100.0, 200.0, 2.0
X, SIGMA_X = FIELDS.index("x"), FIELDS.index("sigma_x")
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Movie:  # noqa: D101 - see `movie`
    frames: FrameBatch
    counts: F32
    truth: Localizations
    background: float


@dataclass(frozen=True, eq=False)
class Found:
    """Rows of a network and the rows of the truth they are; -1 for none."""

    place: I64
    molecules: F32
    true: I64


def movie(density: float, seed: int) -> Movie:
    background = float(np.random.default_rng(seed).uniform(10, 20))
    simulator = Scenario(
        camera=CAMERA,
        psf=PSF,
        density=density,
        photons=MEDIAN * float(np.exp(SPREAD**2 / 2)),
        photons_spread=SPREAD,
        background=background,
        blinking="exponential",
        on_frames=2.0,
        z_range_nm=DEPTH,
        seed=seed,
    ).simulator()
    frames, truth = simulator.start().advance(FRAMES[density])
    scale = count_scale(CAMERA)
    counts = ((frames.pixels - scale.offset) * scale.gain).astype(np.float32)
    return Movie(frames, counts, truth, background)


def values(truth: Localizations) -> F64:
    """(m, 4) x, y in px, z in nm, photons."""
    columns = (truth.x / PIXEL, truth.y / PIXEL, truth.axis("z"), truth.axis("photons"))
    return np.stack(columns, axis=1).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Fits:
    """The best fits of a frame's molecules, to first order, by covariance of `values`."""

    joint: F64
    alone: F64
    """As if nobody else shone."""
    error: F64
    """Of the joint fit to these very pixels."""


def best_fits(molecules: F64, background: float, counts: F32) -> Fits:
    """All molecules of a frame together with its background; vague priors keep it finite."""
    n, variance = len(molecules), READ_NOISE**2
    x, y, z, photons = molecules.T
    image = PSF.images(x * PIXEL, y * PIXEL, z, (SIZE, SIZE), PIXEL)
    flat = [part.reshape(n, -1) for part in (image.d_x, image.d_y, image.d_z, image.value)]
    slopes = np.stack([PIXEL * flat[0], PIXEL * flat[1], flat[2], flat[3]], axis=1)
    slopes[:, :3] *= photons[:, None, None]
    light = photons[:, None] * flat[3] + background + variance
    total = light.sum(axis=0) - (n - 1) * (background + variance)
    prior = np.array([1.0, 1.0, 1 / 250.0**2, 1 / 1500.0**2])
    ones = np.ones((1, slopes.shape[2]))
    everything = np.concatenate([slopes.reshape(4 * n, -1), ones])
    information = (everything / total) @ everything.T + np.diag([*np.tile(prior, n), 0.0])
    covariance = np.linalg.inv(information)
    error = covariance @ ((everything / total) @ (counts.ravel() + variance - total))
    own = np.concatenate([slopes, np.broadcast_to(ones, (n, *ones.shape))], axis=1)
    single = (own / light[:, None]) @ own.transpose(0, 2, 1) + np.diag([*prior, 0.0])
    blocks = np.stack([covariance[4 * i : 4 * i + 4, 4 * i : 4 * i + 4] for i in range(n)])
    return Fits(blocks, np.linalg.inv(single)[:, :4, :4], error[:-1].reshape(n, 4))


def roots(covariance: F64) -> F64:
    return np.asarray(np.sqrt(np.einsum("nii->ni", covariance)))


def simulated_network(made: Movie, density: float, seed: int) -> Found:
    """What a network would say of the movie; see the first lines."""
    rng, parts = np.random.default_rng([seed, 1]), []
    habit = rng.standard_normal((int(made.truth.extra["molecule"].max()) + 1, 4))
    for t in range(len(made.counts)):
        rows = np.flatnonzero(made.truth.frame == t)
        if not len(rows):
            continue
        here = values(made.truth)[rows]
        best = best_fits(here, made.background, made.counts[t])
        ratio = np.prod(roots(best.joint)[:, :2] / roots(best.alone)[:, :2], axis=1) ** 0.5
        bright = here[:, 3] >= DIMMEST
        seen = bright & ~missed(bright, ratio, MISSED[density], rng)
        if not seen.any():
            continue
        known = best_fits(here[seen], made.background, made.counts[t])
        limit = WIDEST * roots(best.alone)[seen]
        cap = np.minimum(1, limit / roots(best.joint)[seen])
        noise = rng.standard_normal((int(seen.sum()), 4)) * (1 - ALIKE) ** 0.5
        noise += habit[made.truth.extra["molecule"][rows[seen]]] * ALIKE**0.5
        root = np.linalg.cholesky(best.joint[seen])
        own = (NOISE**2 - 1) ** 0.5 * np.einsum("nij,nj->ni", root, noise)
        said = here[seen] + cap * (best.error[seen] + own)
        draw_together(said, here[seen], here[bright & ~seen])
        claims = NOISE * np.minimum(roots(known.joint), limit)
        claims *= np.exp(0.1 * rng.standard_normal(claims.shape))
        parts.append((t, rows[seen], said, claims))
        phantoms = int(rng.poisson(FALSE_SHARE * len(said)))
        if phantoms:
            parts.append((t, np.full(phantoms, -1), *nobody(phantoms, rng)))
    return assembled(parts, made.background, rng)


def missed(bright: Any, ratio: F64, share: float, rng: np.random.Generator) -> Any:
    """Which molecules the network overlooks: the crowded ones first."""
    lost = np.zeros(len(bright), np.bool_)
    many = min(int(rng.poisson(share * bright.sum())), int(bright.sum()))
    weight = np.where(bright, np.maximum(ratio - 0.9, 0.01) ** 1.5, 0)
    if many:
        lost[rng.choice(len(bright), many, replace=False, p=weight / weight.sum())] = True
    return lost


def draw_together(said: F64, true: F64, lost: F64) -> None:
    """A missed molecule draws its nearest neighbour towards itself and lends it light."""
    for one in lost:
        apart = np.hypot(*(true[:, :2] - one[:2]).T)
        j = int(np.argmin(apart))
        near = 1 - apart[j] / PULL_PX
        if near > 0:
            share = near * one[3] / (one[3] + true[j, 3])
            said[j, :3] += share * (one[:3] - true[j, :3])
            said[j, 3] += 0.7 * near * one[3]


def nobody(many: int, rng: np.random.Generator) -> tuple[F64, F64]:
    place = rng.uniform([0, 0, -DEPTH], [SIZE, SIZE, DEPTH], (many, 3))
    light = np.exp(rng.normal(6.3, 0.4, (many, 1)))
    return np.hstack([place, light]), np.tile([0.3, 0.3, 80.0, 100.0], (many, 1))


def assembled(parts: list[Any], background: float, rng: np.random.Generator) -> Found:
    place = np.concatenate([np.full(len(part[1]), part[0]) for part in parts])
    true, said, claims = (np.concatenate([part[k] for part in parts]) for k in (1, 2, 3))
    said[:, 2] = np.clip(said[:, 2], -DEPTH, DEPTH)
    said[:, 3] = np.maximum(said[:, 3], 30)
    around = background * (1 + 0.05 * rng.standard_normal((len(said), 1)))
    probability = np.full((len(said), 1), 0.9)
    molecules = np.hstack([probability, said, around, claims]).astype(np.float32)
    return Found(place, molecules, true)


def real_network(made: Movie, folder: Path) -> Found:
    """What a trained network says, paired with the truth."""
    engine = ModelEngine(name="network", package="live_smlm_glint", model=str(folder))
    with engine.open(EngineContext(camera=CAMERA, psf=PSF)) as localize:
        found = localize(made.frames)
    scale = {"x": 1 / PIXEL, "y": 1 / PIXEL, "sigma_x": 1 / PIXEL, "sigma_y": 1 / PIXEL}
    columns = [found.axis(name) * scale.get(name, 1.0) for name in FIELDS]
    pairs, true = match(found, made.truth), np.full(len(found), -1)
    true[pairs.found] = pairs.truth
    return Found(found.frame, np.stack(columns, axis=1).astype(np.float32), true)


def measure(made: Movie, found: Found, fitter: SequenceFitter) -> Row:
    """Before and after, and the shortest time of five."""
    index, taken = np.arange(len(made.counts)), []
    for _ in range(5):
        began = time.thread_time()
        refined = fitter.refine(made.counts, index, found.place, found.molecules)
        taken.append((time.thread_time() - began) / max(len(found.place), 1) * 1e6)
    real = found.true >= 0
    truth = values(made.truth)[found.true[real]]
    bound = np.empty((len(truth), 3))
    for t in np.unique(found.place[real]):
        here = found.place[real] == t
        bound[here] = roots(best_fits(truth[here], made.background, made.counts[t]).alone)[:, :3]
    told, changed = truth[:, 3] >= TOLD_FROM, refined.refined[real]
    row: Row = {"rows": len(found.place), "refined": float(changed.mean()), "us": min(taken)}
    for name, rows in (("before", found.molecules), ("after", refined.molecules)):
        error = rows[real, X : X + 3] - truth[:, :3]
        claim = rows[real, SIGMA_X : SIGMA_X + 3]
        row |= {
            f"std/CRLB {name}": np.std(error / bound, axis=0),
            f"pull {name}": np.std((error / claim)[changed], axis=0),
            f"lateral {name}": PIXEL * float(np.mean(np.sum(error[told, :2] ** 2, 1))) ** 0.5,
            f"axial {name}": float(np.mean(error[told, 2] ** 2)) ** 0.5,
        }
    return row


def told(value: Any) -> str:
    return "/".join(f"{v:.2f}" for v in value) if np.ndim(value) else f"{value:.4g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--densities", type=float, nargs="+", default=list(FRAMES))
    parser.add_argument("--model", type=Path, help="folder of a trained network's bundle")
    parser.add_argument("--reach", type=int, default=1)
    parser.add_argument("--sweeps", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    fitter = sequence_fitter(PSF, CAMERA, reach=given.reach, sweeps=given.sweeps)
    table: list[Row] = []
    for density in given.densities:
        rows = []
        for seed in given.seeds:
            made = movie(density, seed)
            found = (
                real_network(made, given.model)
                if given.model
                else simulated_network(made, density, seed)
            )
            rows.append(measure(made, found, fitter))
        mean = {name: np.mean([row[name] for row in rows], axis=0) for name in rows[0]}
        table.append({"density": density} | mean)
        if not given.json:
            print("   ".join(f"{name} {told(value)}" for name, value in table[-1].items()))
    if given.json:
        print(json.dumps(table, default=lambda value: np.asarray(value).tolist()))


if __name__ == "__main__":
    main()
