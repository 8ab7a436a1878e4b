"""The simulated microscope: frames, and the truth about every molecule in them.

Composes specimen, photophysics, drift, PSF, background and camera; knows their
order and nothing of their insides. Each draws from a random stream of its own,
in the order of the frames: the same seed gives the same frames in whatever
batches they are taken, and another camera sees the same molecules.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from live_smlm.core import (
    F32,
    F64,
    I64,
    PSF,
    CameraModel,
    FrameBatch,
    Localizations,
    from_columns,
    require,
)
from live_smlm.physics.background import Background
from live_smlm.physics.blinking import Blinking
from live_smlm.physics.dispersion import Spread, draw_side, own_shift_nm
from live_smlm.physics.draw import draw
from live_smlm.physics.drift import Drift, NoDrift, displacements, drift_path
from live_smlm.physics.emitters import Brightness, start_emitters
from live_smlm.physics.field import Field, check_number
from live_smlm.physics.noise import expose
from live_smlm.physics.slide import HOME, Shift, Slide
from live_smlm.physics.specimens import Specimen
from live_smlm.physics.spectra import Dye

_MOST_PIXELS = 2**26
_MOST_VISIBLE = 2_000_000
_BATCH_PIXELS = 2**22
_BATCH_FRAMES = 100


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Simulator:
    """A microscope, its sample and a seed; `start` begins an acquisition at frame 0."""

    camera: CameraModel
    psf: PSF
    specimen: Specimen
    blinking: Blinking
    brightness: Brightness
    visible_per_um2: float
    """Molecules visible per µm² and frame, on average at laser power 1."""
    background: Background
    drift: Drift = NoDrift()  # noqa: RUF009 - frozen and empty, so it may be shared
    seed: int = 0
    frame_interval_s: float = 0.02
    dyes: tuple[Dye, ...] = ()
    """Each labels a specimen of its own, of that kind; told apart in the camera's side channel."""
    side_light: float = 1.0
    """Photons of a molecule in the side channel for one in the image."""

    def __post_init__(self) -> None:
        check_number("density", self.visible_per_um2, at_least=0)
        check_number("frame_interval_s", self.frame_interval_s, above=0)
        require(self.seed >= 0, f"seed is {self.seed}; give a whole number, 0 or more")
        rows, columns = self.camera.shape
        require(
            rows * columns <= _MOST_PIXELS,
            f"frame size {rows}x{columns} is more than {_MOST_PIXELS} pixels; simulate a part",
        )
        require(
            self.visible <= _MOST_VISIBLE,
            f"density {self.visible_per_um2:g} per um2 makes {self.visible:.3g} molecules per "
            f"frame; at most {_MOST_VISIBLE} fit in memory, so lower it",
        )
        reach, z_range = self.specimen.z_reach_nm, self.psf.z_range_nm
        require(
            z_range is None or (z_range[0] <= -reach and reach <= z_range[1]),
            f"specimen {self.specimen.name!r} reaches {reach:g} nm above and below the focus but "
            f"the {self.psf.name} psf holds for z {z_range} nm; make the specimen flatter",
        )
        require(
            not self.dyes or self.camera.side is not None,
            f"dyes are {', '.join(dye.name for dye in self.dyes)} but the camera has no side "
            "channel to tell them apart; give it one",
        )
        if self.dyes and self.camera.side is not None:
            Spread(self.dyes, self.camera.side)
        check_number("side_light", self.side_light, at_least=0)

    @property
    def field(self) -> Field:
        """What the camera sees; its side channel sees the same again."""
        (top, bottom), (left, right) = self.camera.view
        pixel = self.camera.pixel_size_nm
        return Field((bottom - top) * pixel, (right - left) * pixel)

    @property
    def visible(self) -> float:
        """Molecules visible per frame, on average at laser power 1."""
        return self.visible_per_um2 * self.field.area_um2

    def start(self) -> "Acquisition":
        """The acquisition, before its first frame; every start gives the same frames."""
        return Acquisition(self)

    def stream(
        self, frames: int, batch: int | None = None
    ) -> Iterator[tuple[FrameBatch, Localizations]]:
        """The first `frames` frames with their truth, at laser power 1.

        `batch` frames at a time; by default as many as suit the memory.
        """
        require(frames > 0, f"frames is {frames}; give at least one")
        require(batch is None or batch > 0, f"batch is {batch}; give at least one frame")
        acquisition = self.start()
        size = batch or self.batch_frames
        for done in range(0, frames, size):
            yield acquisition.advance(min(size, frames - done))

    @property
    def batch_frames(self) -> int:
        """Frames at a time that suit the memory."""
        rows, columns = self.camera.shape
        return max(1, min(_BATCH_FRAMES, _BATCH_PIXELS // (rows * columns)))

    def drift_path(self, frames: int) -> F64:
        """(frames, 3) the true drift x, y, z in nm, relative to frame 0."""
        return drift_path(self.drift, frames, np.random.default_rng(self.streams()[1]))

    def streams(self) -> list[np.random.SeedSequence]:
        """Seeds of the emitters, the drift, the background and the camera."""
        return np.random.SeedSequence(self.seed).spawn(4)


@dataclass(frozen=True, slots=True, eq=False)
class _Shining:
    """Molecules of the next frames."""

    image: I64
    """Which of the frames each is in."""
    molecule: I64
    position: F64
    """x, y, z in nm, with drift, from the corner of what the camera sees."""
    photons: F64
    dye: I64


class Acquisition:
    """A run of a simulator; each call goes on where the last one stopped."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        emitters, drift, background, noise = simulator.streams()
        samples = max(1, len(simulator.dyes))
        start = partial(
            start_emitters,
            simulator.specimen,
            simulator.blinking,
            simulator.brightness,
            simulator.field,
            simulator.visible / samples,
        )
        seeds = emitters.spawn(samples) if samples > 1 else [emitters]
        self._slides = [Slide(start, simulator.field, seed) for seed in seeds]
        self._drift = displacements(simulator.drift, np.random.default_rng(drift))
        camera = simulator.camera
        self._background = simulator.background.pattern(
            camera.shape, camera.pixel_size_nm, np.random.default_rng(background)
        )
        self._noise = np.random.default_rng(noise)
        self._frame = 0

    @property
    def frame(self) -> int:
        """The number of the next frame."""
        return self._frame

    def advance(
        self, frames: int = 1, laser_power: float = 1.0, shift: Shift = HOME
    ) -> tuple[FrameBatch, Localizations]:
        """The next frames and their truth; `shift` is the stage's, beside the drift.

        The truth holds the molecules whose centre is in the frame: x, y, z with
        drift, the photons that arrive in that frame, the background where the
        molecule is, the column `molecule`, its identity over the frames, and
        with several dyes `channel`, which of them it is.
        """
        require(frames > 0, f"frames is {frames}; give at least one")
        index = np.arange(self._frame, self._frame + frames)
        self._frame += frames
        on = self._molecules(frames, laser_power, shift)

        simulator, camera = self._simulator, self._simulator.camera
        fading = simulator.background.fading(index)
        light = self._background * fading[:, None, None]
        (top, bottom), (left, right) = camera.view
        pixel = camera.pixel_size_nm
        seen = light[:, top:bottom, left:right]
        draw(seen, simulator.psf, pixel, on.image, on.position, on.photons)
        position = on.position + np.array([left * pixel, top * pixel, 0.0])
        self._disperse(light, on, position)
        pixels = expose(light, camera, self._noise)

        column, row = np.floor(position[:, :2].T / pixel).astype(np.int64)
        inside = (row >= top) & (row < bottom) & (column >= left) & (column < right)
        rows, columns = camera.shape
        truth = {
            "frame": index[on.image],
            "x": position[:, 0],
            "y": position[:, 1],
            "z": position[:, 2],
            "photons": on.photons,
            "background": self._background[row % rows, column % columns] * fading[on.image],
            "molecule": on.molecule,
        }
        if len(simulator.dyes) > 1:
            truth["channel"] = on.dye
        return (
            FrameBatch(pixels, index, index * np.float64(simulator.frame_interval_s)),
            from_columns({name: values[inside] for name, values in truth.items()}),
        )

    def _disperse(self, light: F32, on: _Shining, position: F64) -> None:
        """The same molecules in the side channel, by their dyes."""
        simulator = self._simulator
        side, dyes = simulator.camera.side, simulator.dyes
        if side is None or not dyes:
            return
        draw_side(
            light,
            simulator.camera,
            simulator.psf,
            Spread(dyes, side),
            on.image,
            position,
            on.photons * simulator.side_light,
            on.dye,
            own_shift_nm(dyes, on.dye, on.molecule),
        )

    def _molecules(self, frames: int, laser_power: float, shift: Shift) -> _Shining:
        """Which image each molecule of the next frames is in, its identity, place and light."""
        samples = len(self._slides)
        emissions = [s.step(laser_power, shift) for _ in range(frames) for s in self._slides]
        # The drift is asked last, so that it is not asked once too often.
        moved = [m for _, m in zip(range(frames), self._drift, strict=False) for _ in self._slides]
        lengths = [len(e.position) for e in emissions]
        dye = np.tile(np.arange(samples), frames).repeat(lengths)
        return _Shining(
            np.repeat(np.repeat(np.arange(frames), samples), lengths),
            np.concatenate([e.molecule for e in emissions]) * samples + dye,
            np.concatenate([e.position + m for e, m in zip(emissions, moved, strict=True)]),
            np.concatenate([e.photons for e in emissions]),
            dye,
        )
