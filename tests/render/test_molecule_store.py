"""What was added is found again: all of it, once, where it lies."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from live_smlm.core import STILL, InputError, Localizations, drift_curve, from_columns
from live_smlm.render import chunks
from live_smlm.render.chunks import CELL_NM, WIDE_NM
from live_smlm.render.filters import Filters
from live_smlm.render.locate import ACROSS, DOWN, WIDE_CELL, cells
from live_smlm.render.store import START, MoleculeStore
from live_smlm.render.viewport import EVERYWHERE, Rect


@pytest.fixture
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 100)


def molecules(n: int, seed: int = 1, first: int = 0, side: float = 1e5) -> Localizations:
    """Each with a frame of its own."""
    rng = np.random.default_rng(seed)
    columns = {
        "frame": np.arange(first, first + n),
        "x": rng.uniform(-side, side, n),
        "y": rng.uniform(-side, side, n),
        "z": rng.uniform(-400, 400, n),
        "photons": rng.uniform(100, 5000, n),
        "sigma_x": rng.uniform(5, 40, n),
        "sigma_y": rng.uniform(5, 40, n),
        "probability": rng.random(n),
        "channel": rng.integers(0, 3, n),
    }
    return from_columns(columns)


def filled(found: Localizations, batch: int = 37) -> MoleculeStore:
    store = MoleculeStore()
    for first in range(0, len(found), batch):
        store.add(found.where(slice(first, first + batch)))
    return store


def frames(store: MoleculeStore, *arguments: object) -> list[int]:
    return sorted(f for part in store.inside(*arguments) for f in part.frame.tolist())  # type: ignore[arg-type]


def lying(found: Localizations, rect: Rect) -> list[int]:
    y0, x0, y1, x1 = rect
    here = (found.x >= x0) & (found.x < x1) & (found.y >= y0) & (found.y < y1)
    return [int(frame) for frame in found.frame[here]]


@pytest.mark.usefixtures("_small_chunks")
@settings(max_examples=60, deadline=None)
@given(
    place=st.tuples(st.floats(-2e5, 2e5), st.floats(-2e5, 2e5)),
    size=st.tuples(st.floats(0, 4e5), st.floats(0, 4e5)),
    side=st.sampled_from([2e3, 3e4, 2e5]),
)
def test_a_window_holds_what_lies_in_it(
    place: tuple[float, float], size: tuple[float, float], side: float
) -> None:
    # Sides beyond one torus, on either side of the origin.
    found = molecules(950, side=side)
    rect = Rect(*place, place[0] + size[0], place[1] + size[1])
    assert frames(filled(found), rect) == lying(found, rect)


@pytest.mark.usefixtures("_small_chunks")
def test_columns_come_back_as_they_were() -> None:
    found = molecules(250)
    parts = list(filled(found).inside(EVERYWHERE))
    for name, column in found.columns().items():
        joined = np.concatenate([part.columns()[name] for part in parts])
        order = np.argsort(np.concatenate([part.frame for part in parts]))
        # 11 bits of widths and probabilities, all of the others.
        exact = name not in {"sigma_x", "sigma_y", "probability"}
        np.testing.assert_allclose(joined[order], column, rtol=0 if exact else 2**-11)
        assert joined.dtype == column.dtype


def test_an_absent_column_stays_absent_and_an_unknown_value_unknown() -> None:
    store = MoleculeStore()
    store.add(from_columns({"frame": [0], "x": [1], "y": [1]}))
    store.add(from_columns({"frame": [1], "x": [1], "y": [1], "z": [np.nan]}))
    bare, deep = store.inside(EVERYWHERE)
    assert bare.columns().keys() == {"frame", "x", "y"}
    assert deep.z is not None
    assert np.isnan(deep.z).all()
    assert len(store) == 2


@pytest.mark.usefixtures("_small_chunks")
def test_molecules_of_no_place_are_kept_and_lie_nowhere() -> None:
    lost = from_columns({"frame": [0, 1, 2], "x": [np.nan, np.inf, 5], "y": [0, 0, 5]})
    store = filled(lost)
    store.add(molecules(250, first=3))
    assert len(store) == 253
    assert not {0, 1}.intersection(frames(store, EVERYWHERE))


@pytest.mark.usefixtures("_small_chunks")
def test_wide_ones_come_along_where_they_may_reach() -> None:
    found = molecules(250)
    wide = np.arange(250) % 50 == 3
    assert found.sigma_y is not None
    store = filled(found.with_columns(sigma_y=np.where(wide, 1.1 * WIDE_NM, found.sigma_y)))
    nowhere = Rect(9e5, 9e5, 9.1e5, 9.1e5)
    reached = [f for p in store.pieces(nowhere, reaching=True) for f in p.molecules.frame]
    assert sorted(reached) == np.flatnonzero(wide).tolist()
    assert frames(store, nowhere) == []


@pytest.mark.usefixtures("_small_chunks")
def test_drift_is_taken_off_before_looking() -> None:
    found = molecules(950, side=5e3)
    curve = drift_curve([100, 500, 800], [0, 3000, 1000], [0, -2000, -2500], [0, 50, 100])
    still, rect = curve.corrected(found), Rect(-2000, -1000, 2500, 3000)
    store = filled(found)
    assert frames(store, rect, Filters(), curve) == lying(still, rect)
    (*parts,) = store.inside(rect, Filters(), curve)
    for part in parts:
        np.testing.assert_allclose(part.x, still.x[part.frame], atol=1e-3)
        assert part.z is not None
        assert still.z is not None
        np.testing.assert_allclose(part.z, still.z[part.frame], atol=1e-3)
    assert frames(store, rect, Filters(), STILL) == lying(found, rect)


@pytest.mark.usefixtures("_small_chunks")
def test_filters_choose_also_by_what_is_not_asked_for() -> None:
    found = molecules(950)
    limits = Filters(photons=(1000, 3000), precision=(0, 20), z=(-100, 400), frame=(10, 900))
    parts = [p.molecules for p in filled(found).pieces(filters=limits, columns={"x", "y"})]
    expected = found.frame[limits.passes(found)].tolist()
    assert 50 < len(expected) < 500
    assert sorted(f for part in parts for f in part.frame) == expected


@pytest.mark.usefixtures("_small_chunks")
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 260), st.booleans()), max_size=12))
def test_a_reader_gets_every_molecule_once(batches: list[tuple[int, bool]]) -> None:
    store, mark, read, total = MoleculeStore(), START, list[int](), 0
    for n, reads in [*batches, (0, True)]:
        store.add(molecules(n, first=total))
        total += n
        assert len(store) == total
        if reads:
            for piece in store.pieces(after=mark):
                read += piece.molecules.frame.tolist()
                mark = piece.mark
            assert mark.count == total
            assert sorted(read) == list(range(total))


@pytest.mark.usefixtures("_small_chunks")
def test_one_writes_while_others_read() -> None:
    store, total, failures = MoleculeStore(), 20_000, list[str]()
    found = molecules(total)

    def read() -> None:
        mark, seen = START, list[int]()
        while len(seen) < total:
            for piece in store.pieces(after=mark, columns={"x"}):
                seen += piece.molecules.frame.tolist()
                mark = piece.mark
        if sorted(seen) != list(range(total)):
            failures.append(f"{len(seen)} read, {len(set(seen))} different ones")

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for first in range(0, total, 61):
        store.add(found.where(slice(first, first + 61)))
    for reader in readers:
        reader.join(60)
        assert not reader.is_alive()
    assert failures == []


def test_a_molecule_takes_28_bytes_and_little_more() -> None:
    store = filled(molecules(2 * chunks.CHUNK), 2**17)
    per_molecule = 4 * 5 + 2 * 4
    assert store.nbytes / len(store) < per_molecule + 0.5


def test_frames_that_do_not_count_from_0_are_refused() -> None:
    with pytest.raises(InputError, match="frames count from 0 to 4294967295"):
        MoleculeStore().add(from_columns({"frame": [-1], "x": [0], "y": [0]}))


def test_cells_go_round_and_edges_are_exact() -> None:
    edges = CELL_NM * np.arange(-300, 300)
    wild = np.array([np.nan, np.inf, -np.inf, 3e38, -3e38])
    x = np.concatenate([edges, np.nextafter(edges.astype(np.float32), -np.inf), wild])
    x = x.astype(np.float32)
    y, wide = x[::-1].copy(), np.zeros(len(x), np.bool_)
    found = cells(x, y, wide, CELL_NM)
    right, down = (np.floor(v.astype(np.float64) / CELL_NM) for v in (x[:1200], y[5:]))
    assert np.array_equal(found[:1200] % ACROSS, right % ACROSS)
    assert np.array_equal(found[5:] // ACROSS, down % DOWN)
    assert (found < WIDE_CELL).all()
    assert (found[1200:1203] % ACROSS == 0).all()
    assert (cells(x, y, ~wide, CELL_NM) == WIDE_CELL).all()
