"""Lanes answer in order, end with their work, and hand their errors over."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

from live_smlm.core import (
    CameraModel,
    EngineContext,
    EngineSpec,
    FrameBatch,
    InputError,
    Localizations,
    StreamInfo,
    from_columns,
)
from live_smlm.pipeline import offline

CAMERA = CameraModel(shape=(2, 2), pixel_size_nm=100.0)
CONTEXT = EngineContext(camera=CAMERA)


@dataclass
class Frames:
    count: int
    closed: bool = False
    info: StreamInfo = field(default_factory=lambda: StreamInfo(name="test", camera=CAMERA))

    @contextmanager
    def open(self) -> Iterator[Iterator[FrameBatch]]:
        try:
            yield (
                FrameBatch(np.full((1, 2, 2), n, np.uint16), np.array([n]), np.zeros(1))
                for n in range(self.count)
            )
        finally:
            self.closed = True


@dataclass
class Counting:
    """Says each frame's number; frame `bad` fails; lanes wait for each other where asked."""

    bad: int = -1
    refuse: str | None = None
    fail_to_open: bool = False
    meeting: threading.Barrier | None = None
    opened_in: list[int] = field(default_factory=list)
    closed_in: list[int] = field(default_factory=list)
    spec = EngineSpec(name="counting", consumes=FrameBatch, produces=Localizations)

    def unsupported(self, context: EngineContext) -> str | None:
        del context
        return self.refuse

    @contextmanager
    def open(self, context: EngineContext) -> Iterator[Callable[[FrameBatch], Localizations]]:
        del context
        if self.fail_to_open:
            raise RuntimeError("no weights")
        self.opened_in.append(threading.get_ident())

        def process(frames: FrameBatch) -> Localizations:
            assert threading.get_ident() in self.opened_in
            if self.meeting is not None:
                self.meeting.wait(10)
            if self.bad in frames.index:
                raise RuntimeError(f"frame {self.bad}")
            zeros = np.zeros(len(frames))
            return from_columns({"frame": frames.index, "x": zeros, "y": zeros})

        yield process
        self.closed_in.append(threading.get_ident())


def test_answers_come_in_frame_order() -> None:
    engine = Counting(meeting=threading.Barrier(2))
    source = Frames(8)
    answers = offline.run(source, engine, CONTEXT, lanes=2, chunk_frames=2)
    assert [n for _, found in answers for n in found.frame] == list(range(8))
    assert source.closed
    assert len(set(engine.opened_in)) == 2  # the barrier shows that both lanes worked
    assert set(engine.closed_in) == set(engine.opened_in)


def test_an_error_in_a_lane_ends_the_run() -> None:
    source = Frames(50)
    with pytest.raises(RuntimeError, match="frame 7"):
        list(offline.run(source, Counting(bad=7), CONTEXT, lanes=2, chunk_frames=3))
    assert source.closed


def test_an_engine_that_cannot_open_ends_the_run() -> None:
    engine = Counting(fail_to_open=True)
    with pytest.raises(RuntimeError, match="no weights"):
        list(offline.run(Frames(5), engine, CONTEXT, lanes=2, chunk_frames=1))


def test_a_run_that_is_left_early_ends_its_threads() -> None:
    source = Frames(1000)
    answers = offline.run(source, Counting(), CONTEXT, lanes=2, chunk_frames=1)
    next(answers)
    answers.close()  # type: ignore[attr-defined] # a generator
    assert source.closed


def test_an_engine_that_cannot_serve_says_why_before_the_first_frame() -> None:
    with pytest.raises(InputError, match="'counting' cannot run: wrong pixels"):
        list(
            offline.run(
                Frames(5), Counting(refuse="wrong pixels"), CONTEXT, lanes=1, chunk_frames=1
            )
        )


def test_no_lanes_is_refused() -> None:
    with pytest.raises(InputError, match="number of lanes is 0"):
        list(offline.run(Frames(5), Counting(), CONTEXT, lanes=0, chunk_frames=1))
