"""The picture so far, written into the run's folder now and then, for runs without a screen.

A thread of its own reads the log at its own pace, so that nobody ever waits for a
picture; it rests at least as long as a picture takes. Each is drawn by the drift that
is known at its time; molecules drawn by one that proved wrong are drawn again for it.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from live_smlm.core import (
    STILL,
    CameraModel,
    DriftCurve,
    InputError,
    Localizations,
    from_columns,
)
from live_smlm.pipeline.desk import Archive
from live_smlm.render.accumulator import CpuAccumulator, Drawing, Mode
from live_smlm.render.colour import colour
from live_smlm.render.picture import fitting_bar_nm, save, with_scale_bar
from live_smlm.render.viewport import Viewport, covering
from live_smlm.session.growing import Growing

PIXEL_NM = 20.0
MOST_SIDE = 2048
"""Pixels along the picture's longer side; a larger field is drawn more coarsely."""
_LOOK_S = 0.2
_GAMMA, _PERCENTILE = 0.7, 99.5


@dataclass(slots=True)
class Snapshot:
    """The picture of one run; used by one thread at a time."""

    path: Path
    archive: Archive
    camera: CameraModel
    drift: Callable[[], DriftCurve] = lambda: STILL
    """As far as it is known."""
    _growing: Growing = field(init=False)
    _written: int = 0
    """The version in the file."""

    def __post_init__(self) -> None:
        self._growing = Growing(self.archive, viewport_of(self.camera), _add, self.drift)
        for drawing in (Drawing(), Drawing(mode=Mode.GAUSSIAN)):  # compiled before the first frame
            _add(CpuAccumulator(covering((1.0, 1.0), 1.0)), _one_molecule(drawing.mode))

    @property
    def molecules(self) -> int:
        """How many are drawn."""
        return self._growing.molecules

    def draw(self) -> str | None:
        """Add what has come to the log since the last time; why not, if so."""
        return self._try(self._growing.read)

    def finish(self) -> str | None:
        """Draw and write what is new; why not, if so."""
        failed = self._try(self._growing.put_right)
        return failed or (self._write() if self._growing.version != self._written else None)

    def _try(self, draw: Callable[[], None]) -> str | None:
        try:
            draw()
        except Exception as error:  # noqa: BLE001 - told; the run goes on without a picture
            return f"the log cannot be drawn: {error}"
        return None

    def _write(self) -> str | None:
        """The picture as a file, whole or not at all."""
        picture = self._growing.picture
        drawn = colour(picture.image(), percentile=_PERCENTILE, gamma=_GAMMA)
        pixel_nm = picture.viewport.pixel_nm
        bar = fitting_bar_nm(picture.viewport.shape, pixel_nm)
        try:
            save(self.path, drawn if bar is None else with_scale_bar(drawn, pixel_nm, bar))
        except (OSError, InputError) as error:
            return str(error)
        self._written = self._growing.version
        return None


@contextlib.contextmanager
def drawing(snapshot: Snapshot, every_s: float, tell: Callable[[str, str], None]) -> Iterator[None]:
    """Draw and write meanwhile; what fails is told, and tried again."""
    over = threading.Event()

    def work() -> None:
        next_s = time.monotonic() + every_s
        while not over.wait(_LOOK_S):
            started = time.monotonic()
            why = snapshot.draw() if started < next_s else snapshot.finish()
            if why is not None:
                tell("snapshot failed", why)
            if started >= next_s:
                next_s = max(started + every_s, 2 * time.monotonic() - started)

    thread = threading.Thread(target=work, name="snapshot")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def viewport_of(camera: CameraModel) -> Viewport:
    """The whole field, as finely as the picture may be."""
    height, width = (side * camera.pixel_size_nm for side in camera.shape)
    return covering((height, width), max(PIXEL_NM, max(height, width) / MOST_SIDE))


def _add(picture: CpuAccumulator, molecules: Localizations) -> None:
    told = molecules.sigma_x is not None and molecules.sigma_y is not None
    picture.drawing = Drawing() if told else Drawing(mode=Mode.GAUSSIAN, width_nm=PIXEL_NM)
    picture.add(molecules)


def _one_molecule(mode: Mode) -> Localizations:
    """Nowhere in any picture."""
    names = ("x", "y") if mode is Mode.GAUSSIAN else ("x", "y", "sigma_x", "sigma_y")
    return from_columns({"frame": np.zeros(1), **{name: np.full(1, -1e6) for name in names}})
