"""What a bundle says of its network, checked at birth."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from live_smlm.core import require
from live_smlm.inference.envelope import Envelope
from live_smlm.inference.raw_maps import MAPS, NAMES, Output

_AXIAL = ("z", "sigma_z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a bundle says of its network."""

    name: str
    architecture: str
    axes: int
    """2, or 3 where z is told."""
    halo: tuple[int, int]
    """Frames of context before and after."""
    slots: int
    """Molecules that one tile of `grid` x `grid` pixels can hold."""
    threshold: float
    """Probability from which a molecule counts."""
    margin_px: int
    """Half-width of what a pixel sees; tiles overlap by it."""
    macs_per_pixel: float
    """Multiply-adds, each frame encoded once."""
    envelope: Envelope
    provenance: Mapping[str, Any] = field(default_factory=dict)
    grid: int = 32
    """Frames are padded to multiples of it where the graph looks for the molecules."""
    stride: int = 32
    """The same where it ends at raw maps: what the network itself wants."""
    outputs: tuple[Output, ...] = ()
    """What the ten raw maps of the graph `maps` mean, in px, nm and effective counts."""

    def __post_init__(self) -> None:
        require(
            bool(self.name) and self.name == Path(self.name).name,
            f"bundle name is {self.name!r}; give a plain name",
        )
        require(bool(self.architecture), "bundle architecture is empty; name it")
        require(self.axes in (2, 3), f"bundle axes is {self.axes}; give 2 or 3")
        require(
            min(self.halo) >= 0,
            f"bundle halo is {self.halo}; give frames before and after",
        )
        for name, least in (("slots", 1), ("grid", 1), ("stride", 1), ("margin_px", 0)):
            value = getattr(self, name)
            require(value >= least, f"bundle {name} is {value}; give at least {least}")
        require(
            0 < self.threshold < 1, f"bundle threshold is {self.threshold:g}; give 0 to 1, ends out"
        )
        require(
            np.isfinite(self.macs_per_pixel) and self.macs_per_pixel >= 0,
            f"bundle macs_per_pixel is {self.macs_per_pixel:g}; it must not be negative",
        )

        require(
            len(self.outputs) in {0, MAPS},
            f"bundle names {len(self.outputs)} outputs; give {MAPS}, or none without graph maps",
        )

    def tells(self, name: str) -> bool:
        """Whether the network says anything of a field of molecules."""
        if name in _AXIAL and self.axes == 2:
            return False
        return not self.outputs or self.outputs[NAMES.index(name)].kind != "none"

    def describe(self) -> dict[str, Any]:
        """As it stands in the file, but for what the files add."""
        return {
            **{f.name: getattr(self, f.name) for f in fields(self)},
            "halo": list(self.halo),
            "envelope": self.envelope.describe(),
            "outputs": [[o.kind, o.scale, o.offset] for o in self.outputs],
            "provenance": dict(self.provenance),
        }
