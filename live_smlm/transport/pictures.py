"""How pictures travel: beside a lane's molecules, and to viewers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from live_smlm.core import AnyArray, InputError, Reconstruction
from live_smlm.transport.codec import Envelope, MalformedError

IMAGE = "/image"
"""No name of a column."""
_PLAIN = ("pixel_size_nm", "first_frame", "last_frame", "predicted")


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture of a run and how often it has changed."""

    version: int
    picture: Reconstruction


def layer_message(name: str, shown: Shown) -> Envelope:
    """A picture as the desk's answer."""
    values, arrays = picture_parts(shown.picture)
    return Envelope("layer", {**values, "name": name, "version": shown.version}, arrays)


def read_layer(message: Envelope) -> tuple[str, Shown]:
    """The picture that the desk gave, and its name."""
    name, version = message.values.get("name"), message.values.get("version")
    if message.kind != "layer" or not isinstance(name, str) or not isinstance(version, int):
        raise MalformedError("message is no picture of a run")
    return name, Shown(version, read_picture(message.values, message.arrays))


def picture_parts(picture: Reconstruction) -> tuple[dict[str, Any], dict[str, AnyArray]]:
    """Plain values and the image; its molecules travel by themselves."""
    values = {name: getattr(picture, name) for name in _PLAIN}
    lists = {"origin_nm": list(picture.origin_nm), "channels": list(picture.channels)}
    return {**values, **lists}, {IMAGE: picture.image}


def read_picture(values: Any, arrays: Mapping[str, AnyArray]) -> Reconstruction:
    """The picture that travelled; its image owns its memory."""
    try:
        y, x = values["origin_nm"]
        image = np.array(arrays[IMAGE], np.float32)
        return Reconstruction(
            image=image,
            pixel_size_nm=float(values["pixel_size_nm"]),
            origin_nm=(float(y), float(x)),
            first_frame=int(values["first_frame"]),
            last_frame=int(values["last_frame"]),
            predicted=values["predicted"] is True,
            channels=tuple(str(name) for name in values["channels"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError, InputError) as error:
        raise MalformedError(f"picture cannot be read: {error}") from error
