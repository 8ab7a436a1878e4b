"""A picture that an engine has drawn, laid over the molecules: which, how much of it, how bright.

Its colours are not those of the molecules, and a prediction is called one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from live_smlm.core import F32, Reconstruction, require
from live_smlm.render.colour import shades
from live_smlm.render.layer import Picture
from live_smlm.render.look import Look
from live_smlm.render.picture import pooled
from live_smlm.render.viewport import Viewport
from live_smlm.view.news import News
from live_smlm.view.tone import Shading, thinned

MOST_SIDE = 4096
"""Pixels along a side, as a graphics card takes them."""
PREDICTION = "prediction, not measured"
_PERCENTILE = 99.7
_GAMMA = 0.8
_MEASURED, _PREDICTED, _ERROR = "magma", "cold", "hot"


@dataclass(frozen=True, slots=True)
class Over:
    """What is laid over the molecules."""

    name: str = ""
    """Of the picture; empty: nothing."""
    channel: int = 0
    share: float = 0.8
    """Of the light: 0 shows the molecules alone, 1 the picture alone."""

    def __post_init__(self) -> None:
        require(0 <= self.share <= 1, f"share of a layer is {self.share:g}; give 0 to 1")


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """A picture as the card takes it."""

    picture: Picture
    shading: Shading
    """Its limits are in the picture's own units."""
    share: float


def choices(news: News) -> dict[str, Over]:
    """What could be laid over, in words."""
    found: dict[str, Over] = {}
    layers: Mapping[str, Any] = news.numbers.get("layers") or {}
    for name, one in layers.items():
        for number, channel in enumerate(one.get("channels") or ("",)):
            words = f"{name}: {channel}" if channel else name
            found[words] = Over(str(name), number)
    return found


def warning(over: Over, news: News) -> str:
    """What is to be known of what is seen."""
    one = (news.numbers.get("layers") or {}).get(over.name)
    if not one or not over.share:
        return ""
    return f"{over.name}: {PREDICTION}" if one.get("predicted") else ""


def laid(picture: Reconstruction, over: Over) -> Laid:
    """Ready to be drawn; large ones more coarsely."""
    channel = min(over.channel, len(picture.image) - 1)
    image = pooled(picture.image[channel], MOST_SIDE)
    step = max(1, -(-max(picture.image.shape[1:]) // MOST_SIDE))
    viewport = Viewport(
        shape=(image.shape[0], image.shape[1]),
        pixel_nm=picture.pixel_size_nm * step,
        origin_nm=picture.origin_nm,
    )
    colours = shades(_map_of(picture, channel))
    shading = Shading(colours, (0.0, _top(image)), _GAMMA)
    shown = Picture(image=image, values=None, viewport=viewport, look=Look(), molecules=0)
    return Laid(shown, shading, over.share)


def _map_of(picture: Reconstruction, channel: int) -> str:
    if not picture.predicted:
        return _MEASURED
    named = picture.channels[channel] if picture.channels else ""
    return _ERROR if named == "error" else _PREDICTED


def _top(image: F32) -> float:
    """Where colours end: all but a few of the pixels that shine are below."""
    seen = thinned(image)
    lit = seen[seen > 0.01 * seen.max(initial=0.0)]
    return float(np.percentile(lit, _PERCENTILE)) if lit.size else 1.0
