"""The picture on the screen as a file that tells its scale."""

from dataclasses import asdict
from pathlib import Path

from live_smlm.core import InputError, require
from live_smlm.render.layer import Picture
from live_smlm.render.picture import fitting_bar_nm, save, save_tiff, with_scale_bar
from live_smlm.view.tone import Shading, coloured

KINDS = (".png", ".tif", ".tiff")


def export(path: Path, picture: Picture, shading: Shading) -> None:
    """PNG: as it is seen, with a scale bar. TIFF: molecules per pixel, and scale in the file."""
    kind = path.suffix.lower()
    require(kind in KINDS, f"{path.name} is no picture's name; end it with {' or '.join(KINDS)}")
    pixel_nm = picture.viewport.pixel_nm
    if kind == ".png":
        shown = coloured(picture.image, picture.values, pixel_nm, shading)
        bar_nm = fitting_bar_nm(picture.viewport.shape, pixel_nm)
        save(path, shown if bar_nm is None else with_scale_bar(shown, pixel_nm, bar_nm))
        return
    drawing = {k: str(v) for k, v in asdict(picture.look.drawing).items()}
    notes = {"molecules": picture.molecules, "drawing": drawing, "by": picture.look.by}
    save_tiff(path, picture.image, picture.viewport, notes)


def export_words(path: Path, picture: Picture | None, shading: Shading | None) -> tuple[bool, str]:
    """Export, and say what came of it."""
    if picture is None or shading is None:
        return False, "there is no picture yet"
    try:
        export(path, picture, shading)
    except (InputError, OSError) as error:
        return False, str(error)
    return True, f"saved {path}"
