from functools import cache

import numpy as np
import pytest

from live_smlm.core import Localizations, from_columns
from live_smlm.metrics import quality
from live_smlm.metrics.quality import Assessment, Quality
from live_smlm.metrics.regions import Polygon, Rectangle

FIELD = (6400.0, 6400.0)
SIGMA, FRAMES = 12.0, 2000


@cache
def acquired() -> Localizations:
    """Eight thousand blinks of three frames on ten lines, ever fewer of them."""
    rng = np.random.default_rng(0)
    count = 8000
    age = -np.log1p(-rng.random(count) * (1 - np.exp(-2)))
    begin = ((FRAMES - 3) / 2 * age).astype(np.int64)
    place = rng.uniform(300, 6100, (count, 2))
    place[:, 0] = 600 * rng.integers(0, 10, count) + 400
    place = np.repeat(place, 3, axis=0) + rng.normal(0, SIGMA, (3 * count, 2))
    frame = np.repeat(begin, 3) + np.tile(np.arange(3), count)
    order = np.argsort(frame, kind="stable")
    same = np.ones(3 * count)
    light = {"photons": 800 * same, "background": 7 * same}
    claims = {"sigma_x": SIGMA * same, "sigma_y": SIGMA * same}
    columns = {"frame": frame[order], "y": place[order, 0], "x": place[order, 1]}
    return from_columns({**columns, **light, **claims})


def folded(state: Quality, found: Localizations, chunk: int = 100) -> Assessment:
    for stop in range(chunk, FRAMES + 1, chunk):
        rows = slice(*np.searchsorted(found.frame, [stop - chunk, stop]))
        state = quality.fold(state, found.where(rows), stop, stop * 0.02)
    return quality.assess(state)


def test_every_value_is_the_one_of_the_simulation() -> None:
    look = folded(quality.start(FIELD, 100.0), acquired())
    told = look.checkpoint.values
    assert look.checkpoint.frame == FRAMES
    assert look.checkpoint.seconds == pytest.approx(40)
    assert told["molecules"] == 24_000
    assert told["molecules_per_frame"] == pytest.approx(12)
    assert told["photons"] == pytest.approx(800)
    assert told["background"] == pytest.approx(7)
    assert told["precision_nm"] == pytest.approx(SIGMA)
    assert told["nena_nm"] == pytest.approx(SIGMA, rel=0.05)
    assert told["blinks"] == pytest.approx(8000, rel=0.06)
    assert told["active_per_um2"] < 12 / 40.96
    assert told["nyquist_nm"] < told["resolution_nm"] < 100
    assert told["resolution_nm"] == pytest.approx(
        np.hypot(2.354820 * told["nena_nm"], told["nyquist_nm"])
    )
    assert 20 < told["frc_nm"] < 120
    assert told["pool_low"] < np.exp(-2) < told["pool_high"]
    assert 0 < told["completeness_low"] < told["completeness"] < told["completeness_high"] <= 1
    assert look.frc is not None
    assert len(look.frc.smooth) == len(look.frc.frequency)


def test_what_is_not_claimed_is_absent_and_the_rest_is_there() -> None:
    plain = from_columns({name: acquired().axis(name) for name in ("frame", "x", "y")})
    told = folded(quality.start(FIELD, 100.0), plain).checkpoint.values
    assert not {"photons", "background", "precision_nm"} & set(told)
    assert told["nena_nm"] == pytest.approx(SIGMA, rel=0.06)
    assert told["blinks"] == pytest.approx(8000, rel=0.1)
    assert "frc_nm" in told


def test_early_only_what_was_counted_is_told() -> None:
    state = quality.start(FIELD, 100.0)
    state = quality.fold(state, acquired().where(slice(100)), 10, 0.2)
    told = quality.checkpoint(state).values
    assert told["molecules"] == 100
    assert not {"blinks", "nena_nm", "frc_nm", "completeness", "pool_left"} & set(told)
    assert quality.checkpoint(quality.start(FIELD, 100.0)).values == {"molecules": 0}


def test_chunks_of_other_lengths_tell_the_same() -> None:
    short, long = (
        folded(quality.start(FIELD, 100.0, target_nm=40.0), acquired(), chunk).checkpoint.values
        for chunk in (100, 400)
    )
    assert short["blinks"] == long["blinks"]
    assert short["completeness"] == pytest.approx(long["completeness"], abs=1e-6)
    assert short["nena_nm"] == pytest.approx(long["nena_nm"], rel=0.06)


def test_a_region_is_told_of_alone() -> None:
    box = Rectangle(2000.0, 1000.0, 5000.0, 4000.0)
    same = Polygon(((2000, 1000), (2000, 4000), (5000, 4000), (5000, 1000)))
    a, b = (
        folded(quality.start(FIELD, 100.0, region=region), acquired()).checkpoint.values
        for region in (box, same)
    )
    assert a == pytest.approx(b)
    y, x = acquired().y, acquired().x
    assert a["molecules"] == np.sum((y >= 2000) & (y < 5000) & (x >= 1000) & (x < 4000))
    assert a["frc_nm"] < 150


def test_places_that_are_no_numbers_and_clocks_that_fall_do_no_harm() -> None:
    found = acquired()
    x = found.x.copy()
    x[::10] = np.nan
    state = quality.start(FIELD, 100.0)
    for k, rows in enumerate(np.array_split(np.arange(len(found)), 10)):
        some = found.with_columns(x=x).where(rows)
        state = quality.fold(state, some, int(some.frame[-1]) + 1, 10.0 - k)
    told = quality.checkpoint(state)
    assert told.values["molecules"] == np.isfinite(x).sum()
    assert told.seconds == 10.0
    assert told.values["nena_nm"] == pytest.approx(SIGMA, rel=0.06)
