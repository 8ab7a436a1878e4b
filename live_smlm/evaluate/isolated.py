"""Isolated molecules of the standard sets: how near to the Cramér-Rao bound an engine comes.

Alone knows what isolated is: no other molecule nearby in the same frame, the
one before and the one after. Molecules stand on a grid as wide as the PSF asks.
They shine for one full frame with dark ones between (`pulse`), or blink as
those of the standard sets do (`blink`). The bound is that of the one frame, at
the truth, on the very pixels; who uses the frames around may come below it.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from live_smlm.core import (
    F64,
    I64,
    PSF,
    Bool,
    CameraModel,
    FrameBatch,
    Localizations,
    concatenate,
    require,
)
from live_smlm.evaluate.matching import match
from live_smlm.evaluate.precision import precision
from live_smlm.evaluate.standard import (
    CAMERAS,
    ON_FRAMES,
    PIXEL_NM,
    PSFS,
    SIGNALS,
    SPREAD,
    Z_HALF_NM,
    Movie,
    Signal,
    Values,
    camera,
    psf,
    quick_psf,
)
from live_smlm.physics.background import Background
from live_smlm.physics.blinking import Exponential, Single
from live_smlm.physics.crlb import Bound, Readout, crlb
from live_smlm.physics.emitters import Brightness
from live_smlm.physics.field import Field
from live_smlm.physics.simulator import Simulator
from live_smlm.physics.specimens import Grid

SIDE = 128
"""Pixels along a frame."""
_WANDER_NM = 200.0
"""Molecules lie within this of their cell's centre, in x and in y: four pixels, all phases."""
_PLACES = 64
"""Where in its cell a blinking molecule may appear."""
_LIT = 0.3
"""Of the cells, in a frame, by blinking molecules: much more, and they meet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a PSF needs for itself."""

    spacing_nm: float
    """Between the centres of cells."""
    patch: int
    """Pixels along the square in which the bound is computed: holds all the light."""


ROOMS = MappingProxyType(
    {
        "2d": Room(spacing_nm=2000.0, patch=31),
        "astigmatic": Room(spacing_nm=2500.0, patch=31),
        "double-helix": Room(spacing_nm=3200.0, patch=39),
    }
)
LIGHTS = MappingProxyType({"pulse": 60, "blink": 120})
"""How molecules shine, and how many frames a movie of it has."""


@dataclass(frozen=True, slots=True)
class _Places:
    """Many grids in one: each cell holds as many places where a molecule may appear."""

    grid: Grid
    copies: int

    name: ClassVar[str] = "places"

    @property
    def z_reach_nm(self) -> float:
        """See `Specimen`."""
        return self.grid.z_reach_nm

    def positions(self, rng: np.random.Generator, field: Field) -> F64:
        """See `Specimen`."""
        return np.concatenate([self.grid.positions(rng, field) for _ in range(self.copies)])


