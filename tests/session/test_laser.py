"""The light's own thread: what it sets, and how it leaves it."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from live_smlm.core import CameraModel, InputError, SourceFault, SourceStatus, StreamInfo
from live_smlm.feedback.density_settings import DensitySettings
from live_smlm.session.laser import LaserControl, laser_control

PATIENCE_S = 5.0


@dataclass
class Bench:
    """Devices without frames."""

    values: dict[str, float] = field(default_factory=lambda: {"Laser.Voltage": 1.0})
    refuses: bool = False
    log: list[float] = field(default_factory=list)
    info: StreamInfo = StreamInfo(  # noqa: RUF009 - frozen
        name="bench", camera=CameraModel(shape=(100, 100), pixel_size_nm=100.0)
    )

    def unsettable(self, name: str) -> str | None:
        return None if name in self.values else f"there is no {name}; name another"

    def set(self, name: str, value: str | float) -> None:
        if self.refuses and float(value):
            raise InputError("the laser does not take it")
        self.values[name] = float(value)
        self.log.append(float(value))

    def get(self, name: str) -> str:
        return f"{self.values[name]:g}"

    def status(self) -> SourceStatus:
        return SourceStatus(frames=0)

    @contextmanager
    def guarded(self, safe: Mapping[str, float]) -> Iterator[None]:
        try:
            yield
        finally:
            for name, value in safe.items():
                self.set(name, value)


def control(bench: Bench, **changed: Any) -> tuple[LaserControl, list[tuple[str, str]]]:
    told = {"set_point_per_um2": 0.3, "highest": 10.0, "every_frames": 10, **changed}
    laser = laser_control(bench, DensitySettings(**told), {"density_per_um2": (0.0, 2.0)})  # type: ignore[arg-type] # it streams nothing
    events: list[tuple[str, str]] = []
    laser.tell = lambda what, detail: events.append((what, detail))
    return laser, events


def feed(laser: LaserControl, per_um2: float, chunks: int = 1) -> None:
    """Chunks of ten frames of 100 um2."""
    for k in range(chunks):
        told: Any = SimpleNamespace(
            first=10 * k, count=10, molecules=range(round(1000 * per_um2)), fallback=False
        )
        laser.frames(told)


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_too_few_molecules_raise_the_light_and_the_end_is_safe() -> None:
    bench = Bench()
    laser, events = control(bench, safe=0.25)
    assert laser.settings.most_per_um2 == 2.0
    with laser.working():
        feed(laser, 0.03, 2)
        until(lambda: bench.log)
        assert bench.values["Laser.Voltage"] == 2.0
    assert bench.log == [2.0, 0.25]
    assert events[0] == (
        "density control",
        "Laser.Voltage from 1 to 2: a step, to see the answer",
    )
    assert events[-1] == ("laser safe", "Laser.Voltage is 0.25")


def test_errors_of_the_run_leave_it_safe_and_go_on() -> None:
    bench = Bench()
    laser, _ = control(bench)
    with pytest.raises(SourceFault, match="cable"), laser.working():
        raise SourceFault("a cable is out")
    assert bench.values["Laser.Voltage"] == 0.0


def test_a_device_that_refuses_ends_the_control_and_not_the_run() -> None:
    bench = Bench(refuses=True)
    laser, events = control(bench)
    with laser.working():
        feed(laser, 0.03, 2)
        until(lambda: laser.failure)
        assert bench.values["Laser.Voltage"] == 0.0
        feed(laser, 0.03, 5)
    assert ("density control failed", "the laser does not take it") in events


def test_a_density_that_does_not_come_is_safe_until_it_comes() -> None:
    bench = Bench()
    laser, events = control(bench, stale_s=0.05)
    with laser.working():
        feed(laser, 0.3)
        until(lambda: bench.log)
        assert bench.log == [0.0]
        assert "no density for 0.05 s: the safe value" in events[0][1]
        feed(laser, 0.1, 2)
        until(lambda: len(bench.log) > 1)
        assert bench.log[1] > 0


def test_a_dry_run_sets_nothing_at_all() -> None:
    bench = Bench()
    laser, events = control(bench, dry_run=True)
    with laser.working():
        feed(laser, 0.03, 3)
        until(lambda: events)
    assert bench.log == []
    assert "would be: Laser.Voltage from 1" in events[0][1]


def test_the_operator_holds_sets_and_releases() -> None:
    bench = Bench()
    laser, _ = control(bench)
    with laser.working():
        laser.override(4.0)
        until(lambda: bench.log)
        assert laser.told()["laser"]["mode"] == "manual"
        feed(laser, 0.03, 3)
        laser.hold()
        until(lambda: laser.told()["laser"]["mode"] == "held")
        laser.release()
        feed(laser, 0.03, 2)
        until(lambda: len(bench.log) > 1)
        with pytest.raises(InputError, match="by hand is 11"):
            laser.override(11.0)
    assert bench.log == [4.0, 8.0, 0.0]


def test_what_cannot_be_turned_is_refused_before_the_run() -> None:
    with pytest.raises(InputError, match=r"there is no Lamp\.Power; name another"):
        control(Bench(), property="Lamp.Power")
    with pytest.raises(InputError, match="engine holds up to 2 per um2"):
        control(Bench(), set_point_per_um2=3.0)
    files: Any = SimpleNamespace(info=Bench().info)
    with pytest.raises(InputError, match="come without devices"):
        laser_control(files, DensitySettings(set_point_per_um2=0.3, highest=10.0), {})
