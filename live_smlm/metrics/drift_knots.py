"""The blocks of a run and where the sample was found in each; a table that grows in place."""

from dataclasses import dataclass, field

import numpy as np

from live_smlm.core import F64, DriftCurve

_FIRST_ROOM = 256
_BEFORE, _AFTER = -0.6, -0.4
"""Where a jump's two knots lie, in frames from the first that it displaces: between two frames."""
_FIELDS = {
    "frame": slice(0, 1),
    "first": slice(1, 2),
    "stop": slice(2, 3),
    "molecules": slice(3, 4),
    "at": slice(4, 7),
    "variance": slice(7, 10),
    "free": slice(10, 13),
    "value": slice(13, 16),
    "doubt": slice(16, 19),
    "shown": slice(19, 22),
    "told": slice(22, 25),
    "told_variance": slice(25, 28),
    "step": slice(28, 31),
    "step_variance": slice(31, 34),
    "lapse": slice(34, 35),
}


@dataclass(slots=True)
class Knots:
    """One row per block, in the order of time."""

    count: int = 0
    _table: F64 = field(default_factory=lambda: np.zeros((_FIRST_ROOM, 35)))

    def __len__(self) -> int:
        return self.count

    def append(
        self, *, span: tuple[float, float, float], molecules: int, at: F64, variance: F64,
        free: F64, value: F64, doubt: F64, shown: F64, told: F64, told_variance: F64,
        step: F64, step_variance: F64, lapse: float,
    ) -> None:  # fmt: skip
        """A further block: mean frame, first frame and the frame after the last; (3,) each.

        `at` and `variance` were measured; `free` is above 0 where an axis jumped before;
        `value` and `doubt` are believed; `shown` was believed when its molecules came;
        `told` is what markers said, their variance infinite where there are none; `step` is
        how far it moved in `lapse` frames since the block before.
        """
        if self.count == len(self._table):
            self._table = np.concatenate([self._table, np.zeros_like(self._table)])
        row = np.concatenate([span, [molecules], at, variance, free, value, doubt, shown])
        row = np.concatenate([row, told, told_variance, step, step_variance, [lapse]])
        self._table[self.count] = row
        self.count += 1

    def column(self, name: str) -> F64:
        """A view of all blocks: (n,) for frame, first, stop, molecules, lapse, (n, 3) otherwise."""
        part = self._table[: self.count, _FIELDS[name]]
        return part[:, 0] if part.shape[1] == 1 else part

    def curve(self) -> DriftCurve:
        """Straight lines from block to block; steps where it jumped."""
        frame, value, free = self.column("frame"), self.column("value"), self.column("free")
        jumps = np.flatnonzero((free > 0).any(axis=1))
        jumps = jumps[jumps > 0]
        if len(jumps):
            first = self.column("first")[jumps]
            before = value[jumps - 1]
            after = np.where(free[jumps] > 0, value[jumps], before)
            frame = np.concatenate([frame, first + _BEFORE, first + _AFTER])
            value = np.concatenate([value, before, after])
            order = np.argsort(frame, kind="stable")
            frame, value = frame[order], value[order]
        x, y, z = value.T.copy()
        return DriftCurve(frame.copy(), x, y, z)

    def merge(self) -> None:
        """Neighbouring blocks become one, unless it jumped between them."""
        old = self._table[: self.count].copy()
        jumped = self.column("free").max(axis=1) > 0
        n = 0
        k = 0
        while k < len(old):
            row = old[k]
            if k + 1 < len(old) and not jumped[k + 1]:
                row = _merged(row, old[k + 1])
                k += 1
            self._table[n] = row
            n, k = n + 1, k + 1
        self.count = n


def _merged(left: F64, right: F64) -> F64:
    out = 0.5 * (left + right)
    weight = np.array([left[3], right[3]]) + 1e-9
    out[0] = (weight * [left[0], right[0]]).sum() / weight.sum()
    out[1], out[2], out[3] = left[1], right[2], left[3] + right[3]
    for name, error in (("at", "variance"), ("told", "told_variance")):
        at, variance = _FIELDS[name], _FIELDS[error]
        out[at], out[variance] = both(left[at], left[variance], right[at], right[variance])
    out[_FIELDS["free"]] = left[_FIELDS["free"]]
    out[_FIELDS["step"]], out[_FIELDS["step_variance"]] = 0.0, np.inf
    return out


def both(at: F64, variance: F64, other: F64, other_variance: F64) -> tuple[F64, F64]:
    """Two measurements as one; an infinite variance tells nothing."""
    weight, other_weight = 1 / variance, 1 / other_variance
    whole = weight + other_weight
    known = whole > 0
    safe = np.where(known, whole, 1.0)
    mean = np.where(known, (weight * at + other_weight * other) / safe, at)
    return mean, np.where(known, 1 / safe, np.inf)
