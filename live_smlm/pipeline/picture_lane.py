"""A lane for engines of pictures: one process of its own, asked for one picture at a time.

Nobody in the run waits for it but who asks. A process that dies or hangs is ended and
begun anew with the next picture; what an engine should not have given is named.
"""

import contextlib
import multiprocessing
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.context import SpawnProcess
from typing import Any

import zmq

from live_smlm.core import EngineContext, Reconstruction
from live_smlm.pipeline.found import prediction
from live_smlm.pipeline.supervisor import MakeMakeEngine, settle_in
from live_smlm.transport import messages
from live_smlm.transport.codec import Envelope, MalformedError
from live_smlm.transport.endpoints import address_of, bound, connected, receive, receive_from, send
from live_smlm.transport.messages import Setup
from live_smlm.transport.pictures import picture_parts, read_picture

PATIENCE_S = 120.0
"""For the engine to open, and for each picture."""
_POLL_MS = 50
_LEAVE_S = 5.0
_MAKES_WAY = 15


class LaneError(Exception):
    """Why there is no picture."""


@dataclass(slots=True)
class PictureLane:
    """The asking side; used by one thread, within `open`."""

    setup: Setup
    make_make_engine: MakeMakeEngine
    patience_s: float = PATIENCE_S
    waits: Callable[[], bool] = lambda: True
    """Whether whoever asked still wants the answer."""
    _token: str = field(default_factory=lambda: secrets.token_hex(16))
    _socket: "zmq.Socket[bytes] | None" = None
    _process: SpawnProcess | None = None
    _peer: bytes = b""

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """With a door for the process; on exit the process is ended."""
        with zmq.Context() as context, bound(context, zmq.ROUTER, "tcp://127.0.0.1:*") as socket:
            self._socket = socket
            try:
                yield
            finally:
                if self._peer:
                    send(socket, messages.FINISH, [self._peer], wait=False)
                self._end(_LEAVE_S)
                self._socket = None

    def ask(self, picture: Reconstruction) -> Reconstruction:
        """The engine's picture of this one; LaneError where there is none."""
        if self._process is None or not self._process.is_alive():
            self._begin()
        values, arrays = picture_parts(picture)
        answer = self._said(Envelope("picture", values, arrays))
        try:
            return read_picture(answer.values, answer.arrays)
        except MalformedError as error:
            raise LaneError(str(error)) from error

    def _begin(self) -> None:
        """A process with an opened engine."""
        self._end(0.0)
        door = "" if self._socket is None else address_of(self._socket)
        self._process = multiprocessing.get_context("spawn").Process(
            target=_main, args=(door, self._token, self.make_make_engine), daemon=True
        )
        self._process.start()
        try:
            self._heard("hello")
            self._said(messages.setup_message(self.setup))
        except LaneError:
            self._end(0.0)
            raise

    def _said(self, message: Envelope) -> Envelope:
        """The process's answer to a message."""
        if self._socket is not None:
            send(self._socket, message, [self._peer])
        return self._heard(message.kind)

    def _heard(self, kind: str) -> Envelope:
        """What the process says next of this kind; a dead and a silent one are ended."""
        until = time.monotonic() + self.patience_s
        while self._socket is not None and self._process is not None and self.waits():
            if self._socket.poll(_POLL_MS):
                message = self._taken(kind)
                if message is not None:
                    return message
            elif not self._process.is_alive():
                code = self._process.exitcode
                self._end(0.0)
                raise LaneError(f"its process died with exit code {code}")
            elif time.monotonic() > until:
                self._end(0.0)
                raise LaneError(f"it gave no answer within {self.patience_s:g} s and was ended")
        self._end(0.0)
        raise LaneError("the run ended before it had answered")

    def _taken(self, kind: str) -> Envelope | None:
        """A message of our process; a stranger's is dropped."""
        if self._socket is None:
            return None
        sender, message = receive_from(self._socket)
        if isinstance(message, MalformedError):
            return None
        if message.kind == "hello" and message.values.get("token") == self._token:
            self._peer = sender
        if sender != self._peer:
            return None
        if message.kind == "failed":
            raise LaneError(str(message.values.get("reason"))[:2000])
        return message if message.kind == kind else None

    def _end(self, patience_s: float) -> None:
        process, self._process, self._peer = self._process, None, b""
        if process is None:
            return
        process.join(patience_s)
        if process.is_alive():
            process.kill()
        process.join()
        process.close()


def _main(door: str, token: str, make_make_engine: MakeMakeEngine) -> None:
    """The process: opens what it is told to, then answers pictures with pictures."""
    settle_in(_MAKES_WAY)
    with zmq.Context() as context, connected(context, zmq.DEALER, door) as socket:
        send(socket, Envelope("hello", {"token": token}))
        with contextlib.ExitStack() as held:
            process: Callable[[Any], object] = _unopened
            while (message := receive(socket)).kind != messages.FINISH.kind:
                try:
                    if message.kind == "setup":
                        process = held.enter_context(_opened(message, make_make_engine))
                        answer = Envelope("setup")
                    else:
                        asked = read_picture(message.values, message.arrays)
                        answer = Envelope(
                            "picture", *picture_parts(prediction(process(asked), asked))
                        )
                except Exception as error:  # noqa: BLE001 - whoever asked is told
                    answer = Envelope("failed", {"reason": f"{type(error).__name__}: {error}"})
                send(socket, answer)


def _unopened(_: object) -> object:
    raise RuntimeError("no engine was opened")


def _opened(
    message: Envelope, make_make_engine: MakeMakeEngine
) -> contextlib.AbstractContextManager[Callable[[Any], object]]:
    setup = messages.read_setup(message)
    engine = make_make_engine()(setup.engine)
    at = setup.device.serving(engine.spec.devices)
    place = EngineContext(camera=setup.camera, psf=setup.psf, device=at.kind, device_index=at.index)
    return engine.open(place)
