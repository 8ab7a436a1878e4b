"""Ranges of frames against a plain set."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_smlm.core.ranges import Ranges

PAIRS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 6)), max_size=30)


@given(PAIRS)
def test_ranges_are_a_set(pairs: list[tuple[int, int]]) -> None:
    ranges, plain = Ranges(), set[int]()
    for first, count in pairs:
        wanted = set(range(first, first + count))
        assert ranges.overlaps(first, first + count) == bool(wanted & plain)
        if wanted & plain:
            with pytest.raises(ValueError, match="in the set already"):
                ranges.add(first, first + count)
        else:
            ranges.add(first, first + count)
            plain |= wanted
        assert {n for low, high in ranges for n in range(low, high)} == plain
        assert len(ranges) == len(plain)
        assert list(Ranges(ranges)) == list(ranges)
        missing = {n for low, high in ranges.missing(30) for n in range(low, high)}
        assert missing == set(range(30)) - plain
    edges = [edge for pair in ranges for edge in pair]
    assert edges == sorted(set(edges))  # neighbours are joined


def test_nothing_is_not_a_range() -> None:
    with pytest.raises(ValueError, match="are none"):
        Ranges().add(3, 3)
