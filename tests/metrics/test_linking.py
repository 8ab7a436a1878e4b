import numpy as np
import pytest
from scipy.spatial import KDTree

from live_smlm.core import F32, I64, InputError
from live_smlm.metrics.linking import Links, fold

Table = tuple[I64, F32, F32]


def blinking(molecules: int, frames: int, side_nm: float, on: int, seed: int = 0) -> Table:
    """Each molecule on once for `on` frames, precision 10 nm; frame, x, y in order of frames."""
    rng = np.random.default_rng(seed)
    place = np.repeat(rng.uniform(0, side_nm, (molecules, 2)), on, axis=0)
    place += rng.normal(0, 10, place.shape)
    begin = rng.integers(0, frames - on, molecules)
    frame = (begin[:, None] + np.arange(on)).ravel()
    order = np.argsort(frame, kind="stable")
    return frame[order], *(place[order, k].astype(np.float32) for k in (1, 0))


def by_components(frame: I64, x: F32, y: F32, reach: float, dark: int) -> int:
    """How many groups hang together by pairs within reach in space and time."""
    parent = np.arange(len(frame))

    def root(k: int) -> int:
        while parent[k] != k:
            k = parent[k]
        return k

    for a, b in KDTree(np.stack([x, y], 1)).query_pairs(reach):
        if 0 < abs(int(frame[a] - frame[b])) <= dark + 1:
            parent[root(a)] = root(b)
    return len({root(k) for k in range(len(frame))})


def test_sparse_blinks_are_counted_as_often_as_they_were() -> None:
    frame, x, y = blinking(400, 2000, 20_000, on=5)
    links, linked = fold(Links(reach_nm=50.0), frame, x, y)
    assert links.blinks == by_components(frame, x, y, 50.0, links.dark_frames)
    assert abs(links.blinks - 400) <= 2
    assert links.merged == 2000 - links.blinks
    assert linked.new.sum() == links.blinks
    assert np.all(linked.began <= frame)
    assert np.all(linked.began[linked.new] == frame[linked.new])


def test_chunks_do_not_change_the_count() -> None:
    frame, x, y = blinking(2000, 500, 10_000, on=4)
    whole, linked = fold(Links(reach_nm=40.0), frame, x, y)
    links, began = Links(reach_nm=40.0), []
    for edge in range(0, len(frame), 777):
        part = slice(edge, edge + 777)
        links, some = fold(links, frame[part], x[part], y[part])
        began.append(some.began)
    assert links.blinks == whole.blinks
    assert np.array_equal(np.concatenate(began), linked.began)


def test_a_blink_bridges_so_many_dark_frames_and_no_more() -> None:
    place = np.zeros(3, np.float32)
    frame = np.array([0, 3, 7])
    links, linked = fold(Links(reach_nm=10.0, dark_frames=2), frame, place, place)
    assert list(linked.began) == [0, 0, 7]
    assert links.on_frames == 1.5


def test_two_in_one_frame_are_two() -> None:
    x = np.array([0, 5, 1, 6], np.float32)
    links, linked = fold(Links(reach_nm=20.0), np.array([0, 0, 1, 1]), x, np.zeros_like(x))
    assert links.blinks == 2
    assert list(linked.new) == [True, True, False, False]


def test_frames_that_fall_are_refused() -> None:
    place = np.zeros(2, np.float32)
    with pytest.raises(InputError, match="sort the localizations by frame"):
        fold(Links(reach_nm=10.0), np.array([1, 0]), place, place)
