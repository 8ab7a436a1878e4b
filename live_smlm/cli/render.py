"""`live-smlm render LOCS --out PICTURE`: a table or a run as a picture."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from live_smlm.cli.words import Json, tell
from live_smlm.core import F32, Localizations, require
from live_smlm.core.files import check_place
from live_smlm.render.accumulator import CpuAccumulator, Drawing, Mode, reach_nm
from live_smlm.render.colour import COLORMAPS, colour, colour_by_value, shades, usual_range
from live_smlm.render.picture import fitting_bar_nm, save, save_tiff, with_scale_bar
from live_smlm.render.values import chosen, filters
from live_smlm.render.viewport import Viewport, around, covering
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
    as_json: Json = False,
) -> None:
    """Draw molecules as a picture with its scale."""
    ending = out.suffix.lower()
    known = ", ".join((_PNG, *_TIFF))
    require(ending in (_PNG, *_TIFF), f"{out} has the unknown ending {ending!r}; use {known}")
    check_place(out)
    colormap = colormap or ("hot" if colour_by is None else "viridis")
    shades(colormap)
    given_range = None if colour_range is None else _numbers("--colour-range", colour_range, 2)
    require(
        given_range is None or colour_by is not None,
        f"--colour-range {colour_range} colours nothing; say --colour-by as well",
    )
    molecules = _molecules(locs, pixel_nm, conditions)
    drawing = Drawing(mode=mode or _usual_mode(molecules), width_nm=width_nm, copies=copies)
    viewport = _viewport(window, pixel, molecules, reach_nm(molecules, drawing))
    picture = CpuAccumulator(viewport, drawing, by=colour_by)
    picture.add(molecules)
    image = picture.image()
    require(bool(image.any()), "no molecule lies in the picture; move its --window")
    answer: Answer = {"molecules": len(molecules), "mode": str(drawing.mode)}
    answer |= {"rows": image.shape[0], "columns": image.shape[1], "sum": float(image.sum())}
    if ending in _TIFF:
        _tiff(out, picture, image, {"mode": str(drawing.mode), "colour_by": colour_by})
    else:
        span = None
        if colour_by is not None:
            span = _span(picture.values(), given_range)
            answer |= {"colour_low": span[0], "colour_high": span[1]}
        looks = (colormap, percentile, gamma)
        answer["scale_bar_nm"] = _png(out, picture, image, span, looks)
    tell(answer | {"written": str(out)}, as_json=as_json)


def _molecules(locs: Path, pixel_nm: float | None, conditions: str) -> Localizations:
    wanted = filters(conditions)
    found = read_table(locs, pixel_size_nm=pixel_nm)
    require(len(found) > 0, f"{locs} holds no molecules; there is nothing to draw")
    passed = chosen(found, wanted)
    require(
        len(passed) > 0,
        f"none of the {len(found)} molecules passes --filter {conditions}; loosen it",
    )
    return passed


def _usual_mode(molecules: Localizations) -> Mode:
    told = molecules.sigma_x is not None and molecules.sigma_y is not None
    return Mode.PRECISION if told else Mode.GAUSSIAN


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


def _span(values: F32, given: tuple[float, ...] | None) -> tuple[float, float]:
    return usual_range(values) if given is None else (given[0], given[1])


def _tiff(out: Path, picture: CpuAccumulator, image: F32, notes: Answer) -> None:
    """One page of molecules per pixel; where a value is asked for, its mean on a second."""
    pages = image if notes["colour_by"] is None else np.stack([image, picture.values()])
    save_tiff(out, pages, picture.viewport, notes)


def _png(
    out: Path,
    picture: CpuAccumulator,
    image: F32,
    span: tuple[float, float] | None,
    looks: tuple[str, float, float],
) -> float | None:
    """Write it; return the length of its scale bar."""
    if span is None:
        drawn = colour(image, *looks)
    else:
        drawn = colour_by_value(image, picture.values(), span, *looks)
    pixel = picture.viewport.pixel_nm
    bar = fitting_bar_nm(picture.viewport.shape, pixel)
    save(out, drawn if bar is None else with_scale_bar(drawn, pixel, bar))
    return bar
