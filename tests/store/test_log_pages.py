"""Pages of a log give all of it, while it is being written."""

import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from live_smlm.core import InputError, Localizations, concatenate, from_columns
from live_smlm.store import log_pages
from live_smlm.store.log import LocalizationLog, read_log
from live_smlm.transport.viewing import Span

END = 10**9


def molecules(first: int, count: int, *, photons: bool = True) -> Localizations:
    columns = {"frame": np.full(count, first), "x": np.arange(count), "y": np.full(count, first)}
    return from_columns(columns | ({"photons": np.ones(count)} if photons else {}))


def append(log: LocalizationLog, first: int, found: Localizations, frames: int = 4) -> None:
    log.append(first, frames, np.arange(first, first + frames), found)


def pages(log: LocalizationLog, stop: int = END) -> list[Span]:
    """All pages, from the first frame on."""
    found: list[Span] = []
    while not found or found[-1].stop > found[-1].first:
        found.append(log.page(found[-1].stop if found else 0, stop))
    return found[:-1]


def test_pages_are_bounded_join_and_hold_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_pages, "MOST_MOLECULES", 100)
    counts = np.random.default_rng(2).integers(0, 60, 50).tolist()
    with LocalizationLog(tmp_path, sync_s=None) as log:
        for n, count in enumerate(counts):
            append(log, 4 * n, molecules(4 * n, count))
        found = pages(log)
    assert all(a.stop == b.first for a, b in pairwise(found))
    assert (found[0].first, found[-1].stop) == (0, 200)
    assert max(len(page.molecules) for page in found) <= 100
    assert len(found) < 30
    joined, whole = concatenate([page.molecules for page in found]), read_log(tmp_path).molecules
    for name, column in whole.columns().items():
        np.testing.assert_array_equal(joined.columns()[name], column)


def test_one_record_that_is_too_large_is_a_page_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_pages, "MOST_MOLECULES", 10)
    with LocalizationLog(tmp_path, sync_s=None) as log:
        for n in range(3):
            append(log, 4 * n, molecules(4 * n, 25))
        assert [len(page.molecules) for page in pages(log)] == [25, 25, 25]


def test_a_page_has_one_set_of_columns(tmp_path: Path) -> None:
    with LocalizationLog(tmp_path, sync_s=None) as log:
        for n in range(6):
            append(log, 4 * n, molecules(4 * n, 5, photons=n in {0, 1, 4, 5}))
        found = pages(log)
    assert [(page.first, page.stop) for page in found] == [(0, 8), (8, 16), (16, 24)]
    assert [page.molecules.photons is None for page in found] == [False, True, False]


def test_a_page_stops_where_it_is_told_and_passes_over_what_was_not_localized(
    tmp_path: Path,
) -> None:
    with LocalizationLog(tmp_path, sync_s=None) as log:
        for first in (0, 4, 20, 24):  # 8 to 19 were deferred
            append(log, first, molecules(first, 1))
        assert _span(log.page(0, 20)) == (0, 20, 2)
        assert _span(log.page(8, 20)) == (8, 20, 0)
        assert _span(log.page(20, 24)) == (20, 24, 1)
        assert _span(log.page(20, 28)) == (20, 28, 2)
        assert _span(log.page(28, END)) == (28, 28, 0)  # no more yet
        append(log, 28, molecules(28, 3))
        assert _span(log.page(28, END)) == (28, 32, 3)


def test_an_empty_log_has_no_pages(tmp_path: Path) -> None:
    with LocalizationLog(tmp_path, sync_s=None) as log:
        assert _span(log.page(0, END)) == (0, 0, 0)


def test_a_log_out_of_order_is_to_be_read_whole(tmp_path: Path) -> None:
    with LocalizationLog(tmp_path, sync_s=None) as log:
        append(log, 8, molecules(8, 1))
        append(log, 0, molecules(0, 1))
        with pytest.raises(InputError, match="not written in the order of frames"):
            log.page(0, END)


def test_readers_and_the_writer_do_not_disturb_each_other(tmp_path: Path) -> None:
    with LocalizationLog(tmp_path, sync_s=None) as log:

        def write() -> None:
            for n in range(400):
                append(log, 4 * n, molecules(4 * n, n % 7))

        writer = threading.Thread(target=write)
        writer.start()
        have, total = 0, 0
        while have < 1600:
            page = log.page(have, END)
            assert page.first == have
            have, total = page.stop, total + len(page.molecules)
        writer.join()
    assert total == sum(n % 7 for n in range(400))


def _span(page: Span) -> tuple[int, int, int]:
    return page.first, page.stop, len(page.molecules)
