"""Density control in the demo camera: what a sudden change of the pool does to the density.

    python bench/laser.py [--engine gauss-mle] [--change 0.5] [--json FILE]

The core, its laser's property and the engine are real, the specimen is
simulated. At a frame the pool is halved (or multiplied by `--change`). Printed
is the density over 100 frames and the voltage; then after how many frames the
density stays within 15 %, and how often the voltage turned round by more than 10 %.
"""

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import numpy as np

from live_smlm.core import CameraModel, EngineContext, FrameBatch, Localizations, envelope_in
from live_smlm.engines import registry
from live_smlm.feedback.density_settings import DensitySettings
from live_smlm.physics.blinking import BlinkingProcess, FourState, On
from live_smlm.physics.psf.gaussian import GaussianPSF
from live_smlm.physics.scenario import Scenario
from live_smlm.physics.simulator import Simulator
from live_smlm.session.laser import LaserControl, laser_control
from live_smlm.sources.specimen import LASER, SpecimenSource, in_demo_camera

PIXEL_NM = 108.0
SMOOTH = 100
NEAR = 0.15


@dataclass(frozen=True, slots=True)
class SuddenlyOther:
    """Four-state molecules whose pool is multiplied at a frame, as the laser sees it."""

    change: float
    at: int
    kind: FourState = FourState()  # noqa: RUF009 - frozen

    name: ClassVar[str] = "suddenly-other"

    def start(self, visible: float, pool: int | None, rng: np.random.Generator) -> BlinkingProcess:
        return _Run(self, self.kind.start(visible, pool, rng))


@dataclass(slots=True)
class _Run:
    """Activations per frame are pool times power, so it is the power that is multiplied."""

    told: SuddenlyOther
    process: BlinkingProcess
    frame: int = 0

    def step(self, laser_power: float = 1.0) -> On:
        self.frame += 1
        factor = self.told.change if self.frame > self.told.at else 1.0
        return self.process.step(laser_power * factor)


def simulator(given: argparse.Namespace) -> Simulator:
    camera = CameraModel(
        shape=(given.side, given.side), pixel_size_nm=PIXEL_NM, offset_adu=100.0, read_noise_e=1.6
    )
    told = Scenario(
        camera=camera,
        psf=GaussianPSF(130.0),
        density=given.density,
        photons=1500.0,
        specimen="uniform",
        blinking="four-state",
        seed=given.seed,
        frame_interval_s=given.exposure_ms / 1000,
    ).simulator()
    return replace(told, blinking=SuddenlyOther(given.change, given.at))


@dataclass(slots=True)
class Trace:
    """Of each batch: its last frame, the molecules found in each of its frames, the voltage."""

    found: list[int]
    voltage: list[float]


def acquire(source: SpecimenSource, given: argparse.Namespace, trace: Trace) -> list[str]:
    """The run; what the control said."""
    place = EngineContext(camera=source.info.camera, psf=GaussianPSF(130.0))
    engine = cast("Any", registry.chain(given.engine))
    settings = DensitySettings(
        property=LASER, set_point_per_um2=given.set_point, highest=10.0, lowest=0.05
    )
    laser = laser_control(source, settings, envelope_in(engine, place))
    said: list[str] = []
    laser.tell = lambda what, detail: said.append(f"frame {len(trace.found):5d}  {what}: {detail}")
    with engine.open(place) as localize, laser.working(), source.open() as stream:
        for batch in stream:
            molecules = cast("Localizations", localize(batch))
            per_frame = np.bincount(molecules.frame - batch.index[0], minlength=len(batch))
            _pass_on(laser, batch, molecules)
            trace.found.extend(int(n) for n in per_frame)
            trace.voltage.extend([float(source.get(LASER))] * len(batch))
    return said


def _pass_on(laser: LaserControl, batch: FrameBatch, molecules: Localizations) -> None:
    told = SimpleNamespace(
        first=int(batch.index[0]), count=len(batch), molecules=molecules, fallback=False
    )
    laser.frames(cast("Any", told))


def verdict(density: Any, voltage: Any, wanted: float, at: int) -> dict[str, Any]:
    """Frames from the change to the end of the first mean from which all stay near; the turns."""
    after = density[at - SMOOTH // 2 :]
    smooth = np.convolve(after, np.full(SMOOTH, 1 / SMOOTH), "valid") / wanted - 1
    off = np.flatnonzero(np.abs(smooth) > NEAR)
    volts = voltage[at:]
    moves = np.diff(volts)[np.abs(np.diff(volts)) > 0.1 * volts[:-1]]
    turns = int(np.count_nonzero(np.diff(np.sign(moves))))
    return {
        "settled_after_frames": int(off[-1]) + 1 + SMOOTH // 2 if len(off) else 0,
        "turns": turns,
        "rms_later": float(np.sqrt(np.mean(smooth[300:] ** 2))),
        "largest_later": float(np.abs(smooth[300:]).max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="gauss-mle")
    parser.add_argument("--change", type=float, default=0.5)
    parser.add_argument("--at", type=int, default=1500)
    parser.add_argument("--frames", type=int, default=3000)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--density", type=float, default=0.4)
    parser.add_argument("--set-point", type=float, default=0.15)
    parser.add_argument("--exposure-ms", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    trace = Trace([], [])
    begun = time.monotonic()
    with in_demo_camera(simulator(given), frames=given.frames, keep_truth=False) as source:
        source.set(LASER, 1.0)
        said = acquire(source, given, trace)
        left = float(source.get(LASER))
        lost = source.status().lost
    area = (given.side * PIXEL_NM / 1000) ** 2
    density, voltage = np.array(trace.found) / area, np.array(trace.voltage)
    print(*said, sep="\n")
    print(f"\n{'frames':>12}  {'per um2':>8}  {'volts':>6}")
    for first in range(0, len(density) - SMOOTH + 1, SMOOTH):
        part = slice(first, first + SMOOTH)
        mean, volts = density[part].mean(), voltage[part].mean()
        print(f"{first:6d}-{first + SMOOTH - 1:5d}  {mean:8.3f}  {volts:6.2f}")
    told = verdict(density, voltage, given.set_point, given.at)
    told |= {"change": given.change, "engine": given.engine, "set_point": given.set_point}
    told |= {"volts_at_the_end": left, "lost": lost, "seconds": time.monotonic() - begun}
    print(json.dumps(told, indent=2))
    if given.json is not None:
        rows = {"density": density.tolist(), "voltage": voltage.tolist(), "said": said}
        given.json.write_text(json.dumps(told | rows), encoding="utf-8")


if __name__ == "__main__":
    main()
