"""Movies to disk: one TIFF page per frame, streamed, whole or not at all.

Uncompressed frames lie in one piece, so they read at the speed of the disk.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from live_smlm.core import CameraModel, FrameBatch, RawPixels, require
from live_smlm.core.files import check_place, replacing

ENDINGS = (".tif", ".tiff")
_CLASSIC_BYTES = 2**32 - 2**25
"""What a TIFF that is not Big holds, with room for what is not pixels."""
_PAGE_BYTES = 512
"""No page's own description is longer."""
_NM_PER_CM = 1e7


def check_movie_writable(path: str | Path) -> None:
    """Refuse a movie that could not be written, before the work that fills it."""
    path = Path(path)
    known = ", ".join(ENDINGS)
    require(
        path.suffix.lower() in ENDINGS,
        f"{path} has the unknown ending {path.suffix!r}; movies are written as {known}",
    )
    check_place(path)


def write_tiff(
    path: str | Path,
    batches: Iterable[FrameBatch],
    *,
    camera: CameraModel | None = None,
    most_frames: int | None = None,
    notes: Mapping[str, Any] | None = None,
) -> int:
    """Write the frames of `batches`, halos left out, as they come; return how many there were.

    BigTIFF, unless `most_frames` are known to fit into less. The first page's
    description is JSON: the camera (maps by their median) and `notes`. After an
    error, also one of `batches` itself, nothing is left.
    """
    path = Path(path)
    check_movie_writable(path)
    options = _options(camera, notes or {})
    frames = 0
    first: RawPixels | None = None
    with replacing(path) as temporary:
        writer: tifffile.TiffWriter | None = None
        try:
            for batch in batches:
                pixels = batch.pixels[batch.core]
                first = pixels if first is None else first
                _check_alike(path, first, pixels)
                frames += len(pixels)
                require(
                    most_frames is None or frames <= most_frames,
                    f"{path} was to hold {most_frames} frames at most but more came; raise that",
                )
                writer = writer or tifffile.TiffWriter(temporary, bigtiff=_big(pixels, most_frames))
                for frame in pixels:
                    writer.write(frame, **options)
        finally:
            if writer is not None:
                writer.close()
        require(frames > 0, f"{path} was to be written but no frames came; check the source")
    return frames


def _options(camera: CameraModel | None, notes: Mapping[str, Any]) -> dict[str, Any]:
    """What tifffile is told with each frame."""
    said = {**({} if camera is None else {"camera": camera.describe()}), **notes}
    options = {"contiguous": True, "photometric": "minisblack", "software": "live-smlm"}
    if camera is None:
        return {**options, "metadata": said}
    per_cm = _NM_PER_CM / camera.pixel_size_nm
    return {
        **options,
        "metadata": said,
        "resolution": (per_cm, per_cm),
        "resolutionunit": "CENTIMETER",
    }


def _check_alike(path: Path, first: RawPixels, pixels: RawPixels) -> None:
    require(
        pixels.shape[1:] == first.shape[1:] and pixels.dtype == first.dtype,
        f"{path}: frames of {pixels.shape[1:]} {pixels.dtype} follow frames of "
        f"{first.shape[1:]} {first.dtype}; write them to a movie of their own",
    )


def _big(pixels: RawPixels, most_frames: int | None) -> bool:
    frame_bytes = int(np.prod(pixels.shape[1:])) * pixels.itemsize + _PAGE_BYTES
    return most_frames is None or most_frames * frame_bytes > _CLASSIC_BYTES
