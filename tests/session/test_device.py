"""Which device a run computes on: chosen, said, refused, and told to the engine."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import zmq

from live_smlm.cli import main
from live_smlm.core import (
    CPU,
    CameraModel,
    Device,
    DeviceKind,
    EngineContext,
    EngineSpec,
    FrameBatch,
    InputError,
    Localizations,
    empty,
)
from live_smlm.pipeline.lane import run_lane
from live_smlm.session.device import check_device, choose, quicker, told
from live_smlm.session.plan import RunPlan
from live_smlm.store.record import read_run
from live_smlm.transport import messages
from live_smlm.transport.endpoints import receive_from, send
from live_smlm.transport.messages import Setup

CAMERA = CameraModel(shape=(8, 10), pixel_size_nm=100.0)
BOTH: tuple[DeviceKind, ...] = ("cpu", "cuda")


@dataclass
class Noting:
    """Notes where it was opened."""

    devices: tuple[DeviceKind, ...] = BOTH
    opened: list[Device] = field(default_factory=list)

    @property
    def spec(self) -> EngineSpec:
        return EngineSpec(
            name="noting", consumes=FrameBatch, produces=Localizations, devices=self.devices
        )

    def unsupported(self, context: EngineContext) -> str | None:
        del context
        return None

    @contextmanager
    def open(self, context: EngineContext) -> Iterator[Callable[[FrameBatch], Localizations]]:
        self.opened.append(Device(context.device, context.device_index))
        yield lambda _: empty()


def nothing_missing(index: int) -> str | None:
    del index
    return None


def no_driver(index: int) -> str | None:
    del index
    return "no NVIDIA driver is here"


def test_auto_takes_a_gpu_where_engine_and_machine_have_it_and_says_why() -> None:
    assert choose("auto", BOTH, nothing_missing) == (Device("cuda"), "a GPU is here")
    assert choose("auto", BOTH, no_driver) == (CPU, "no NVIDIA driver is here")
    assert choose("auto", ("cpu",), nothing_missing)[0] == CPU
    assert "CPU only" in choose("auto", ("cpu",), nothing_missing)[1]
    assert choose("auto", ("cuda",), no_driver)[0] == Device("cuda")  # to be refused, not replaced


def test_what_is_asked_for_is_taken_as_it_is() -> None:
    assert choose("cuda:2", BOTH, no_driver) == (Device("cuda", 2), "")
    assert choose("cpu", BOTH, nothing_missing) == (CPU, "")


def test_a_gpu_that_cannot_serve_is_refused_with_the_cure() -> None:
    gpu = Device("cuda", 1)
    check_device(CPU, Noting().spec, no_driver)
    check_device(gpu, Noting().spec, nothing_missing)
    with pytest.raises(InputError, match="device is cuda:1, but no NVIDIA driver"):
        check_device(gpu, Noting().spec, no_driver)
    with pytest.raises(InputError, match="'noting' computes on cpu only; use --device cpu"):
        check_device(gpu, Noting(devices=("cpu",)).spec, nothing_missing)
    with pytest.raises(InputError, match="'noting' computes on cuda only; use --device cuda"):
        check_device(CPU, Noting(devices=("cuda",)).spec, nothing_missing)


def test_the_choice_is_told_with_its_reason() -> None:
    assert told(RunPlan(engine="e", device=Device("cuda", 1))) == "cuda:1"
    assert told(RunPlan(engine="e", device_why="no driver")) == "cpu (auto: no driver)"
    assert "live-smlm build" in quicker(RunPlan(engine="e", device=Device("cuda", 1)))
    assert not quicker(RunPlan(engine="e"))


@pytest.mark.parametrize(
    ("asked", "own", "devices", "opened"),
    [
        (Device("cuda", 1), None, BOTH, Device("cuda", 1)),
        (Device("cuda", 1), Device("cuda", 3), BOTH, Device("cuda", 3)),
        (Device("cuda", 1), CPU, BOTH, CPU),
        (Device("cuda", 1), None, ("cpu",), CPU),
        (CPU, None, BOTH, CPU),
    ],
)
def test_a_lane_opens_its_engine_on_its_workers_device_or_the_runs(
    asked: Device, own: Device | None, devices: tuple[DeviceKind, ...], opened: Device
) -> None:
    engine = Noting(devices)
    setup = Setup(engine="noting", fallback=None, camera=CAMERA, psf=None, ring=None, device=asked)
    with zmq.Context() as context, context.socket(zmq.ROUTER) as hub:
        hub.linger = 0
        port = hub.bind_to_random_port("tcp://127.0.0.1")
        lane = threading.Thread(
            target=run_lane,
            args=(f"tcp://127.0.0.1:{port}", b"w/0", lambda _: engine, threading.Event()),
            kwargs={"context": context, "sees_ring": False, "device": own},
        )
        lane.start()
        for answer in (messages.setup_message(setup), messages.FINISH):
            identity, _ = receive_from(hub)
            send(hub, answer, [identity])
        lane.join()
    assert engine.opened == [opened]


def test_asking_for_a_gpu_that_is_not_there_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    command = f"run --source simulated --frames 5 --device cuda:99 --out {out}"
    assert main(command.split()) == 2
    assert "device is cuda:99, but" in capsys.readouterr().err
    assert not out.exists()


def test_the_record_of_a_run_says_where_it_computed(tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = (
        f"run --source simulated:size=32x32 --engine null --frames 5 --topology threads --out {out}"
    )
    assert main(command.split()) == 0
    assert read_run(out)["device"] == "cpu (auto: the engine computes on the CPU only)"
