"""What is made of a run's molecules beside the picture: the sample's drift, and how good it is.

A fold without threads or files. Molecules come as they were measured, in the order of
frames; the drift known by then is taken off before they are judged. Once more
became known of the past, `stale` says so, and all should be folded again by `anew`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from live_smlm.core import (
    STILL,
    CameraModel,
    DriftCurve,
    History,
    Localizations,
    from_columns,
)
from live_smlm.metrics import drift, quality
from live_smlm.metrics.drift_alarm import drift_alarms
from live_smlm.metrics.drift_state import DriftState
from live_smlm.metrics.quality import Assessment, Quality
from live_smlm.metrics.regions import Region
from live_smlm.transport.viewing import Span

_SCATTER = frozenset({"nena_nm", "nena_error_nm"})
"""Told by the same molecule in adjacent frames."""
FIELD = ""
"""The whole field; all other names are regions'."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aims:
    """What is to be found out."""

    regions: Mapping[str, Region] = field(default_factory=dict)
    """Judged apart, by name."""
    target_nm: float | None = None
    """The resolution that is wanted."""
    drift: bool = True
    """Whether drift is looked for."""


@dataclass(slots=True)
class Analysis:
    """The state of the fold."""

    camera: CameraModel
    frame_interval_s: float | None
    aims: Aims = field(default_factory=Aims)
    alone: bool = True
    """Whether the engine looks at each frame alone. Else what it finds of one molecule in
    neighbouring frames is alike, and its scatter there tells nothing of its precision."""
    frames: int = 0
    """So many are in. The camera's own numbers, which drift goes by, may begin anywhere."""
    histories: dict[str, History] = field(default_factory=dict)
    """Of the field, and of each region."""
    looks: dict[str, Assessment] = field(default_factory=dict)
    """The newest of each."""
    _drift: DriftState | None = None
    _best: DriftCurve | None = None
    """Once all molecules are in."""
    _places: dict[str, Quality] = field(default_factory=dict)
    _judged: int = 0
    """The drift's revision that all molecules were judged by."""
    _ahead: int = 0
    """So far the camera's number of a frame is beyond how many are in, at least."""

    def __post_init__(self) -> None:
        self._places = self._blank()
        self.histories = dict.fromkeys(self._places, ())

    @property
    def curve(self) -> DriftCurve:
        """The drift as far as it is known."""
        if self._best is not None:
            return self._best
        return STILL if self._drift is None else self._drift.curve

    @property
    def drift(self) -> DriftState | None:
        """All that is known of it; None before the first molecule, or where none is looked for."""
        return self._drift

    @property
    def stale(self) -> bool:
        """Whether old molecules were judged by a drift that proved wrong."""
        return self._drift is not None and self._drift.revision != self._judged

    def add(self, span: Span, seconds: float) -> None:
        """The molecules of the next frames; `seconds` is the time after the last of them."""
        found = span.molecules
        last = int(found.frame.max()) + 1 if len(found) else 0
        self.frames = max(self.frames, span.stop)
        self._ahead = max(self._ahead, last - self.frames)
        if self.aims.drift:
            self._follow(found)
        self._judge(found, self.frames, seconds)

    def anew(self, spans: Iterable[Span], seconds: float) -> None:
        """All that was added, once more, by the drift that is known now."""
        self._places = self._blank()
        if self._drift is not None:
            self._judged = self._drift.revision
        for span in spans:
            share = min(1.0, span.stop / max(self.frames, 1))
            self._judge(span.molecules, span.stop, seconds * share)

    def set_regions(self, regions: Mapping[str, Region]) -> None:
        """Judge these from now on; `anew` is to follow, since none has any molecule yet."""
        self.aims = replace(self.aims, regions=regions)
        self._places = self._blank()
        self.histories = {**dict.fromkeys(regions, ()), FIELD: self.histories[FIELD]}
        self.looks = {name: look for name, look in self.looks.items() if name == FIELD}

    def look(self) -> Assessment:
        """Judge everything now: one more checkpoint in each history; the field's is returned."""
        moved = self._moved()
        for name, place in self._places.items():
            seen = quality.assess(place)
            values = {**seen.checkpoint.values, **moved}
            if not self.alone:
                values = {name: value for name, value in values.items() if name not in _SCATTER}
            point = replace(seen.checkpoint, values=values)
            seen = self.looks[name] = replace(seen, checkpoint=point)
            before = self.histories[name]
            if before and before[-1].frame >= point.frame:  # the same frames, judged anew
                before = before[:-1]
            self.histories[name] = (*before, point)
        return self.looks[FIELD]

    @property
    def lost(self) -> bool:
        """Whether the newest frames do not tell where the sample is."""
        return self._drift is not None and self._drift.lost_frames > 0

    def alarms(self) -> dict[str, str]:
        """What is wrong with the drift, by name, in words."""
        if self._drift is None:
            return {}
        return drift_alarms(
            self.curve,
            self._number,
            lost_frames=self._drift.lost_frames,
            frame_interval_s=self.frame_interval_s,
        )

    def finish(self) -> None:
        """Take the drift at its best, now that all molecules are in; `anew` is to follow."""
        if self._drift is not None:
            self._best = drift.final(self._drift)

    def _follow(self, found: Localizations) -> None:
        if self._drift is None:
            if not len(found):
                return
            self._drift = drift.start(
                self._field_nm,
                three_d=found.z is not None,
                frame_interval_s=self.frame_interval_s,
            )
        if self._drift.three_d and found.z is None:
            found = replace(found, z=np.full(len(found), np.nan, np.float32))
        self._drift = drift.fold(self._drift, found, self._number)

    def _moved(self) -> dict[str, float]:
        """Where the sample is by now, as values of a checkpoint."""
        if self._drift is None or self.curve is STILL:
            return {}
        x, y = self.curve.x[-1], self.curve.y[-1]
        error = float(np.hypot(*self._drift.error_nm[:2]) / np.sqrt(2))
        return {"drift_nm": float(np.hypot(x, y)), "drift_error_nm": error}

    def _judge(self, found: Localizations, stop: int, seconds: float) -> None:
        corrected = self.curve.corrected(found) if len(found) else found
        for name, place in self._places.items():
            self._places[name] = quality.fold(place, corrected, stop, seconds)

    def _blank(self) -> dict[str, Quality]:
        regions: dict[str, Region | None] = {FIELD: None, **self.aims.regions}
        return {
            name: quality.start(
                self._field_nm,
                self.camera.pixel_size_nm,
                target_nm=self.aims.target_nm,
                region=region,
            )
            for name, region in regions.items()
        }

    @property
    def _number(self) -> int:
        """The camera's, after the last frame that is in."""
        return self.frames + self._ahead

    @property
    def _field_nm(self) -> tuple[float, float]:
        rows, columns = self.camera.shape
        return rows * self.camera.pixel_size_nm, columns * self.camera.pixel_size_nm


def prepare(camera: CameraModel, *, three_d: bool = True) -> None:
    """Have everything compiled before the first frame: later it would hold the run back."""
    rng = np.random.default_rng(0)
    frames, each = 200, 20
    n = frames * each
    side = np.float32(camera.pixel_size_nm * min(camera.shape))
    near = (rng.integers(0, 40, n) / 40 * side).astype(np.float32)
    columns = {
        "frame": np.repeat(np.arange(frames), each),
        **{name: near + rng.normal(0, 5, n).astype(np.float32) for name in ("x", "y")},
        **{name: np.full(n, 8, np.float32) for name in ("sigma_x", "sigma_y", "photons")},
    }
    depths = {"z": near, "sigma_z": columns["sigma_x"]} if three_d else {}
    molecules = from_columns(columns | depths)
    trial = Analysis(camera, 0.01)
    for first in range(0, frames, frames // 4):
        rows = (molecules.frame >= first) & (molecules.frame < first + frames // 4)
        span = Span(first=first, stop=first + frames // 4, molecules=molecules.where(rows))
        trial.add(span, first / 100)
        trial.look()
    trial.finish()
