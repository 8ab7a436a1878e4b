"""From pairs to the challenge's numbers, by way of sums over frames.

Every number is a function of sums, so a bootstrap over frames only reweights
them: the same function serves one score and a thousand resampled ones.
"""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from live_smlm.core import F64, I64, Localizations
from live_smlm.evaluate.matching import Matches

ALPHA_LATERAL = 1.0
"""Weight of the lateral error in the efficiency, per nm."""
ALPHA_AXIAL = 0.5

Sums: TypeAlias = Mapping[str, F64]
"""Sums by name, all of one shape: per frame, or per resampled set of frames."""


def sums_per_frame(
    found: Localizations, truth: Localizations, matches: Matches
) -> tuple[I64, dict[str, F64]]:
    """The frames where there is anything, and their sums."""
    frames = np.union1d(found.frame, truth.frame)
    n = len(frames)
    at = np.searchsorted(frames, found.frame[matches.found])
    sums = {
        "found": _count(np.searchsorted(frames, found.frame), n),
        "truth": _count(np.searchsorted(frames, truth.frame), n),
        "matched": _count(at, n),
    }
    for axis in "xyz":
        if getattr(found, axis) is None or getattr(truth, axis) is None:
            continue
        error = matches.errors(found, truth, axis)
        sums[axis] = _total(at, error, n)
        sums[axis + axis] = _total(at, error**2, n)
        sigma = getattr(found, f"sigma_{axis}")
        if sigma is not None:
            claimed = sigma[matches.found].astype(np.float64)
            usable = np.isfinite(claimed) & (claimed > 0)
            pull = error[usable] / claimed[usable]
            sums[f"pulls_{axis}"] = _count(at[usable], n)
            sums[f"pull_{axis}"] = _total(at[usable], pull, n)
            sums[f"pull_{axis}{axis}"] = _total(at[usable], pull**2, n)
    return frames, sums


def _count(at: I64, n: int) -> F64:
    return np.bincount(at, minlength=n).astype(np.float64)


def _total(at: I64, values: F64, n: int) -> F64:
    return np.bincount(at, weights=values, minlength=n).astype(np.float64)


def numbers(sums: Sums) -> dict[str, F64]:
    """The challenge's numbers by name; NaN where one is not defined."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return {**_detection(sums), **_errors(sums), **_pulls(sums)}


def _detection(sums: Sums) -> dict[str, F64]:
    matched, found, truth = sums["matched"], sums["found"], sums["truth"]
    return {
        "jaccard": matched / (found + truth - matched),
        "precision": matched / found,
        "recall": matched / truth,
    }


def _errors(sums: Sums) -> dict[str, F64]:
    n = sums["matched"]
    undefined = np.full(n.shape, np.nan)
    deep = "z" in sums
    lateral = np.sqrt((sums["xx"] + sums["yy"]) / n)
    axial = np.sqrt(sums["zz"] / n) if deep else undefined
    jaccard = _detection(sums)["jaccard"]
    by_lateral = efficiency(jaccard, ALPHA_LATERAL * lateral)
    by_axial = efficiency(jaccard, ALPHA_AXIAL * axial)
    return {
        "rmse_lateral_nm": lateral,
        "rmse_axial_nm": axial,
        "rmse_volume_nm": np.sqrt(lateral**2 + axial**2),
        "efficiency_lateral": by_lateral,
        "efficiency_axial": by_axial,
        "efficiency": (by_lateral + by_axial) / 2 if deep else by_lateral,
        "bias_x_nm": sums["x"] / n,
        "bias_y_nm": sums["y"] / n,
        "bias_z_nm": sums["z"] / n if deep else undefined,
    }


def efficiency(jaccard: F64, weighted_rmse: F64) -> F64:
    """100 minus the distance from perfection: Jaccard 1 and no error; may be negative."""
    return np.asarray(100 - np.sqrt((100 - 100 * jaccard) ** 2 + weighted_rmse**2))


def _pulls(sums: Sums) -> dict[str, F64]:
    """Standard deviation (n - 1) of error over claimed sigma, where sigma is claimed."""
    found = {}
    for axis in "xyz":
        if f"pulls_{axis}" in sums:
            n, s = sums[f"pulls_{axis}"], sums[f"pull_{axis}"]
            # Rounding may leave a tiny negative where all pulls are alike.
            spread = np.maximum(sums[f"pull_{axis}{axis}"] - s**2 / n, 0)
            found[f"pull_std_{axis}"] = np.sqrt(np.where(n > 1, spread / (n - 1), np.nan))
    return found
