"""How far the sample had wandered by frame; taken off when molecules are drawn.

What is kept stays as it was measured. Straight lines between the knots; before
the first and after the last knot the nearest one holds.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from live_smlm.core.arrays import F32, F64, AnyArray
from live_smlm.core.errors import require
from live_smlm.core.localizations import Localizations


@dataclass(frozen=True, slots=True, eq=False)
class DriftCurve:
    """Displacement of the sample at some frames, nm; rising frames, one value each per axis."""

    frame: F64
    x: F64
    y: F64
    z: F64

    def __post_init__(self) -> None:
        n = len(self.frame)
        for name, column in (("frame", self.frame), ("x", self.x), ("y", self.y), ("z", self.z)):
            require(
                column.shape == (n,) and n > 0,
                f"drift {name} has shape {column.shape}; give one value per knot ({n}, at least 1)",
            )
            require(bool(np.isfinite(column).all()), f"drift {name} is not finite; drop such knots")
        require(
            bool(np.all(np.diff(self.frame) > 0)),
            "drift frames do not rise; sort the knots and keep one per frame",
        )

    def at(self, frame: AnyArray) -> tuple[F32, F32, F32]:
        """Displacement along x, y, z in given frames."""
        x, y, z = (
            np.interp(frame, self.frame, axis).astype(np.float32)
            for axis in (self.x, self.y, self.z)
        )
        return x, y, z

    def between(self, first: int, last: int) -> tuple[float, float, float, float]:
        """Least y, least x, largest y, largest x of the displacement in frames first to last."""
        within = self.frame[(self.frame > first) & (self.frame < last)]
        x, y, _ = self.at(np.concatenate([[first], within, [last]]))
        return float(y.min()), float(x.min()), float(y.max()), float(x.max())

    def followed_by(self, other: "DriftCurve", last: int) -> "DriftCurve":
        """This one up to the frame `last`, the other from the next frame on."""
        before, after = self.frame < last, other.frame > last + 1
        frame = np.concatenate([self.frame[before], [last, last + 1], other.frame[after]])
        early, late = self.at(np.array([last])), other.at(np.array([last + 1]))
        axes = [
            np.concatenate(
                [getattr(self, name)[before], first, second, getattr(other, name)[after]]
            )
            for name, first, second in zip(("x", "y", "z"), early, late, strict=True)
        ]
        return drift_curve(frame, *axes)

    def apart_nm(self, other: "DriftCurve", last: int) -> tuple[float, float]:
        """How far the two differ in frames up to `last` at most: across, and in depth."""
        frame = np.concatenate([self.frame, other.frame])
        frame = np.concatenate([frame[frame < last], [last]])
        ours, theirs = self.at(frame), other.at(frame)
        x, y, z = (a - b for a, b in zip(ours, theirs, strict=True))
        return float(np.hypot(x, y).max()), float(np.abs(z).max())

    def same(self, other: "DriftCurve") -> bool:
        """Whether the two have the same knots."""
        names = ("frame", "x", "y", "z")
        return all(np.array_equal(getattr(self, n), getattr(other, n)) for n in names)

    def corrected(self, molecules: Localizations) -> Localizations:
        """The molecules where they would be had the sample stood still."""
        x, y, z = self.at(molecules.frame)
        moved = {"x": molecules.x - x, "y": molecules.y - y}
        if molecules.z is not None:
            moved["z"] = molecules.z - z
        return molecules.with_columns(**moved)


def drift_curve(
    frame: ArrayLike, x: ArrayLike, y: ArrayLike, z: ArrayLike | None = None
) -> DriftCurve:
    """A drift from any columns of numbers; without z it lies in the plane."""
    across, along = np.asarray(x, np.float64), np.asarray(y, np.float64)
    depth = np.zeros_like(across) if z is None else np.asarray(z, np.float64)
    return DriftCurve(np.asarray(frame, np.float64), across, along, depth)


STILL = drift_curve(np.zeros(1), np.zeros(1), np.zeros(1))
"""No drift."""
