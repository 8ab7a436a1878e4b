"""What is known of the sample: where molecules lie once the drift is taken off.

A map is changed in place; whoever adds molecules to it gives the old one up. It answers
by how much further molecules are displaced: laterally by the likelihood of their places
under the map's density (some of them, `fresh`, lie where nothing is known yet), axially
by how much higher they lie than others at the same place.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from live_smlm.core import F32, F64, I64, Bool
from live_smlm.metrics.drift_depth import COARSE, layer, locate, locate_each
from live_smlm.metrics.drift_kernels import deposit, scan, worth

CELL_NM = 20.0
_MARGIN_NM = 1000.0
_MOST_CELLS = 2**24
REACH_NM = 600.0
"""How far the wide search looks each way."""
_APART_CELLS = 4
"""Two peaks of the wide search that are nearer are one."""
_LEAST_FRESH = 0.02
"""Share of the molecules that are taken to be fresh at least."""
_SEEN = 0.05
"""Weight of the newest block in the running share of fresh molecules."""


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Molecules of a block as they were measured, nm; of zero or more."""

    frame: F64
    x: F64
    y: F64
    z: F64
    """Empty where there is no depth."""
    weight: F64
    """One over the variance of z, nm."""

    def __len__(self) -> int:
        return len(self.x)

    def where(self, chosen: Bool | slice) -> "Places":
        """Some of them."""
        z, weight = (self.z[chosen], self.weight[chosen]) if len(self.z) else (self.z, self.weight)
        return Places(self.frame[chosen], self.x[chosen], self.y[chosen], z, weight)


def join(parts: "list[Places]") -> Places:
    """All of them, in order."""
    return Places(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("frame", "x", "y", "z", "weight")
        )
    )


@dataclass(frozen=True, slots=True)
class Fix:
    """Where a block was found."""

    at: F64
    """(3,) displacement, nm, as the molecules alone have it."""
    variance: F64
    """(3,) infinite where nothing is known."""
    near: F64
    """(3,) displacement with what was known before."""
    worth: float
    """Mean over the molecules: 0 as if thrown anywhere, above where they fit the map."""
    worth_error: float


