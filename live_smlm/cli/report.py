"""`live-smlm report RUN`: a run on one page, from what stands in its folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from live_smlm.cli.words import Json, tell
from live_smlm.core import F64, DriftCurve, Localizations, require
from live_smlm.core.files import check_place, replacing
from live_smlm.render.accumulator import CpuAccumulator, Drawing
from live_smlm.render.colour import colour
from live_smlm.render.look import usual_mode
from live_smlm.render.picture import fitting_bar_nm, pooled, with_scale_bar
from live_smlm.render.png import encoded
from live_smlm.render.viewport import Viewport, covering
from live_smlm.report.page import page
from live_smlm.report.told import Ring, Told
from live_smlm.store.info import describe_run
from live_smlm.store.layers import read_layers
from live_smlm.store.log import read_log
from live_smlm.store.quality import Judged, read_quality
from live_smlm.store.record import read_events
from live_smlm.store.run_folder import check_run, report_path

_FINEST_NM = 10.0
_MOST_SIDE = 1400
_GAMMA, _PERCENTILE = 0.7, 99.5


def report(
    run: Annotated[Path, typer.Argument(help="Folder of a run")],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", help="The page; unset: report.html in the folder")
    ] = None,
    png: Annotated[
        bool, typer.Option("--png", help="Also write each plot as a file, beside the page")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write one self-contained page: picture, drift, resolution, histograms, decisions."""
    from live_smlm.report.plots import plots  # noqa: PLC0415 - heavy

    check_run(run)
    out = out or report_path(run)
    check_place(out)
    told = gathered(run)
    drawn = plots(told)
    with replacing(out) as draft:
        draft.write_text(page(told, drawn), encoding="utf-8")
    written = [str(out)]
    if png:
        for name, picture in drawn.items():
            at = out.with_name(f"{out.stem}-{name}.png")
            at.write_bytes(picture)
            written.append(str(at))
    tell({"run": str(run), "molecules": len(told.molecules), "written": written}, as_json=as_json)


def gathered(run: Path) -> Told:
    """All that a run's folder tells."""
    record = describe_run(run)
    molecules = read_log(run).molecules
    judged = read_quality(run)
    return Told(
        name=run.resolve().name,
        record=record,
        molecules=molecules,
        picture=_picture(record, molecules, judged.drift),
        layers=dict(_layers(run)),
        events=read_events(run),
        history=judged.history,
        drift=judged.drift,
        ring=_ring(judged),
        forecasts=[str(line["words"]) for line in judged.said.get("forecasts", ())],
    )


def _picture(record: dict[str, Any], molecules: Localizations, drift: DriftCurve) -> bytes | None:
    """The whole field, drift taken off."""
    camera = record.get("camera", {})
    require("shape" in camera, "run.json tells no camera; the run was made by an older version")
    viewport = _viewport(camera["shape"], float(camera["pixel_size_nm"]))
    if not len(molecules):
        return None
    corrected = drift.corrected(molecules)
    drawing = Drawing(mode=usual_mode(corrected), width_nm=viewport.pixel_nm)
    picture = CpuAccumulator(viewport, drawing)
    picture.add(corrected)
    drawn = colour(picture.image(), percentile=_PERCENTILE, gamma=_GAMMA)
    bar = fitting_bar_nm(viewport.shape, viewport.pixel_nm)
    return encoded(drawn if bar is None else with_scale_bar(drawn, viewport.pixel_nm, bar))


def _layers(run: Path) -> Iterator[tuple[str, bytes]]:
    """What engines have drawn; predictions are called so."""
    for name, picture in read_layers(run).items():
        for image, channel in zip(picture.image, picture.channels or ("",), strict=False):
            words = [name, channel, "predicted, not measured" if picture.predicted else ""]
            small = pooled(image, _MOST_SIDE)
            pixel_nm = picture.pixel_size_nm * -(-image.shape[0] // small.shape[0])
            drawn = colour(small, percentile=_PERCENTILE, gamma=_GAMMA)
            bar = fitting_bar_nm(drawn.shape[:2], pixel_nm)
            marked = drawn if bar is None else with_scale_bar(drawn, pixel_nm, bar)
            yield ": ".join(filter(None, words)), encoded(marked)


def _viewport(shape: list[int], pixel_nm: float) -> Viewport:
    height, width = (side * pixel_nm for side in shape)
    return covering((height, width), max(_FINEST_NM, max(height, width) / _MOST_SIDE))


def _ring(judged: Judged) -> Ring | None:
    said = judged.said.get("ring")
    if not said:
        return None
    curve: tuple[F64, F64] = (np.asarray(said["per_nm"]), np.asarray(said["value"]))
    return Ring(
        per_nm=curve[0],
        value=curve[1],
        threshold=float(said["threshold"]),
        resolution_nm=said.get("resolution_nm"),
    )
