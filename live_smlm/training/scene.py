"""What a network is trained for, and batches of short movies drawn from it.

A movie has one density, brightness, background, on-time and camera, each drawn
from the scene's ranges, so that a network sees the whole range in every batch.
A batch is a function of the seed and the step alone: training that goes on from
a checkpoint sees the same data as training that was never cut.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from live_smlm.core import F32, F64, I64, PSF, Bool, CameraModel, require
from live_smlm.fitting.model import fit_model
from live_smlm.physics.draw import draw
from live_smlm.physics.noise import expose, scmos_camera
from live_smlm.physics.psf.pupil import PupilPSF

SIDE = 32
"""Pixels along a training movie."""
_MOST_DENSE = 20.0
_PULSES = 0.15
"""Share of the movies in which every molecule shines in exactly one whole frame."""
_UNEVEN = 0.5
"""Share of the movies whose background has structure."""
_BRIGHTEST_CHANGE = 0.6
_GRID = 4
_HOT_SHARE = 0.002
_BRIGHT_SPREADS = 2.0
Range = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """Ranges in which a network shall work; photons are those at the camera."""

    psf: PSF
    cameras: tuple[CameraModel, ...]
    """One is drawn per movie; of their regions only the pixel size counts."""
    density_per_um2: Range
    """Molecules visible per µm² and frame."""
    photons: Range
    """Of a molecule that is on for a whole frame: medians of the movies."""
    background: Range
    """Per pixel and frame."""
    z_nm: Range = (0.0, 0.0)
    spread: float = 0.4
    """Sigma of the logarithm of the brightness, between the molecules of a movie."""
    on_frames: Range = (0.7, 5.0)
    """Mean on-times of the movies."""
    label_photons: float = 80.0
    """Effective counts in a frame below which a molecule need not be found."""

    drawn: PSF = field(init=False)
    """The PSF as it is drawn: a pupil is sampled first, for it is slow."""

    def __post_init__(self) -> None:
        require(bool(self.cameras), "a scene has no camera; give at least one")
        sizes = {camera.pixel_size_nm for camera in self.cameras}
        require(
            len(sizes) == 1,
            f"cameras have pixels of {sorted(sizes)} nm; train one network per pixel size",
        )
        for name in ("density_per_um2", "photons", "background", "on_frames"):
            low, high = getattr(self, name)
            require(
                0 < low <= high < np.inf,
                f"{name} is {low:g} to {high:g}; give a range above 0, low before high",
            )
        require(
            self.density_per_um2[1] <= _MOST_DENSE,
            f"density_per_um2 reaches {self.density_per_um2[1]:g}; at most {_MOST_DENSE:g} "
            "molecules per um2 can be told apart by anything",
        )
        low, high = self.z_nm
        require(low <= high, f"z_nm is {low:g} to {high:g}; give low before high")
        reach = self.psf.z_range_nm
        require(
            (low == high == 0) if reach is None else (reach[0] <= low and high <= reach[1]),
            f"z_nm is {low:g} to {high:g} but the {self.psf.name} psf holds for {reach}; "
            "stay within it",
        )
        brightest = self.brightest
        require(
            self.label_photons < brightest,
            f"photons reach {self.photons[1]:g}, at most {brightest:.0f} effective counts, and "
            f"molecules below {self.label_photons:g} are not learnt; give brighter ones",
        )
        slow = isinstance(self.psf, PupilPSF)
        quick = fit_model(self.psf, self.pixel_size_nm).psf if slow else self.psf
        object.__setattr__(self, "drawn", quick)

    @property
    def axes(self) -> int:
        """3 where z is to be found, else 2."""
        return 3 if self.z_nm[0] < self.z_nm[1] else 2

    @property
    def pixel_size_nm(self) -> float:
        """Pitch of the pixels in the sample plane."""
        return self.cameras[0].pixel_size_nm

    def effective(self, photons: Range) -> Range:
        """A range of photons in effective counts, over all cameras."""
        shares = [_share(camera) for camera in self.cameras]
        return photons[0] * min(shares), photons[1] * max(shares)

    @property
    def brightest(self) -> float:
        """Effective counts in a frame that hardly a molecule exceeds."""
        return self.effective(self.photons)[1] * float(np.exp(_BRIGHT_SPREADS * self.spread))

    def describe(self) -> Mapping[str, object]:
        """For records: the ranges, and the cameras by their scalars."""
        names = ("density_per_um2", "photons", "background", "z_nm", "on_frames")
        ranges = {name: list(getattr(self, name)) for name in names}
        scalars = {"spread": self.spread, "label_photons": self.label_photons}
        cameras = [{**c.describe(), "shape": [SIDE, SIDE]} for c in self.cameras]
        return {**ranges, **scalars, "psf": dict(self.psf.describe()), "cameras": cameras}


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Movies of effective counts, and the molecules in them."""

    frames: F32
    """(movies, frames, SIDE, SIDE); the first and the last frames are context only."""
    background: F32
    """(windows, SIDE, SIDE) the true background of the frames between the context."""
    window: I64
    """(molecules,) which window each molecule is in; windows are movies x core frames."""
    molecule: F32
    """(molecules, 4): x, y (px), z (nm), effective counts; all that lie inside."""
    labelled: Bool
    """(molecules,) whether it is bright enough that a network should find it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Truth:
    """All molecules of a batch, frame by frame: those just outside, too."""

    image: I64
    """(m,) which image of movies x frames."""
    place: F64
    """(m, 3): x, y, z in nm."""
    counts: F64
    """(m,) effective counts in that frame."""


def sample(
    scene: Scene, seed: int, step: int, *, movies: int, frames: int, halo: tuple[int, int]
) -> Batch:
    """The batch of one step: `movies` movies of `frames` core frames."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, step]))
    length = frames + sum(halo)
    parts = [_movie(scene, rng, length) for _ in range(movies)]
    light = np.concatenate([part.light for part in parts])
    background = light.copy()
    image = np.concatenate([part.image + length * k for k, part in enumerate(parts)])
    place = np.concatenate([part.place for part in parts])
    photons = np.concatenate([part.photons for part in parts])
    draw(light, scene.drawn, scene.pixel_size_nm, image, place, photons)
    counts = np.empty_like(light)
    shares = np.array([_share(part.camera) for part in parts])
    for k, part in enumerate(parts):
        mine = np.s_[k * length : (k + 1) * length]
        adu = expose(light[mine], part.camera, rng)
        counts[mine] = part.camera.photons(adu) * np.float32(shares[k])
        background[mine] *= np.float32(shares[k])
    truth = _Truth(image, place, photons * shares[image // length])
    return _core(scene, counts, background, truth, movies, halo)


@dataclass(frozen=True, slots=True, eq=False)
class _Movie:
    camera: CameraModel
    light: F32
    image: I64
    place: F64
    photons: F64


def _movie(scene: Scene, rng: np.random.Generator, length: int) -> _Movie:
    """One movie before any molecule is drawn: its camera, its background, its molecules."""
    camera = _camera(scene.cameras[rng.integers(len(scene.cameras))], rng)
    level = _between(scene.background, rng)
    light = np.full((length, SIDE, SIDE), level, np.float32)
    if rng.random() < _UNEVEN:
        light *= _structure(rng)
    margin = scene.psf.extent_nm
    edge = SIDE * scene.pixel_size_nm + 2 * margin
    visible = _between(scene.density_per_um2, rng) * (edge / 1000) ** 2
    begin, end = _blinks(scene, visible, length, rng)
    n = len(begin)
    place = np.empty((n, 3))
    place[:, :2] = rng.uniform(-margin, edge - margin, (n, 2))
    place[:, 2] = rng.uniform(*scene.z_nm, n)
    brightness = _between(scene.photons, rng) * np.exp(scene.spread * rng.standard_normal(n))
    frame = np.arange(length)
    share = np.minimum(end[:, None], frame + 1) - np.maximum(begin[:, None], frame)
    molecule, image = np.nonzero(share > 0)
    photons = brightness[molecule] * share[molecule, image]
    return _Movie(camera, light, image.astype(np.int64), place[molecule], photons)


def _blinks(scene: Scene, visible: float, length: int, rng: np.random.Generator) -> tuple[F64, F64]:
    """When molecules begin and end to shine, in frames; `visible` per frame on average."""
    if rng.random() < _PULSES:
        n = rng.poisson(visible * length)
        begin = rng.integers(length, size=n).astype(np.float64)
        return begin, begin + 1
    on_frames = _between(scene.on_frames, rng)
    # Molecules that began before the movie and still shine: as many as shine at any time.
    rate = visible / (on_frames + 1)
    old, new = rng.poisson(rate * on_frames), rng.poisson(rate * length)
    begin = np.concatenate([np.zeros(old), rng.uniform(0, length, new)])
    return begin, begin + rng.exponential(on_frames, old + new)


def _structure(rng: np.random.Generator) -> F32:
    """(SIDE, SIDE) a smooth factor around 1."""
    coarse = 1 + rng.uniform(0, _BRIGHTEST_CHANGE) * rng.uniform(-1, 1, (_GRID, _GRID))
    at = np.linspace(0, _GRID - 1, SIDE)
    rows = np.array([np.interp(at, np.arange(_GRID), line) for line in coarse])
    return np.array([np.interp(at, np.arange(_GRID), line) for line in rows.T], np.float32)


def _camera(camera: CameraModel, rng: np.random.Generator) -> CameraModel:
    """The camera on a training movie's pixels: an sCMOS gets the noise of a chip of its kind."""
    offset, gain, noise = (
        float(np.median(v)) for v in (camera.offset_adu, camera.gain_e_per_adu, camera.read_noise_e)
    )
    if camera.is_emccd or noise == 0:
        return camera.evened((SIDE, SIDE))
    chip = scmos_camera(
        (SIDE, SIDE),
        camera.pixel_size_nm,
        rng,
        offset_adu=offset,
        gain_e_per_adu=gain,
        read_noise_e=noise,
        quantum_efficiency=camera.quantum_efficiency,
        hot_share=_HOT_SHARE,
    )
    return replace(chip, spurious_e=camera.spurious_e, bits=camera.bits)


def _core(
    scene: Scene,
    counts: F32,
    background: F32,
    truth: _Truth,
    movies: int,
    halo: tuple[int, int],
) -> Batch:
    """What is known of the frames between the context."""
    length = len(counts) // movies
    core = np.arange(len(counts)).reshape(movies, length)[:, halo[0] : length - halo[1]]
    number = np.full(len(counts), -1)
    number[core.ravel()] = np.arange(core.size)
    window = number[truth.image]
    # Rounded first: what single precision puts on the border lies in no pixel.
    xy = (truth.place[:, :2] / scene.pixel_size_nm).astype(np.float32)
    kept = np.all((xy >= 0) & (xy < SIDE), axis=1) & (window >= 0)
    columns = np.column_stack([xy, truth.place[:, 2], truth.counts])[kept]
    return Batch(
        frames=counts.reshape(movies, length, SIDE, SIDE),
        background=background[core.ravel()],
        window=window[kept],
        molecule=columns.astype(np.float32),
        labelled=truth.counts[kept] >= scene.label_photons,
    )


def _share(camera: CameraModel) -> float:
    """Effective counts per photon."""
    return camera.quantum_efficiency / camera.excess_noise


def _between(limits: Range, rng: np.random.Generator) -> float:
    """A number whose logarithm is uniform."""
    return float(np.exp(rng.uniform(*np.log(limits))))
