"""A running Micro-Manager as a source: the real client against a double of its server."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from live_smlm.core import CameraModel, FrameBatch, FrameSource, InputError, SourceFault
from live_smlm.sources.micromanager import MicroManagerSource, connected
from live_smlm.sources.mm_settings import MicroManager
from live_smlm.testing.mm_server import expected_frame
from live_smlm.testing.source import SourceContract

Server = tuple["subprocess.Popen[str]", int]


def camera_for(shape: tuple[int, int]) -> CameraModel:
    return CameraModel(shape=shape, pixel_size_nm=100.0)


def settings(port: int, **changed: object) -> MicroManager:
    told: dict[str, object] = {"backend": "java", "port": port, "exposure_ms": 4.0}
    return MicroManager(**{**told, **changed})  # type: ignore[arg-type] # the fields' own types


def numbers(batches: list[FrameBatch]) -> list[int]:
    return [int(i) for batch in batches for i in batch.index]


def until_fault(stream: Iterator[FrameBatch], taken: list[FrameBatch]) -> str:
    """Take all frames; why it ended."""
    try:
        taken.extend(stream)
    except SourceFault as fault:
        return str(fault)
    return "it ended without a fault"


@contextmanager
def serving() -> Iterator[Server]:
    command = [sys.executable, "-m", "live_smlm.testing.mm_server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving() as (_, port):
        yield port


@pytest.fixture(scope="module")
def attached(port: int) -> Iterator[MicroManagerSource]:
    with connected(settings(port, stall_s=0.3), camera_for) as source:
        yield source


@pytest.fixture
def camera(attached: MicroManagerSource) -> MicroManagerSource:
    """As if it were new."""
    for name, value in {"Skip": 0, "StallAfter": -1, "DieAfter": -1}.items():
        attached.set(f"Camera.{name}", value)
    attached.set_exposure(4.0)
    return attached


@pytest.fixture(scope="module")
def limited(port: int) -> Iterator[FrameSource]:
    with connected(settings(port, frames=40), camera_for) as source:
        yield source


class TestContract(SourceContract):
    @pytest.fixture
    def source(self, limited: FrameSource) -> FrameSource:
        return limited


def test_frames_arrive_as_the_server_has_them(camera: MicroManagerSource) -> None:
    assert camera.info.name == "Micro-Manager Double 'Camera'"
    assert camera.info.frame_interval_s == 0.004
    with camera.open() as stream:
        for batch in stream:
            for number, pixels, time_s in zip(batch.index, batch.pixels, batch.time_s, strict=True):
                np.testing.assert_array_equal(pixels, expected_frame(int(number), (32, 40)))
                assert time_s == pytest.approx((number + 1) * 0.004)
            if batch.index[-1] >= 20:
                break


def test_lost_frames_are_gaps(camera: MicroManagerSource) -> None:
    camera.set("Camera.Skip", 5)  # each fifth frame is missing
    with camera.open() as stream:
        batches = []
        for batch in stream:
            batches.append(batch)
            if batch.index[-1] >= 20:
                camera.stop()
    index = numbers(batches)
    assert index == [i for i in range(index[-1] + 1) if i % 5 != 4]
    assert camera.status().lost == index[-1] + 1 - len(index)


def test_stop_drains(camera: MicroManagerSource) -> None:
    with camera.open() as stream:
        next(stream)
        time.sleep(0.1)
        threading.Thread(target=camera.stop).start()
        rest = numbers(list(stream))
    assert len(rest) >= 20
    assert rest == list(range(rest[0], rest[-1] + 1))


def test_devices_are_set_while_it_streams_and_wrong_names_are_refused(
    camera: MicroManagerSource,
) -> None:
    with camera.open() as stream:
        next(stream)
        camera.set("Camera.Laser", 2.5)
        assert camera.get("Camera.Laser") == "2.5"
        camera.set_exposure(3.0)
        assert camera.exposure() == 3.0
        with pytest.raises(InputError, match="has no property 'Lazer'; it has Laser"):
            camera.set("Camera.Lazer", 1)
        begun = time.monotonic()
        camera.move(1.0, 2.0)
        assert time.monotonic() - begun >= 0.05
        assert camera.position() == (1.0, 2.0)
        assert next(stream).index[0] > 0


def test_an_overflow_gives_its_frames_and_then_a_fault(camera: MicroManagerSource) -> None:
    camera.set_exposure(0.05)  # faster than the bridge
    taken: list[FrameBatch] = []
    with camera.open() as stream:
        why = until_fault(stream, taken)
    index = numbers(taken)
    assert index == list(range(len(index)))
    assert len(index) >= 64
    assert f"buffer of 64 frames was full after frame {index[-1]}" in why
    assert camera.status().overflowed


@pytest.mark.parametrize(
    ("trouble", "message"),
    [("StallAfter", "gave no frame for 0.3 s after frame 9"), ("DieAfter", "stopped by itself")],
)
def test_cameras_in_trouble_are_faults(
    camera: MicroManagerSource, trouble: str, message: str
) -> None:
    camera.set(f"Camera.{trouble}", 10)
    taken: list[FrameBatch] = []
    with camera.open() as stream:
        why = until_fault(stream, taken)
    assert message in why
    assert numbers(taken) == list(range(10))


def test_a_server_that_dies_is_noticed_within_seconds() -> None:
    with serving() as (process, port), connected(settings(port), camera_for) as source:
        taken: list[FrameBatch] = []
        with source.open() as stream:
            taken.append(next(stream))
            process.kill()
            process.wait()
            begun = time.monotonic()
            why = until_fault(stream, taken)
            assert time.monotonic() - begun < 5.0
        assert f"port {port} has not answered for 2.0 s" in why
        assert numbers(taken) == list(range(len(numbers(taken))))
        with pytest.raises(SourceFault, match="connect anew"):
            source.set("Camera.Laser", 1)


def test_no_server_is_told_with_the_cure(port: int) -> None:
    with serving() as (process, gone):
        process.kill()
    begun = time.monotonic()
    with (
        pytest.raises(InputError, match=f"no Micro-Manager answers on port {gone} .*Run server"),
        connected(settings(gone, timeout_s=0.5), camera_for),
    ):
        pass
    assert time.monotonic() - begun < 10.0
    assert gone != port


def test_a_port_on_which_something_else_listens_is_told_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with (
            pytest.raises(InputError, match=f"no Micro-Manager answers on port {port}"),
            connected(settings(port, timeout_s=0.3), camera_for),
        ):
            pass


def test_a_camera_in_live_mode_is_refused_and_left_alone(
    port: int, camera: MicroManagerSource
) -> None:
    camera.set_exposure(300.0)  # slow, so that the buffer holds what nobody reads
    with (
        camera.open() as stream,
        pytest.raises(InputError, match="is running already; end live mode"),
        connected(settings(port, exposure_ms=None), camera_for),
    ):
        pass
    with camera.open() as stream:
        with pytest.raises(InputError), connected(settings(port, exposure_ms=None), camera_for):
            pass
        first = next(stream).index[0]
        assert next(stream).index[0] > first
