"""`live-smlm demo`: the whole way through a real Micro-Manager core, with known truth.

The camera is Micro-Manager's demo camera with a simulated specimen in its
frames; everything behind it is what a microscope would get.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from live_smlm.cli import usual
from live_smlm.cli.run import EXIT, run_config
from live_smlm.cli.scenes import source, words_for
from live_smlm.cli.words import (
    Desk,
    Json,
    Laser,
    OpenWindow,
    Predict,
    PredictEvery,
    Regions,
    Seed,
    SnapshotEvery,
    StopRule,
    Web,
    WebControl,
    WebHost,
    tell,
)
from live_smlm.config import read_config
from live_smlm.core import (
    F64,
    FrameBatch,
    FrameSource,
    LiveSource,
    Localizations,
    StreamInfo,
    concatenate,
    require,
)
from live_smlm.evaluate.score import score
from live_smlm.render.colour import Rgb, colour
from live_smlm.render.picture import enlarged, save, side_by_side, with_scale_bar
from live_smlm.render.splat import splat
from live_smlm.store.log import read_log
from live_smlm.store.record import Finish
from live_smlm.store.run_folder import picture_path
from live_smlm.store.tables import write_table

ENLARGEMENT = 6
_COLOURS = ("hot", "cold")
"""Of the molecules, or of those of the first dye and of the second."""
_USUAL_NM = 15.0
"""Width of molecules whose engine claims no precision."""
MIN_PHOTONS = 300.0
"""Dimmer truth (first and last frames of a blink) is not asked for in the demo's score."""


def demo(
    *,
    seconds: Annotated[float | None, typer.Option(help="How long to acquire")] = None,
    frames: Annotated[int | None, typer.Option(help="How many frames to acquire")] = None,
    out: Annotated[str | None, typer.Option("--out", help="Folder of the run")] = None,
    engine: Annotated[str, typer.Option(help="Engine or chain")] = usual.DEMO,
    topology: Annotated[str | None, typer.Option(help="threads or processes")] = None,
    record: Annotated[bool | None, typer.Option(help="Keep the raw movie")] = None,
    stop: StopRule = None,
    regions: Regions = None,
    laser: Laser = None,
    predict: Predict = None,
    predict_every: PredictEvery = None,
    desk: Desk = None,
    snapshot_every: SnapshotEvery = None,
    web: Web = None,
    web_host: WebHost = None,
    web_control: WebControl = None,
    window: OpenWindow = False,
    seed: Seed = 1,
    as_json: Json = False,
) -> None:
    """Acquire blinking microtubules from the demo camera, localize them live, draw the picture.

    Engines that make sense in a certain scene (two dyes, structured background, aberrations)
    get it.
    """
    if seconds is None and frames is None:
        seconds = 20.0
    given = {"seconds": seconds, "frames": frames, "out": out, "engine": engine}
    given |= {"topology": topology, "record": record, "psf": words_for(engine).get("psf")}
    given |= {"source": source(engine, {"seed": str(seed), "truth": "true"})}
    given |= {"stop": stop, "regions": regions, "laser": laser}
    given |= {"predict": predict, "predict_every": predict_every}
    given |= {"desk": desk, "snapshot_every": snapshot_every}
    given |= {"web": web, "web_host": web_host, "web_control": web_control}
    seen: list[Summed] = []

    def watched(opened: FrameSource) -> FrameSource:
        require(isinstance(opened, LiveSource), "the demo's source is a camera")
        seen.append(Summed(opened))  # type: ignore[arg-type] # refused above
        return seen[0]

    answer = run_config(read_config(None, given), watched, window=window)
    if answer["molecules"]:
        answer |= _finish(Path(answer["out"]), seen[0])
    tell(answer, as_json=as_json)
    raise typer.Exit(EXIT[Finish(answer["finish"])])


@dataclass(slots=True)
class Summed:
    """A source that adds its frames up: what one sees without localization."""

    source: LiveSource
    total: F64 = field(default_factory=lambda: np.zeros(0))
    last: int = -1

    @property
    def info(self) -> StreamInfo:
        """The source's."""
        return self.source.info

    @contextmanager
    def open(self) -> Iterator[Iterator[FrameBatch]]:
        """The source's frames, added up as they pass."""
        self.total = np.zeros(self.info.camera.shape)
        with self.source.open() as batches:
            yield map(self._add, batches)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)  # all else is the source's

    def _add(self, batch: FrameBatch) -> FrameBatch:
        self.total += batch.pixels.sum(axis=0, dtype=np.float64)
        self.last = int(batch.index[-1])
        return batch


def _finish(folder: Path, summed: Summed) -> dict[str, Any]:
    """Truth, score and picture into the run's folder."""
    log = read_log(folder)
    known: list[Localizations] = summed.source.truth  # type: ignore[attr-defined] # the demo's has one
    truth = concatenate(known)
    covered = np.isin(truth.frame, np.unique(log.molecules.frame))
    truth = truth.where(covered)
    write_table(folder / "truth.csv", truth)
    camera = summed.info.camera
    (_, bottom), (_, right) = camera.view
    seen = summed.total[:bottom, :right]
    save(picture_path(folder), picture(seen, log.molecules, camera.pixel_size_nm))
    scored = score(log.molecules, truth, min_photons=MIN_PHOTONS).as_dict()
    return {name: scored[name] for name in ("jaccard", "precision", "recall", "rmse_lateral_nm")}


def picture(summed: F64, found: Localizations, pixel_nm: float) -> Rgb:
    """What a microscope without localization sees, beside what the molecules tell."""
    fine_nm = pixel_nm / ENLARGEMENT
    rows, columns = summed.shape
    wide = enlarged((summed - summed.min()).astype(np.float32), ENLARGEMENT)
    fine = _in_colours(found, (rows * pixel_nm, columns * pixel_nm), fine_nm)
    left = colour(wide, "grays", percentile=99.9)
    return side_by_side(left, with_scale_bar(fine, fine_nm, 1000.0))


def _in_colours(found: Localizations, field_nm: tuple[float, float], fine_nm: float) -> Rgb:
    """Molecules, each dye in a colour of its own where dyes are told."""
    parts = [(found, _COLOURS[0])]
    if found.channel is not None:
        parts = [(found.where(found.channel == k), name) for k, name in enumerate(_COLOURS)]
    wide = _USUAL_NM if found.sigma_x is None else None
    drawn = [
        colour(splat(part, field_nm, fine_nm, wide).image[0], name, percentile=99.5, gamma=0.7)
        for part, name in parts
    ]
    return np.asarray(np.minimum(np.sum(drawn, axis=0), np.iinfo(np.uint8).max), np.uint8)
