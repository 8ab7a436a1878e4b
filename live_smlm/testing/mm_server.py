"""A double of Micro-Manager's server: enough of its protocol for one camera and a stage.

    python -m live_smlm.testing.mm_server [--port 4827] [--capacity 64] [--shape 32x40]

Speaks the wire form of PyJavaZ 5.1.0 over a ZeroMQ REP socket of the loopback
device, with frames that a clock makes: pixel (r, c) of frame n holds
100 * n + 10 * r + c, modulo 65536. Prints the port it listens on. Properties of
device `Camera` misbehave on request: `Skip` leaves out every so many-th frame,
`StallAfter` gives no frame from that number on, `DieAfter` stops by itself.
Killing the process is the death of Micro-Manager.
"""

import argparse
import itertools
import json
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import zmq

VERSION = "5.1.0"
CAMERA = "Camera"
STAGE = "XY"
_STAGE_S = 0.05
"""So long does the stage go, however far."""
_STRING, _DOUBLE, _INT, _LONG = "java.lang.String", "double", "int", "long"


def expected_frame(number: int, shape: tuple[int, int]) -> "np.ndarray[Any, np.dtype[np.uint16]]":
    """What the double's camera shows in a frame."""
    row, column = np.indices(shape)
    return (100 * number + 10 * row + column).astype(np.uint16)


@dataclass
class Core:
    """A core with one camera; its methods have the names of the Java core."""

    shape: tuple[int, int] = (32, 40)
    capacity: int = 64
    properties: dict[str, float] = field(
        default_factory=lambda: {"Skip": 0, "StallAfter": -1, "DieAfter": -1, "Laser": 0}
    )
    exposure_ms: float = 10.0
    started: float | None = None
    popped: int = 0
    """Frames taken, of those that were made (skipped ones are not)."""
    made_at_stop: int = 0
    overflowed: bool = False
    place: tuple[float, float] = (0.0, 0.0)
    arrives: float = 0.0

    def _number(self, place: int) -> int:
        skip = int(self.properties["Skip"])
        return place if skip == 0 else place + place // (skip - 1)

    def _made(self) -> int:
        """Frames made until now; finds out whether the buffer is full."""
        if self.started is None:
            return self.made_at_stop
        made = int((time.monotonic() - self.started) * 1000 / self.exposure_ms)
        for limit in ("StallAfter", "DieAfter"):
            if 0 <= self.properties[limit] < made:
                made = int(self.properties[limit])
                if limit == "DieAfter":
                    self._end(made)
        if made - self.popped > self.capacity:
            made, self.overflowed = self.popped + self.capacity, True
            self._end(made)
        return made

    def _end(self, made: int) -> None:
        self.made_at_stop, self.started = made, None

    def getCameraDevice(self) -> str:  # noqa: N802, D102 - Java's names, here and below
        return CAMERA

    def getDeviceLibrary(self, _: str) -> str:  # noqa: N802, D102
        return "Double"

    def getLoadedDevices(self) -> list[str]:  # noqa: N802, D102
        return [CAMERA, STAGE, "Core"]

    def getDevicePropertyNames(self, _: str) -> list[str]:  # noqa: N802, D102
        return list(self.properties)

    def getAllowedPropertyValues(self, _: str, __: str) -> list[str]:  # noqa: N802, D102
        return []

    def hasPropertyLimits(self, _: str, __: str) -> bool:  # noqa: N802, D102
        return False

    def isPropertyReadOnly(self, _: str, __: str) -> bool:  # noqa: N802, D102
        return False

    def getXYStageDevice(self) -> str:  # noqa: N802, D102
        return STAGE

    def setXYPosition(self, _: str, x: float, y: float) -> None:  # noqa: N802, D102
        self.place, self.arrives = (x, y), time.monotonic() + _STAGE_S

    def getXPosition(self, _: str) -> float:  # noqa: N802, D102
        return self.place[0]

    def getYPosition(self, _: str) -> float:  # noqa: N802, D102
        return self.place[1]

    def deviceBusy(self, _: str) -> bool:  # noqa: N802, D102
        return time.monotonic() < self.arrives

    def getProperty(self, _: str, name: str) -> str:  # noqa: N802, D102
        return f"{self.properties[name]:g}"

    def setProperty(self, _: str, name: str, value: str) -> None:  # noqa: N802, D102
        if name not in self.properties:
            raise ValueError(f'Cannot set property "{name}"')
        self.properties[name] = float(value)

    def getExposure(self) -> float:  # noqa: N802, D102
        return self.exposure_ms

    def setExposure(self, milliseconds: float) -> None:  # noqa: N802, D102
        self.exposure_ms = milliseconds

    def getImageHeight(self) -> int:  # noqa: N802, D102
        return self.shape[0]

    def getImageWidth(self) -> int:  # noqa: N802, D102
        return self.shape[1]

    def getBytesPerPixel(self) -> int:  # noqa: N802, D102
        return 2

    def getNumberOfComponents(self) -> int:  # noqa: N802, D102
        return 1

    def getNumberOfCameraChannels(self) -> int:  # noqa: N802, D102
        return 1

    def getBufferTotalCapacity(self) -> int:  # noqa: N802, D102
        return self.capacity

    def startSequenceAcquisition(self, _: int, __: float, stop: bool) -> None:  # noqa: N802, D102, FBT001
        if not stop:
            raise ValueError("would overwrite frames that nobody has read")
        self.started, self.popped, self.overflowed = time.monotonic(), 0, False

    def stopSequenceAcquisition(self) -> None:  # noqa: N802, D102
        self._end(self._made())

    def isSequenceRunning(self) -> bool:  # noqa: N802, D102
        self._made()
        return self.started is not None

    def isBufferOverflowed(self) -> bool:  # noqa: N802, D102
        self._made()
        return self.overflowed

    def getRemainingImageCount(self) -> int:  # noqa: N802, D102
        return self._made() - self.popped

    def popNextTaggedImage(self) -> tuple[bytes, dict[str, Any]]:  # noqa: N802, D102
        if self._made() <= self.popped:
            raise ValueError("Circular buffer is empty.")
        number = self._number(self.popped)
        self.popped += 1
        tags = {
            "ImageNumber": number,
            "ElapsedTime-ms": f"{(number + 1) * self.exposure_ms:.2f}",
            "Height": self.shape[0],
            "Width": self.shape[1],
        }
        return expected_frame(number, self.shape).tobytes(), tags


