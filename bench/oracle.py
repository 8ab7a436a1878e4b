"""The true resolution of simulated acquisitions by frame, against which stopping is judged.

    python bench/oracle.py             of 3 acquisitions

Molecules blink over several frames and bleach, each localization is off by its known sigma,
the sample drifts, some localizations are nothing. The oracle has the truth: no drift, each
blink and each molecule known, nothing that is no molecule, several runs of the same sample
averaged. Each molecule counts once in the true resolution (`molecules`).
"""

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from live_smlm.core import F64, I32, I64, Bool
from live_smlm.metrics import frc, neighbours, nena
from live_smlm.metrics.halves import PIXEL_SIGMAS, Halves
from live_smlm.metrics.halves import fold as into_halves
from live_smlm.metrics.neighbours import Blinks
from live_smlm.metrics.nena import Pairs
from live_smlm.physics.blinking import FourState
from live_smlm.physics.drift import Drift, Jumps, Linear, NoDrift, RandomWalk, drift_path
from live_smlm.physics.emitters import Brightness, start_emitters
from live_smlm.physics.field import Field
from live_smlm.physics.specimens import Clusters, Specimen
from live_smlm.physics.structures import Filaments, Rings

SIGMA_NM = 7.0
"""Of one coordinate at `PHOTONS`."""
PHOTONS, DIMMEST = 1000.0, 250.0
NOTHING = 0.01
"""Of all localizations: no molecule. They come at a steady rate."""
FRAME_S = 0.02
DARK = 3
"""Frames after which a molecule that is on again blinks anew."""
REALISATIONS = 4
LOOKS = 40
"""Of the oracle, evenly apart in the frames' logarithm from `EARLIEST` of all on."""
EARLIEST = 0.08
TILE = 512
SPECIMENS: tuple[Specimen, ...] = (
    Filaments(count=10),
    Rings(),
    Clusters(clusters_per_um2=5.0, molecules=60.0, sigma_nm=20.0),
)
DRIFTS: tuple[Drift, ...] = (
    NoDrift(),
    Linear(0.02, 0.015),
    RandomWalk(1.0),
    Jumps(60.0, 3000.0),
)
ORACLES = ("frc", "resolution", "molecules")
WHERE = (0.35, 0.5, 0.65, 0.42, 0.58)
"""Of a run's frames: where the target is reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One acquisition."""

    number: int
    frames: int = 6000
    field_um: float = 6.0
    look: int = 25

    @property
    def where(self) -> float:
        """The frame at which about the target is reached."""
        return WHERE[self.number % len(WHERE)] * self.frames

    @property
    def specimen(self) -> Specimen:
        return SPECIMENS[self.number % len(SPECIMENS)]

    @property
    def drift(self) -> Drift:
        return DRIFTS[self.number % len(DRIFTS)]

    @property
    def field(self) -> Field:
        return Field(1000 * self.field_um, 1000 * self.field_um)

    @property
    def name(self) -> str:
        return f"{self.number:2d} {self.specimen.name}, {type(self.drift).__name__}"


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """What one run finds; `began` is known of the truth only."""

    frame: I64
    place: F64
    sigma: F64
    photons: F64
    began: I64
    molecule: I64
    """Below 0: none."""


Truth: TypeAlias = Mapping[str, Sequence[float]]
"""`at` some frames the resolution by each word."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A sample whose molecules are where they were put."""

    places: F64
    name: str = "placed"
    z_reach_nm: float = 0.0

    def positions(self, rng: np.random.Generator, field: Field) -> F64:  # noqa: ARG002 - fixed
        return self.places


def acquired(case: Case, places: F64, seed: int) -> Table:
    """One run of a sample, without drift and with nothing but molecules."""
    visible = len(places) * FourState().visible_frames / (0.6 * case.frames)
    emitters = start_emitters(
        Placed(places),
        FourState(),
        Brightness(PHOTONS, 0.4),
        case.field,
        visible,
        np.random.SeedSequence((case.number, seed)),
    )
    rng = np.random.default_rng((case.number, seed, 1))
    last, began = np.full(len(places), -DARK - 2), np.zeros(len(places), np.int64)
    parts = []
    for frame in range(case.frames):
        on = emitters.step()
        seen = on.photons > DIMMEST
        who = on.molecule[seen]
        anew = frame - last[who] > DARK
        began[who[anew]] = frame
        last[who] = frame
        parts.append(
            (np.full(len(who), frame), on.position[seen], on.photons[seen], began[who], who)
        )
    frames, where, photons, *known = (np.concatenate(c) for c in zip(*parts, strict=True))
    sigma = SIGMA_NM * np.sqrt(PHOTONS / photons) * np.sqrt(1 + 100 / photons)
    place = where[:, :2] + sigma[:, None] * rng.standard_normal((len(frames), 2))
    return Table(frames, place, sigma, photons, *known)


