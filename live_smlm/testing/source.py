"""What every frame source promises, whatever stands behind it."""

import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from live_smlm.core import FrameBatch, FrameSource

MOST_FRAMES = 2000
"""Where a source would go on for longer, the contract looks no further."""


def _frames(source: FrameSource, most: int) -> list[FrameBatch]:
    """Batches until the source ends or `most` frames have come."""
    taken: list[FrameBatch] = []
    with source.open() as stream:
        for batch in stream:
            taken.append(batch)
            if sum(map(len, taken)) >= most:
                break
    return taken


def _open_files() -> list[str]:
    """What this process holds open, where the system tells it."""
    held = Path("/proc/self/fd")
    if not held.is_dir():
        return []
    names = []
    for link in held.iterdir():
        try:
            names.append(str(link.readlink()))
        except OSError:  # the listing's own handle is gone by now
            continue
    return sorted(name for name in names if name.startswith("/") and not name.startswith("/proc"))


class SourceContract:
    """Subclass it and provide a `source` fixture: a `FrameSource` of at least two frames.

    Sources that do not repeat themselves (a real camera) cannot keep the last
    promise; they override that test with a reason.
    """

    def test_info_is_known_before_the_first_frame(self, source: FrameSource) -> None:
        """Name, camera and length are told by a source that is not open."""
        info = source.info
        assert info.name
        assert info.expected_frames is None or info.expected_frames > 0
        assert info.frame_interval_s is None or info.frame_interval_s > 0

    def test_batches_are_full_frames_of_the_camera_without_halo(self, source: FrameSource) -> None:
        """Shape, type and range of the counts are the camera's."""
        camera = source.info.camera
        batches = _frames(source, MOST_FRAMES)
        assert batches, "a source gives at least one batch"
        for batch in batches:
            assert isinstance(batch, FrameBatch)
            assert len(batch) > 0
            assert batch.halo == (0, 0)
            assert batch.pixels.shape[1:] == camera.shape
            assert batch.pixels.dtype == batches[0].pixels.dtype
            assert int(batch.pixels.max()) < 2**camera.bits

    def test_frame_numbers_and_times_rise_over_batches(self, source: FrameSource) -> None:
        """Each frame comes once, in order."""
        for before, after in pairwise(_frames(source, MOST_FRAMES)):
            assert before.index[-1] < after.index[0]
            # Times may be NaN: unknown. Where they are known they do not fall.
            assert not before.time_s[-1] > after.time_s[0]

    def test_expected_frames_come(self, source: FrameSource) -> None:
        """As many as announced; an endless source does not end by itself."""
        expected = source.info.expected_frames
        batches = _frames(source, MOST_FRAMES)
        first, last = int(batches[0].index[0]), int(batches[-1].index[-1])
        if expected is None or expected > MOST_FRAMES:
            assert last - first + 1 >= MOST_FRAMES
        else:
            # Numbers that are missing are frames the camera lost.
            assert last - first + 1 == expected

    def test_a_batch_is_not_written_to_again(self, source: FrameSource) -> None:
        """A batch may be kept while the stream goes on."""
        with source.open() as stream:
            held = next(stream)
            copy = held.pixels.copy()
            next(stream, None)
        np.testing.assert_array_equal(held.pixels, copy)

    def test_leaving_early_stops_the_stream_and_releases_all(self, source: FrameSource) -> None:
        """Files, devices and threads are given back at once."""
        files, threads = _open_files(), threading.active_count()
        with source.open() as stream:
            next(stream)
        assert next(stream, None) is None, "no batch comes after the end"
        assert _open_files() == files
        assert threading.active_count() == threads

    def test_an_error_while_streaming_releases_all(self, source: FrameSource) -> None:
        """The same when the user of the frames fails; the error goes on."""
        files, threads = _open_files(), threading.active_count()
        stream: Iterator[FrameBatch] = iter(())
        try:
            with source.open() as stream:
                next(stream)
                raise InterruptedError  # noqa: TRY301 - the user's code fails, not ours
        except InterruptedError:
            pass
        else:
            raise AssertionError("the source hid an error of its user")
        assert next(stream, None) is None, "no batch comes after the end"
        assert _open_files() == files
        assert threading.active_count() == threads

    def test_opening_again_gives_the_same_frames(self, source: FrameSource) -> None:
        """A source is a description; each opening starts anew."""
        first, again = (_frames(source, MOST_FRAMES) for _ in range(2))
        for part in ("pixels", "index", "time_s"):
            one, other = (np.concatenate([getattr(b, part) for b in r]) for r in (first, again))
            np.testing.assert_array_equal(one, other)
