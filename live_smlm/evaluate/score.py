"""How good a table of molecules is against the truth: the SMLM challenge's score."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

import numpy as np

from live_smlm.core import F64, I64, Bool, Localizations, require
from live_smlm.evaluate.matching import RADIUS_XY_NM, RADIUS_Z_NM, Matches, match
from live_smlm.evaluate.tally import Sums, numbers, sums_per_frame

_INTERVAL_PERCENT = (2.5, 97.5)
_DRAWS_AT_ONCE = 4_000_000
"""Frames drawn at one time by the bootstrap, to bound its memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The challenge's numbers; None where one is not defined (no match, no z, no sigma).

    `efficiency` is the mean of the lateral and the axial one in 3D and the
    lateral one in 2D. The pulls are errors over claimed standard errors; their
    standard deviation is 1 for an honest engine. `n_truth` and `n_found` are the
    molecules that count, after the photon threshold.
    """

    jaccard: float | None
    precision: float | None
    recall: float | None
    rmse_lateral_nm: float | None
    rmse_axial_nm: float | None
    rmse_volume_nm: float | None
    efficiency_lateral: float | None
    efficiency_axial: float | None
    efficiency: float | None
    bias_x_nm: float | None
    bias_y_nm: float | None
    bias_z_nm: float | None
    n_truth: int
    n_found: int
    n_matched: int
    pull_std_x: float | None = None
    pull_std_y: float | None = None
    pull_std_z: float | None = None
    claims: frozenset[str] = frozenset()
    """The pulls that are told: those whose sigma and truth are there."""
    intervals: Mapping[str, tuple[float, float] | None] | None = None
    """95 % bootstrap intervals by name, where they were asked for."""

    def as_dict(self) -> dict[str, object]:
        """Plain values by name; a pull only where sigmas were given."""
        pulls = {f"pull_std_{axis}" for axis in "xyz"}
        hidden = {"claims", "intervals"} | (pulls - self.claims)
        told = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in hidden}
        if self.intervals is None:
            return told
        return {**told, "intervals": {k: v and list(v) for k, v in self.intervals.items()}}


def score(
    found: Localizations,
    truth: Localizations,
    *,
    radius_xy_nm: float = RADIUS_XY_NM,
    radius_z_nm: float = RADIUS_Z_NM,
    min_photons: float = 0,
    bootstrap: int = 0,
    seed: int = 0,
) -> Score:
    """Score `found` against `truth`.

    True molecules below `min_photons` do not count, nor do the found ones that
    pair with them (all true ones take part in the pairing). `bootstrap` is how
    often the frames are resampled for the 95 % intervals; 0 tells none.
    """
    require(bootstrap >= 0, f"bootstrap is {bootstrap}; give how often to resample, or 0")
    require(min_photons >= 0, f"min_photons is {min_photons:g}; give photons, or 0 for all")
    matches = match(found, truth, radius_xy_nm=radius_xy_nm, radius_z_nm=radius_z_nm)
    if min_photons > 0:
        found, truth, matches = _without_dim(found, truth, matches, min_photons)
    _, sums = sums_per_frame(found, truth, matches)
    whole = {name: np.array([values.sum()]) for name, values in sums.items()}
    values = {name: _told(value[0]) for name, value in numbers(whole).items()}
    return Score(
        **values,
        n_truth=len(truth),
        n_found=len(found),
        n_matched=len(matches),
        claims=frozenset(name for name in values if name.startswith("pull_std_")),
        intervals=_intervals(sums, bootstrap, seed) if bootstrap else None,
    )


def _told(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _without_dim(
    found: Localizations, truth: Localizations, matches: Matches, min_photons: float
) -> tuple[Localizations, Localizations, Matches]:
    """Leave out dim true molecules, and the found ones that pair with them."""
    bright = truth.axis("photons") >= min_photons
    stands = bright[matches.truth]
    counted = np.ones(len(found), np.bool_)
    counted[matches.found[~stands]] = False
    kept = Matches(
        _renumber(counted)[matches.found[stands]], _renumber(bright)[matches.truth[stands]]
    )
    return found.where(counted), truth.where(bright), kept


def _renumber(kept: Bool) -> I64:
    """The new row number of each kept row."""
    return np.cumsum(kept, dtype=np.int64) - 1


def _intervals(
    sums: Sums, replicates: int, seed: int
) -> MappingProxyType[str, tuple[float, float] | None]:
    """Percentile intervals over resampled frames; replicates where a number is undefined drop."""
    resampled = numbers(_resample(sums, replicates, np.random.default_rng(seed)))
    return MappingProxyType({name: _interval(values) for name, values in resampled.items()})


def _interval(values: F64) -> tuple[float, float] | None:
    defined = values[np.isfinite(values)]
    if not len(defined):
        return None
    low, high = np.percentile(defined, _INTERVAL_PERCENT)
    return float(low), float(high)


def _resample(sums: Sums, replicates: int, rng: np.random.Generator) -> dict[str, F64]:
    """Sums over as many frames as there are, drawn with replacement, per replicate."""
    table = np.stack(list(sums.values()), axis=1)
    n = len(table)
    if n == 0:
        return {name: np.zeros(replicates) for name in sums}
    totals = np.empty((replicates, table.shape[1]))
    step = max(1, _DRAWS_AT_ONCE // n)
    for start in range(0, replicates, step):
        rows = min(step, replicates - start)
        drawn = rng.integers(n, size=(rows, n)) + n * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)
        totals[start : start + rows] = times @ table
    return dict(zip(sums, totals.T, strict=True))
