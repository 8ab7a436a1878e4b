"""Frames from Micro-Manager: the only module that imports pycromanager.

It makes a core, of this process or of a Micro-Manager that runs already, and
gives its camera as a frame source. What a camera is and how it is popped is
told elsewhere (`mm_camera`, `mm_loop`).
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol, TypeAlias

from live_smlm.core import (
    CameraModel,
    FrameBatch,
    InputError,
    SourceStatus,
    Stop,
    StreamInfo,
    require,
)
from live_smlm.sources import mm_errors, mm_safe, mm_stage
from live_smlm.sources.mm_camera import CoreCamera, Description
from live_smlm.sources.mm_java import ChildDevice
from live_smlm.sources.mm_local import LocalDevice
from live_smlm.sources.mm_settings import MicroManager

CameraFor: TypeAlias = CameraModel | Callable[[tuple[int, int]], CameraModel]
"""A camera, or what makes one for frames of (rows, columns)."""

_DEMO = "MMConfig_demo.cfg"
_TAKEN = (
    "a Micro-Manager core is open in this process already; close it first, or use another process"
)
_one_core = threading.Lock()


class Device(Protocol):
    """A camera, wherever its core is; see `mm_local.LocalDevice` for the contract."""

    description: Description

    def acquire(self) -> AbstractContextManager[Iterator[FrameBatch]]: ...  # noqa: D102
    def stop(self) -> None: ...  # noqa: D102
    def status(self) -> SourceStatus: ...  # noqa: D102
    def call(self, name: str, *values: Any) -> Any: ...  # noqa: D102
    def guarded(self, safe: Mapping[str, float]) -> AbstractContextManager[None]: ...  # noqa: D102


class MicroManagerSource:
    """A camera as a `FrameSource`, and a hand on it and its neighbours, from any thread.

    Every `open` is a sequence of its own, numbered from 0; frames the camera
    lost are gaps. `SourceFault` comes after the last frame that could be had.
    """

    def __init__(self, device: Device, settings: MicroManager, camera_for: CameraFor) -> None:
        told = device.description
        camera = camera_for if isinstance(camera_for, CameraModel) else camera_for(told.shape)
        require(
            camera.shape == told.shape,
            f"camera {told.device!r} reads {told.shape[0]}x{told.shape[1]} pixels but the camera "
            f"model is {camera.shape[0]}x{camera.shape[1]}; give a model of the same region",
        )
        self._device = device
        self._open = threading.Lock()
        self.description = told
        self._info = StreamInfo(
            name=f"Micro-Manager {told.library} {told.device!r}",
            camera=camera,
            frame_interval_s=told.exposure_ms / 1000,
            expected_frames=settings.frames,
        )

    @property
    def info(self) -> StreamInfo:
        """What will be streamed; the interval is the exposure, readout may add to it."""
        return self._info

    @contextmanager
    def open(self) -> Iterator[Iterator[FrameBatch]]:
        """Start the camera; see `core.FrameSource`."""
        if not self._open.acquire(blocking=False):
            raise InputError(f"{self._info.name} is streaming already; open it once at a time")
        try:
            with self._device.acquire() as stream:
                yield stream
        finally:
            self._open.release()

    def stop(self, why: Stop | None = None) -> None:  # noqa: ARG002 - the actuator's signature
        """End the acquisition; the frames in the buffer still come."""
        self._device.stop()

    def status(self) -> SourceStatus:
        """How it stands now."""
        return self._device.status()

    def unsettable(self, name: str) -> str | None:
        """Why `Device.Property` or `exposure` cannot be set; see `core.Actuator`."""
        why: str | None = self._device.call("unsettable", name)
        return why

    def set(self, name: str, value: str | float) -> None:
        """Set `Device.Property` or `exposure`, while streaming too; see `core.Actuator`."""
        self._device.call("set", name, value)

    def get(self, name: str) -> str:
        """The value of `Device.Property` or `exposure`."""
        return str(self._device.call("get", name))

    def guarded(self, safe: Mapping[str, float]) -> AbstractContextManager[None]:
        """Safe values at the exit, and after a crash; see `core.Safeguard`."""
        for name in safe:
            why = self.unsettable(name)
            require(why is None, str(why))
        return self._device.guarded(safe)

    def set_exposure(self, milliseconds: float) -> None:
        """For the next frames; a camera that cannot while streaming refuses."""
        self._device.call("set_exposure", milliseconds)

    def exposure(self) -> float:
        """In milliseconds."""
        return float(self._device.call("exposure"))

    def move(self, x_um: float, y_um: float) -> None:
        """Send the XY stage there and wait until it has settled; see `core.Stage`."""
        mm_stage.move(self._device.call, x_um, y_um)

    def position(self) -> tuple[float, float]:
        """Where the XY stage is, um."""
        x_um, y_um = self._device.call("stage_position")
        return float(x_um), float(y_um)


@contextmanager
def connected(settings: MicroManager, camera_for: CameraFor) -> Iterator[MicroManagerSource]:
    """The camera that the settings name, until the exit."""
    if settings.backend == "java":
        child = ChildDevice(attached, settings)
        try:
            yield MicroManagerSource(child, settings, camera_for)
        finally:
            child.close()
    else:
        with headless(settings) as core:
            yield MicroManagerSource(local(core, settings), settings, camera_for)


def local(core: Any, settings: MicroManager) -> LocalDevice:
    """The camera of a core in this process."""
    adapters, config = _files(settings)
    guardian = partial(mm_safe.guardian, partial(_core_of, adapters), config)
    return LocalDevice(CoreCamera(core, settings), guardian)


@contextmanager
def headless(settings: MicroManager) -> Iterator[Any]:
    """A core in this process, which holds one at a time."""
    adapters, config = _files(settings)
    with _core_of(adapters, config, settings.buffer_mb) as core:
        yield core


@contextmanager
def _core_of(adapters: Path, config: Path, buffer_mb: int = 1) -> Iterator[Any]:
    import mmpycorex  # noqa: PLC0415 - heavy, for those who use a camera
    import pycromanager  # noqa: PLC0415 - likewise

    with _only_one():
        require(not mmpycorex.is_pymmcore_active(), _TAKEN)
        try:
            pycromanager.start_headless(
                str(adapters),
                str(config),
                python_backend=True,
                buffer_size_mb=buffer_mb,
            )
        except Exception as error:
            raise mm_errors.config_refused(error, config, adapters) from error
        core = pycromanager.Core()
        try:
            yield core
        finally:
            if core.is_sequence_running():
                core.stop_sequence_acquisition()
            del core
            pycromanager.stop_headless()


@contextmanager
def _only_one() -> Iterator[None]:
    require(_one_core.acquire(blocking=False), _TAKEN)
    try:
        yield
    finally:
        _one_core.release()


@contextmanager
def attached(settings: MicroManager) -> Iterator[Any]:
    """The core of a Micro-Manager that runs already; calls block for ever if it dies."""
    import pycromanager  # noqa: PLC0415 - heavy, for those who use a camera
    from pyjavaz import bridge  # noqa: PLC0415 - comes with pycromanager

    # The bridge registers one exit function per frame and never forgets one.
    bridge.atexit = SimpleNamespace(register=lambda function: function)
    try:
        core = pycromanager.Core(port=settings.port, timeout=int(1000 * settings.timeout_s))
    except Exception as error:
        raise InputError(
            f"no Micro-Manager answers on port {settings.port} of this computer; start it and tick "
            "'Run server on port' in Tools > Options, or give the port it says there"
        ) from error
    yield core


def _files(settings: MicroManager) -> tuple[Path, Path]:
    """Folder of adapters, configuration file."""
    if settings.config is None:
        return _demo_files(settings.adapters)
    config = settings.config.absolute()
    require(config.is_file(), f"configuration file {settings.config} does not exist; check config")
    adapters = config.parent if settings.adapters is None else settings.adapters.absolute()
    found = adapters.is_dir() and any("mmgr_dal_" in file.name for file in adapters.iterdir())
    require(
        found,
        f"folder {adapters} holds no device adapters (mmgr_dal_…); give the folder of the "
        "Micro-Manager installation (adapters=…)",
    )
    return adapters, config


def _demo_files(adapters: Path | None) -> tuple[Path, Path]:
    require(
        adapters is None, f"adapters is {adapters} but there is no config; give both, or neither"
    )
    folder = demo_adapters()
    return folder, folder / _DEMO


def demo_adapters() -> Path:
    """The folder of the demo camera's device adapter."""
    import mm_test_adapters  # noqa: PLC0415 - for the demo camera only

    return Path(mm_test_adapters.device_adapter_path())
