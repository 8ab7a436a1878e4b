"""bgnet against the constant that maximum likelihood fits, and against the truth.

`python -m engine_rows.bgnet MODEL` in `bench` prints a table. Isolated molecules of an
astigmatic PSF on structured background: lattice noise as in the training, of fresh
seeds, and the simulator's own blurred noise, which no training has seen. All three
backgrounds go through the same fit; molecules that any of them drops count for none.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from live_smlm_bgnet import BgNet
from live_smlm_bgnet.lesson import BgNet as Lesson

from engine_rows.row import Row
from live_smlm.core import F32, F64, CameraModel, EngineContext, Localizations, RoiBatch
from live_smlm.engines.fit_engine import MaximumLikelihood
from live_smlm.inference.model import Model
from live_smlm.physics.background import Background
from live_smlm.physics.noise import expose
from live_smlm.training.scene import Scene

MOLECULES = 4000
TEST_SEED = 55_107
PHOTONS, LEVEL, Z_NM = (800.0, 4000.0), (5.0, 25.0), (-500.0, 500.0)
KINDS = ("constant", "bgnet", "true")
SCALE_NM = 1200.0


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Errors of one test."""

    rmse: Mapping[str, float]
    """Of the background, photons per pixel."""
    lateral: Mapping[str, float]
    """Root mean square, nm."""
    axial: Mapping[str, float]

    def closed(self, axis: str) -> float:
        """Share of the way from the constant to the truth that bgnet goes."""
        error: Mapping[str, float] = getattr(self, axis)
        return (error["constant"] - error["bgnet"]) / (error["constant"] - error["true"])


def lesson_of(model: Model) -> Lesson:
    psf = model.psf()
    if psf is None:
        raise ValueError(model.folder)
    camera = CameraModel(
        shape=(32, 32), pixel_size_nm=100.0, read_noise_e=1.6, quantum_efficiency=0.82
    )
    scene = Scene(
        psf=psf,
        cameras=(camera,),
        density_per_um2=(0.1, 1.0),
        photons=PHOTONS,
        background=LEVEL,
        z_nm=Z_NM,
    )
    return Lesson(scene=scene)


def tested(folder: Path, count: int, *, blurred: bool) -> Found:
    """The model in this folder, on lattice noise or on the simulator's own."""
    lesson = lesson_of(Model.load(folder))
    rng = np.random.default_rng([TEST_SEED, blurred])
    size = lesson.sizes[0]
    lit = lesson.rois(rng, size, count)
    light, true = lit.photons, lit.background
    camera = replace(lesson.scene.cameras[0], shape=(size, size))
    if blurred:
        true = np.concatenate([_blurred(rng, size) for _ in range(count)])
        x, y, z = lit.place.T
        shares = lesson.scene.psf.images(x, y, z, (size, size), 100.0).value
        counts = expose(true + lit.light[:, None, None] * shares, camera, rng)
        light = camera.photons(counts)
    corner = np.zeros(count, np.int32)
    plain = RoiBatch(light, np.arange(count), corner, corner)
    context = EngineContext(camera=camera, psf=lesson.scene.psf)
    with BgNet(model=str(folder), least=0).open(context) as estimate:
        guessed = estimate(plain)
    with MaximumLikelihood().open(context) as fit:
        fits = {
            "constant": fit(plain),
            "bgnet": fit(guessed),
            "true": fit(replace(plain, background=true)),
        }
    kept = set.intersection(*(set(found.frame) for found in fits.values()))
    rows = np.array(sorted(kept))
    chosen = {kind: found.where(np.isin(found.frame, rows)) for kind, found in fits.items()}
    flat = np.broadcast_to(chosen["constant"].axis("background")[:, None, None], true[rows].shape)
    maps: dict[str, F32] = {"constant": flat, "true": true[rows]}
    assert guessed.background is not None  # noqa: S101 - it is what bgnet gives
    maps["bgnet"] = guessed.background[rows]
    return Found(
        {kind: _rms(maps[kind] - true[rows]) for kind in KINDS},
        {kind: _lateral(chosen[kind], lit.place[rows]) for kind in KINDS},
        {kind: _rms(chosen[kind].axis("z") - lit.place[rows, 2]) for kind in KINDS},
    )


def _blurred(rng: np.random.Generator, size: int) -> F32:
    """Of a background three times as bright as the darkest, between almost nothing and double."""
    level = float(np.exp(rng.uniform(*np.log([3 * LEVEL[0], 3 * LEVEL[1]]))))
    background = Background(level, float(rng.uniform(0.3, 0.95)), SCALE_NM)
    return background.pattern((size, size), 100.0, rng)[None]


def _rms(values: F32 | F64) -> float:
    return float(np.sqrt(np.mean(np.asarray(values, np.float64) ** 2)))


def _lateral(found: Localizations, place: F64) -> float:
    return _rms(np.hypot(found.x - place[:, 0], found.y - place[:, 1]))


def rows(trainings: Mapping[str, Sequence[Path]], *, quick: bool) -> list[Row]:
    """Of the shipped model of an astigmatic PSF."""
    count = MOLECULES // 8 if quick else MOLECULES
    folders = trainings["astigmatic"]
    made = []
    for blurred, noise in ((False, "lattice noise"), (True, "blurred noise")):
        found = [tested(folder, count, blurred=blurred) for folder in folders]
        ratio = [one.rmse["bgnet"] / one.rmse["constant"] for one in found]
        gaps = [[100 * one.closed(axis) for one in found] for axis in ("lateral", "axial")]
        made += [
            Row(
                engine="bgnet",
                claim="structured background is estimated under the molecule (Moeckl 2020)",
                test=f"{noise}: RMSE of the background by the fitted constant's",
                measured=ratio,
                gate=0.5,
                sense="at most",
            ),
            *(
                Row(
                    engine="bgnet",
                    claim="and a fit that knows it errs less",
                    test=f"{noise}: {axis} error, the way from a constant to the truth",
                    measured=gap,
                    gate=60.0,
                    sense="at least",
                    unit="%",
                )
                for axis, gap in zip(("lateral", "axial"), gaps, strict=True)
            ),
        ]
    return made


def table(folder: Path) -> None:
    print(f"{'':<15}{'background':<12}{'RMSE ph/px':>11}{'lateral nm':>12}{'axial nm':>10}")
    for blurred, noise in ((False, "lattice noise"), (True, "blurred noise")):
        found = tested(folder, MOLECULES, blurred=blurred)
        for kind in KINDS:
            values = found.rmse[kind], found.lateral[kind], found.axial[kind]
            print(f"{noise:<15}{kind:<12}" + "{:11.2f}{:12.1f}{:10.1f}".format(*values))
        print(f"{noise:<15}closed {found.closed('lateral'):.0%} and {found.closed('axial'):.0%}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    table(parser.parse_args().model)