def disturbed(case: Case, table: Table) -> Table:
    """With drift, and with localizations that are nothing."""
    rng = np.random.default_rng((case.number, 7))
    path = drift_path(case.drift, case.frames, rng)[:, :2]
    count = rng.poisson(NOTHING * len(table.frame))
    frame = np.sort(rng.integers(0, case.frames, count))
    side = case.field.width_nm
    photons = DIMMEST * (1 + rng.exponential(1.0, count))
    order = np.argsort(np.concatenate([table.frame, frame]), kind="stable")
    return Table(
        np.concatenate([table.frame, frame])[order],
        np.concatenate([table.place + path[table.frame], side * rng.random((count, 2))])[order],
        np.concatenate([table.sigma, SIGMA_NM * np.sqrt(PHOTONS / photons) * 1.2])[order],
        np.concatenate([table.photons, photons])[order],
        np.concatenate([table.began, frame])[order],
        np.concatenate([table.molecule, np.full(count, -1)])[order],
    )


def whole(case: Case) -> Halves:
    """Half images of the whole field, in tiles."""
    pixel = PIXEL_SIGMAS * SIGMA_NM
    tiles = math.ceil(case.field.width_nm / pixel / TILE)
    slots: I32 = np.arange(tiles**2, dtype=np.int32).reshape(tiles, tiles)
    images = np.zeros((tiles**2, 2, TILE, TILE), np.float32)
    return Halves(pixel_nm=pixel, origin_nm=(0.0, 0.0), slots=slots, images=images)


def true_resolutions(case: Case, places: F64) -> Truth:
    """By each word, of the truth: averaged over runs; infinite where there is none."""
    at = np.geomspace(EARLIEST * case.frames, case.frames, LOOKS).round()
    runs = [seen_truly(case, acquired(case, places, 100 + run), at) for run in range(REALISATIONS)]
    mean = np.exp(np.log(runs).mean(axis=0))
    return {"at": at.tolist(), **dict(zip(ORACLES, mean.tolist(), strict=True))}


def seen_truly(case: Case, table: Table, at: F64) -> F64:
    """(oracles, looks) of one run: by FRC, by blinks, by molecules that were seen."""
    told, halves, before = np.full((len(ORACLES), len(at)), np.inf), whole(case), 0
    blinks, molecules = Blinks(most=len(table.frame)), Blinks(most=len(table.frame))
    x, y = table.place.astype(np.float32).T
    close = nena.fit(nena.fold(Pairs(12 * SIGMA_NM), table.frame, x, y))
    precision = SIGMA_NM if close is None else close.sigma_nm
    blink, first = table.began == table.frame, first_seen(table)
    for number, stop in enumerate(np.searchsorted(table.frame, at)):
        part, before = slice(before, int(stop)), int(stop)
        halves = into_halves(halves, y[part], x[part], table.began[part])
        blinks = neighbours.fold(blinks, y[part][blink[part]], x[part][blink[part]])
        molecules = neighbours.fold(molecules, y[part][first[part]], x[part][first[part]])
        curve = frc.correlate(halves)
        if curve is not None and curve.resolution_nm is not None:
            told[0, number] = curve.resolution_nm
        for row, those in ((1, blinks), (2, molecules)):
            if (near := neighbours.measure(those)) is not None:
                told[row, number] = neighbours.overall_nm(precision, near.nyquist_nm)
    return told


def first_seen(table: Table) -> Bool:
    """Which localizations are the first of their molecule."""
    new = np.zeros(len(table.frame), np.bool_)
    new[np.unique(table.molecule, return_index=True)[1]] = True
    return new


def comes_to(truth: Truth, word: str, target: float) -> float:
    """The first frame from which on the resolution stays below; infinite where there is none."""
    at, value = np.array(truth["at"]), np.array(truth[word])
    above = np.flatnonzero(value > target)
    if len(above) == 0 or above[-1] == len(at) - 1:
        return math.inf if len(above) else float(at[0])
    ends = slice(int(above[-1]), int(above[-1]) + 2)
    return float(np.exp(np.interp(-target, -value[ends], np.log(at[ends]))))


def sample(case: Case) -> F64:
    """Where the molecules of a case are."""
    return case.specimen.positions(np.random.default_rng((case.number, 3)), case.field)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=3, help="acquisitions")
    for number in range(parser.parse_args().count):
        case = Case(number=number)
        truth = true_resolutions(case, sample(case))
        print(case.name)
        for name, values in truth.items():
            print(f"{name:12}", *(f"{value:7.1f}" for value in values[:: LOOKS // 8]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
