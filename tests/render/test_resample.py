"""Sums stay, and places with them."""

import numpy as np
import pytest

from live_smlm.core import InputError
from live_smlm.render.resample import resampled
from live_smlm.render.viewport import Viewport

FINE = Viewport(shape=(40, 60), pixel_nm=20.0, origin_nm=(-100.0, 300.0))
SUMS = np.random.default_rng(1).random((2, 40, 60)).astype(np.float32)


def test_whole_factors_add_pixels_up() -> None:
    coarse = Viewport(shape=(20, 30), pixel_nm=40.0, origin_nm=FINE.origin_nm)
    blocks = SUMS.reshape(2, 20, 2, 30, 2).sum(axis=(2, 4))
    np.testing.assert_allclose(resampled(SUMS, FINE, coarse), blocks, rtol=1e-6)


def test_a_shifted_grid_of_the_same_pixels_keeps_them() -> None:
    around = Viewport(shape=(50, 80), pixel_nm=20.0, origin_nm=(-160.0, 200.0))
    fresh = resampled(SUMS, FINE, around)
    np.testing.assert_array_equal(fresh[:, 3:43, 5:65], SUMS)
    assert fresh.sum(dtype=float) == pytest.approx(SUMS.sum(dtype=float))
    part = Viewport(shape=(10, 7), pixel_nm=20.0, origin_nm=(0.0, 400.0))
    np.testing.assert_array_equal(resampled(SUMS, FINE, part), SUMS[:, 5:15, 5:12])


def test_any_factor_keeps_sums_and_centres() -> None:
    coarse = Viewport(shape=(30, 40), pixel_nm=33.3, origin_nm=(-111.0, 290.0))
    fresh = resampled(SUMS, FINE, coarse)
    np.testing.assert_allclose(fresh.sum((1, 2)), SUMS.sum((1, 2)), rtol=1e-5)
    for axis in (1, 2):
        means = []
        for sums, view in ((SUMS, FINE), (fresh, coarse)):
            along = view.origin_nm[axis - 1] + view.pixel_nm * (np.arange(sums.shape[axis]) + 0.5)
            means.append(np.average(along, weights=sums[0].sum(2 - axis, dtype=float)))
        # Light that is moved to the middle of its pixel is moved by a pixel's width at most.
        assert means[1] == pytest.approx(means[0], abs=0.5)


def test_finer_pixels_are_refused() -> None:
    fine = Viewport(shape=(4, 4), pixel_nm=10.0)
    with pytest.raises(InputError, match="do not tell those per 10 nm; draw again"):
        resampled(SUMS, FINE, fine)
