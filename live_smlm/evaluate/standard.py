"""The standard sets: the movies that every engine of the project is scored on.

Alone knows what is simulated, as data: three PSFs, two densities, three signals
and two cameras, 64x64 pixels of 100 nm, molecules that blink. The same seed
puts the same molecules at the same places in every set of a density, so engines
and cameras are compared on alike. What is tuned on a movie is not scored on
it: `TEST_SEEDS` are for scores, `TUNING_SEEDS` for every choice before.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from types import MappingProxyType

import numpy as np

from live_smlm.core import PSF, CameraModel, FrameBatch, Localizations, require
from live_smlm.evaluate.score import score
from live_smlm.physics.background import Background
from live_smlm.physics.blinking import Exponential
from live_smlm.physics.emitters import Brightness
from live_smlm.physics.noise import scmos_camera
from live_smlm.physics.psf.gaussian import AstigmaticPSF, GaussianPSF
from live_smlm.physics.psf.pupil import PupilPSF
from live_smlm.physics.psf.sampling import sample
from live_smlm.physics.simulator import Simulator
from live_smlm.physics.specimens import Uniform

PIXEL_NM = 100.0
SIDE = 64
"""Pixels along a frame."""
Z_HALF_NM = 500.0
"""Molecules of the PSFs that tell z lie between minus and plus this."""
ON_FRAMES = 2.0
"""Mean on-time; the first and the last frame of a molecule are fractions."""
SPREAD = 0.3
"""Of the logarithm of the photons, between molecules."""
TEST_SEEDS = (101, 102, 103)
TUNING_SEEDS = range(201, 301)

Values = Mapping[str, float | None]
"""What came of one engine on one movie, by name; None where it is not defined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """How bright molecules are on what background."""

    photons: float
    """Mean at the camera from a molecule that is on for a whole frame."""
    background: float
    """Photons per pixel and frame."""

    @property
    def min_photons(self) -> float:
        """Molecules that give fewer in a frame are neither required nor counted against."""
        return max(100.0, 0.2 * self.photons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Density:
    """How crowded a movie is, and how long."""

    per_um2: float
    """Molecules visible per µm² and frame."""
    frames: int


PSFS: Mapping[str, Callable[[], PSF]] = MappingProxyType(
    {
        "2d": lambda: GaussianPSF(130.0),
        "astigmatic": lambda: AstigmaticPSF(130.0, 130.0, 250.0, -250.0, 400.0),
        "double-helix": lambda: PupilPSF(mask="double_helix", z_min_nm=-900.0, z_max_nm=900.0),
    }
)
"""By name; made when asked for, see `psf`."""
DENSITIES = MappingProxyType(
    {
        "low": Density(per_um2=0.2, frames=400),
        "high": Density(per_um2=2.0, frames=80),
    }
)
SIGNALS = MappingProxyType(
    {
        "low": Signal(photons=800.0, background=10.0),
        "mid": Signal(photons=2000.0, background=10.0),
        "high": Signal(photons=6000.0, background=20.0),
    }
)
CAMERAS = ("emccd", "scmos")
_SCMOS_SEED = 7


@cache
def psf(name: str) -> PSF:
    """The PSF of that name, as engines are told it; the same object at every call."""
    require(name in PSFS, f"there is no standard psf {name!r}; choose one of {', '.join(PSFS)}")
    return PSFS[name]()


@cache
def quick_psf(name: str) -> PSF:
    """The PSF that is drawn: a pupil sampled to a spline, as the fits sample it; else `psf`."""
    made = psf(name)
    return sample(made, PIXEL_NM) if isinstance(made, PupilPSF) else made


@cache
def camera(name: str, side: int = SIDE) -> CameraModel:
    """An EMCCD as the SMLM challenge's, or an sCMOS with maps like a real chip's."""
    require(name in CAMERAS, f"there is no standard camera {name!r}; choose {' or '.join(CAMERAS)}")
    shape = (side, side)
    if name == "scmos":
        rng = np.random.default_rng(_SCMOS_SEED)
        return scmos_camera(shape, PIXEL_NM, rng, read_noise_e=1.6, quantum_efficiency=0.82)
    return CameraModel(
        shape=shape,
        pixel_size_nm=PIXEL_NM,
        offset_adu=100.0,
        gain_e_per_adu=45.0,
        read_noise_e=74.0,
        quantum_efficiency=0.9,
        em_gain=300.0,
        spurious_e=0.002,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Movie:
    """Frames and the truth about them."""

    frames: FrameBatch
    truth: Localizations


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardSet:
    """One set, by the names of what it is made of."""

    psf_name: str
    density_name: str
    signal_name: str
    camera_name: str

    @property
    def name(self) -> str:
        """PSF/density/signal/camera."""
        return f"{self.psf_name}/{self.density_name}/{self.signal_name}/{self.camera_name}"

    @property
    def psf(self) -> PSF:
        """As engines are told it."""
        return psf(self.psf_name)

    @property
    def camera(self) -> CameraModel:
        """What takes the movies."""
        return camera(self.camera_name)

    @property
    def signal(self) -> Signal:
        """Photons and background."""
        return SIGNALS[self.signal_name]

    @property
    def density_per_um2(self) -> float:
        """Molecules visible per µm² and frame."""
        return DENSITIES[self.density_name].per_um2

    @property
    def frames(self) -> int:
        """The length of a movie."""
        return DENSITIES[self.density_name].frames

    def simulator(self, seed: int) -> Simulator:
        """The microscope that takes the movies."""
        deep = self.psf.z_range_nm is not None
        return Simulator(
            camera=self.camera,
            psf=quick_psf(self.psf_name),
            specimen=Uniform(z_half_nm=Z_HALF_NM if deep else 0.0),
            blinking=Exponential(ON_FRAMES),
            brightness=Brightness(self.signal.photons, SPREAD),
            visible_per_um2=self.density_per_um2,
            background=Background(self.signal.background),
            seed=seed,
        )

    def movie(self, seed: int, frames: int | None = None) -> Movie:
        """A movie of that seed, or its first `frames` frames."""
        return Movie(*self.simulator(seed).start().advance(frames or self.frames))

    def judge(self, found: Localizations, movie: Movie) -> Values:
        """The challenge's numbers."""
        scored = score(found, movie.truth, min_photons=self.signal.min_photons).as_dict()
        return {k: v for k, v in scored.items() if v is None or isinstance(v, (int, float))}


SETS = tuple(
    StandardSet(psf_name=p, density_name=d, signal_name=s, camera_name=c)
    for p in PSFS
    for d in DENSITIES
    for s in SIGNALS
    for c in CAMERAS
)


def named(pattern: str) -> tuple[StandardSet, ...]:
    """The sets whose name has the pattern, as `astigmatic/*` or `*/high/*`."""
    return tuple(s for s in SETS if fnmatchcase(s.name, pattern))
