"""Specimens with a shape: filaments, nuclear pores, and targets for resolution.

Keeps the protocol of `specimens`; how the molecules sit on each shape is all
it knows.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from live_smlm.core import F64, require
from live_smlm.physics.field import Field, check_count, check_number

_STEP_NM = 10.0
"""Pieces in which a curve is laid."""


@dataclass(frozen=True, slots=True)
class Filaments:
    """Microtubules: hollow cylinders, molecules on their surface, along smooth random curves."""

    count: int = 8
    molecules_per_um: float = 500.0
    diameter_nm: float = 25.0
    bend_nm: float = 3000.0
    """Along this length the direction turns by about one radian."""
    z_half_nm: float = 0.0
    """The axes wander smoothly between minus and plus this, surfaces by a radius more."""

    name: ClassVar[str] = "filaments"

    def __post_init__(self) -> None:
        check_number("filaments count", self.count, at_least=1)
        check_number("filaments molecules_per_um", self.molecules_per_um, above=0)
        check_number("filaments diameter_nm", self.diameter_nm, at_least=0)
        check_number("filaments bend_nm", self.bend_nm, at_least=_STEP_NM)
        check_number("filaments z_half_nm", self.z_half_nm, at_least=0)

    @property
    def z_reach_nm(self) -> float:
        """See `Specimen`."""
        return self.z_half_nm + 0.5 * self.diameter_nm

    def positions(self, rng: np.random.Generator, field: Field) -> F64:
        """See `Specimen`. Each curve passes through the field and is cut at its edges."""
        length = 2 * float(np.hypot(field.height_nm, field.width_nm))
        check_count(
            f"filaments molecules_per_um {self.molecules_per_um:g}",
            self.count * length * max(self.molecules_per_um * 1e-3, 1 / _STEP_NM),
        )
        return np.concatenate([self._one(field, length, rng) for _ in range(self.count)])

    def _one(self, field: Field, length: float, rng: np.random.Generator) -> F64:
        axis, tangent = self._axis(field, length, rng)
        ends = (len(axis) - 1) * _STEP_NM
        at = ends * rng.random(int(rng.poisson(ends * 1e-3 * self.molecules_per_um)))
        knots = _STEP_NM * np.arange(len(axis))
        centre = np.stack([np.interp(at, knots, axis[:, i]) for i in range(3)], axis=1)
        along = np.stack([np.interp(at, knots, tangent[:, i]) for i in range(3)], axis=1)
        along /= np.linalg.norm(along, axis=1, keepdims=True)
        level = np.cross(along, [0.0, 0.0, 1.0])
        level /= np.linalg.norm(level, axis=1, keepdims=True)
        around = 2 * np.pi * rng.random((len(at), 1))
        outwards = np.cos(around) * level + np.sin(around) * np.cross(level, along)
        return field.inside(centre + 0.5 * self.diameter_nm * outwards)

    def _axis(self, field: Field, length: float, rng: np.random.Generator) -> tuple[F64, F64]:
        """Points of a curve, `_STEP_NM` apart in x and y, and its direction there."""
        s = np.arange(-length / 2, length / 2, _STEP_NM)
        heading = 2 * np.pi * rng.random() + _wave(s, self.bend_nm, rng)
        wander = 2 * self.bend_nm
        phase = 2 * np.pi * rng.random()
        z = self.z_half_nm * np.sin(s / wander + phase)
        slope = self.z_half_nm / wander * np.cos(s / wander + phase)
        tangent = np.stack([np.cos(heading), np.sin(heading), slope], axis=1)
        curve = np.cumsum(tangent[:, :2] * _STEP_NM, axis=0)
        through = field.scatter(1, 0.0, rng)[0, :2]
        curve += through - curve[len(curve) // 2]
        return np.column_stack([curve, z]), tangent


def _wave(s: F64, length: float, rng: np.random.Generator) -> F64:
    """A smooth random angle: three waves that together turn by about 1 / `length`."""
    wavelengths = length * np.array([2.0, 4.0, 8.0])
    phases = 2 * np.pi * rng.random(3)
    k = 2 * np.pi / wavelengths
    share = 1 / (length * k * np.sqrt(1.5))
    return np.asarray((share * np.sin(s[:, None] * k + phases)).sum(axis=1))


@dataclass(frozen=True, slots=True)
class Rings:
    """Nuclear pores: rings of corners, each labelled or not."""

    spacing_nm: float = 400.0
    """Pores sit near the points of a square grid of this pitch, and never touch."""
    diameter_nm: float = 107.0
    corners: int = 8
    molecules_per_corner: int = 4
    labelling: float = 0.7
    """The share of molecules that carry a dye."""
    linker_nm: float = 3.0
    """Standard deviation, in x, y and z, of the dye's place about its corner."""
    z_half_nm: float = 0.0
    """Pores are uniform in z between minus and plus this."""

    name: ClassVar[str] = "rings"

    def __post_init__(self) -> None:
        check_number("rings diameter_nm", self.diameter_nm, above=0)
        check_number("rings spacing_nm", self.spacing_nm, above=self.diameter_nm)
        check_number("rings corners", self.corners, at_least=1)
        check_number("rings molecules_per_corner", self.molecules_per_corner, at_least=1)
        check_number("rings linker_nm", self.linker_nm, at_least=0)
        check_number("rings z_half_nm", self.z_half_nm, at_least=0)
        require(
            0 < self.labelling <= 1,
            f"rings labelling is {self.labelling:g}; it is a share, above 0 and up to 1",
        )

    @property
    def z_reach_nm(self) -> float:
        """See `Specimen`."""
        return self.z_half_nm + 6.0 * self.linker_nm

    def positions(self, rng: np.random.Generator, field: Field) -> F64:
        """See `Specimen`; pores are turned at random and cut at the field's edges."""
        pores = field.area_um2 * 1e6 / self.spacing_nm**2
        check_count("rings", (pores + 2) * self.corners * self.molecules_per_corner)
        centres = self._centres(field, rng)
        turn = 2 * np.pi * rng.random((len(centres), 1))
        angle = turn + 2 * np.pi / self.corners * np.arange(self.corners)
        corners = np.repeat(centres[:, None], self.corners, axis=1)
        corners[..., 0] += 0.5 * self.diameter_nm * np.cos(angle)
        corners[..., 1] += 0.5 * self.diameter_nm * np.sin(angle)
        sites = np.repeat(corners.reshape(-1, 3), self.molecules_per_corner, axis=0)
        labelled = sites[rng.random(len(sites)) < self.labelling]
        return field.inside(labelled + self.linker_nm * rng.standard_normal(labelled.shape))

    def _centres(self, field: Field, rng: np.random.Generator) -> F64:
        room = 0.5 * (self.spacing_nm - self.diameter_nm)
        x = np.arange(0.5 * self.spacing_nm, max(field.width_nm, self.spacing_nm), self.spacing_nm)
        y = np.arange(0.5 * self.spacing_nm, max(field.height_nm, self.spacing_nm), self.spacing_nm)
        centres = np.zeros((len(x) * len(y), 3))
        centres[:, 0], centres[:, 1] = np.tile(x, len(y)), np.repeat(y, len(x))
        return np.asarray(
            centres + np.array([room, room, self.z_half_nm]) * rng.uniform(-1, 1, centres.shape)
        )


