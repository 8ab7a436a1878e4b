"""A simulated specimen before Micro-Manager's demo camera.

The core, its camera's clock, buffer, numbers and losses are real, and so are
the device calls that change laser, exposure and stage; only what the frames show
comes from the simulator. Everything that names it says that it is simulated.
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from live_smlm.core import (
    I64,
    FrameBatch,
    Localizations,
    RawPixels,
    SourceStatus,
    Stop,
    StreamInfo,
    concatenate,
    require,
)
from live_smlm.physics.simulator import Acquisition, Simulator
from live_smlm.physics.slide import HOME, Shift
from live_smlm.sources.micromanager import MicroManagerSource, demo_adapters, headless, local
from live_smlm.sources.mm_settings import MicroManager

LASER = "Laser.Voltage"
"""The property that feedback turns; a device of the demo adapter, 0 to 10 V."""
VOLTS_PER_POWER = 5.0
"""Voltage at which the simulator's laser has power 1."""
_CONFIG = Path(__file__).with_name("specimen.cfg")


class Scene(Protocol):
    """What the camera sees, frame by frame."""

    truth: list[Localizations]

    def show(self, index: I64, dose: float, shift: Shift = HOME) -> RawPixels:
        """The frames with these rising numbers; dose is 1 at laser power 1 and the usual exposure.

        `shift` is how far the stage has moved the sample over the image. The array
        is not written to again.
        """


class LiveScene:
    """Frames as the specimen makes them under the light of the moment."""

    def __init__(self, acquisition: Acquisition, *, keep_truth: bool = True) -> None:
        self._acquisition = acquisition
        self._keep_truth = keep_truth
        self.truth: list[Localizations] = []

    def show(self, index: I64, dose: float, shift: Shift = HOME) -> RawPixels:
        """See `Scene`; molecules blink and bleach in frames that were lost, too."""
        runs = np.split(index, np.flatnonzero(np.diff(index) > 1) + 1)
        shown = []
        for run in runs:
            lost = int(run[0]) - self._acquisition.frame
            if lost > 0:
                self._acquisition.advance(lost, dose, shift)
            batch, truth = self._acquisition.advance(len(run), dose, shift)
            shown.append(batch.pixels)
            if self._keep_truth and len(truth):
                self.truth.append(truth)
        if len(shown) == 1:
            return shown[0]
        together: RawPixels = np.empty((len(index), *shown[0].shape[1:]), shown[0].dtype)
        np.concatenate(shown, out=together)
        return together


class Replay:
    """Frames made beforehand, over and over with new numbers, whatever laser and stage do."""

    def __init__(self, simulator: Simulator, frames: int) -> None:
        batches, truths = zip(*simulator.stream(frames), strict=True)
        self._frames: RawPixels = np.concatenate([batch.pixels for batch in batches])
        self._frames.setflags(write=False)
        self.truth: list[Localizations] = [concatenate(list(truths))]
        """Of the first round."""

    def show(
        self,
        index: I64,
        dose: float,  # noqa: ARG002 - a scene's signature
        shift: Shift = HOME,  # noqa: ARG002 - likewise
    ) -> RawPixels:
        """See `Scene`."""
        places = index % len(self._frames)
        first, last = int(places[0]), int(places[-1])
        if last - first + 1 == len(index):
            return self._frames[first : last + 1]
        return self._frames[places]