@dataclass(slots=True)
class SampleMap:
    """The field with a margin, in cells."""

    cell_nm: float
    plane: F32
    layers: F32
    total: float = 0.0
    fresh: float = 0.9
    _out: F64 = field(default_factory=lambda: np.zeros(7))
    _sums: F64 = field(default_factory=lambda: np.zeros(11))

    def clear(self) -> None:
        """Forget all places."""
        self.plane[:] = 0
        self.layers[:] = 0
        self.total = 0.0

    def add(self, places: Places, at: F64, amount: float = 1.0) -> None:
        """Put molecules where they were before they were displaced; -1 takes them away."""
        x, y = self._cells(places)
        dx, dy = at[0] / self.cell_nm, at[1] / self.cell_nm
        deposit(self.plane, x, y, dx, dy, amount)
        layer(self.layers, x, y, places.z, places.weight, dx, dy, at[2], amount)
        self.total += amount * len(places)

    def find(self, places: Places, start: F64, trust_nm: float) -> Fix:
        """The displacement of molecules near `start`, which is believed to `trust_nm`."""
        x, y = self._cells(places)
        cell, out, sums = self.cell_nm, self._out, self._sums
        pull = (cell / trust_nm) ** 2
        begin = start[:2] / cell
        locate(
            self.plane, self.layers, *self._density(), x, y, places.z, places.weight,
            begin, pull, out, sums,
        )  # fmt: skip
        away, variance = _alone(out[None], begin, pull, cell)
        near = np.array([cell * out[0], cell * out[1], start[2]])
        at = near + away[0]
        if np.isfinite(variance[0, 2]):
            near[2] = at[2] = out[5]
        n = max(len(places), 1)
        mean = sums[0] / n
        error = math.sqrt(max(sums[9] / n - mean**2, 0.01) / n)
        self.fresh += _SEEN * (min(max(sums[10] / n, _LEAST_FRESH), 0.9) - self.fresh)
        return Fix(at, variance[0], near, mean, error)

    def find_each(
        self, places: Places, edges: I64, amount: float, trust_nm: float
    ) -> tuple[F64, F64]:
        """Displacement and variance (n, 3) of each of the blocks that the map is made of.

        Block k is places[edges[k] : edges[k + 1]], put in `amount` times; zero is trusted.
        """
        x, y = self._cells(places)
        out = np.zeros((len(edges) - 1, 7))
        pull = (self.cell_nm / trust_nm) ** 2
        locate_each(
            self.plane, self.layers, *self._density(), x, y, places.z, places.weight,
            edges, amount, pull, out,
        )  # fmt: skip
        away, variance = _alone(out, np.zeros(2), pull, self.cell_nm)
        away[:, :2] += self.cell_nm * out[:, :2]
        away[:, 2] = np.where(np.isfinite(variance[:, 2]), out[:, 5], 0.0)
        return away, variance

    def worth(self, places: Places, at: F64) -> F64:
        """What each molecule is worth at a displacement."""
        x, y = self._cells(places)
        out = np.zeros(len(x))
        worth(self.plane, *self._density(), x, y, at[:2] / self.cell_nm, out)
        return out

    def search(self, places: Places, start: F64) -> tuple[F64, float, float]:
        """The best displacement far and wide; its worth over the start's and the next best's."""
        x, y = self._cells(places)
        floor, gain = self._density()
        reach = round(REACH_NM / self.cell_nm)
        found = np.zeros((2 * reach + 1, 2 * reach + 1))
        scan(self.plane, floor, gain, x, y, start[:2] / self.cell_nm, reach, found)
        row, column = np.unravel_index(int(found.argmax()), found.shape)
        best = float(found[row, column])
        to = start.copy()
        to[:2] += self.cell_nm * np.array([column - reach, row - reach])
        over_start = best - float(found[reach, reach])
        down, right = int(row), int(column)
        found[
            max(down - _APART_CELLS, 0) : down + _APART_CELLS + 1,
            max(right - _APART_CELLS, 0) : right + _APART_CELLS + 1,
        ] = -np.inf
        return to, over_start, best - float(found.max())

    def _density(self) -> tuple[float, float]:
        """Floor and gain of the worth: molecules are fresh, or as dense as the map."""
        if self.total <= 0:
            return 1.0, 0.0
        return self.fresh, (1 - self.fresh) * self.plane.size / self.total

    def _cells(self, places: Places) -> tuple[F64, F64]:
        return (places.x + _MARGIN_NM) / self.cell_nm, (places.y + _MARGIN_NM) / self.cell_nm


def blank(field_nm: tuple[float, float], *, three_d: bool) -> SampleMap:
    """A map of a field (height, width) on which nothing is known."""
    height, width = (edge + 2 * _MARGIN_NM for edge in field_nm)
    cell = max(CELL_NM, math.sqrt(height * width / _MOST_CELLS))
    rows, columns = math.ceil(height / cell) + 2, math.ceil(width / cell) + 2
    deep = (rows // COARSE + 2, columns // COARSE + 2) if three_d else (0, 0)
    return SampleMap(cell, np.zeros((rows, columns), np.float32), np.zeros((3, *deep), np.float32))


def _alone(out: F64, start: F64, pull: float, cell: float) -> tuple[F64, F64]:
    """What the molecules say without the trust in the start: a further step, and the variance."""
    away, variance = np.zeros((len(out), 3)), np.full((len(out), 3), np.inf)
    xx, xy, yy = out[:, 2], out[:, 3], out[:, 4]
    determinant = xx * yy - xy**2
    good = determinant > 1e-9 * (xx + yy) ** 2
    safe = np.where(good, determinant, 1.0)
    step = pull * (out[:, :2] - start)
    most = 1 / math.sqrt(pull)
    away[:, 0] = (yy * step[:, 0] - xy * step[:, 1]) / safe
    away[:, 1] = (xx * step[:, 1] - xy * step[:, 0]) / safe
    away = np.where(good[:, None], cell * np.clip(away, -most, most), 0.0)
    variance[good, 0] = (cell**2 * yy / safe)[good]
    variance[good, 1] = (cell**2 * xx / safe)[good]
    variance[:, 2] = out[:, 6]
    return away, variance
