"""A picture that grows from the log of a run, by the drift that is known as it grows.

Molecules are drawn by the drift of their time; those drawn by one that proved wrong
are drawn again, all from the beginning. Used by one thread at a time.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from live_smlm.core import STILL, DriftCurve, Localizations
from live_smlm.pipeline.desk import Archive
from live_smlm.render.accumulator import CpuAccumulator
from live_smlm.render.viewport import Viewport

WRONG_SHARE = 0.25
"""Of a pixel: molecules that would lie farther off are drawn again."""
_END = 2**61


@dataclass(slots=True)
class Growing:
    """One picture and how far it is."""

    archive: Archive
    viewport: Viewport
    add: Callable[[CpuAccumulator, Localizations], None]
    """How molecules are drawn."""
    drift: Callable[[], DriftCurve] = lambda: STILL
    """As far as it is known."""
    molecules: int = 0
    frames: int = 0
    """All before this one have been read, by stream number."""
    version: int = 0
    """Another whenever something was drawn."""
    picture: CpuAccumulator = field(init=False)
    _last: int = 0
    """The last frame of which there is a molecule."""
    _newest: DriftCurve = STILL
    """What is taken off of what is drawn now."""
    _by: DriftCurve = STILL
    """What was taken off of all that is drawn."""

    def __post_init__(self) -> None:
        self.picture = CpuAccumulator(self.viewport)

    def read(self) -> None:
        """Draw what is new."""
        self._read(self.drift())

    def put_right(self) -> None:
        """Draw what is new, and all from the beginning where it would lie too far off."""
        drift = self.drift()
        across, _ = self._by.apart_nm(drift, self._last)
        if across > WRONG_SHARE * self.viewport.pixel_nm:
            self.picture = CpuAccumulator(self.viewport)
            self.frames = self.molecules = self._last = 0
            self._by = self._newest = drift
        self._read(drift)

    def _read(self, drift: DriftCurve) -> None:
        if drift is not self._newest:
            self._newest, self._by = drift, self._by.followed_by(drift, self._last)
        while (span := self.archive.page(self.frames, _END)).stop > self.frames:
            found = span.molecules
            self.add(self.picture, drift.corrected(found))
            self.frames = span.stop
            self.molecules += len(found)
            self.version += len(found) > 0
            self._last = max(self._last, int(found.frame.max(initial=0)))
