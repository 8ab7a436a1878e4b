"""Every frame is answered for once, with the context that exists."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live_smlm.core import FrameBatch, InputError
from live_smlm.pipeline.chunks import chunks


def batch(index: list[int]) -> FrameBatch:
    numbers = np.array(index, np.int64)
    pixels = np.broadcast_to(numbers[:, None, None], (len(index), 2, 2)).astype(np.uint16)
    return FrameBatch(pixels, numbers, np.arange(len(index), dtype=np.float64))


@given(
    gaps=st.lists(st.integers(1, 3), max_size=30),
    cuts=st.sets(st.integers(1, 29), max_size=6),
    frames=st.integers(1, 7),
    halo=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_every_frame_once_with_its_neighbours(
    gaps: list[int], cuts: set[int], frames: int, halo: tuple[int, int]
) -> None:
    index = np.cumsum(gaps).tolist()
    edges = [0, *sorted(c for c in cuts if c < len(index)), len(index)]
    stream = [batch(index[a:b]) for a, b in pairwise(edges) if b > a]
    answered: list[int] = []
    for chunk in chunks(stream, frames, halo):
        core = chunk.index[chunk.core]
        assert 0 < len(core) <= frames
        assert np.all(np.diff(chunk.index) == 1)
        assert np.all(chunk.pixels[:, 0, 0] == chunk.index)
        before = [n for n in range(core[0] - halo[0], core[0]) if _joined(n, core[0], index)]
        after = [
            n for n in range(core[-1] + 1, core[-1] + 1 + halo[1]) if _joined(core[-1], n, index)
        ]
        assert chunk.halo == (len(before), len(after))
        assert chunk.index.tolist() == [*before, *core.tolist(), *after]
        answered += core.tolist()
    assert answered == index


def _joined(first: int, last: int, index: list[int]) -> bool:
    return all(n in index for n in range(first, last + 1))


def test_whole_batches_are_not_copied() -> None:
    source = batch(list(range(8)))
    (chunk,) = chunks([source], 8)
    assert np.shares_memory(chunk.pixels, source.pixels)


def test_a_chunk_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="chunk size is 0"):
        list(chunks([batch([0])], 0))
