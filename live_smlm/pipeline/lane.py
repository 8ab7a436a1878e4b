"""One lane: one thread, one socket, one opened engine.

A lane says hello, opens what its setup names, and then takes one chunk after
another until it is told to finish or its owner stops it. It knows neither who
else works nor what becomes of its answers.
"""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import zmq

from live_smlm.core import (
    F32,
    AnyArray,
    CameraModel,
    Device,
    Engine,
    EngineContext,
    FrameBatch,
    Localizations,
    RawPixels,
    Reconstruction,
    require,
)
from live_smlm.pipeline import witness
from live_smlm.pipeline.found import checked
from live_smlm.pipeline.witness import Heard, MakeWitness
from live_smlm.transport import messages
from live_smlm.transport.codec import Envelope, pack
from live_smlm.transport.endpoints import Keys, connected, receive, send
from live_smlm.transport.messages import Answer, Setup, Work
from live_smlm.transport.ring import FrameRing, attach

POLL_MS = 100
_GREETINGS_APART = 10
"""Polls between two greetings."""
MakeEngine = Callable[[str], Engine[FrameBatch, Any]]
"""From what the command line calls it; given by whoever knows where engines are found."""
Localize = Callable[[FrameBatch], object]
"""An engine's function; what it gives is checked before anybody relies on it."""


def run_lane(
    address: str,
    identity: bytes,
    make_engine: MakeEngine,
    stop: threading.Event,
    keys: Keys | None = None,
    *,
    context: "zmq.Context[zmq.Socket[bytes]]",
    sees_ring: bool,
    token: str = "",
    device: Device | None = None,
    make_witness: MakeWitness | None = None,
) -> None:
    """Work for the hub at `address` until it says finish or `stop` is set.

    `sees_ring` says that the lane runs on the hub's machine, as its child;
    `token` is what the hub has told its own. `device` is this worker's own choice
    and goes before the setup's. `make_witness` is asked where the setup wants one.
    """
    with connected(context, zmq.DEALER, address, keys, identity) as socket, ExitStack() as held:
        hello = Envelope("hello", {"sees_ring": sees_ring, "token": token})
        greeting = _greeted(socket, hello, stop)
        if greeting is None or greeting.kind == messages.FINISH.kind:
            return
        try:
            setup = messages.read_setup(greeting)
            setup = setup if device is None else replace(setup, device=device)
            ring, engines = _open(setup, make_engine, held)
            heard = witness.opened(make_witness if setup.witnessed else None, _place(setup))
        except Exception as error:  # noqa: BLE001 - the hub is told, and decides
            send(socket, Envelope("cannot", {"reason": _reason(error)}))
            return
        send(socket, messages.READY)
        while (message := _next(socket, stop)) is not None and message.kind == "work":
            work = messages.read_work(message)
            send(socket, _answer(work, ring, engines, heard))


def _open(
    setup: Setup, make_engine: MakeEngine, held: ExitStack
) -> tuple[FrameRing | None, tuple[Localize, Localize]]:
    """The ring, the engine and the one that stands in for it; closed with `held`."""
    ring = None if setup.ring is None else held.enter_context(attach(setup.ring))
    main = _opened(make_engine(setup.engine), setup, held)
    if setup.fallback is None:
        return ring, (main, main)
    return ring, (main, _opened(make_engine(setup.fallback), setup, held))


def _opened(engine: Engine[FrameBatch, Any], setup: Setup, held: ExitStack) -> Localize:
    """The engine's function, called once: what is compiled or loaded late is so before frame 0."""
    at = setup.device.serving(engine.spec.devices)
    place = replace(_place(setup), device=at.kind, device_index=at.index)
    localize = held.enter_context(engine.open(place))
    trial = _trial(setup.camera, engine.spec.halo)
    _travelling(0, checked(localize(trial), trial))
    return localize


def _place(setup: Setup) -> EngineContext:
    return EngineContext(camera=setup.camera, psf=setup.psf)


def _trial(camera: CameraModel, halo: tuple[int, int]) -> FrameBatch:
    """A frame with one bright spot in the middle."""
    n = 1 + sum(halo)
    shape = (n, *camera.shape)
    small = camera.bits <= 8
    pixels: RawPixels = np.zeros(shape, np.uint8) if small else np.zeros(shape, np.uint16)
    pixels += max(0, min(int(np.median(camera.offset_adu)) + 10, 2**camera.bits - 101))
    row, column = (side // 2 for side in camera.shape)
    pixels[:, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2] += 100
    return FrameBatch(pixels, np.arange(n), np.arange(n, dtype=np.float64), halo)


def _answer(
    work: Work, ring: FrameRing | None, engines: tuple[Localize, Localize], heard: Heard
) -> Envelope:
    """Molecules that can travel, or why there are none; and what the witness says of the main's."""
    try:
        frames = messages.frames_of(work, _pixels(work, ring))
        started = time.monotonic()
        found = checked(engines[work.fallback](frames), frames)
        answered = time.monotonic()
        evidence = None if work.fallback else heard(frames, found[0])
        seconds = (answered - started, time.monotonic() - answered)
        return _travelling(work.chunk, found, evidence, seconds, heard.told())
    except Exception as error:  # noqa: BLE001 - the hub is told, and decides
        failed = Answer(chunk=work.chunk, molecules=None, error=_reason(error))
        return messages.answer_message(failed)


def _travelling(
    chunk: int,
    found: tuple[Localizations, Reconstruction | None],
    evidence: F32 | None = None,
    seconds: tuple[float, float] = (0.0, 0.0),
    unwitnessed: str | None = None,
) -> Envelope:
    """The answer as it travels; refuses what cannot."""
    molecules, picture = found
    answer = Answer(
        chunk=chunk,
        molecules=molecules,
        picture=picture,
        evidence=evidence,
        seconds=seconds,
        unwitnessed=unwitnessed,
    )
    message = messages.answer_message(answer)
    pack(message)
    return message


def _greeted(
    socket: "zmq.Socket[bytes]", hello: Envelope, stop: threading.Event
) -> Envelope | None:
    """Greet until the hub answers: it may come later, or be another one by then."""
    while not stop.is_set():
        send(socket, hello, wait=False)
        for _ in range(_GREETINGS_APART):
            if socket.poll(POLL_MS):
                return receive(socket)
            if stop.is_set():
                break
    return None


def _pixels(work: Work, ring: FrameRing | None) -> AnyArray:
    if work.pixels is not None:
        return work.pixels
    require(ring is not None, "frames were sent neither as pixels nor in a ring")
    return ring.read(work.begin, len(work.index))  # type: ignore[union-attr] # refused above


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _next(socket: "zmq.Socket[bytes]", stop: threading.Event) -> Envelope | None:
    """The next message, or None once the lane is to stop."""
    while not stop.is_set():
        if socket.poll(POLL_MS):
            return receive(socket)
    return None
