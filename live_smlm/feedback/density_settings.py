"""What a user says about density control, and what the control says it does."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from live_smlm.core import require

_FLOOR = 0.01
"""Share of the highest value below which there is the lowest only: logarithms have no 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DensitySettings:
    """Keeping the density of active molecules at a set point; the fields are the user's words."""

    property: str = "Laser.Voltage"
    """What is turned: `Device.Property`, or `exposure` (ms). More of it makes more molecules."""
    set_point_per_um2: float
    """Molecules per frame and um2 to be found."""
    lowest: float = 0.0
    highest: float
    safe: float = 0.0
    """The value at the end, whatever the end is; it may lie outside of lowest to highest."""
    dead_zone: float = 0.05
    """Share of the set point by which the density may be off without a move."""
    slew_per_s: float | None = None
    """Most that the value may change in a second of the camera's clock; none: at once."""
    every_frames: int = 25
    """Frames to look at before a move."""
    most_per_um2: float | None = None
    """Density up to which the engine is to be trusted; above it the value is cut at once."""
    stale_s: float = 5.0
    """Without a density for so long, the safe value is set."""
    dry_run: bool = False
    """Say what would be done, and do nothing."""

    def __post_init__(self) -> None:
        for name in ("set_point_per_um2", "highest", "every_frames", "stale_s"):
            self._check_above(name)
        for name in ("slew_per_s", "most_per_um2"):
            if getattr(self, name) is not None:
                self._check_above(name)
        require(
            0 <= self.lowest < self.highest,
            f"lowest is {self.lowest:g}; give 0 to below highest ({self.highest:g})",
        )
        require(math.isfinite(self.safe), f"safe is {self.safe}; give a finite number")
        require(0 <= self.dead_zone < 1, f"dead_zone is {self.dead_zone:g}; give 0 to below 1")
        most = self.most_per_um2
        require(
            most is None or self.set_point_per_um2 <= most,
            f"set_point_per_um2 is {self.set_point_per_um2:g} but the engine holds up to "
            f"{most or 0:g} per um2; lower it, or take another engine",
        )

    def floor(self) -> float:
        """The least value that is told from none."""
        return max(self.lowest, _FLOOR * self.highest)

    def _check_above(self, name: str) -> None:
        value = getattr(self, name)
        require(
            math.isfinite(value) and value > 0, f"{name} is {value:g}; give a finite number above 0"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Something that density control did, or would do."""

    property: str
    before: float | None
    """The value until now; None where it is not known."""
    after: float
    why: str
    seconds: float
    """On the camera's clock."""
    per_um2: float | None = None
    """The density that it was decided by."""
    set_point_per_um2: float
    applied: bool
    """False in a dry run."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for the record."""
        return asdict(self)

    def __str__(self) -> str:
        said = "" if self.applied else "would be: "
        before = "" if self.before is None else f" from {self.before:.4g}"
        return f"{said}{self.property}{before} to {self.after:.4g}: {self.why}"
