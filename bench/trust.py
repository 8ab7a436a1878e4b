"""Whether the live check of an engine alarms when it must, and never when it must not.

    python bench/trust.py            matching movies of 10,000 frames, then what is off, 3 seeds
    python bench/trust.py --frames 2000

The engine is gauss-mle in an envelope (with `joint` where the PSF is large, since a density
above the envelope is only seen by who resolves it), through the whole live pipeline. In the
scenes that are off, the engine still believes the PSF of the others. `--json FILE` keeps the
figures.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from live_smlm.core import PSF, CameraModel, EngineContext, EngineSpec, FrameBatch, Localizations
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
PSFS: tuple[PSF, ...] = (
    GaussianPSF(130.0),
    AstigmaticPSF(130, 130, 200, -200, 400, z_min_nm=-600, z_max_nm=600),
)
DENSITY, PHOTONS, BACKGROUND = 0.2, 1500.0, 10.0
ENVELOPE = {
    "density_per_um2": (0.0, 0.5),
    "photons": (500.0, 5000.0),
    "background": (5.0, 20.0),
    "z_nm": (-500.0, 500.0),
}


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


def widened(psf: PSF, factor: float) -> PSF:
    if isinstance(psf, GaussianPSF):
        return GaussianPSF(psf.sigma_nm * factor)
    if isinstance(psf, AstigmaticPSF):
        return replace(psf, sx0_nm=factor * psf.sx0_nm, sy0_nm=factor * psf.sy0_nm)
    raise TypeError(f"{psf.name} has no one width")


def watched(psf: PSF, seen: PSF, frames: int, seed: int, **scene: float) -> dict[str, Any]:
    """A run whose engine believes in `psf` while the specimen is imaged by `seen`."""
    words: dict[str, Any] = {"density": DENSITY, "photons": PHOTONS, "background": BACKGROUND}
    words |= {"photons_spread": 0.3, "z_range_nm": 0.0 if psf.z_range_nm is None else 400.0}
    simulator = Scenario(camera=CAMERA, psf=seen, seed=seed, **{**words, **scene}).simulator()
    source = SimulatedSource(simulator, frames, keep_truth=False)
    notes = Notes()
    _, outcome = run_in_memory(
        source,
        RunPlan(engine="gauss-mle", psf=psf, ring_mb=8),
        (notes,),
        make_engine=lambda _: Enveloped(GaussMle(joint=psf.z_range_nm is not None)),
    )
    trust = outcome.trust
    return {
        "psf": psf.name,
        "seed": seed,
        "verdict": trust["verdict"],
        "first": notes.alarms[0][0] if notes.alarms else None,
        "alarms": [name for _, name in notes.alarms],
        "numbers": trust["numbers"],
        "seconds": round(outcome.seconds, 2),
    }


OFF: dict[str, tuple[float, dict[str, float], str]] = {
    "PSF 15 % wider": (1.15, {}, "width"),
    "PSF 15 % narrower": (1 / 1.15, {}, "width"),
    "background x 5": (1.0, {"background": 5 * BACKGROUND}, "background"),
    "density x 4": (1.0, {"density": 4 * DENSITY}, "density"),
}
MATCHING: dict[str, dict[str, float]] = {
    "0.2 per um2, 1500 photons": {},
    "0.5 per um2, 1000 photons": {"density": 0.5, "photons": 1000.0},
    "0.5 per um2, 2000 photons": {"density": 0.5, "photons": 2000.0},
}


def measure(frames: int, seeds: tuple[int, ...]) -> list[dict[str, Any]]:
    """Every case; `missed` says what should not have been."""
    rows = []
    for psf in PSFS:
        for seed in seeds:
            for case, scene in MATCHING.items():
                row = {"case": case, **watched(psf, psf, frames, seed, **scene)}
                rows.append({**row, "missed": bool(row["alarms"]) or row["verdict"] != "ok"})
                show(rows[-1])
            for case, (factor, scene, name) in OFF.items():
                row = {"case": case, **watched(psf, widened(psf, factor), 2 * SOON, seed, **scene)}
                late = row["first"] is None or row["first"] > SOON
                rows.append({**row, "missed": late or name not in row["alarms"]})
                show(rows[-1])
    return rows


def show(row: dict[str, Any]) -> None:
    first = "-" if row["first"] is None else str(row["first"])
    alarms = ", ".join(row["alarms"]) or "none"
    numbers = row["numbers"]
    said = " ".join(f"{k} {numbers[k]:.3g}" for k in ("width", "light", "density") if k in numbers)
    print(
        f"{row['psf']:<11} {row['case']:<27} seed {row['seed']}  first {first:>4}  "
        f"{row['verdict']:<9} {alarms:<28} {said}  shadow {numbers['shadow_share']:.1%}"
        f"{'  MISSED' if row['missed'] else ''}",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--frames", type=int, default=10_000, help="of a matching movie")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there, too")
    parser.add_argument("--quick", action="store_true", help="one seed, 400 frames")
    options = parser.parse_args()
    quick: bool = options.quick
    rows = measure(400 if quick else options.frames, SEEDS[:1] if quick else SEEDS)
    if options.json:
        with replacing(options.json) as draft:
            draft.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 1 if any(row["missed"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
