"""An engine of pictures beside a run: now and then it is shown the picture so far.

It works in a process of its own and nobody waits for it: a slow one predicts seldom,
one that fails is told of, and given up after some failures in a row. What it draws is
a layer that is marked as a prediction, and never a molecule.
"""

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from live_smlm.core import (
    STILL,
    CameraModel,
    Device,
    DriftCurve,
    Engine,
    EngineContext,
    Localizations,
    Reconstruction,
    require,
)
from live_smlm.pipeline.desk import Archive
from live_smlm.pipeline.picture_lane import PATIENCE_S, LaneError, PictureLane
from live_smlm.render.accumulator import CpuAccumulator, Drawing, Mode
from live_smlm.render.viewport import covering
from live_smlm.session.crew import make_engines
from live_smlm.session.growing import Growing
from live_smlm.session.layers import Layers
from live_smlm.session.plan import RunPlan
from live_smlm.transport.messages import Setup

PIXEL_NM = 20.0
"""Where the engine does not mind."""
MOST_PIXELS = 2**24
FAILURES = 3
"""In a row, after which it is given up."""
LAST_S = 60.0
"""For the last prediction, when the run is over."""
_LOOK_S = 0.1
_REST = 1.0
"""For so much of the time that a prediction took, it rests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicting:
    """What is to draw, and how often."""

    engine: str
    every_s: float = 10.0
    patience_s: float = PATIENCE_S
    """For one picture."""

    def __post_init__(self) -> None:
        require(
            0 < self.every_s < math.inf,
            f"predict_every is {self.every_s:g}; give seconds above 0",
        )


@dataclass(slots=True)
class Predictor:
    """One engine of pictures and how it fares."""

    lane: PictureLane
    growing: Growing
    layers: Layers
    name: str
    every_s: float
    tell: Callable[[str, str], None] = lambda _, __: None
    failures: int = 0
    _until_s: float = math.inf
    """When it is waited for no longer."""
    _drawn: int = 0
    """The version that was shown last."""

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Predict meanwhile, and once more at the end, when all molecules are in."""
        over = threading.Event()
        self.lane.waits = lambda: time.monotonic() < self._until_s
        thread = threading.Thread(target=self._work, args=(over,), name="predictor")
        thread.start()
        try:
            yield
        finally:
            self._until_s = time.monotonic() + LAST_S
            over.set()
            thread.join()

    def _work(self, over: threading.Event) -> None:
        with self.lane.open():
            next_s = time.monotonic() + self.every_s
            while not over.wait(_LOOK_S):
                if time.monotonic() >= next_s:
                    started = time.monotonic()
                    self._predict()
                    took = time.monotonic() - started
                    next_s = max(started + self.every_s, time.monotonic() + _REST * took)
            self._predict()

    def _predict(self) -> None:
        """A new prediction, where there is anything new."""
        if self.failures >= FAILURES:
            return
        try:
            self.growing.put_right()
            if self.growing.version == self._drawn:
                return
            self._drawn = self.growing.version
            self.layers.put(self.name, self.lane.ask(self._picture()))
            self.failures = 0
        except LaneError as error:
            self._fail(str(error))
        except Exception as error:  # noqa: BLE001 - told; the run goes on without
            self._fail(f"the log cannot be drawn: {error!r}")

    def _picture(self) -> Reconstruction:
        """Molecules per pixel so far."""
        viewport = self.growing.viewport
        return Reconstruction(
            image=self.growing.picture.image()[None],
            pixel_size_nm=viewport.pixel_nm,
            origin_nm=viewport.origin_nm,
            first_frame=0,
            last_frame=max(0, self.growing.frames - 1),
            channels=("molecules",),
        )

    def _fail(self, why: str) -> None:
        self.failures += 1
        given_up = "; it is asked no more" if self.failures >= FAILURES else ""
        self.tell("prediction failed", f"{self.name}: {why}{given_up}")


def check_predictor(engine: Engine[object, object], place: EngineContext) -> None:
    """Refuse what is no engine of pictures, or does not fit."""
    spec = engine.spec
    require(
        spec.consumes is Reconstruction and spec.produces is Reconstruction,
        f"engine {spec.name!r} is {spec.arrow}; predict needs Reconstruction -> Reconstruction",
    )
    reason = engine.unsupported(place)
    require(reason is None, f"engine {spec.name!r} cannot run: {reason}")
    pixel_nm = spec.pixel_size_nm or PIXEL_NM
    sides = [side * place.camera.pixel_size_nm / pixel_nm for side in place.camera.shape]
    require(
        math.prod(sides) <= MOST_PIXELS,
        f"engine {spec.name!r} wants pixels of {pixel_nm:g} nm: {sides[0]:.0f} x {sides[1]:.0f} "
        "of them are too many; use a smaller region of the camera",
    )


def predictor_of(
    predicting: Predicting,
    engine: Engine[object, object],
    plan: RunPlan,
    camera: CameraModel,
    archive: Archive,
    layers: Layers,
    drift: Callable[[], DriftCurve] = lambda: STILL,
) -> Predictor:
    """The predictor of a run that is to begin."""
    pixel_nm = engine.spec.pixel_size_nm or PIXEL_NM
    height, width = (side * camera.pixel_size_nm for side in camera.shape)
    kind = plan.device.kind if plan.device.kind in engine.spec.devices else "cpu"
    setup = Setup(
        engine=predicting.engine,
        fallback=None,
        camera=camera,
        psf=plan.psf,
        ring=None,
        device=Device(kind, plan.device.index),
    )
    growing = Growing(archive, covering((height, width), pixel_nm), _count, drift)
    lane = PictureLane(setup, make_engines, predicting.patience_s)
    return Predictor(lane, growing, layers, engine.spec.name, predicting.every_s)


def _count(picture: CpuAccumulator, molecules: Localizations) -> None:
    picture.drawing = Drawing(mode=Mode.HISTOGRAM)
    picture.add(molecules)
