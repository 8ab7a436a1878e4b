"""Filters pass what lies in their ranges, and refuse ranges that are none."""

import numpy as np
import pytest

from live_smlm.core import InputError, from_columns
from live_smlm.render.filters import ALL, Filters

FOUND = from_columns(
    {
        "frame": [0, 1, 2, 3],
        "x": [1, 2, 3, 4],
        "y": [1, 1, 1, 1],
        "photons": [100, 500, 900, np.nan],
        "sigma_x": [10, 20, 30, 40],
        "sigma_y": [20, 20, 20, 20],
    }
)


@pytest.mark.parametrize(
    ("limits", "frames"),
    [
        (ALL, [0, 1, 2, 3]),
        (Filters(photons=(500, np.inf)), [1, 2]),
        (Filters(photons=(-np.inf, np.inf)), [0, 1, 2]),
        (Filters(precision=(20, 25)), [1, 2]),
        (Filters(precision=(20, 25), frame=(2, 9)), [2]),
        (Filters(z=(-1e9, 1e9)), []),
    ],
)
def test_who_passes(limits: Filters, frames: list[int]) -> None:
    assert FOUND.frame[limits.passes(FOUND)].tolist() == frames


def test_columns_are_those_that_tell() -> None:
    assert Filters(precision=(0, 9), z=(0, 1)).columns() == {"sigma_x", "sigma_y", "z"}
    assert not ALL.columns()


@pytest.mark.parametrize("span", [(2.0, 1.0), (np.nan, 1.0), (0.0, np.nan)])
def test_bad_ranges_are_refused(span: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="filter on photons is"):
        Filters(photons=span)