@dataclass(frozen=True, slots=True)
class SiemensStar:
    """Spokes that narrow towards the field's centre: resolution read from where they merge."""

    spokes: int = 16
    molecules_per_um2: float = 2000.0
    """Within a spoke."""
    z_nm: float = 0.0

    name: ClassVar[str] = "siemens"

    def __post_init__(self) -> None:
        check_number("siemens spokes", self.spokes, at_least=1)
        check_number("siemens molecules_per_um2", self.molecules_per_um2, above=0)
        check_number("siemens z_nm", self.z_nm)

    @property
    def z_reach_nm(self) -> float:
        """See `Specimen`."""
        return abs(self.z_nm)

    def positions(self, rng: np.random.Generator, field: Field) -> F64:
        """See `Specimen`; spokes and gaps are equally wide and reach to the nearest edge."""
        radius = 0.5 * min(field.height_nm, field.width_nm)
        expected = 0.5 * np.pi * radius**2 * 1e-6 * self.molecules_per_um2
        check_count(f"siemens molecules_per_um2 {self.molecules_per_um2:g}", expected)
        n = int(rng.poisson(expected))
        spoke = rng.integers(self.spokes, size=n)
        angle = 2 * np.pi / self.spokes * (spoke + 0.5 * rng.random(n))
        r = radius * np.sqrt(rng.random(n))
        x = 0.5 * field.width_nm + r * np.cos(angle)
        y = 0.5 * field.height_nm + r * np.sin(angle)
        return field.inside(np.column_stack([x, y, np.full(n, self.z_nm)]))


@dataclass(frozen=True, slots=True)
class Lines:
    """Pairs of parallel lines along y, at given distances: resolution read from what is split."""

    distances_nm: tuple[float, ...] = (10.0, 20.0, 30.0, 50.0, 80.0, 120.0)
    molecules_per_um: float = 500.0
    z_nm: float = 0.0

    name: ClassVar[str] = "lines"

    def __post_init__(self) -> None:
        require(len(self.distances_nm) > 0, "lines distances_nm is empty; give at least one")
        for distance in self.distances_nm:
            check_number("lines distances_nm", distance, above=0)
        check_number("lines molecules_per_um", self.molecules_per_um, above=0)
        check_number("lines z_nm", self.z_nm)

    @property
    def z_reach_nm(self) -> float:
        """See `Specimen`."""
        return abs(self.z_nm)

    def positions(self, rng: np.random.Generator, field: Field) -> F64:
        """See `Specimen`; pairs share the field's width evenly, in the order given."""
        pitch = field.width_nm / len(self.distances_nm)
        require(
            max(self.distances_nm) < pitch,
            f"lines {max(self.distances_nm):g} nm apart do not fit {len(self.distances_nm)} times "
            f"into {field.width_nm:g} nm; take fewer distances or a wider field",
        )
        middle = pitch * (np.arange(len(self.distances_nm)) + 0.5)
        half = 0.5 * np.array(self.distances_nm)
        lines = np.stack([middle - half, middle + half], axis=1).reshape(-1)
        expected = field.height_nm * 1e-3 * self.molecules_per_um
        check_count(f"lines molecules_per_um {self.molecules_per_um:g}", expected * len(lines))
        x = np.repeat(lines, rng.poisson(expected, len(lines)))
        y = field.height_nm * rng.random(len(x))
        return np.column_stack([x, y, np.full(len(x), self.z_nm)])
