"""The thread that turns the light: densities in from the collector, values out to the device.

What to set is `feedback.density`'s; here is where it meets clocks, a queue and a
device that may be slow. A device that refuses, a density that does not come and
the end of the run, whatever end, all mean the safe value; what becomes of a
killed run is the source's (`core.Safeguard`).
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias, runtime_checkable

from live_smlm.core import (
    Actuator,
    FrameSource,
    InputError,
    Safeguard,
    SourceFault,
    SourceStatus,
    require,
)
from live_smlm.core.actuator import unsettable
from live_smlm.feedback import density
from live_smlm.feedback.density_settings import DensitySettings
from live_smlm.feedback.density_state import DensityState, Stepped
from live_smlm.pipeline.outcomes import Event, Localized

_LOOK_S = 0.1
_ORDERS = "say hold, release, or 'set 2.5'"


@runtime_checkable
class Controlled(Actuator, Safeguard, Protocol):
    """A source whose devices can be turned, and that counts its frames."""

    def status(self) -> SourceStatus:
        """How it stands now."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Molecules of the next frames."""

    stop: int
    """Stream number after the last of them."""
    frames: int
    molecules: int


Order: TypeAlias = Callable[[DensityState, float], Stepped]
"""What somebody wants of the control, at these seconds."""


