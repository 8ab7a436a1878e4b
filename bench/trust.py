"""Whether the live check of an engine alarms when it must, and never when it must not.

    python bench/trust.py            matching movies of 10,000 frames, then what is off, 3 seeds
    python bench/trust.py --engine glint --frames 2000

The engines are glint with its shipped models, and gauss-mle in an envelope (with `joint`
where the PSF is large, since a density above the envelope is only seen by who resolves it),
each through the whole live pipeline. In the scenes that are off, the engine still believes
the PSF of the others. `--json FILE` keeps the figures.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from live_smlm.core import (
    PSF,
    CameraModel,
    Engine,
    EngineContext,
    EngineSpec,
    FrameBatch,
    Localizations,
)
from live_smlm.core.files import replacing
from live_smlm.engines.gauss_mle import GaussMle
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.physics.scenario import Scenario
from live_smlm.pipeline.outcomes import Event, Localized
from live_smlm.session import RunPlan
from live_smlm.session.memory import run_in_memory
from live_smlm.sources.simulated import SimulatedSource

CAMERA = CameraModel(
    shape=(64, 64), pixel_size_nm=100.0, offset_adu=100.0, read_noise_e=1.6, quantum_efficiency=0.9
)
SEEDS = (1, 2, 3)
SOON = 200
"""Frames within which an alarm must come."""
PHOTONS, BACKGROUND = 1500.0, 10.0
ENVELOPE = {
    "density_per_um2": (0.0, 0.5),
    "photons": (500.0, 5000.0),
    "background": (5.0, 20.0),
    "z_nm": (-500.0, 500.0),
}
Scene = Mapping[str, float]


@dataclass(frozen=True)
class Enveloped:
    """gauss-mle that says what it was made for."""

    inner: GaussMle
    envelope: Mapping[str, tuple[float, float]] = field(default_factory=lambda: ENVELOPE)

    @property
    def spec(self) -> EngineSpec:
        return replace(self.inner.spec, envelope=self.envelope)

    def unsupported(self, context: EngineContext) -> str | None:
        return self.inner.unsupported(context)

    def open(
        self, context: EngineContext
    ) -> AbstractContextManager[Callable[[FrameBatch], Localizations]]:
        return self.inner.open(context)


@dataclass(slots=True)
class Notes:
    """A watcher: after how many frames which alarm came, and how far the width strayed."""

    frames_seen: int = 0
    alarms: list[tuple[int, str]] = field(default_factory=list)

    def frames(self, localized: Localized) -> None:
        self.frames_seen = localized.first + localized.count

    def event(self, event: Event) -> None:
        if event.what in {"alarm", "shadow failed"}:
            # Events of a chunk come before it: its last frame is a chunk later at most.
            self.alarms.append((self.frames_seen + 16, event.detail.split(" is ")[0]))

    def tick(self) -> None:
        pass


@dataclass(frozen=True)
class Tried:
    """An engine, what it is made for, and movies that match or do not."""

    engine: str
    psfs: tuple[PSF, ...]
    matching: Mapping[str, Scene]
    density: float
    """Of the movies that are made to be off, before they are."""
    make: Callable[[PSF], Engine[FrameBatch, Localizations]] | None = None

    def off(self) -> dict[str, tuple[float, Scene, str]]:
        """By name: how much wider the PSF is, the scene, and the alarm that must come."""
        scene = {"density": self.density}
        return {
            "PSF 15 % wider": (1.15, scene, "width"),
            "PSF 15 % narrower": (1 / 1.15, scene, "width"),
            "background x 5": (1.0, {**scene, "background": 5 * BACKGROUND}, "background"),
            "density x 4": (1.0, {"density": 4 * self.density}, "density"),
        }


def enveloped(psf: PSF) -> Enveloped:
    return Enveloped(GaussMle(joint=psf.z_range_nm is not None))


TRIED = (
    Tried(
        "gauss-mle",
        (
            GaussianPSF(130.0),
            AstigmaticPSF(130, 130, 200, -200, 400, z_min_nm=-600, z_max_nm=600),
        ),
        {
            "0.2 per um2, 1500 photons": {"density": 0.2},
            "0.5 per um2, 1000 photons": {"density": 0.5, "photons": 1000.0},
            "0.5 per um2, 2000 photons": {"density": 0.5, "photons": 2000.0},
        },
        0.2,
        enveloped,
    ),
    Tried(
        "glint",
        (GaussianPSF(130.0), AstigmaticPSF(130, 130, 250, -250, 400)),
        {
            "0.2 per um2, 1500 photons": {"density": 0.2},
            "1 per um2, 1000 photons": {"density": 1.0, "photons": 1000.0},
            "2 per um2, 3000 photons": {"density": 2.0, "photons": 3000.0},
        },
        1.0,
    ),
)


def widened(psf: PSF, factor: float) -> PSF:
    if isinstance(psf, GaussianPSF):
        return GaussianPSF(psf.sigma_nm * factor)
    if isinstance(psf, AstigmaticPSF):
        return replace(psf, sx0_nm=factor * psf.sx0_nm, sy0_nm=factor * psf.sy0_nm)
    raise TypeError(f"{psf.name} has no one width")


def watched(
    tried: Tried, psf: PSF, seen: PSF, frames: int, seed: int, scene: Scene
) -> dict[str, Any]:
    """A run whose engine believes in `psf` while the specimen is imaged by `seen`."""
    words: dict[str, Any] = {"photons": PHOTONS, "background": BACKGROUND, "photons_spread": 0.3}
    words |= {"z_range_nm": 0.0 if psf.z_range_nm is None else 400.0, **scene}
    simulator = Scenario(camera=CAMERA, psf=seen, seed=seed, **words).simulator()
    source = SimulatedSource(simulator, frames, keep_truth=False)
    notes, make = Notes(), tried.make
    more: dict[str, Any] = {} if make is None else {"make_engine": lambda _: make(psf)}
    plan = RunPlan(engine=tried.engine, psf=psf, ring_mb=8)
    _, outcome = run_in_memory(source, plan, (notes,), **more)
    trust = outcome.trust
    return {
        "engine": tried.engine,
        "psf": psf.name,
        "seed": seed,
        "verdict": trust["verdict"],
        "first": notes.alarms[0][0] if notes.alarms else None,
        "alarms": [name for _, name in notes.alarms],
        "numbers": trust["numbers"],
        "seconds": round(outcome.seconds, 2),
    }


def measure(tried: Tried, frames: int, seeds: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    """Every case; `missed` says what should not have been."""
    for psf in tried.psfs:
        for seed in seeds:
            for case, scene in tried.matching.items():
                row = {"case": case, **watched(tried, psf, psf, frames, seed, scene)}
                yield {**row, "missed": bool(row["alarms"])}
            for case, (factor, scene, name) in tried.off().items():
                seen = widened(psf, factor)
                row = {"case": case, **watched(tried, psf, seen, 2 * SOON, seed, scene)}
                late = row["first"] is None or row["first"] > SOON
                yield {**row, "missed": late or name not in row["alarms"]}


def show(row: dict[str, Any]) -> None:
    first = "-" if row["first"] is None else str(row["first"])
    alarms = ", ".join(row["alarms"]) or "none"
    numbers = row["numbers"]
    who = f"{row['engine']:<9} {row['psf']:<11}"
    said = " ".join(f"{k} {numbers[k]:.3g}" for k in ("width", "light", "density") if k in numbers)
    print(
        f"{who} {row['case']:<26} seed {row['seed']} first {first:>4} "
        f"{row['verdict']:<9} {alarms:<28} {said}  shadow {numbers['shadow_share']:.1%}"
        f"{'  MISSED' if row['missed'] else ''}",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--frames", type=int, default=10_000, help="of a matching movie")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there, too")
    parser.add_argument("--quick", action="store_true", help="one seed, 400 frames")
    parser.add_argument("--engine", choices=[tried.engine for tried in TRIED], help="only this one")
    options = parser.parse_args()
    frames, seeds = (400, SEEDS[:1]) if options.quick else (options.frames, SEEDS)
    rows = []
    for tried in TRIED:
        if options.engine in {None, tried.engine}:
            for row in measure(tried, frames, seeds):
                show(row)
                rows.append(row)
    if options.json:
        with replacing(options.json) as draft:
            draft.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 1 if any(row["missed"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
