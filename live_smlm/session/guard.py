"""Who watches a run's engine: folds what the lanes' witnesses say, and tells when trust changes.

The verdict is `metrics.trust`'s; here is where it meets a run, its events and its state.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from live_smlm.core import Engine, EngineContext, FrameBatch, envelope_in
from live_smlm.fitting.shadow import COLUMNS, unshadowed
from live_smlm.inference.envelope import photon_ranges
from live_smlm.metrics import trust
from live_smlm.metrics.trust import Alarm, Scope, Seen
from live_smlm.pipeline.outcomes import Event, Localized

OFF = "switched off"


def scope(engine: Engine[FrameBatch, Any], place: EngineContext, *, shadow: bool) -> Scope:
    """What can be checked of this engine in this place."""
    rows, columns = place.camera.shape
    return Scope(
        envelope=photon_ranges(envelope_in(engine, place), place.camera),
        unshadowed=unshadowed(place) if shadow else OFF,
        alone=engine.spec.halo == (0, 0),
        area_um2=rows * columns * (place.camera.pixel_size_nm / 1000) ** 2,
    )


@dataclass(slots=True)
class Guard:
    """A watcher from the collector's thread; what a fallback engine answers is not judged."""

    scope: Scope
    tell: Callable[[Event], None] = lambda _: None
    """To everybody who watches the run."""
    seen: Seen = field(init=False)
    _raised_s: dict[str, float] = field(default_factory=dict)
    """When each alarm was raised that is, seconds since 1970."""
    _engine_s: float = 0.0
    _shadow_s: float = 0.0

    def __post_init__(self) -> None:
        self.seen = trust.start(self.scope)

    def frames(self, localized: Localized) -> None:
        """Fold a chunk in; tell of alarms that are new, and of those that are over."""
        if localized.fallback:
            return
        if localized.unwitnessed is not None:
            self._fall_silent(localized.unwitnessed)
        rows = localized.evidence
        heard = self.scope.unshadowed is None
        if heard and rows is not None and rows.shape[1] != len(COLUMNS):
            self._fall_silent(f"a lane said {rows.shape[1]} numbers, not {len(COLUMNS)}")
        self._engine_s += localized.seconds[0]
        self._shadow_s += localized.seconds[1]
        if rows is None or self.scope.unshadowed is not None:
            rows = trust.NO_ROWS
        before = self.seen.trust.alarms
        item = trust.look(localized.count, localized.molecules, rows)
        self.seen = trust.fold(self.seen, item, self.scope)
        self._tell_changes(before, self.seen.trust.alarms)

    def event(self, event: Event) -> None:
        """Nothing to judge."""

    def tick(self) -> None:
        """Nothing to do."""

    def state(self) -> dict[str, Any]:
        """The verdict as plain values: since when, and the share of time that the shadow took."""
        said, raised_s = self.seen.trust.as_dict(), dict(self._raised_s)
        for alarm in said["alarms"]:
            alarm["since_s"] = raised_s.get(alarm["name"])
        busy = self._engine_s + self._shadow_s
        share = {"shadow_share": round(self._shadow_s / busy, 4)} if busy else {}
        return {**said, "numbers": {**said["numbers"], **share}}

    def _fall_silent(self, why: str) -> None:
        """Go on without the shadow: what it can no longer say must not stand as said."""
        self.scope = replace(self.scope, unshadowed=f"the shadow fit failed: {why}")
        self.tell(Event("shadow failed", why))

    def _tell_changes(self, before: tuple[Alarm, ...], after: tuple[Alarm, ...]) -> None:
        known, now = {alarm.name for alarm in before}, {alarm.name for alarm in after}
        for alarm in after:
            if alarm.name not in known:
                event = Event("alarm", str(alarm))
                self._raised_s[alarm.name] = event.at_s
                self.tell(event)
        for alarm in before:
            if alarm.name not in now:
                self._raised_s.pop(alarm.name, None)
                self.tell(Event("alarm over", alarm.name))