@dataclass(frozen=True, slots=True, kw_only=True)
class IsolatedSet:
    """One set of isolated molecules, by the names of what it is made of."""

    psf_name: str
    light: str
    """`pulse` or `blink`."""
    signal_name: str
    camera_name: str

    @property
    def name(self) -> str:
        """PSF/light/signal/camera."""
        return f"{self.psf_name}/{self.light}/{self.signal_name}/{self.camera_name}"

    @property
    def psf(self) -> PSF:
        """As engines are told it."""
        return psf(self.psf_name)

    @property
    def camera(self) -> CameraModel:
        """What takes the movies."""
        return camera(self.camera_name, SIDE)

    @property
    def signal(self) -> Signal:
        """Photons and background."""
        return SIGNALS[self.signal_name]

    @property
    def frames(self) -> int:
        """The length of a movie; every second frame of a pulsed one is dark."""
        return LIGHTS[self.light]

    @property
    def room(self) -> Room:
        """What the PSF needs for itself."""
        return ROOMS[self.psf_name]

    @property
    def density_per_um2(self) -> float:
        """Molecules visible per µm² and lit frame."""
        side_um = SIDE * PIXEL_NM / 1000
        cells = int(side_um * 1000 // self.room.spacing_nm) ** 2
        return (1.0 if self.light == "pulse" else _LIT) * cells / side_um**2

    def simulator(self, seed: int) -> Simulator:
        """The microscope that takes the movies."""
        spacing = self.room.spacing_nm
        z_half = 0.0 if self.psf.z_range_nm is None else Z_HALF_NM
        grid = Grid(spacing_nm=spacing, jitter=_WANDER_NM / spacing, z_half_nm=z_half)
        pulsed = self.light == "pulse"
        return Simulator(
            camera=self.camera,
            psf=quick_psf(self.psf_name),
            specimen=grid if pulsed else _Places(grid, _PLACES),
            blinking=Single() if pulsed else Exponential(ON_FRAMES),
            brightness=Brightness(self.signal.photons, SPREAD),
            visible_per_um2=self.density_per_um2,
            background=Background(self.signal.background),
            seed=seed,
        )

    def movie(self, seed: int, frames: int | None = None) -> Movie:
        """A movie of that seed, or its first `frames` frames."""
        run, frames = self.simulator(seed).start(), frames or self.frames
        if self.light == "blink":
            return Movie(*run.advance(frames))
        parts = [run.advance(1, laser_power=float(k % 2 == 0)) for k in range(frames)]
        batch = FrameBatch(
            np.concatenate([b.pixels for b, _ in parts]),
            np.concatenate([b.index for b, _ in parts]),
            np.concatenate([b.time_s for b, _ in parts]),
        )
        return Movie(batch, concatenate([truth for _, truth in parts]))

    def judge(self, found: Localizations, movie: Movie) -> Values:
        """Errors over the bound by axis (`x`, …), and `recall` of the isolated molecules.

        `robust x` feels no outliers, `bias x` is in units of the bound, `pull x` is the
        spread in units of the claimed sigma. Molecules below the signal's
        `min_photons` do not count.
        """
        truth = movie.truth
        counts = alone(truth, self.room.spacing_nm / 2)
        counts &= truth.axis("photons") >= self.signal.min_photons
        pairs = match(found, truth)
        kept = counts[pairs.truth]
        n, expected = int(kept.sum()), int(counts.sum())
        values: dict[str, float | None] = {"n": n, "recall": n / expected if expected else None}
        if n < 2:
            return values
        bound = self.bound(truth.where(pairs.truth[kept]))
        for axis in "xyz":
            limit: F64 | None = getattr(bound, axis)
            if limit is not None and getattr(found, axis) is not None:
                error = pairs.errors(found, truth, axis)[kept]
                ratio = precision(error, limit)
                values[axis], values[f"{axis} error"] = ratio.std.value, ratio.std.standard_error
                values[f"robust {axis}"] = ratio.robust_std.value
                values[f"bias {axis}"] = ratio.bias.value
                values |= _pull(found, pairs.found[kept], error, axis)
        return values

    def bound(self, truth: Localizations) -> Bound:
        """The least standard errors of an estimate from the molecule's frame alone."""
        x, y, z = (truth.axis(axis).astype(np.float64) for axis in "xyz")
        patch = self.room.patch
        row, column = (
            np.clip(np.rint(at / PIXEL_NM).astype(np.int64) - patch // 2, 0, SIDE - patch)
            for at in (y, x)
        )
        shape = (patch, patch)
        readout = Readout.at(self.camera, row, column, shape)
        x, y = x - column * PIXEL_NM, y - row * PIXEL_NM
        light = truth.axis("photons"), truth.axis("background")
        return crlb(quick_psf(self.psf_name), x, y, z, *light, shape, PIXEL_NM, readout)


def _pull(found: Localizations, rows: I64, error: F64, axis: str) -> dict[str, float | None]:
    """Spread of the errors over what the engine claims of them; nothing if it claims nothing."""
    sigma = getattr(found, f"sigma_{axis}")
    if sigma is None:
        return {}
    claimed = sigma[rows].astype(np.float64)
    usable = np.isfinite(claimed) & (claimed > 0)
    if np.count_nonzero(usable) < 2:
        return {f"pull {axis}": None}
    return {f"pull {axis}": precision(error[usable], claimed[usable]).std.value}


def alone(truth: Localizations, radius_nm: float) -> Bool:
    """Which true molecules have no other one within the radius, in their frame or next to it.

    The same molecule in the frame before or after is no other one.
    """
    require("molecule" in truth.extra, "truth has no column molecule; take a simulator's truth")
    molecule = truth.extra["molecule"]
    order = np.argsort(truth.frame, kind="stable")
    frame = truth.frame[order]
    result = np.ones(len(truth), np.bool_)
    for now in np.unique(frame):
        first, stop, begin, end = np.searchsorted(frame, [now, now + 1, now - 1, now + 2])
        here, near = order[first:stop], order[begin:end]
        apart = np.hypot(
            truth.x[here][:, None] - truth.x[near], truth.y[here][:, None] - truth.y[near]
        )
        other = molecule[here][:, None] != molecule[near]
        result[here] = ~np.any(other & (apart < radius_nm), axis=1)
    return result


ISOLATED = tuple(
    IsolatedSet(psf_name=p, light=light, signal_name=s, camera_name=c)
    for p in PSFS
    for light in LIGHTS
    for s in SIGNALS
    for c in CAMERAS
)


def named(pattern: str) -> tuple[IsolatedSet, ...]:
    """The sets whose name has the pattern, as `astigmatic/*` or `*/pulse/*`."""
    return tuple(s for s in ISOLATED if fnmatchcase(s.name, pattern))
