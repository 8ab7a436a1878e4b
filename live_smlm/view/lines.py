"""The series of a run as lines of a chart: how they are called, and which points are drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from live_smlm.core import F64

MOST_POINTS = 1000


@dataclass(frozen=True, slots=True)
class About:
    """How a series is called and told."""

    title: str
    unit: str = ""


_KNOWN = {
    "molecules_per_frame": About("molecules / frame"),
    "photons": About("photons"),
    "background": About("background", "photons / px"),
    "precision_nm": About("precision", "nm"),
    "density_per_um2": About("density", "/ µm² / frame"),
    "frc_nm": About("resolution (FRC)", "nm"),
    "completeness": About("completeness"),
    "lag_ms": About("lag", "ms"),
}


def about(name: str) -> About:
    """How a series is told; one that is not known yet by its own name."""
    return _KNOWN.get(name, About(name.replace("_", " ")))


def order_of(series: Mapping[str, Sequence[float | None]]) -> list[str]:
    """Names from top to bottom; those that are known first."""
    return [*_KNOWN, *sorted(set(series) - {*_KNOWN, "frame"})]


def known(series: Mapping[str, Sequence[float | None]]) -> list[str]:
    """The series that have any known value, from top to bottom."""
    lines = ((name, series.get(name, ())) for name in order_of(series))
    return [name for name, values in lines if any(value is not None for value in values)]


def curve(
    frames: Sequence[float], values: Sequence[float | None], most: int = MOST_POINTS
) -> tuple[F64, F64]:
    """What is drawn: unknown values are gaps, and very many points become fewer.

    Each stands for as many in a row, as the newest of them that is known: what was
    ever known is seen, and the newest of all is among it.
    """
    step = max(1, -(-len(frames) // most))
    parts = range(len(frames) % step or step, len(frames) + 1, step)
    at = np.asarray([frames[stop - 1] for stop in parts], np.float64)
    told = [_newest(values[max(0, stop - step) : stop]) for stop in parts]
    return at, np.asarray(told, np.float64)


def _newest(values: Sequence[float | None]) -> float:
    return next((value for value in reversed(values) if value is not None), np.nan)
