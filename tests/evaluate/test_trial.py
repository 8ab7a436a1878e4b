"""A movie reaches an engine whole, in order and with the context it asked for."""

import numpy as np
import pytest

from live_smlm.core import FrameBatch, InputError, Localizations, from_columns
from live_smlm.evaluate.trial import CHUNK_FRAMES, chunks, run

N = 2 * CHUNK_FRAMES + 3
PIXELS = np.arange(N, dtype=np.uint16)[:, None, None] * np.ones((1, 4, 5), np.uint16)
MOVIE = FrameBatch(PIXELS, np.arange(10, 10 + N), np.arange(N, dtype=np.float64))


def seen(batch: FrameBatch) -> Localizations:
    """One molecule per frame that is answered for; its x is the frame's brightness."""
    core = batch.core
    return from_columns(
        {
            "frame": batch.index[core],
            "x": batch.pixels[core, 0, 0].astype(float),
            "y": np.zeros(core.stop - core.start),
        }
    )


@pytest.mark.parametrize("halo", [(0, 0), (1, 1), (2, 0), (20, 20)])
def test_every_frame_is_answered_for_once(halo: tuple[int, int]) -> None:
    found = run(seen, MOVIE, halo).found
    np.testing.assert_array_equal(found.frame, MOVIE.index)
    np.testing.assert_array_equal(found.x, np.arange(N))


def test_context_is_as_long_as_the_movie_allows() -> None:
    parts = list(chunks(MOVIE, (1, 2)))
    assert [part.halo for part in parts] == [(0, 2), (1, 2), (1, 0)]
    assert [int(part.index[0]) for part in parts] == [10, 25, 41]


def test_time_is_counted_by_the_clock_that_is_given() -> None:
    ticks = iter([3.0, 5.5])
    assert run(seen, MOVIE, (0, 0), lambda: next(ticks)).seconds == 2.5


def test_processor_time_is_counted() -> None:
    def work(batch: FrameBatch) -> Localizations:
        sum(range(100_000))
        return seen(batch)

    assert run(work, MOVIE, (0, 0)).seconds > 0


def test_a_part_of_a_movie_is_refused() -> None:
    with pytest.raises(InputError, match=r"halo \(1, 0\); give a whole movie"):
        list(chunks(FrameBatch(PIXELS, MOVIE.index, MOVIE.time_s, (1, 0)), (0, 0)))
