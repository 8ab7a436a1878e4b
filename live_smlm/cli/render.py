"""`live-smlm render LOCS --out PICTURE`: a table or a run as a picture."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from live_smlm.cli.words import Json, TakeDriftOff, tell
from live_smlm.core import F32, Localizations, require
from live_smlm.core.files import check_place
from live_smlm.render.accumulator import CpuAccumulator, Drawing, Mode, reach_nm
from live_smlm.render.colour import (
    COLORMAPS,
    Rgb,
    colour,
    colour_by_value,
    usual_range,
    value_shades,
)
from live_smlm.render.look import usual_mode
from live_smlm.render.marks import length_words, with_colour_bar
from live_smlm.render.picture import fitting_bar_nm, save, save_tiff, with_scale_bar
from live_smlm.render.values import chosen, filters
from live_smlm.render.viewport import Viewport, around, covering
from live_smlm.store.quality import without_drift
from live_smlm.store.tables import read_table

_TIFF, _PNG = (".tif", ".tiff"), ".png"
Answer = dict[str, Any]


def render(
    locs: Annotated[Path, typer.Argument(help="Table, or folder of a run")],
    *,
    out: Annotated[
        Path, typer.Option("--out", help=".png in colours, or .tif in molecules per pixel")
    ],
    mode: Annotated[
        Mode | None, typer.Option(help="How; precision where the table tells it, else gaussian")
    ] = None,
    pixel: Annotated[float, typer.Option("--pixel", help="Pixel of the picture, nm")] = 10.0,
    width_nm: Annotated[float, typer.Option(help="Sigma in the mode gaussian")] = 20.0,
    copies: Annotated[int, typer.Option(help="Points per molecule in the mode dithered")] = 4,
    colour_by: Annotated[
        str | None,
        typer.Option("--colour-by", help="z, frame, photons, precision, channel or a column"),
    ] = None,
    colour_range: Annotated[
        str | None, typer.Option("--colour-range", help="low,high of the value to colour by")
    ] = None,
    colormap: Annotated[str | None, typer.Option(help=", ".join(COLORMAPS))] = None,
    percentile: Annotated[
        float, typer.Option(help="Of the lit pixels: as bright as can be")
    ] = 99.5,
    gamma: Annotated[float, typer.Option(help="Below 1 lifts what is dim")] = 0.7,
    window: Annotated[
        str | None, typer.Option(help="x0,y0,width,height, nm; otherwise all molecules")
    ] = None,
    conditions: Annotated[
        str, typer.Option("--filter", help="Such as photons>500,sigma_x<20")
    ] = "",
    pixel_nm: Annotated[
        float | None, typer.Option("--pixel-nm", help="For tables that count in pixels")
    ] = None,
    drift: TakeDriftOff = False,
    as_json: Json = False,
) -> None:
    """Draw molecules as a picture with its scale."""
    as_tiff = _is_tiff(out)
    looks = _Looks(colour_by, colour_range, colormap, percentile, gamma)
    molecules = _molecules(locs, pixel_nm, conditions, drift=drift)
    drawing = Drawing(mode=mode or usual_mode(molecules), width_nm=width_nm, copies=copies)
    viewport = _viewport(window, pixel, molecules, reach_nm(molecules, drawing))
    picture = CpuAccumulator(viewport, drawing, by=colour_by)
    picture.add(molecules)
    image = picture.image()
    drawable = "no molecule" if colour_by is None else f"no molecule with a known {colour_by}"
    require(bool(image.any()), f"{drawable} lies in the picture; move its --window")
    answer: Answer = {"molecules": len(molecules), "mode": str(drawing.mode)}
    answer |= {"rows": image.shape[0], "columns": image.shape[1], "sum": float(image.sum())}
    if as_tiff:
        pages = image if colour_by is None else np.stack([image, picture.values()])
        save_tiff(out, pages, viewport, {"mode": str(drawing.mode), "colour_by": colour_by})
    else:
        answer |= _png(out, picture, looks)
    tell(answer | {"written": str(out)}, as_json=as_json)


def _is_tiff(out: Path) -> bool:
    ending = out.suffix.lower()
    known = ", ".join((_PNG, *_TIFF))
    require(ending in (_PNG, *_TIFF), f"{out} has the unknown ending {ending!r}; use {known}")
    check_place(out)
    return ending in _TIFF


class _Looks:
    """How sums become colours, refused before any work when they cannot."""

    def __init__(
        self,
        by: str | None,
        value_range: str | None,
        colormap: str | None,
        percentile: float,
        gamma: float,
    ) -> None:
        self.by = by
        self.range: tuple[float, float] | None = None
        if value_range is not None:
            require(
                by is not None,
                f"--colour-range {value_range} colours nothing; say --colour-by as well",
            )
            low, high = _numbers("--colour-range", value_range, 2)
            self.range = (low, high)
        self.shown = (colormap or ("hot" if by is None else "viridis"), percentile, gamma)
        nothing = np.zeros((1, 1), np.float32)
        self.of(nothing, nothing, self.range or (0.0, 1.0))

    def of(self, image: F32, values: F32, value_range: tuple[float, float]) -> Rgb:
        """The picture in colours."""
        if self.by is None:
            return colour(image, *self.shown)
        return colour_by_value(image, values, value_range, *self.shown)


def _molecules(
    locs: Path, pixel_nm: float | None, conditions: str, *, drift: bool
) -> Localizations:
    wanted = filters(conditions)
    found = read_table(locs, pixel_size_nm=pixel_nm)
    require(len(found) > 0, f"{locs} holds no molecules; there is nothing to draw")
    if drift:
        found = without_drift(locs, found)
    passed = chosen(found, wanted)
    require(
        len(passed) > 0,
        f"none of the {len(found)} molecules passes --filter {conditions}; loosen it",
    )
    return passed


def _viewport(
    window: str | None, pixel: float, molecules: Localizations, margin_nm: float
) -> Viewport:
    if window is None:
        return around(molecules, pixel, margin_nm)
    x, y, width, height = _numbers("--window", window, 4)
    require(
        width > 0 and height > 0,
        f"--window is {width:g} nm wide and {height:g} nm high; both must be above 0",
    )
    return covering((height, width), pixel, (y, x))


def _numbers(option: str, text: str, count: int) -> tuple[float, ...]:
    try:
        numbers = tuple(float(word) for word in text.split(","))
    except ValueError:
        numbers = ()
    require(
        len(numbers) == count and bool(np.isfinite(numbers).all()),
        f"{option} is {text!r}; give {count} numbers with commas between",
    )
    return numbers


def _png(out: Path, picture: CpuAccumulator, looks: _Looks) -> Answer:
    """Write it; tell its scale bar and what its colours mean."""
    answer: Answer = {}
    image, values, span = picture.image(), np.zeros(0, np.float32), (0.0, 1.0)
    if looks.by is not None:
        values = picture.values()
        span = looks.range or usual_range(values)
        answer = {"colour_low": span[0], "colour_high": span[1]}
    drawn = looks.of(image, values, span)
    if looks.by is not None:
        drawn = with_colour_bar(drawn, value_shades(looks.shown[0]), span)
    pixel = picture.viewport.pixel_nm
    bar = fitting_bar_nm(picture.viewport.shape, pixel)
    if bar is not None:
        drawn = with_scale_bar(drawn, pixel, bar, length_words(bar))
    save(out, drawn, pixel)
    return answer | {"scale_bar_nm": bar}
