"""A sequence that takes long to start can be stopped meanwhile."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from multiprocessing import Pipe
from typing import Any

import pytest

from live_smlm.core import SourceFault, SourceStatus
from live_smlm.sources.mm_child import _Child
from live_smlm.sources.mm_java import ChildDevice
from live_smlm.sources.mm_local import LocalDevice
from live_smlm.sources.mm_loop import Condition, LoopPlan

STALL_S = 1.0
"""A sequence that nobody stops ends with a fault after this."""


class SlowCamera:
    """Runs without a frame until it is halted; what is to happen during its start happens."""

    description = None

    def __init__(self) -> None:
        self.meanwhile: Callable[[], object] = lambda: None
        self.running = False

    def start(self) -> LoopPlan:
        self.meanwhile()
        self.running = True
        return LoopPlan(name="slow", capacity=4, frame_bytes=2, stall_s=STALL_S)

    def waiting(self) -> int:
        return 0

    def condition(self) -> Condition:
        return Condition.RUNNING if self.running else Condition.STOPPED

    def halt(self) -> None:
        self.running = False


def test_a_local_camera_that_starts_is_stopped() -> None:
    camera: Any = SlowCamera()
    device = LocalDevice(camera, lambda _: nullcontext())
    device.stop()  # of no sequence; the next one is not concerned
    camera.meanwhile = device.stop
    with device.acquire() as stream:
        assert list(stream) == []
    assert not camera.running


@pytest.mark.parametrize("how", ["stop", "abandon"])
def test_a_camera_in_a_child_that_starts_is_ended(how: str) -> None:
    camera: Any = SlowCamera()
    hearer, teller = Pipe(duplex=False)
    with hearer, teller:
        child = _Child(camera, teller, teller)
        assert child._reply("start") == ("done", None)
        camera.meanwhile = lambda: child._reply(how)
        child._stream()
        said = []
        while hearer.poll():
            said.append(str(hearer.recv()[0]))
    assert said == ["tick", "end"]
    assert not camera.running


class Deaf(ChildDevice):
    """Its child says that it lives, whatever it is told; after a while it falls silent."""

    def __init__(self) -> None:
        self._port, self._silence_s, self._streaming = 1, 0.01, True
        self._guarding = False
        self._process: Any = self
        self.killed = False
        self.left = 10**4

    def kill(self) -> None:
        self.killed = True

    def _ask(self, what: str, *values: Any) -> None:
        pass

    def _receive(self) -> SourceStatus:
        self.left -= 1
        time.sleep(0.0001)
        if self.left == 0:
            raise SourceFault("nobody ended it")
        return SourceStatus()


def test_leaving_does_not_wait_for_ever_for_a_child_that_goes_on() -> None:
    device = Deaf()
    device._drop_the_rest()
    assert device.killed
    assert not device._streaming
