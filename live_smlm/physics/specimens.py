"""Specimens with known truth: where the molecules are.

Knows places only: not when a molecule shines, nor how it looks. Every specimen
gives (n, 3) positions x, y, z in nm, inside the field in x and y. Those without
shape are here; the shapes of biology and of test targets are in `structures`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Protocol

import numpy as np

from live_smlm.core import F64, require
from live_smlm.physics.field import Field, check_count, check_number
from live_smlm.physics.structures import Filaments, Lines, Rings, SiemensStar

_TAIL = 6.0
"""Sigmas beyond which no molecule of any sample lies."""


class Specimen(Protocol):
    """A kind of sample."""

    @property
    def name(self) -> str:
        """As `--specimen` names it."""

    @property
    def z_reach_nm(self) -> float:
        """Molecules lie between minus and plus this in z."""

    def positions(self, rng: np.random.Generator, field: Field) -> F64:
        """(n, 3) x, y, z of the molecules of one such sample, nm."""


@dataclass(frozen=True, slots=True)
class Uniform:
    """Molecules anywhere, independent of each other."""

    density_per_um2: float = 1000.0
    z_half_nm: float = 0.0
    """Uniform in z between minus and plus this."""

    name: ClassVar[str] = "uniform"

    def __post_init__(self) -> None:
        check_number("uniform density_per_um2", self.density_per_um2, at_least=0)
        check_number("uniform z_half_nm", self.z_half_nm, at_least=0)

    @property
    def z_reach_nm(self) -> float:
        """See `Specimen`."""
        return self.z_half_nm

    def positions(self, rng: np.random.Generator, field: Field) -> F64:
        """See `Specimen`; their number is Poisson."""
        expected = self.density_per_um2 * field.area_um2
        check_count(f"uniform density_per_um2 {self.density_per_um2:g}", expected)
        return field.scatter(int(rng.poisson(expected)), self.z_half_nm, rng)


@dataclass(frozen=True, slots=True)
class Grid:
    """One molecule per cell of a square grid: isolated, at random places within pixels."""

    spacing_nm: float = 2000.0
    jitter: float = 0.125
    """Each is off its cell's centre by up to this share of the spacing, in x and in y."""
    z_half_nm: float = 0.0

    name: ClassVar[str] = "grid"

    def __post_init__(self) -> None:
        check_number("grid spacing_nm", self.spacing_nm, above=0)
        require(0 <= self.jitter <= 0.5, f"grid jitter is {self.jitter:g}; give 0 to 0.5")
        check_number("grid z_half_nm", self.z_half_nm, at_least=0)

    @property
    def z_reach_nm(self) -> float:
        """See `Specimen`."""
        return self.z_half_nm

    def positions(self, rng: np.random.Generator, field: Field) -> F64:
        """See `Specimen`. As many whole cells as fit, centred in the field; at least one."""
        check_count(
            f"grid spacing_nm {self.spacing_nm:g}", field.area_um2 / self.spacing_nm**2 * 1e6
        )
        y = _centres(field.height_nm, self.spacing_nm)
        x = _centres(field.width_nm, self.spacing_nm)
        reach = np.array(
            [
                self.jitter * min(self.spacing_nm, field.width_nm),
                self.jitter * min(self.spacing_nm, field.height_nm),
                self.z_half_nm,
            ]
        )
        cells = np.zeros((len(y) * len(x), 3))
        cells[:, 0], cells[:, 1] = np.tile(x, len(y)), np.repeat(y, len(x))
        return np.asarray(cells + reach * rng.uniform(-1.0, 1.0, cells.shape))


def _centres(length: float, spacing: float) -> F64:
    count = max(1, int(length // spacing))
    return np.asarray(length / 2 + spacing * (np.arange(count) - (count - 1) / 2))


@dataclass(frozen=True, slots=True)
class Clusters:
    """Round clusters (normal in x, y and z) at random places, on nothing."""

    clusters_per_um2: float = 1.0
    molecules: float = 50.0
    """Mean per cluster (Poisson)."""
    sigma_nm: float = 25.0
    z_half_nm: float = 0.0
    """Cluster centres are uniform in z between minus and plus this."""
    axial_sigma_nm: float = 0.0

    name: ClassVar[str] = "clusters"

    def __post_init__(self) -> None:
        check_number("clusters clusters_per_um2", self.clusters_per_um2, above=0)
        check_number("clusters molecules", self.molecules, above=0)
        check_number("clusters sigma_nm", self.sigma_nm, at_least=0)
        check_number("clusters z_half_nm", self.z_half_nm, at_least=0)
        check_number("clusters axial_sigma_nm", self.axial_sigma_nm, at_least=0)

    @property
    def z_reach_nm(self) -> float:
        """See `Specimen`."""
        return self.z_half_nm + _TAIL * self.axial_sigma_nm

    def positions(self, rng: np.random.Generator, field: Field) -> F64:
        """See `Specimen`; what of a cluster leaves the field is cut off."""
        clusters = self.clusters_per_um2 * field.area_um2
        check_count("clusters_per_um2 x molecules", clusters * (1 + self.molecules))
        centres = field.scatter(int(rng.poisson(clusters)), self.z_half_nm, rng)
        members = np.repeat(centres, rng.poisson(self.molecules, len(centres)), axis=0)
        scale = np.array([self.sigma_nm, self.sigma_nm, self.axial_sigma_nm])
        return field.inside(members + scale * rng.standard_normal(members.shape))


SPECIMENS: Mapping[str, Callable[..., Specimen]] = MappingProxyType(
    {kind.name: kind for kind in (Uniform, Grid, Filaments, Rings, Clusters, SiemensStar, Lines)}
)
"""The specimens by name."""
