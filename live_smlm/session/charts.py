"""Who keeps a run's charts: folds what is localized, and tells the points as plain values."""

from dataclasses import dataclass, field
from typing import Any

from live_smlm.core import StreamInfo
from live_smlm.metrics import series
from live_smlm.metrics.series import Series
from live_smlm.pipeline.outcomes import Event, Localized

_NEWEST = 3
"""Points in each state: who misses one state misses no point."""


@dataclass(slots=True)
class Charts:
    """A watcher from the collector's thread; any thread may read."""

    info: StreamInfo
    _series: Series = field(init=False)

    def __post_init__(self) -> None:
        camera = self.info.camera
        rows, columns = camera.shape
        area_um2 = rows * columns * (camera.pixel_size_nm / 1000) ** 2
        self._series = series.start(area_um2, self.info.frame_interval_s)

    def frames(self, localized: Localized) -> None:
        """One chunk more."""
        item = series.part(
            localized.first, localized.count, localized.molecules, localized.latency_s
        )
        self._series = series.fold(self._series, item)

    def event(self, event: Event) -> None:
        """Nothing to draw."""

    def tick(self) -> None:
        """Nothing to do."""

    def end(self) -> None:
        """No more frames will come."""
        self._series = series.ended(self._series)

    def newest(self) -> dict[str, Any]:
        """The newest points, for the stream."""
        return series.newest(self._series, _NEWEST)

    def whole(self) -> dict[str, Any]:
        """All points, for who comes late."""
        return series.newest(self._series)
