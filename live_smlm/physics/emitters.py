"""Molecules that shine: where a specimen, its photophysics and the dye's brightness meet.

Alone knows how identities of a blinking process become places: a pool has its
places from the start, while activations without end get one when they happen.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from live_smlm.core import F64, I64, require
from live_smlm.physics.blinking import Blinking, BlinkingProcess, Exponential, Single
from live_smlm.physics.field import Field, check_number
from live_smlm.physics.specimens import Grid, Specimen, Uniform


@dataclass(frozen=True, slots=True)
class Brightness:
    """Photons that arrive at the camera from a molecule that is on for a whole frame."""

    photons: float
    """Mean over the molecules."""
    spread: float = 0.0
    """Standard deviation of the logarithm (log-normal) between molecules; 0: all the same."""

    def __post_init__(self) -> None:
        check_number("photons", self.photons, above=0)
        require(self.photons <= 1e9, f"photons is {self.photons:g}; no molecule gives above 1e9")
        check_number("photons_spread", self.spread, at_least=0)
        require(self.spread <= 3, f"photons_spread is {self.spread:g}; give 0 to 3 (often 0.5)")

    def draw(self, count: int, rng: np.random.Generator) -> F64:
        """(count,) photons per whole frame."""
        logarithm = self.spread * rng.standard_normal(count) - 0.5 * self.spread**2
        return np.asarray(self.photons * np.exp(logarithm))


@dataclass(frozen=True, slots=True, eq=False)
class Emission:
    """The molecules that are on in one frame."""

    molecule: I64
    """(n,) identity over the frames."""
    position: F64
    """(n, 3) x, y, z in nm, in the sample (without drift)."""
    photons: F64
    """(n,) that arrive in this frame."""


class Emitters(Protocol):
    """One run of a specimen that blinks."""

    def step(self, laser_power: float = 1.0) -> Emission:
        """Advance by one frame."""


def start_emitters(
    specimen: Specimen,
    blinking: Blinking,
    brightness: Brightness,
    field: Field,
    visible: float,
    seed: np.random.SeedSequence,
) -> Emitters:
    """A run in which `visible` molecules per frame are seen on average at laser power 1.

    Single-frame molecules of a uniform specimen or a grid are at new places in
    every frame; a grid shows at most one per cell. Exponential activations of a
    uniform specimen are anywhere, of any other at one of its molecules.
    """
    process_rng, place_rng = (np.random.default_rng(child) for child in seed.spawn(2))
    if isinstance(blinking, Single) and isinstance(specimen, Grid):
        return _Renewed(specimen, brightness, field, visible, process_rng, place_rng)
    if isinstance(blinking, (Single, Exponential)) and isinstance(specimen, Uniform):
        process = blinking.start(visible, None, process_rng)
        return _Activated(process, _Anywhere(field, specimen.z_half_nm), brightness, place_rng)
    sites = specimen.positions(place_rng, field)
    require(
        len(sites) > 0 or visible == 0,
        f"specimen {specimen.name!r} has no molecule in the field of "
        f"{field.width_nm:g} x {field.height_nm:g} nm; label more or take a larger field",
    )
    if isinstance(blinking, Exponential):
        process = blinking.start(visible, None, process_rng)
        return _Activated(process, _Sites(sites), brightness, place_rng)
    photons = brightness.draw(len(sites), place_rng)
    return _Pooled(blinking.start(visible, len(sites), process_rng), sites, photons)


class _Pooled:
    """A finite specimen: places and brightness are drawn once."""

    def __init__(self, process: BlinkingProcess, sites: F64, photons: F64) -> None:
        self._process, self._sites, self._photons = process, sites, photons

    def step(self, laser_power: float = 1.0) -> Emission:
        ids, fraction = self._process.step(laser_power)
        return Emission(ids, self._sites[ids], self._photons[ids] * fraction)


class _Places(Protocol):
    """Where a molecule may be activated."""

    def draw(self, count: int, rng: np.random.Generator) -> F64:
        """(count, 3) x, y, z."""


@dataclass(frozen=True, slots=True)
class _Anywhere:
    field: Field
    z_half_nm: float

    def draw(self, count: int, rng: np.random.Generator) -> F64:
        return self.field.scatter(count, self.z_half_nm, rng)


@dataclass(frozen=True, slots=True, eq=False)
class _Sites:
    positions: F64

    def draw(self, count: int, rng: np.random.Generator) -> F64:
        return self.positions[rng.integers(len(self.positions), size=count)] if count else _NOWHERE


_NOWHERE = np.zeros((0, 3))


class _Activated:
    """Activations without end: each gets its place and brightness when it first shines.

    The process numbers them as they come, so places lie in a table whose first
    row belongs to the oldest that may still shine.
    """

    def __init__(
        self,
        process: BlinkingProcess,
        places: _Places,
        brightness: Brightness,
        rng: np.random.Generator,
    ) -> None:
        self._process, self._places, self._brightness, self._rng = process, places, brightness, rng
        self._first = 0
        self._position = _NOWHERE
        self._photons = np.zeros(0)

    def step(self, laser_power: float = 1.0) -> Emission:
        ids, fraction = self._process.step(laser_power)
        if len(ids) == 0:
            return Emission(ids, _NOWHERE, fraction)
        oldest, known = int(ids[0]), self._first + len(self._photons)
        self._position = self._position[oldest - self._first :]
        self._photons = self._photons[oldest - self._first :]
        self._first = oldest
        born = max(0, int(ids[-1]) + 1 - known)
        new = self._places.draw(born, self._rng)
        self._position = np.concatenate([self._position, new])
        self._photons = np.concatenate([self._photons, self._brightness.draw(born, self._rng)])
        row = ids - oldest
        return Emission(ids, self._position[row], self._photons[row] * fraction)


class _Renewed:
    """A grid that is drawn anew in every frame; of its cells, a random choice is lit."""

    def __init__(
        self,
        grid: Grid,
        brightness: Brightness,
        field: Field,
        visible: float,
        process_rng: np.random.Generator,
        place_rng: np.random.Generator,
    ) -> None:
        cells = len(grid.positions(place_rng, field))
        self._process = Single().start(min(visible, cells), cells, process_rng)
        self._grid, self._brightness, self._field, self._rng = grid, brightness, field, place_rng
        self._next_id = 0

    def step(self, laser_power: float = 1.0) -> Emission:
        cells, fraction = self._process.step(laser_power)
        ids = np.arange(self._next_id, self._next_id + len(cells))
        self._next_id += len(cells)
        position = self._grid.positions(self._rng, self._field)[cells]
        return Emission(ids, position, self._brightness.draw(len(cells), self._rng) * fraction)
