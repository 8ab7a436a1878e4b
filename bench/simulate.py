"""How fast the simulator makes frames, on one core: `python bench/simulate.py`.

Gaussian PSF (sigma 130 nm), background 10, 1000 photons, 100 nm pixels, sCMOS
with scalar or per-pixel maps and EMCCD; the best of three runs after one to
compile and to warm up.
"""

import argparse
import time

import numpy as np

from live_smlm.core import CameraModel
from live_smlm.physics.noise import scmos_camera
from live_smlm.physics.psf.gaussian import GaussianPSF
from live_smlm.physics.scenario import Scenario


def cameras(size: int) -> dict[str, CameraModel]:
    shape = (size, size)
    emccd = CameraModel(
        shape=shape,
        pixel_size_nm=100.0,
        gain_e_per_adu=45.0,
        read_noise_e=74.4,
        quantum_efficiency=0.9,
        em_gain=300.0,
        spurious_e=0.002,
    )
    return {
        "scmos": CameraModel(shape=shape, pixel_size_nm=100.0, read_noise_e=1.6),
        "scmos maps": scmos_camera(shape, 100.0, np.random.default_rng(1)),
        "emccd": emccd,
    }


def measure(camera: CameraModel, density: float, blinking: str, frames: int) -> tuple[float, int]:
    """Best seconds of three, and the molecules in the movie."""
    scenario = Scenario(
        camera=camera,
        psf=GaussianPSF(130.0),
        density=density,
        photons=1000.0,
        background=10.0,
        blinking=blinking,
        seed=1,
    )
    simulator = scenario.simulator()
    best, molecules = np.inf, 0
    for _ in range(4):
        began = time.perf_counter()
        molecules = sum(len(truth) for _, truth in simulator.stream(frames))
        best = min(best, time.perf_counter() - began)
    return best, molecules


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, default=13.0, help="length of each movie")
    megapixels = parser.parse_args().megapixels
    columns = f"{'camera':<11}{'size':>6}{'per um2':>9}{'blinking':>13}"
    print(f"{columns}{'Mpixel/s':>10}{'molecules/s':>13}")
    for size in (256, 512):
        frames = max(1, round(megapixels * 1e6 / size**2))
        for name, camera in cameras(size).items():
            for density in (0.1, 1.0):
                for blinking in ("single", "exponential", "four-state"):
                    seconds, molecules = measure(camera, density, blinking, frames)
                    print(
                        f"{name:<11}{size:>6}{density:>9}{blinking:>13}"
                        f"{frames * size**2 / seconds / 1e6:>10.1f}{molecules / seconds:>13.0f}"
                    )


if __name__ == "__main__":
    main()