_ARGUMENTS: dict[str, list[str]] = {
    "setProperty": [_STRING] * 3,
    "getProperty": [_STRING] * 2,
    "getAllowedPropertyValues": [_STRING] * 2,
    "hasPropertyLimits": [_STRING] * 2,
    "getDevicePropertyNames": [_STRING],
    "isPropertyReadOnly": [_STRING] * 2,
    "setXYPosition": [_STRING, _DOUBLE, _DOUBLE],
    "getXPosition": [_STRING],
    "getYPosition": [_STRING],
    "deviceBusy": [_STRING],
    "getDeviceLibrary": [_STRING],
    "setExposure": [_DOUBLE],
    "startSequenceAcquisition": [_INT, _DOUBLE, "boolean"],
}
_API = [
    {"name": name, "arguments": _ARGUMENTS.get(name, []), "return-type": "java.lang.Object"}
    for name in vars(Core)
    if name[0].islower() and name not in Core.__dataclass_fields__
]
_VECTOR_API = [
    {"name": "size", "arguments": [], "return-type": _LONG},
    {"name": "get", "arguments": [_INT], "return-type": _STRING},
]

Answer = tuple[dict[str, Any], list[bytes]]


class Server:
    """Requests in, answers out: the objects it has given away, and what they answer."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._held: dict[str, Any] = {}
        self._names = map("{:x}".format, itertools.count(1))

    def answer(self, request: dict[str, Any]) -> Answer:
        """The reply to one request; a failure is an exception of Java's."""
        try:
            return self._by_command(request["command"])(request)
        except Exception as error:  # noqa: BLE001 - as the real server does
            told = f"java.lang.Exception: {error}\n\tat mmcorej.CMMCore.{request.get('name')}"
            return {"type": "exception", "value": told}, []

    def _by_command(self, command: str) -> Callable[[dict[str, Any]], Answer]:
        none: Answer = ({"type": "none", "version": VERSION}, [])
        commands: dict[str, Callable[[dict[str, Any]], Answer]] = {
            "connect": lambda _: none,
            "get-constructors": lambda r: (
                {"type": "none", "api": [{"name": r["classpath"], "arguments": []}]},
                [],
            ),
            "constructor": lambda _: self._object(self._core, "mmcorej.CMMCore", _API),
            "run-method": self._run,
            "get-field": self._field,
            "destructor": lambda r: (self._held.pop(r["hash-code"], None), none)[1],
        }
        return commands[command]

    def _object(self, thing: Any, kind: str, api: Any, fields: tuple[str, ...] = ()) -> Answer:
        name = next(self._names)
        self._held[name] = thing
        told = {"class": kind, "hash-code": name, "interfaces": [], "fields": list(fields)}
        return {"type": "unserialized-object", "api": api, **told}, []

    def _run(self, request: dict[str, Any]) -> Answer:
        thing, name = self._held[request["hash-code"]], request["name"]
        if isinstance(thing, list):
            value = len(thing) if name == "size" else thing[int(request["arguments"][0])]
        else:
            value = getattr(thing, name)(*request["arguments"])
        if value is None:
            return {"type": "none"}, []
        if isinstance(value, list):
            return self._object(value, "mmcorej.StrVector", _VECTOR_API)
        if isinstance(value, tuple):
            return self._object(value, "mmcorej.TaggedImage", [], ("pix", "tags"))
        return {"type": "string" if isinstance(value, str) else "primitive", "value": value}, []

    def _field(self, request: dict[str, Any]) -> Answer:
        pixels, tags = self._held[request["hash-code"]]
        if request["name"] == "tags":
            return {"type": "object", "class": "JSONObject", "value": json.dumps(tags)}, []
        return {"type": "short-array", "value": "@1"}, [struct.pack("=i", 1), pixels]


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description="A double of Micro-Manager's server")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--capacity", type=int, default=64)
    parser.add_argument("--shape", default="32x40")
    given = parser.parse_args()
    rows, columns = map(int, given.shape.split("x"))
    server = Server(Core((rows, columns), given.capacity))
    with zmq.Context() as context, context.socket(zmq.REP) as socket:
        port = given.port or socket.bind_to_random_port("tcp://127.0.0.1")
        if given.port:
            socket.bind(f"tcp://127.0.0.1:{port}")
        print(port, flush=True)  # noqa: T201 - whoever started it reads this
        while True:
            request = json.loads(socket.recv_multipart()[0].decode("iso-8859-1"))
            told, binary = server.answer(request)
            socket.send_multipart([json.dumps(told).encode("iso-8859-1"), *binary])


if __name__ == "__main__":
    main()
