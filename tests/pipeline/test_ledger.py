"""Every frame has one fate, and the sums agree."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_smlm.core import InputError
from live_smlm.pipeline.ledger import Fate, Intervals, Ledger


@given(st.permutations(range(12)), st.lists(st.integers(1, 4), min_size=12, max_size=12))
def test_intervals_are_the_set_of_what_was_added(order: list[int], lengths: list[int]) -> None:
    starts = [sum(lengths[:i]) for i in range(12)]
    kept, held = set(), Intervals()
    for i in order[:7]:
        held.add(starts[i], lengths[i])
        kept |= set(range(starts[i], starts[i] + lengths[i]))
    ranges = list(held)
    assert {n for first, stop in ranges for n in range(first, stop)} == kept
    assert len(held) == len(kept)
    assert all(left[1] < right[0] for left, right in pairwise(ranges))


def test_a_frame_is_settled_once() -> None:
    held = Intervals()
    held.add(5, 5)
    for first, count in ((9, 1), (4, 2), (0, 20), (6, 1)):
        with pytest.raises(ValueError, match="in the set already"):
            held.add(first, count)


def test_the_ledger_balances_when_all_frames_are_settled() -> None:
    ledger = Ledger(captured=10, lost=3)
    ledger.settle(0, 4, Fate.LOCALIZED)
    ledger.settle(6, 4, Fate.SHED)
    assert (ledger.tally.waiting, ledger.tally.balanced) == (2, False)
    ledger.settle(4, 2, Fate.DEFERRED)
    tally = ledger.tally
    assert tally.balanced
    assert tally.captured == tally.localized + tally.deferred + tally.shed == 10
    assert tally.lost == 3
    assert ledger.ranges(Fate.DEFERRED) == [(4, 6)]


def test_frames_that_were_never_captured_have_no_fate() -> None:
    with pytest.raises(InputError, match="frames 8 to 10 were never captured; there are 10"):
        Ledger(captured=10).settle(8, 3, Fate.SHED)
