"""How good the picture was as it grew, and how the sample wandered, beside the localizations.

`quality.jsonl` has a line for each look at the metrics; `quality.json` what was
known last: the curve of drift, that of Fourier ring correlation, forecasts. The
localizations themselves stay as they were measured.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from live_smlm.core import (
    STILL,
    Checkpoint,
    DriftCurve,
    History,
    InputError,
    Localizations,
    drift_curve,
    require,
)
from live_smlm.core.files import replacing
from live_smlm.store.json_lines import JsonLines
from live_smlm.store.json_text import several_lines
from live_smlm.store.run_folder import history_path, quality_path


class QualityLog(JsonLines):
    """Of a run that goes on; what could not be written raises OSError and is lost alone."""

    def __init__(self, folder: Path) -> None:
        super().__init__(history_path(folder))
        self._folder = folder

    def append(self, point: Checkpoint, decision: Mapping[str, Any] | None = None) -> None:
        """One more look, with what was decided by it and upon which numbers."""
        seconds = round(point.seconds, 3)
        line = {"frame": point.frame, "seconds": seconds, "values": point.values}
        self.add(line if decision is None else {**line, "decision": decision})

    def latest(self, drift: DriftCurve, said: Mapping[str, Any]) -> None:
        """What is known now, in place of what was."""
        knots = {name: getattr(drift, name) for name in ("frame", "x", "y", "z")}
        with replacing(quality_path(self._folder)) as draft:
            draft.write_text(several_lines({**said, "drift_nm": knots}), encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What stands in a run's folder of its quality."""

    history: History = ()
    drift: DriftCurve = STILL
    said: Mapping[str, Any] = field(default_factory=dict)
    """The rest of `quality.json`."""

    @property
    def there(self) -> bool:
        """Whether the run was judged at all."""
        return bool(self.history or self.said)


def read_quality(folder: Path) -> Judged:
    """All of it; a last line that a kill has cut is left out."""
    history: History = ()
    if history_path(folder).exists():
        whole, _, _ = history_path(folder).read_bytes().rpartition(b"\n")
        history = tuple(_checkpoint(folder, line) for line in whole.splitlines())
    said: dict[str, Any] = {}
    if quality_path(folder).exists():
        said = _parsed(quality_path(folder))
    return Judged(history=history, drift=_drift(folder, said.pop("drift_nm", None)), said=said)


def without_drift(folder: Path, molecules: Localizations) -> Localizations:
    """A run's molecules with the sample's drift taken off, as far as it became known."""
    require(
        quality_path(folder).is_file(),
        f"{folder} has no curve of drift; give the folder of a run that was judged, "
        "or drop --drift",
    )
    return read_quality(folder).drift.corrected(molecules)


def _checkpoint(folder: Path, line: bytes) -> Checkpoint:
    try:
        told = json.loads(line)
        known = {name: float(v) for name, v in told["values"].items() if v is not None}
        return Checkpoint(int(told["frame"]), float(told["seconds"]), known)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        path = history_path(folder)
        raise InputError(f"{path} is damaged ({error}); delete it to go without") from error


def _parsed(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}); delete it to go without") from error
    require(isinstance(said, dict), f"{path} is damaged (no table); delete it to go without")
    return dict(said)


def _drift(folder: Path, knots: Any) -> DriftCurve:
    if not knots:
        return STILL
    try:
        return drift_curve(*(knots[name] for name in ("frame", "x", "y", "z")))
    except (KeyError, TypeError, ValueError) as error:
        path = quality_path(folder)
        raise InputError(f"{path} has no curve of drift ({error}); delete it") from error
