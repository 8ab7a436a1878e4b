"""One engine through one movie: as in the live pipeline, but nothing between, and timed.

Alone knows how a movie is cut for an engine. Knows an engine only as the
function it yields and the halo it asked for; who opens engines lies above.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from live_smlm.core import FrameBatch, Localizations, concatenate, require

CHUNK_FRAMES = 16
"""Frames that are answered at a time, as in a run."""
Localize = Callable[[FrameBatch], Localizations]


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """What an engine found, and what that cost."""

    found: Localizations
    seconds: float


def run(
    localize: Localize,
    frames: FrameBatch,
    halo: tuple[int, int],
    clock: Callable[[], float] = time.process_time,
) -> Trial:
    """All molecules of a movie.

    By default the seconds are processor time of all threads: on a busy machine,
    what one idle core would have taken. For a GPU give `time.perf_counter`.
    """
    parts = list(chunks(frames, halo))
    began = clock()
    found = [localize(part) for part in parts]
    return Trial(concatenate(found), clock() - began)


def chunks(frames: FrameBatch, halo: tuple[int, int]) -> Iterator[FrameBatch]:
    """Parts of a movie in order, each with its context as far as the movie has it."""
    require(frames.halo == (0, 0), f"frames have the halo {frames.halo}; give a whole movie")
    before, after = halo
    n = len(frames)
    for first in range(0, n, CHUNK_FRAMES):
        stop = min(first + CHUNK_FRAMES, n)
        begin, end = max(0, first - before), min(n, stop + after)
        part = slice(begin, end)
        context = (first - begin, end - stop)
        yield FrameBatch(frames.pixels[part], frames.index[part], frames.time_s[part], context)
