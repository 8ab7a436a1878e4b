"""How the sample moves under the objective, with known truth.

A model gives one displacement (x, y, z in nm) per frame, without end; the
first frame's is zero. Where a molecule appears is its place plus the drift.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple, dataclass
from itertools import islice
from types import MappingProxyType
from typing import ClassVar, Protocol

import numpy as np

from live_smlm.core import F64, require


class Drift(Protocol):
    """A model of drift."""

    @property
    def name(self) -> str:
        """As `--drift` names it."""

    def steps(self, rng: np.random.Generator) -> Iterator[F64]:
        """The displacement (3,) from one frame to the next, without end."""


def _check(drift: "Linear | RandomWalk | Jumps") -> None:
    bad = [value for value in astuple(drift) if not np.isfinite(value)]
    require(not bad, f"{drift.name} drift has the value {bad[:1]}; give finite numbers")


@dataclass(frozen=True, slots=True)
class NoDrift:
    """A sample that lies still."""

    name: ClassVar[str] = "none"

    def steps(self, rng: np.random.Generator) -> Iterator[F64]:  # noqa: ARG002 - nothing random
        """See `Drift`."""
        while True:
            yield np.zeros(3)


@dataclass(frozen=True, slots=True)
class Linear:
    """A constant speed, nm per frame."""

    x: float = 0.01
    y: float = 0.01
    z: float = 0.0

    name: ClassVar[str] = "linear"

    def __post_init__(self) -> None:
        _check(self)

    def steps(self, rng: np.random.Generator) -> Iterator[F64]:  # noqa: ARG002 - nothing random
        """See `Drift`."""
        while True:
            yield np.array([self.x, self.y, self.z])


@dataclass(frozen=True, slots=True)
class RandomWalk:
    """Independent normal steps; standard deviations in nm per frame and axis."""

    lateral_nm: float = 0.5
    axial_nm: float = 0.0

    name: ClassVar[str] = "random-walk"

    def __post_init__(self) -> None:
        _check(self)
        smallest = min(self.lateral_nm, self.axial_nm)
        require(smallest >= 0, f"random-walk drift has the step {smallest:g}; give 0 or more nm")

    def steps(self, rng: np.random.Generator) -> Iterator[F64]:
        """See `Drift`."""
        scale = np.array([self.lateral_nm, self.lateral_nm, self.axial_nm])
        while True:
            yield scale * rng.standard_normal(3)


@dataclass(frozen=True, slots=True)
class Jumps:
    """Sudden lateral shifts by `size_nm` in a random direction, at random frames."""

    size_nm: float = 50.0
    every_frames: float = 1000.0
    """Mean frames between two jumps."""

    name: ClassVar[str] = "jumps"

    def __post_init__(self) -> None:
        _check(self)
        require(self.size_nm >= 0, f"jumps drift size_nm is {self.size_nm:g}; give 0 or more")
        require(
            self.every_frames >= 1,
            f"jumps drift every_frames is {self.every_frames:g}; give 1 or more",
        )

    def steps(self, rng: np.random.Generator) -> Iterator[F64]:
        """See `Drift`."""
        while True:
            jumps = rng.random() * self.every_frames < 1.0
            angle = 2 * np.pi * rng.random()
            yield jumps * self.size_nm * np.array([np.cos(angle), np.sin(angle), 0.0])


def displacements(drift: Drift, rng: np.random.Generator) -> Iterator[F64]:
    """Where the sample is in frames 0, 1, 2, ... relative to frame 0: x, y, z in nm."""
    place = np.zeros(3)
    for step in drift.steps(rng):
        yield place
        place = place + step


def drift_path(drift: Drift, frames: int, rng: np.random.Generator) -> F64:
    """(frames, 3) the first displacements as a table."""
    path = np.zeros((frames, 3))
    for frame, place in enumerate(islice(displacements(drift, rng), frames)):
        path[frame] = place
    return path


DRIFTS: Mapping[str, Callable[..., Drift]] = MappingProxyType(
    {kind.name: kind for kind in (NoDrift, Linear, RandomWalk, Jumps)}
)
"""The models by name."""