class SpecimenSource:
    """The demo camera's stream with the specimen in its frames, as a `FrameSource`."""

    def __init__(
        self,
        camera: MicroManagerSource,
        simulator: Simulator,
        *,
        precomputed: int = 0,
        keep_truth: bool = True,
    ) -> None:
        self.camera = camera
        """The real device calls: exposure, properties, stage."""
        self._simulator = simulator
        self._keep_truth = keep_truth
        self._replay = Replay(simulator, precomputed) if precomputed else None
        self._scene: Scene | None = self._replay
        self._info = replace(
            camera.info,
            name=f"simulated specimen in {camera.info.name}",
            camera=simulator.camera,
            simulated=True,
        )

    @property
    def info(self) -> StreamInfo:
        """What will be streamed."""
        return self._info

    @property
    def truth(self) -> list[Localizations]:
        """The truth about the batches handed out since the last `open`.

        Where frames are precomputed, that of the first round; it repeats.
        """
        return [] if self._scene is None else self._scene.truth

    @contextmanager
    def open(self) -> Iterator[Iterator[FrameBatch]]:
        """Start the camera, and the specimen anew; see `core.FrameSource`."""
        with self.camera.open() as empty:
            self._scene = scene = self._replay or LiveScene(
                self._simulator.start(), keep_truth=self._keep_truth
            )
            stream = self._filled(empty, scene)
            try:
                yield stream
            finally:
                stream.close()

    def stop(self, why: Stop | None = None) -> None:
        """End the acquisition; the frames in the buffer still come."""
        self.camera.stop(why)

    def status(self) -> SourceStatus:
        """How it stands now."""
        return self.camera.status()

    def unsettable(self, name: str) -> str | None:
        """See `core.Actuator`."""
        return self.camera.unsettable(name)

    def set(self, name: str, value: str | float) -> None:
        """Set `Device.Property`, as `Laser.Voltage`, while streaming too; see `core.Actuator`."""
        self.camera.set(name, value)

    def get(self, name: str) -> str:
        """See `core.Actuator`."""
        return self.camera.get(name)

    def guarded(self, safe: Mapping[str, float]) -> AbstractContextManager[None]:
        """See `core.Safeguard`."""
        return self.camera.guarded(safe)

    def move(self, x_um: float, y_um: float) -> None:
        """Move the sample, as the stage does, over the image; see `core.Stage`.

        A field's width away there is another field of the same sample.
        """
        self.camera.move(x_um, y_um)

    def position(self) -> tuple[float, float]:
        """See `core.Stage`."""
        return self.camera.position()

    def _filled(self, empty: Iterator[FrameBatch], scene: Scene) -> Generator[FrameBatch]:
        for batch in empty:
            pixels = scene.show(batch.index, self._dose(), self._shift())
            yield FrameBatch(pixels, batch.index, batch.time_s)

    def _shift(self) -> Shift:
        """Of the sample over the image, as the stage says."""
        x_um, y_um = self.position()
        return 1000 * x_um, 1000 * y_um

    def _dose(self) -> float:
        """Light per frame, as the devices say."""
        power = float(self.camera.get(LASER)) / VOLTS_PER_POWER
        return power * self.camera.exposure() / (1000 * self._simulator.frame_interval_s)


@contextmanager
def in_demo_camera(
    simulator: Simulator,
    *,
    frames: int | None = None,
    precomputed: int = 0,
    buffer_mb: int = 512,
    keep_truth: bool = True,
) -> Iterator[SpecimenSource]:
    """A core with the demo camera set to the simulator's shape and frame interval.

    `frames`: end after so many. `precomputed`: simulate so many beforehand and
    repeat them, so that the simulator takes no time while streaming. `keep_truth`:
    the truth grows with every molecule seen; without it a stream may be endless.
    """
    require(precomputed >= 0, f"precomputed is {precomputed}; give a number of frames, or 0")
    camera = simulator.camera
    rows, columns = camera.shape
    settings = MicroManager(
        config=_CONFIG,
        adapters=demo_adapters(),
        buffer_mb=buffer_mb,
        frames=frames,
        exposure_ms=1000 * simulator.frame_interval_s,
        properties={
            "Camera.FastImage": 1,
            "Camera.PixelType": "8bit" if camera.bits <= 8 else "16bit",
            "Camera.OnCameraCCDXSize": columns,
            "Camera.OnCameraCCDYSize": rows,
            LASER: VOLTS_PER_POWER,
        },
    )
    with headless(settings) as core:
        source = MicroManagerSource(local(core, settings), settings, camera)
        yield SpecimenSource(source, simulator, precomputed=precomputed, keep_truth=keep_truth)
