"""A run's configuration: one flat table, the same words as on the command line."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from live_smlm.core import InputError, require
from live_smlm.core.options import build

_MOST = 10_000
_LAST_PORT = 65_535


def _key(default: Any, text: str) -> Any:
    """A key with its default and its line in the commented example."""
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Everything about a run that a user may choose."""

    source: str = _key(
        "demo",
        "Where frames come from: demo, simulated, micromanager, movie (:key=value,…), or a path",
    )
    camera: str | None = _key(
        None, "scmos:key=value,…, emccd:key=value,… or a .toml file; demo and simulated know theirs"
    )
    psf: str | None = _key(
        None, "gaussian:…, astigmatic:…, pupil:…, spline:file=… or a .toml or .h5 file"
    )
    pixel_nm: float = _key(100.0, "Pixel pitch in the sample plane")
    engine: str = _key("gauss-mle", "name, name:option=value,… or a chain one+two")
    device: str = _key(
        "auto", "Where engines compute: cpu, cuda, cuda:N; auto: a GPU where the engine can use one"
    )
    shadow: bool = _key(
        default=True,
        text="Fit a few molecules again, live, and raise an alarm where the engine errs",
    )
    fallback: str | None = _key(None, "Faster engine for overload = fallback")
    overload: str | None = _key(
        None,
        "When frames come too fast: wait (files), defer (with record), thin, fallback; "
        "unset: wait where the source can, else defer where recorded, else thin",
    )
    record: bool = _key(default=False, text="Keep the raw movie beside the localizations")
    out: str | None = _key(None, "Folder of the run; unset: a new one under runs/")
    frames: int | None = _key(None, "End after so many frames")
    seconds: float | None = _key(None, "End after so many seconds")
    judge: bool = _key(
        default=True,
        text="Say live how good the picture is, how the sample drifts, what is to come",
    )
    stop: str | None = _key(
        None,
        "End when it is enough: 'frc < 30 nm or time > 10 min'; of frc, halfbit, resolution, "
        "nyquist, completeness, molecules, blinks, pool, drift, time, frames; 'frc gain < 1 nm in "
        "60 s'; and, or, brackets, 'in every roi'",
    )
    stop_after: int = _key(500, "Before so many frames nothing measured ends the run")
    stop_checks: int = _key(3, "Looks in a row in which what is measured must hold")
    stop_dry_run: bool = _key(default=False, text="Say when the rule would end the run, and go on")
    regions: str | None = _key(
        None, "Judged apart, nm: 'cell = left,top,right,bottom; tip = x,y x,y x,y'"
    )
    drift: bool = _key(default=True, text="Look for drift, and take it off the picture")
    recentre_nm: float | None = _key(
        None, "Take the sample back by the stage whenever it has drifted so far"
    )
    stage_axes: str = _key("x,y", "Stage axes along the image's x and y, as '-x,y' or 'y,x'")
    laser: str | None = _key(
        None,
        "Keep the density of molecules by a device's property: "
        "Laser.Voltage:set_point_per_um2=0.2,highest=10; also lowest, safe, dead_zone, slew_per_s, "
        "every_frames, dry_run",
    )
    predict: str | None = _key(
        None, "Engine that predicts the picture from what there is of it; a layer of its own"
    )
    predict_every: float = _key(10.0, "Seconds between two predictions, at least")
    topology: str = _key("processes", "Where workers live: threads, processes, none (all remote)")
    workers: int = _key(1, "Worker processes on this machine")
    lanes: int = _key(2, "Engine lanes per worker")
    ring_mb: float = _key(512.0, "Memory for frames between camera and engines")
    chunk_frames: int = _key(16, "Most frames that an engine gets at once")
    listen: str | None = _key(None, "tcp://host:port where workers of other machines may come")
    keys: str | None = _key(None, "Folder of keys (live-smlm keys); needed beyond loopback")
    status: str = _key("tcp://127.0.0.1:*", "Where the status stream is published")
    desk: str | None = _key(
        None, "Where viewers fetch what they missed and stop the run; unset: beside status"
    )
    snapshot_every: float | None = _key(
        None, "Write the picture so far, snapshot.png, every so many seconds"
    )
    web: int | None = _key(None, "Port of a page that shows the run in a browser; 0: any free one")
    web_host: str = _key("127.0.0.1", "Address of that page; others than loopback let others watch")
    web_control: bool = _key(
        default=False, text="Let the page stop the run, by a token in the address that is printed"
    )

    def __post_init__(self) -> None:
        for name in ("frames", "workers", "lanes", "chunk_frames", "stop_checks"):
            value = getattr(self, name)
            require(
                value is None or value >= 1,
                f"{name} is {value}; give at least 1",
            )
        require(self.stop_after >= 0, f"stop_after is {self.stop_after}; give 0 or more frames")
        require(
            self.stop is None or self.judge,
            f"stop is {self.stop!r} but judge is off, which is what it goes by; switch judge on",
        )
        require(
            self.recentre_nm is None or (self.judge and self.drift),
            f"recentre_nm is {self.recentre_nm} but drift is not looked for; switch judge and "
            "drift on",
        )
        for name in ("workers", "lanes"):
            require(getattr(self, name) <= _MOST, f"{name} is {getattr(self, name)}; give fewer")
        require(
            self.web is None or 0 <= self.web <= _LAST_PORT,
            f"web is {self.web}; give a port from 0 to {_LAST_PORT}",
        )
        times = ("seconds", "snapshot_every", "predict_every")
        for name in (*times, "ring_mb", "pixel_nm", "recentre_nm"):
            value = getattr(self, name)
            require(
                value is None or 0 < value < float("inf"),
                f"{name} is {value}; give a number above 0",
            )

    def as_dict(self) -> dict[str, Any]:
        """As it goes into the record, and could be read back."""
        told = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in told.items() if value is not None}


def read_config(path: Path | None, given: Mapping[str, Any]) -> RunConfig:
    """The configuration of a TOML file (or none), what the command line gives going first."""
    table: dict[str, Any] = {}
    what = "configuration"
    if path is not None:
        what = f"configuration {path}"
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{what} is not valid TOML: {error}") from error
    chosen = {name: value for name, value in given.items() if value is not None}
    return build(RunConfig, {**table, **chosen}, what)


def example() -> str:
    """A configuration with every key, its meaning and its default."""
    lines = ["# Configuration of a live-smlm run: live-smlm run THIS_FILE.toml", ""]
    for key in fields(RunConfig):
        lines += [f"# {key.metadata['help']}", _line(key), ""]
    return "\n".join(lines)


def _line(key: "Field[Any]") -> str:
    if key.default is None or key.default is MISSING:
        return f"# {key.name} = "
    return f"{key.name} = {json.dumps(key.default)}"