@dataclass(slots=True)
class LaserControl:
    """A watcher from the collector's thread; `working` does the rest in its own."""

    source: Controlled
    settings: DensitySettings
    area_um2: float
    tell: Callable[[str, str], None] = lambda _, __: None
    """An event, to everybody who watches; in full in the record."""
    state: DensityState = field(init=False)
    """Of the last decision; any thread may read it."""
    failure: str | None = None
    """Why it turns no more."""
    _inbox: "queue.SimpleQueue[Seen | Order | None]" = field(default_factory=queue.SimpleQueue)
    _localized: int = 0
    _started_s: float = 0.0
    _heard_s: float = 0.0

    def __post_init__(self) -> None:
        require(self.area_um2 > 0, f"area is {self.area_um2:g} um2; give a number above 0")
        self.state = density.start(self.settings, _number(self.source, self.settings.property))

    def frames(self, localized: Localized) -> None:
        """From the collector's thread; returns at once. A fallback engine counts otherwise."""
        if not localized.fallback:
            stop = localized.first + localized.count
            self._inbox.put(Seen(stop, localized.count, len(localized.molecules)))

    def event(self, event: Event) -> None:
        """Nothing to learn."""

    def tick(self) -> None:
        """Nothing to do."""

    def hold(self) -> None:
        """Leave the value as it is, until `release`."""
        self._inbox.put(lambda state, _: (density.hold(state), None))

    def release(self) -> None:
        """Go on."""
        self._inbox.put(lambda state, _: (density.release(state), None))

    def override(self, value: float) -> None:
        """Set this, until `release`; refused outside of the limits."""
        density.override(self.state, value, 0.0)
        self._inbox.put(lambda state, seconds: density.override(state, value, seconds))

    def told(self) -> dict[str, Any]:
        """How it stands, as plain values."""
        state = self.state
        return {"laser": self._plain(state)}

    def orders(self) -> dict[str, Callable[[str], None]]:
        """What viewers may say, by name."""
        return {"laser": self.order}

    def order(self, words: str) -> None:
        """The operator's will: `hold`, `release`, `set 2.5`."""
        what, _, number = words.strip().partition(" ")
        if what == "set":
            self.override(_voltage(number))
            return
        simple = {"hold": self.hold, "release": self.release}
        if words.strip() not in simple:
            raise InputError(f"order {words!r} is unknown to the laser; {_ORDERS}")
        simple[what]()

    def _plain(self, state: DensityState) -> dict[str, Any]:
        return {
            "property": self.settings.property,
            "value": state.value,
            "mode": state.mode.value,
            "set_point_per_um2": self.settings.set_point_per_um2,
            "dry_run": self.settings.dry_run,
            "tuned": state.is_tuned,
            "limit": state.limit,
            "failure": self.failure,
        }

    @contextmanager
    def working(self) -> Iterator[None]:
        """Control meanwhile; then, and should the run be killed, the safe value."""
        guarded = nullcontext() if self.settings.dry_run else self._guarded()
        with guarded, self._thread():
            yield

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Safe on exit, and that is told."""
        name, safe = self.settings.property, self.settings.safe
        cause: BaseException | None = None
        try:
            with self.source.guarded({name: safe}):
                try:
                    yield
                except BaseException as error:
                    cause = error
                    raise
        except SourceFault as fault:
            if fault is not cause:
                self.tell("laser not safe", str(fault))
            raise
        self.tell("laser safe", f"{name} is {safe:g}")

    @contextmanager
    def _thread(self) -> Iterator[None]:
        self._started_s = self._heard_s = time.monotonic()
        thread = threading.Thread(target=self._work, name="laser")
        thread.start()
        try:
            yield
        finally:
            self._inbox.put(None)
            thread.join()

    def _work(self) -> None:
        try:
            while self._turn():
                pass
        except Exception as error:  # noqa: BLE001 - told; the light is safe and the run goes on
            self._fail(error)

    def _turn(self) -> bool:
        """One thing that came, or none for a while; False at the end."""
        try:
            came = self._inbox.get(timeout=_LOOK_S)
        except queue.Empty:
            self._look_after_nothing()
            return True
        if came is None:
            return False
        if isinstance(came, Seen):
            self._localized = came.stop
            self._heard_s = time.monotonic()
            per_um2 = came.molecules / came.frames / self.area_um2
            self._do(density.step(self.state, came.frames, per_um2, self._seconds()))
        else:
            self._do(came(self.state, self._seconds()))
        return True

    def _look_after_nothing(self) -> None:
        silent = time.monotonic() - self._heard_s > self.settings.stale_s
        if silent and self._localized:  # before the first frame nothing is late
            self._do(density.stale(self.state, self._seconds()))

    def _do(self, stepped: Stepped) -> None:
        """Set what was decided, then say it."""
        self.state, value = stepped
        if value is not None:
            self.source.set(self.settings.property, value)
            in_flight = max(0, self.source.status().frames - self._localized)
            self.state = density.moved(self.state, in_flight)
        if (decision := self.state.decision) is not None:
            self.tell("density control", str(decision))
            self.state = replace(self.state, decision=None)

    def _fail(self, error: Exception) -> None:
        """No more control; the safe value, as far as that can be set."""
        self.failure = str(error) if isinstance(error, InputError | SourceFault) else repr(error)
        self.tell("density control failed", self.failure)
        if not self.settings.dry_run:
            with suppress(InputError, SourceFault):  # on leaving it is tried again, and told
                self.source.set(self.settings.property, self.settings.safe)

    def _seconds(self) -> float:
        return time.monotonic() - self._started_s


def _voltage(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"laser is to be set to {text!r}; {_ORDERS}") from None


def _number(source: Actuator, name: str) -> float:
    text = source.get(name)
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{name} is {text!r}, which is no number; name another") from None


def laser_control(
    source: FrameSource, settings: DensitySettings, envelope: Mapping[str, tuple[float, float]]
) -> LaserControl:
    """The control of a run that is to begin; refuses what cannot be turned.

    `envelope` is the engine's: beyond its `density_per_um2` the light is cut.
    """
    why = unsettable(source, settings.property)
    require(why is None, str(why))
    require(
        isinstance(source, Controlled),
        f"source {source.info.name!r} does not count its frames; use a microscope, or demo:",
    )
    if settings.most_per_um2 is None and "density_per_um2" in envelope:
        settings = replace(settings, most_per_um2=float(envelope["density_per_um2"][1]))
    camera = source.info.camera
    rows, columns = camera.shape
    area = rows * columns * (camera.pixel_size_nm / 1000) ** 2
    return LaserControl(source, settings, area)  # type: ignore[arg-type] # refused above
