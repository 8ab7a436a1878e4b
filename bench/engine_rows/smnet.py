"""smnet against the Cramer-Rao bound, and what it is worth to tell aberrations.

`python -m engine_rows.smnet KNOWN TOLD UNTOLD` in `bench` prints a table. Cut-outs go
through the engine as those of a detector would. The bound is that of a known PSF. In
the second test every field of 16 molecules has aberrations of its own, 0.3 to 0.6 rad
rms; told and untold networks had the same data, steps and rates. `alone`: each molecule
goes by what it tells itself, as the untold one must; else the 16 agree first.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from live_smlm_smnet import SmNet
from live_smlm_smnet.lesson import NAMES, SmNetLesson, Stock

from engine_rows.row import Row
from live_smlm.core import F64, CameraModel, EngineContext, RoiBatch
from live_smlm.inference.model import Model
from live_smlm.physics.psf.pupil import PupilPSF
from live_smlm.training.scene import Scene

TEST_SEED = 90_313
FIELDS = 120
Z_NM = (-500.0, 500.0)
PHOTONS, BACKGROUND = (800.0, 6000.0), (2.0, 20.0)
ABERRATIONS_RAD = (0.3, 0.6)
WHOLE, TOLD, UNTOLD = "astigmatic", "aberrated", "aberrated_untold"


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """Of the molecules that were found; x and y in nm, z in nm, by `NAMES`."""

    error: F64
    bound: F64
    found: float
    """Share of all."""

    def std(self, name: str) -> float:
        """Standard deviation of the error in units of the bound."""
        at = NAMES.index(name)
        return float((self.error[:, at] / self.bound[:, at]).std())

    def rms(self, name: str) -> float:
        return float(np.sqrt(np.mean(self.error[:, NAMES.index(name)] ** 2)))


def tested(folder: Path, fields: int, strength: tuple[float, float], *, share: bool) -> Errors:
    """A model's errors in so many fields with aberrations of this strength."""
    model = Model.load(folder)
    psf, reach = model.psf(), float(model.details["aberrations_rad"])
    if psf is None:
        raise ValueError(folder)
    lesson, stock = _drawn(json.dumps(psf.describe()), reach, fields, strength)
    camera = lesson.scene.cameras[0]
    rng = np.random.default_rng([TEST_SEED, 1])
    engine = SmNet(model=str(folder), share=share)
    errors, bounds, count = [], [], 0
    with engine.open(EngineContext(camera=camera, psf=lesson.scene.psf)) as read:
        for _ in range(fields):
            seen = lesson.seen(rng, stock, 1)
            n = len(seen.counts)
            corner = np.full(n, 20, np.int32)
            found = read(RoiBatch(seen.counts / np.float32(0.82), np.arange(n), corner, corner))
            truth, bound = seen.truth[found.frame], seen.bound[found.frame]
            middle = (20 + lesson.roi_px / 2) * 100.0
            error = np.column_stack(
                [
                    found.x - middle - 100 * truth[:, 0],
                    found.y - middle - 100 * truth[:, 1],
                    0.82 * found.axis("photons") - truth[:, 2],
                    0.82 * found.axis("background") - truth[:, 3],
                    found.axis("z") - truth[:, 4],
                ]
            )
            errors.append(error)
            bounds.append(bound * [100, 100, 1, 1, 1])
            count += n
    error = np.concatenate(errors)
    return Errors(error, np.concatenate(bounds), len(error) / count)


@lru_cache(maxsize=8)
def _drawn(
    described: str, reach: float, fields: int, strength: tuple[float, float]
) -> tuple[SmNetLesson, Stock]:
    """The images of a test: the same for all models of a PSF."""
    values = json.loads(described)
    values.pop("kind")
    camera = CameraModel(
        shape=(64, 64), pixel_size_nm=100.0, read_noise_e=1.6, quantum_efficiency=0.82
    )
    scene = Scene(
        psf=PupilPSF(**values),
        cameras=(camera,),
        density_per_um2=(0.1, 1.0),
        photons=PHOTONS,
        background=BACKGROUND,
        z_nm=Z_NM,
    )
    lesson = SmNetLesson(scene=scene, aberrations_rad=reach)
    return lesson, lesson.stock(TEST_SEED, fields, strength, Z_NM)


def rows(trainings: Mapping[str, Sequence[Path]], *, quick: bool) -> list[Row]:
    """Of the shipped models: of a known PSF, and of unknown aberrations, told or not."""
    fields = FIELDS // 8 if quick else FIELDS
    known = [tested(folder, fields, (0.0, 0.0), share=False) for folder in trainings[WHOLE]]
    pairs = list(zip(trainings[TOLD], trainings[UNTOLD], strict=False))
    untold = [tested(silent, fields, ABERRATIONS_RAD, share=False).rms("z") for _, silent in pairs]
    made = [
        Row(
            engine="smnet",
            claim="precision approaching the theoretical limit (Zhang 2018)",
            test=f"known PSF, z within 500 nm: {name} error by the bound",
            measured=[one.std(name) for one in known],
            gate=gate,
            sense="at most",
        )
        for name, gate in (("x", 1.15), ("y", 1.15), ("z", 1.5))
    ]
    told = [tested(one, fields, ABERRATIONS_RAD, share=True).rms("z") for one, _ in pairs]
    return [
        *made,
        Row(
            engine="smnet",
            claim="telling aberrations, too, places better (Zelger 2018)",
            test="aberrations of 0.3 to 0.6 rad: z error by that of the untold one, 16 agreeing",
            measured=[a / b for a, b in zip(told, untold, strict=True)],
            gate=1.0,
            sense="at most",
        ),
    ]


def table(models: Sequence[Path]) -> None:
    print(f"{'':<28}{'x':>8}{'y':>8}{'z':>8}   std / bound; z RMS nm, bound nm, found")
    cases = [(models[0], (0.0, 0.0), True, "known")]
    if len(models) > 1:
        cases += [
            (models[1], ABERRATIONS_RAD, share, f"told, share={share}") for share in (False, True)
        ]
        cases += [(models[2], ABERRATIONS_RAD, True, "untold")]
    for folder, strength, share, name in cases:
        one = tested(folder, FIELDS, strength, share=share)
        stds = "".join(f"{one.std(axis):8.3f}" for axis in ("x", "y", "z"))
        bound = float(np.sqrt((one.bound[:, NAMES.index("z")] ** 2).mean()))
        print(f"{name:<28}{stds}   {one.rms('z'):.1f} {bound:.1f} {one.found:.1%}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="+")
    table(parser.parse_args().models)
