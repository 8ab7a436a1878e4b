"""Devices are left safe, whatever happens: real processes, really killed."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

import pytest

from live_smlm.core import CameraModel, InputError
from live_smlm.core.actuator import Actuator, Safeguard, Stage, unsettable
from live_smlm.sources import mm_config
from live_smlm.sources.micromanager import MicroManagerSource, connected, demo_adapters
from live_smlm.sources.mm_settings import MicroManager

CONFIG = Path(mm_config.__file__).with_name("specimen.cfg")
RUN = """
import os, sys, time
from pathlib import Path
from live_smlm.core import CameraModel
from live_smlm.sources.micromanager import connected
from live_smlm.sources.mm_settings import MicroManager

def model(shape):
    return CameraModel(shape=shape, pixel_size_nm=100.0)

if __name__ == "__main__":
    with connected(MicroManager({told}), model) as source, source.guarded({{{name!r}: {safe}}}):
        source.set({name!r}, {value})
        with source.open() as stream:
            next(stream)
            print(source.get({name!r}), flush=True)
            for _ in stream:
                pass
"""
Process: TypeAlias = "subprocess.Popen[str]"


def model(shape: tuple[int, int]) -> CameraModel:
    return CameraModel(shape=shape, pixel_size_nm=100.0)


@contextmanager
def running(tmp_path: Path, told: str, name: str, safe: float, value: float) -> Iterator[Process]:
    """A program that has turned a laser on and streams."""
    script = tmp_path / "run.py"
    script.write_text(textwrap.dedent(RUN).format(told=told, name=name, safe=safe, value=value))
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=pipe, stderr=pipe, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def serving() -> Iterator[int]:
    command = [sys.executable, "-m", "live_smlm.testing.mm_server", "--capacity", "4096"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


def laser_of(source: MicroManagerSource, wanted: str, patience_s: float) -> str:
    deadline = time.monotonic() + patience_s
    while (value := source.get("Camera.Laser")) != wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    return value


def test_the_child_that_owns_the_bridge_outlives_a_killed_run(tmp_path: Path) -> None:
    with serving() as port:
        told = f"backend='java', port={port}, exposure_ms=4.0, stall_s=60"
        with running(tmp_path, told, "Camera.Laser", 0.5, 4.0) as run:
            assert run.stdout is not None
            assert run.stderr is not None
            assert run.stdout.readline() == "4\n"
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
            said = run.stderr.read()  # ends when the last process that writes there has ended
        assert "the run was killed; set Camera.Laser to 0.5" in said
        with connected(MicroManager(backend="java", port=port), model) as source:
            assert laser_of(source, "0.5", 0.0) == "0.5"
            with source.guarded({"Camera.Laser": 0.25}):
                source.set("Camera.Laser", 7.0)
            assert source.get("Camera.Laser") == "0.25"
            with pytest.raises(InputError, match="no property 'Lazer'"):
                source.guarded({"Camera.Lazer": 0.0})


def test_a_guardian_outlives_a_killed_run_with_a_core_of_its_own(tmp_path: Path) -> None:
    """The demo's devices do not outlive their core, so the guardian reads back what it set."""
    told = f"config=Path({str(CONFIG)!r}), adapters=Path({str(demo_adapters())!r}), buffer_mb=16"
    with running(tmp_path, told, "Laser.Voltage", 0.75, 4.0) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert run.stdout.readline() == "4.0000\n"
        os.kill(run.pid, signal.SIGKILL)
        said = run.stderr.read()
    assert "the run was killed; Laser.Voltage was set to 0.75 and is 0.7500" in said


def test_a_core_of_our_own_is_left_safe_by_errors_too() -> None:
    settings = MicroManager(config=CONFIG, adapters=demo_adapters(), buffer_mb=16)
    with connected(settings, model) as source:
        with suppress(InterruptedError), source.guarded({"Laser.Voltage": 0.5}):
            source.set("Laser.Voltage", 3.0)
            raise InterruptedError
        assert source.get("Laser.Voltage") == "0.5000"
        assert isinstance(source, Actuator)
        assert isinstance(source, Safeguard)
        assert isinstance(source, Stage)
        assert unsettable(source, "Laser.Voltage") is None
        assert unsettable(source, "exposure") is None
        assert "it has Voltage" in str(unsettable(source, "Laser.Volts"))
        assert "names no device" in str(unsettable(source, "Lamp.Power"))
        assert "does not let it be set" in str(unsettable(source, "Camera.Description"))
        source.set("exposure", 12.5)
        assert source.get("exposure") == "12.5"
        with pytest.raises(InputError, match="exposure is 'long'; give a number"):
            source.set("exposure", "long")


def test_frames_without_devices_say_so() -> None:
    why = unsettable(object(), "Laser.Voltage")
    assert why == (
        "Laser.Voltage cannot be set: these frames come without devices; use a microscope, or demo:"
    )


CFG = """
# a comment
Property,Core,Initialize,0
Device,COM3,SerialManager,COM3
Device,Hub,Vendor,Hub
Device,Laser,Vendor,Laser
Device,Camera,Other,Camera
Device,Laser 2,Vendor,Laser
Property,Hub,Port,COM3
Property,COM3,BaudRate,9600
Property,Camera,Binning,1
Parent,Laser,Hub
Parent,Laser 2,Hub
Property,Core,Initialize,1
Property,Core,Camera,Camera
Delay,Laser,10
ConfigGroup,System,Startup,Camera,Binning,1
"""


def test_of_a_configuration_only_what_a_laser_needs_is_kept() -> None:
    assert mm_config.only(CFG, ["Laser.Power"]).splitlines() == [
        "Property,Core,Initialize,0",
        "Device,COM3,SerialManager,COM3",
        "Device,Hub,Vendor,Hub",
        "Device,Laser,Vendor,Laser",
        "Property,Hub,Port,COM3",
        "Property,COM3,BaudRate,9600",
        "Parent,Laser,Hub",
        "Property,Core,Initialize,1",
        "Delay,Laser,10",
    ]
