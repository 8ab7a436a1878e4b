"""One worker: a few lanes and the heartbeat that speaks for them.

The same code is a thread of the hub's process, a process beside it, or a
process on another machine. It ends when its lanes are told to finish, when
its owner stops it, or when the hub falls silent.
"""

import threading
import time
from dataclasses import dataclass
from typing import Any

import zmq

from live_smlm.core import Device, require
from live_smlm.pipeline.lane import MakeEngine, run_lane
from live_smlm.pipeline.witness import MakeWitness
from live_smlm.transport.codec import Envelope, MalformedError
from live_smlm.transport.endpoints import Keys, connected, receive, send

BEAT_S = 1.0
SILENCE_S = 15.0
"""A hub that does not answer the heartbeat for so long is gone."""
_POLL_MS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a worker works, and as whom."""

    address: str
    name: str
    """Unique among the hub's workers; no slash in it."""
    lanes: int
    sees_ring: bool
    keys: Keys | None = None
    token: str = ""
    """What a hub without keys wants to hear."""
    device: Device | None = None
    """This worker's own choice; None leaves it to the run."""

    def __post_init__(self) -> None:
        require(self.lanes > 0, f"worker lanes is {self.lanes}; give at least 1")
        require("/" not in self.name, f"worker name {self.name!r} has a slash; leave it out")


def work(
    place: Place,
    make_engine: MakeEngine,
    stop: threading.Event,
    make_witness: MakeWitness | None = None,
) -> None:
    """Run the lanes until the hub lets them go, is gone, or `stop` is set."""
    ours = threading.Event()
    with zmq.Context() as context:
        lanes = [
            threading.Thread(
                target=run_lane,
                args=(place.address, f"{place.name}/{number}".encode(), make_engine, ours),
                kwargs={
                    "keys": place.keys,
                    "context": context,
                    "sees_ring": place.sees_ring,
                    "token": place.token,
                    "device": place.device,
                    "make_witness": make_witness,
                },
                name=f"{place.name}/{number}",
            )
            for number in range(place.lanes)
        ]
        for lane in lanes:
            lane.start()
        try:
            _beat(place, context, lanes, stop)
        finally:
            ours.set()
            for lane in lanes:
                lane.join()


def _beat(
    place: Place,
    context: "zmq.Context[Any]",
    lanes: list[threading.Thread],
    stop: threading.Event,
) -> None:
    """Say that we are alive; leave once the hub has gone or begun another run."""
    identity = f"{place.name}/beat".encode()
    run: object = None
    heard, sent = time.monotonic(), 0.0
    with connected(context, zmq.DEALER, place.address, place.keys, identity) as socket:
        while not stop.is_set() and any(lane.is_alive() for lane in lanes):
            now = time.monotonic()
            if now - sent >= BEAT_S:
                send(socket, Envelope("alive"), wait=False)
                sent = now
            if socket.poll(_POLL_MS):
                answer = _run_of(socket)
                if run is not None and answer != run:
                    return
                run, heard = answer, now
            elif now - heard > SILENCE_S:
                return


def _run_of(socket: "zmq.Socket[bytes]") -> object:
    try:
        return receive(socket).values.get("run")
    except MalformedError:
        return None
