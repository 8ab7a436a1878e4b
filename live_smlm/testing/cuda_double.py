"""A double of torch.cuda, by the names that lanes call, on the processor.

Stricter than a GPU, so that what would be garbage there fails here:

- work on a stream is only noted, and done when somebody waits for the stream:
  no more than is waited for, or (`ahead`) all that was noted by then;
- a captured graph repeats the operations on the memory that it saw, and
  whatever Python does between them is lost;
- an operation that needs new memory is refused;
- memory that nobody holds any more is known.
"""

import itertools
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, UntypedStorage
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

Job = Callable[[], Any]
_HANDLES = itertools.count(1000)


class CudaStream:
    """Work in order, done when somebody waits."""

    def __init__(self, *, ahead: bool) -> None:
        self.ahead = ahead
        self.cuda_stream = next(_HANDLES)
        self.jobs: list[Job] = []
        STREAMS[self.cuda_stream] = self

    def synchronize(self) -> None:
        """Do all that was noted."""
        self.do(len(self.jobs))

    def do(self, count: int) -> None:
        """The first jobs."""
        jobs, self.jobs[:count] = self.jobs[:count], []
        with _disable_current_modes():  # what is done now is not noted again
            for job in jobs:
                job()


STREAMS: "weakref.WeakValueDictionary[int, CudaStream]" = weakref.WeakValueDictionary()
"""By the handle that TensorRT is given."""


class Event:
    """A place in a stream."""

    def __init__(self, *, blocking: bool = False) -> None:
        del blocking
        self._reached = True
        self._stream: CudaStream | None = None

    def record(self, stream: CudaStream) -> None:
        """Note the place."""
        self._reached, self._stream = False, stream
        stream.jobs.append(self._reach)

    def synchronize(self) -> None:
        """Do what stands before it."""
        if not self._reached and self._stream is not None:
            jobs = self._stream.jobs
            self._stream.do(len(jobs) if self._stream.ahead else jobs.index(self._reach) + 1)

    def _reach(self) -> None:
        self._reached = True


@dataclass
class Graph:
    """Operations with the memory that they saw."""

    cuda: "Cuda"
    jobs: list[Job] = field(default_factory=list)

    def replay(self) -> None:
        """Note all of them again."""
        self.cuda.replays += 1
        NOW.stream.jobs.extend(self.jobs)


class _Now(threading.local):
    """Where this thread's work goes."""

    stream: Any = None
    captured: Graph | None = None

    def note(self, job: Job) -> None:
        """To the end of the stream, or of the graph that is being captured."""
        jobs: list[Job] = self.stream.jobs if self.captured is None else self.captured.jobs
        jobs.append(job)


NOW = _Now()


@dataclass(frozen=True)
class _Piece:
    """Some memory that was made on a stream."""

    storage: StorageWeakRef
    first: int
    stop: int

    @property
    def held(self) -> bool:
        return not self.storage.expired()  # type: ignore[no-untyped-call]


_PIECES: list[_Piece] = []


def held() -> int:
    """Pieces of memory that somebody holds."""
    return sum(piece.held for piece in _PIECES)


def holds(address: int, size: int) -> bool:
    """Whether so many bytes from there on are one piece's that somebody holds."""
    return any(p.first <= address and address + size <= p.stop for p in _PIECES if p.held)


def _remember(storage: UntypedStorage) -> None:
    first = storage.data_ptr()
    weak = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
    _PIECES.append(_Piece(weak, first, first + storage.nbytes()))


class _Noting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes are noted, views are taken at once, new memory is remembered."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        del types
        named = kwargs or {}
        written = [
            args[place] if place < len(args) else named[argument.name]
            for place, argument in enumerate(func._schema.arguments)  # noqa: SLF001 - torch's way
            if argument.alias_info is not None and argument.alias_info.is_write
        ]
        if written:
            NOW.note(lambda: func(*args, **named))
            return written[0]
        result = func(*args, **named)
        given = [value for value in (*args, *named.values()) if isinstance(value, Tensor)]
        if not given:
            _remember(result.untyped_storage())
        elif result.untyped_storage().data_ptr() != given[0].untyped_storage().data_ptr():
            raise AssertionError(f"{func} needs new memory in the middle of a stream's work")
        return result


@dataclass
class Cuda:
    """`torch.cuda`, as far as lanes call it."""

    ahead: bool = False
    refuses_capture: bool = False
    captures: int = 0
    replays: int = 0

    def __post_init__(self) -> None:
        self.Event = Event

    def Stream(self, device: object) -> CudaStream:  # noqa: N802 - torch's name
        """A new stream."""
        del device
        return CudaStream(ahead=self.ahead)

    def CUDAGraph(self) -> Graph:  # noqa: N802 - torch's name
        """A new graph."""
        return Graph(self)

    @contextmanager
    def stream(self, stream: CudaStream) -> Iterator[None]:
        """The current stream of this thread."""
        before, NOW.stream = NOW.stream, stream
        try:
            with _Noting():  # type: ignore[no-untyped-call]
                yield
        finally:
            NOW.stream = before

    @contextmanager
    def graph(self, graph: Graph, *, stream: CudaStream, capture_error_mode: str) -> Iterator[None]:
        """What is noted inside goes into the graph."""
        assert NOW.stream is stream, "captured on another stream than the current one"
        assert capture_error_mode == "thread_local"
        assert not stream.jobs, "captured before earlier work was done"
        NOW.captured = graph
        try:
            yield
        finally:
            NOW.captured = None
        if self.refuses_capture:
            graph.jobs.clear()
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing")
        self.captures += 1

    def set_device(self, device: object) -> None:
        """There is one only."""

    def empty_cache(self) -> None:
        """Nothing is kept."""
