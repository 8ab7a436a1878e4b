"""History and stream make one: each number once, in order, whatever was missed."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from live_smlm.view.follow_join import Joint


@dataclass(frozen=True)
class Item:
    first: int
    stop: int


def everything(items: list[Item]) -> list[int]:
    return [n for item in items for n in range(item.first, item.stop)]


def test_a_stream_from_its_beginning_needs_no_history() -> None:
    joint: Joint[Item] = Joint()
    assert joint.heard(Item(0, 4)) == [Item(0, 4)]
    assert joint.heard(Item(4, 9)) == [Item(4, 9)]
    assert joint.missing() is None


def test_who_comes_late_waits_for_what_lies_before() -> None:
    joint: Joint[Item] = Joint()
    assert joint.heard(Item(50, 60)) == []
    assert joint.missing() == (0, 50)
    assert joint.fetched(Item(0, 30)) == [Item(0, 30)]
    assert joint.missing() == (30, 50)
    assert joint.fetched(Item(30, 50)) == [Item(30, 50), Item(50, 60)]
    assert joint.missing() is None


def test_what_a_state_has_told_is_missed_even_when_nothing_more_is_heard() -> None:
    joint: Joint[Item] = Joint()
    joint.heard(Item(0, 10))
    joint.knows(10)
    assert joint.missing() is None
    joint.knows(25)
    assert joint.missing() == (10, 25)


def test_what_was_had_already_is_not_handed_on_again() -> None:
    joint: Joint[Item] = Joint()
    joint.heard(Item(0, 10))
    assert joint.heard(Item(0, 10)) == []
    assert joint.heard(Item(4, 8)) == []
    assert joint.fetched(Item(0, 10)) == []
    assert joint.have == 10


def test_what_nobody_has_any_more_is_forgone() -> None:
    joint: Joint[Item] = Joint()
    joint.heard(Item(7, 9))
    assert joint.forgo(7) == [Item(7, 9)]
    assert joint.heard(Item(20, 21)) == []
    assert joint.fetched(Item(15, 20)) == [Item(15, 20), Item(20, 21)]  # 9 to 14 are forgotten


@given(
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=60),
    heard=st.lists(st.booleans(), min_size=60, max_size=60),
    page=st.integers(1, 4),
    held=st.integers(1, 8),
    asks=st.lists(st.integers(0, 3), min_size=60, max_size=60),
)
def test_each_number_comes_once_in_order(
    lengths: list[int], heard: list[bool], page: int, held: int, asks: list[int]
) -> None:
    """Messages are dropped at random, pages are short, and few messages can wait."""
    joint: Joint[Item] = Joint(most_held=held)
    ends = [sum(lengths[: n + 1]) for n in range(len(lengths))]
    got: list[Item] = []

    def fetch() -> bool:
        wanted = joint.missing()
        if wanted is None:
            return False
        first, stop = wanted
        inside = [end for end in ends if first < end <= stop][:page]
        got.extend(joint.fetched(Item(first, inside[-1])))
        return True

    for end, length, hears, often in zip(ends, lengths, heard, asks, strict=False):
        if hears:
            got.extend(joint.heard(Item(end - length, end)))
        for _ in range(often):
            fetch()
    joint.knows(ends[-1])
    while fetch():
        pass
    assert everything(got) == list(range(ends[-1]))
