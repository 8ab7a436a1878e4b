"""A Micro-Manager core's camera: set up, started, popped and watched.

The core is whatever speaks MMCore's calls in snake case, of this process or
behind the Java bridge, so this module needs neither to be installed. Safe from
several threads as far as the core is.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from live_smlm.core import RawPixels, SourceFault, require
from live_smlm.sources import mm_errors
from live_smlm.sources.mm_devices import CoreDevices
from live_smlm.sources.mm_loop import Condition, LoopPlan, Shot
from live_smlm.sources.mm_settings import MicroManager

_ENDLESS = 2**31 - 1
_STALL_EXPOSURES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What is known of a camera before its first frame."""

    device: str
    """Label in the configuration."""
    library: str
    """Its device adapter."""
    shape: tuple[int, int]
    dtype: str
    exposure_ms: float
    corner: tuple[int, int]
    """Row, column on the chip of the first pixel."""

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame."""
        return self.shape[0] * self.shape[1] * np.dtype(self.dtype).itemsize


class CoreCamera:
    """The core's current camera, as `mm_loop.Camera`, with the devices beside it."""

    def __init__(self, core: Any, settings: MicroManager) -> None:
        self._core, self._settings = core, settings
        self._device = str(core.get_camera_device())
        self.devices = CoreDevices(core)
        require(
            bool(self._device), "Micro-Manager has no camera; name one in its configuration (Core)"
        )
        self._check_idle()
        self._prepare()
        self.description = self._describe()

    def start(self) -> LoopPlan:
        """Begin a sequence; it stops rather than overwrite frames nobody has read.

        A camera that somebody else has started is left alone.
        """
        now, before = self._describe(), self.description
        require(
            now.shape == before.shape and now.dtype == before.dtype,
            f"camera {self._device!r} now reads {now.shape[0]}x{now.shape[1]} {now.dtype}, not "
            f"{before.shape[0]}x{before.shape[1]} {before.dtype}; connect to it anew",
        )
        self._check_idle()
        try:
            self._core.start_sequence_acquisition(_ENDLESS, 0.0, True)  # noqa: FBT003 - the core's own
        except Exception as error:
            raise mm_errors.refused(f"starting camera {self._device!r}", error) from error
        try:
            return self._plan(now.exposure_ms)
        except BaseException:
            self.halt()
            raise

    def waiting(self) -> int:
        """Frames in the buffer."""
        return int(self._core.get_remaining_image_count())

    def pop(self) -> Shot:
        """The oldest frame."""
        tagged = self._core.pop_next_tagged_image()
        tags = tagged.tags
        if "ImageNumber" not in tags:
            raise SourceFault(
                f"camera {self._device!r} does not number its frames (no tag ImageNumber), so "
                "losses would go unseen; update Micro-Manager"
            )
        time_ms = float(tags.get("ElapsedTime-ms", math.nan))
        return Shot(self._shaped(tagged.pix), int(tags["ImageNumber"]), time_ms / 1000)

    def condition(self) -> Condition:
        """What the sequence is doing."""
        if self._core.is_buffer_overflowed():
            return Condition.OVERFLOWED
        return Condition.RUNNING if self._core.is_sequence_running() else Condition.STOPPED

    def halt(self) -> None:
        """Stop the sequence; waits for the frame in progress."""
        if self._core.is_sequence_running():
            self._core.stop_sequence_acquisition()

    def _check_idle(self) -> None:
        require(
            not self._core.is_sequence_running(),
            f"camera {self._device!r} is running already; end live mode or the acquisition first",
        )

    def _plan(self, exposure_ms: float) -> LoopPlan:
        """For the sequence that has just been started, so that the buffer is laid out."""
        settings = self._settings
        return LoopPlan(
            name=f"camera {self._device!r}",
            capacity=int(self._core.get_buffer_total_capacity()),
            frame_bytes=self.description.frame_bytes,
            frames=settings.frames,
            stall_s=max(settings.stall_s, _STALL_EXPOSURES * exposure_ms / 1000),
        )

    def _prepare(self) -> None:
        settings = self._settings
        for name, value in settings.preset.items():
            self.devices.set(name, value)
        if settings.binning is not None:
            self.devices.set(f"{self._device}.Binning", settings.binning)
        region = settings.region
        if region is not None:
            try:
                self._core.clear_roi()
                self._core.set_roi(region.x, region.y, region.width, region.height)
            except Exception as error:
                raise mm_errors.refused(f"roi {settings.roi}", error) from error
        if settings.exposure_ms is not None:
            self.devices.set_exposure(settings.exposure_ms)

    def _describe(self) -> Description:
        core = self._core
        channels, parts = core.get_number_of_camera_channels(), core.get_number_of_components()
        size = int(core.get_bytes_per_pixel())
        require(
            channels == 1 and parts == 1 and size in (1, 2),
            f"camera {self._device!r} gives {channels} channels of {parts} colours and {size} "
            "bytes per pixel; set one channel, grey, 8 or 16 bits",
        )
        shape = int(core.get_image_height()), int(core.get_image_width())
        region = self._settings.region
        return Description(
            device=self._device,
            library=str(core.get_device_library(self._device)),
            shape=shape,
            dtype=f"uint{8 * size}",
            exposure_ms=self.devices.exposure(),
            corner=(0, 0) if region is None else (region.y, region.x),
        )

    def _shaped(self, pix: Any) -> RawPixels:
        """The Java bridge gives pixels in one row."""
        shape, dtype = self.description.shape, self.description.dtype
        pixels = np.asarray(pix)
        if pixels.size != shape[0] * shape[1] or pixels.dtype != dtype:
            raise SourceFault(
                f"camera {self._device!r} gave {pixels.size} pixels of {pixels.dtype} where "
                f"{shape[0]}x{shape[1]} {dtype} were due; somebody changed its region or pixel type"
            )
        return pixels.reshape(shape)
