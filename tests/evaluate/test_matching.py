"""Pairing: by hand, against a brute-force reading of the definition, and its invariants."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from live_smlm.core import InputError, Localizations, empty
from live_smlm.evaluate import matching
from live_smlm.evaluate.matching import Matches, match


def table(*rows: tuple[float, ...]) -> Localizations:
    """Rows of frame, x, y and perhaps z."""
    columns = np.array(rows, dtype=np.float64).T
    z = columns[3].astype(np.float32) if len(columns) > 3 else None
    return Localizations(
        frame=columns[0].astype(np.int64),
        x=columns[1].astype(np.float32),
        y=columns[2].astype(np.float32),
        z=z,
    )


def crowd(seed: int, n: int, *, size_nm: float = 1500, frames: int = 3) -> Localizations:
    rng = np.random.default_rng(seed)
    x, y, z = rng.uniform(-size_nm / 2, size_nm / 2, (3, n)).astype(np.float32)
    return Localizations(frame=rng.integers(0, frames, n), x=x, y=y, z=z)


def pairs(matches: Matches) -> set[tuple[int, int]]:
    return set(zip(matches.found.tolist(), matches.truth.tolist(), strict=True))


def by_definition(found: Localizations, truth: Localizations) -> set[tuple[int, int]]:
    """All pairs within the radii, taken in order of distance; written for clarity alone."""
    listed = []
    for i in range(len(found)):
        for j in range(len(truth)):
            d = [float(getattr(found, a)[i]) - float(getattr(truth, a)[j]) for a in "xyz"]
            if (
                found.frame[i] == truth.frame[j]
                and np.hypot(d[0], d[1]) <= 250
                and abs(d[2]) <= 500
            ):
                listed.append((float(np.linalg.norm(d)), i, j))
    chosen: set[tuple[int, int]] = set()
    for _, i, j in sorted(listed):
        if all(i != a and j != b for a, b in chosen):
            chosen.add((i, j))
    return chosen


def test_the_nearest_two_pair_first_and_the_rest_take_what_is_left() -> None:
    found = table((0, 0, 0), (0, 90, 0))
    truth = table((0, 100, 0), (0, 300, 0))
    assert pairs(match(found, truth)) == {(1, 0)}  # 0 would be 300 nm from what is left
    assert pairs(match(found, truth, radius_xy_nm=300)) == {(1, 0), (0, 1)}


def test_frames_never_mix() -> None:
    assert len(match(table((0, 0, 0)), table((1, 0, 0)))) == 0


@pytest.mark.parametrize(
    ("x", "y", "n"), [(250, 0, 1), (150, 200, 1), (250.01, 0, 0), (180, 180, 0)]
)
def test_the_lateral_radius_is_a_closed_disc(x: float, y: float, n: int) -> None:
    assert len(match(table((0, 0, 0)), table((0, x, y)))) == n


@pytest.mark.parametrize(("dz", "n"), [(500, 1), (-500, 1), (500.1, 0)])
def test_the_axial_radius_counts_where_both_have_z(dz: float, n: int) -> None:
    assert len(match(table((0, 0, 0, 0)), table((0, 0, 0, dz)))) == n
    assert len(match(table((0, 0, 0)), table((0, 0, 0, dz)))) == 1
    assert len(match(table((0, 0, 0, dz)), table((0, 0, 0)))) == 1


def test_nearness_is_three_dimensional_where_both_have_z() -> None:
    found = table((0, 0, 0, 0))
    truth = table((0, 10, 0, 300), (0, 50, 0, 0))
    assert pairs(match(found, truth)) == {(0, 1)}
    flat = table((0, 10, 0), (0, 50, 0))
    assert pairs(match(found, flat)) == {(0, 0)}


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_the_definition_on_crowds(seed: int) -> None:
    found, truth = crowd(seed, 60), crowd(seed + 1000, 50)
    assert pairs(match(found, truth)) == by_definition(found, truth)


def test_blocks_of_frames_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    found, truth = crowd(1, 300, frames=40), crowd(2, 300, frames=40)
    whole = match(found, truth)
    monkeypatch.setattr(matching, "_ROWS_AT_ONCE", 7)
    cut = match(found, truth)
    assert pairs(cut) == pairs(whole)
    np.testing.assert_array_equal(cut.found, np.sort(cut.found))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_swapping_the_sides_swaps_the_pairs(seed: int) -> None:
    found, truth = crowd(seed, 40), crowd(seed + 1, 30)
    assert pairs(match(truth, found)) == {(j, i) for i, j in pairs(match(found, truth))}


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_each_molecule_pairs_at_most_once_within_the_radii(seed: int) -> None:
    found, truth = crowd(seed, 80, size_nm=800), crowd(seed + 1, 80, size_nm=800)
    matches = match(found, truth)
    assert len(np.unique(matches.found)) == len(matches) == len(np.unique(matches.truth))
    np.testing.assert_array_equal(found.frame[matches.found], truth.frame[matches.truth])
    dx, dy, dz = (matches.errors(found, truth, a) for a in "xyz")
    assert np.all(np.hypot(dx, dy) <= 250)
    assert np.all(np.abs(dz) <= 500)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12, unique=True),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12, unique=True),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60, deadline=None)
def test_row_order_decides_nothing_even_among_equal_distances(
    a: list[tuple[int, int]], b: list[tuple[int, int]], random: object
) -> None:
    rng = np.random.default_rng(random.getrandbits(32))  # type: ignore[attr-defined] # Random
    found = table(*((0, 100 * x, 100 * y) for x, y in a))
    truth = table(*((0, 100 * x, 100 * y) for x, y in b))
    left, right = rng.permutation(len(a)), rng.permutation(len(b))
    shuffled = match(found.where(left), truth.where(right))
    again = {(int(left[i]), int(right[j])) for i, j in pairs(shuffled)}
    assert again == pairs(match(found, truth))


def test_far_and_negative_coordinates_pair_as_near_ones_do() -> None:
    rows = [(f, s * 1e7, -s * 1e7, 0.0) for f in (-3, 5) for s in (-1.0, 1.0)]
    assert len(match(table(*rows), table(*rows))) == 4


def test_empty_tables_pair_nothing() -> None:
    one = table((0, 1, 1))
    assert len(match(empty(), one)) == len(match(one, empty())) == len(match(empty(), empty())) == 0


def test_positions_that_are_not_finite_are_refused_by_name() -> None:
    bad = table((0, 1, np.nan), (0, 1, 1))
    with pytest.raises(InputError, match="true molecules have 1 values of y that are not finite"):
        match(table((0, 1, 1)), bad)


@pytest.mark.parametrize("radius", [0.0, -1.0, np.nan, np.inf])
def test_a_radius_that_is_no_radius_is_refused(radius: float) -> None:
    with pytest.raises(InputError, match="radius_xy_nm"):
        match(empty(), empty(), radius_xy_nm=radius)


def test_a_heap_too_dense_to_pair_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "_MOST_PAIRS", 99)
    heap = table(*[(7, 0, 0)] * 10)
    with pytest.raises(InputError, match="frames 7 to 7 hold 100 pairs"):
        match(heap, heap)
