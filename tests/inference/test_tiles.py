from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from live_smlm.inference.tiles import bright, padded, reflected, windows

GRID = 32


@pytest.mark.parametrize(
    ("pixels", "grid", "wanted"),
    [
        (4, 4, [0, 1, 2, 3]),
        (5, 4, [0, 1, 2, 3, 4, 3, 2, 1]),
        (2, 8, [0, 1, 0, 1, 0, 1, 0, 1]),
        (1, 4, [0, 0, 0, 0]),
    ],
)
def test_an_axis_is_mirrored_at_its_end(pixels: int, grid: int, wanted: list[int]) -> None:
    assert reflected(pixels, grid).tolist() == wanted


def test_padding_is_numpys_reflection() -> None:
    frames = np.random.default_rng(0).random((2, 50, 40))
    wanted = np.pad(frames, ((0, 0), (0, 14), (0, 24)), mode="reflect")
    np.testing.assert_array_equal(padded(frames, GRID), wanted)
    whole = frames[:, :32, :32]
    assert padded(whole, GRID) is whole


@settings(max_examples=60, deadline=None)
@given(
    tall=st.integers(1, 6),
    wide=st.integers(1, 6),
    margin=st.integers(0, 40),
    side=st.sampled_from([0, 32, 64, 100]),
)
def test_every_place_has_one_owner_that_sees_its_surroundings(
    tall: int, wide: int, margin: int, side: int
) -> None:
    rows, columns = shape = tall * GRID, wide * GRID
    place = np.stack(np.meshgrid(np.arange(-1, rows + 1), np.arange(-1, columns + 1))) + 0.5
    owners = np.zeros(place.shape[1:], int)
    tiles = np.zeros((tall, wide), int)
    for window in windows(shape, GRID, margin, side):
        (r0, r1), (c0, c1) = window.owned_rows, window.owned_columns
        own = (place[0] >= r0) & (place[0] < r1) & (place[1] >= c0) & (place[1] < c1)
        owners += own
        top, left = (span[0] // GRID for span in (window.rows, window.columns))
        mine = window.owned_tiles(GRID)
        tiles[top : top + mine.shape[0], left : left + mine.shape[1]] += mine
        for (low, high), (first, last), end in (
            (window.owned_rows, window.rows, rows),
            (window.owned_columns, window.columns, columns),
        ):
            assert first % GRID == last % GRID == 0
            assert first <= max(0, max(low, 0) - margin)
            assert last >= min(end, min(high, end) + margin)
    assert (owners == 1).all()
    assert (tiles == 1).all()


def lit(shape: tuple[int, int], *at: tuple[int, int]) -> Any:
    tiles = np.zeros((shape[0] // GRID, shape[1] // GRID), bool)
    for place in at:
        tiles[place] = True
    return tiles


def test_a_window_shrinks_to_what_is_lit_and_its_surroundings() -> None:
    shape = 8 * GRID, 8 * GRID
    (window,) = windows(shape, GRID, 10)
    assert bright(window, lit(shape), GRID, 10) == []
    (small,) = bright(window, lit(shape, (3, 4), (4, 4)), GRID, 10)
    assert (small.rows, small.columns) == ((64, 192), (96, 192))
    assert (small.owned_rows, small.owned_columns) == ((96.0, 160.0), (128.0, 160.0))
    (corner,) = bright(window, lit(shape, (0, 7)), GRID, 10)
    assert (corner.rows, corner.columns) == ((0, 64), (192, 256))
    assert (corner.owned_rows, corner.owned_columns) == ((-np.inf, 32.0), (224.0, np.inf))


def test_what_another_window_owns_does_not_light_this_one() -> None:
    shape = 4 * GRID, 2 * GRID
    first, second = windows(shape, GRID, 10, 2 * GRID)
    overlap = lit(first.shape, (2, 0))
    assert bright(first, overlap, GRID, 10) == []
    assert bright(second, np.ones((second.shape[0] // GRID, 2), bool), GRID, 10) == [second]


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.floats(0.01, 0.9), margin=st.integers(0, 40))
def test_every_lit_tile_has_one_owner_that_sees_its_surroundings(
    seed: int, share: float, margin: int
) -> None:
    tiles = np.random.default_rng(seed).random((9, 11)) < share
    shape = 9 * GRID, 11 * GRID
    (window,) = windows(shape, GRID, margin)
    owners = np.zeros(tiles.shape, int)
    for part in bright(window, tiles, GRID, margin):
        top, left = (span[0] // GRID for span in (part.rows, part.columns))
        mine = part.owned_tiles(GRID)
        owners[top : top + mine.shape[0], left : left + mine.shape[1]] += mine
        for (low, high), (first, last), end in (
            (part.owned_rows, part.rows, shape[0]),
            (part.owned_columns, part.columns, shape[1]),
        ):
            assert first <= max(0, max(low, 0) - margin)
            assert last >= min(end, min(high, end) + margin)
    assert owners.max() <= 1
    assert (owners[tiles] == 1).all()
