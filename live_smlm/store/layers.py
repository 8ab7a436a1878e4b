"""Pictures of engines in the folder of a run: float32 TIFF, a page for each channel.

ImageJ opens them with their scale; pixel, origin, frames and channels stand as JSON in
the file's Info.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from live_smlm.core import InputError, Reconstruction
from live_smlm.core.files import replacing
from live_smlm.store.run_folder import layer_path

_NM_PER_UM = 1000.0
_TOLD = ("pixel_size_nm", "origin_nm", "first_frame", "last_frame", "predicted", "channels")


def write_layer(folder: Path, name: str, picture: Reconstruction) -> None:
    """Write a picture, whole or not at all, in place of an older one."""
    path = layer_path(folder, name)
    path.parent.mkdir(exist_ok=True)
    per_um = _NM_PER_UM / picture.pixel_size_nm
    said = {name: getattr(picture, name) for name in _TOLD}
    with replacing(path) as draft:
        tifffile.imwrite(
            draft,
            picture.image.astype(np.float32),
            imagej=True,
            resolution=(per_um, per_um),
            metadata={"unit": "um", "axes": "CYX", "Info": json.dumps(said)},
        )


def read_layers(folder: Path) -> dict[str, Reconstruction]:
    """All pictures of a run, by name."""
    pictures = layer_path(folder, "name").parent
    return {path.stem: read_layer(path) for path in sorted(pictures.glob("*.tif"))}


def read_layer(path: Path) -> Reconstruction:
    """A picture that was written; refuses what is none of ours."""
    try:
        with tifffile.TiffFile(path) as file:
            told: dict[str, Any] = json.loads((file.imagej_metadata or {})["Info"])
            image = np.asarray(file.asarray(), np.float32)
        y, x = told.pop("origin_nm")
        channels = tuple(told.pop("channels"))
        image = image.reshape(-1, *image.shape[-2:])
        return Reconstruction(image=image, origin_nm=(y, x), channels=channels, **told)
    except (OSError, ValueError, TypeError, KeyError, tifffile.TiffFileError) as error:
        raise InputError(f"{path} is no picture of a run: {error}; check the path") from error
