"""Which accumulator draws: the graphics card's where it is real and adds floats exactly.

Drivers differ in whether they add to float textures, and in how exactly; so
the card is tried before it is believed. The environment may decide instead:
`LIVE_SMLM_DRAWS=processor` never tries a card whose driver breaks, and `=card`
tries even a renderer that is known as software.
"""

import os
from dataclasses import dataclass

import numpy as np

from live_smlm.core import from_columns
from live_smlm.render.accumulator import Accumulator, Drawing, Mode
from live_smlm.render.painter import MakeAccumulator, on_the_processor
from live_smlm.render.viewport import Viewport

_SOFTWARE = ("llvmpipe", "softpipe", "swiftshader", "swrast", "software", "microsoft basic render")
"""Renderers that are processors: slower at this than compiled code."""
_TRIAL = 3000
ENVIRONMENT = "LIVE_SMLM_DRAWS"


@dataclass(frozen=True, slots=True)
class Choice:
    """Who draws, and why, in words."""

    make: MakeAccumulator
    why: str
    failed: bool = False
    """Whether a card did draw, and then broke down."""

    @property
    def by_card(self) -> bool:
        """Whether it is to be drawn on the thread of the OpenGL context."""
        return self.make is not on_the_processor


def choose() -> Choice:
    """For the OpenGL context that is current; without one, the processor."""
    wish = os.environ.get(ENVIRONMENT, "")
    if wish == "processor":
        return Choice(on_the_processor, f"the processor draws: {ENVIRONMENT} says so")
    try:
        from live_smlm.render.gpu import renderer  # noqa: PLC0415 - heavy, and may be absent

        who = renderer()
    except Exception as error:  # noqa: BLE001 - whatever a driver does, pictures are drawn
        return Choice(on_the_processor, f"the processor draws: no OpenGL here ({error})")
    if wish != "card" and is_software(who):
        return Choice(on_the_processor, f"the processor draws: {who} is software itself")
    complaint = trial(on_the_card)
    if complaint:
        return Choice(on_the_processor, f"the processor draws: {who} {complaint}")
    return Choice(on_the_card, f"{who} draws")


def is_software(renderer: str) -> bool:
    """Whether a renderer of this name is a processor."""
    return any(name in renderer.lower() for name in _SOFTWARE)


def on_the_card(viewport: Viewport, drawing: Drawing, by: str | None) -> Accumulator:
    """The accumulator of the current context; the processor's where the card's is too small."""
    from live_smlm.render.gpu import GpuAccumulator, largest_side  # noqa: PLC0415 - heavy

    if max(viewport.shape) > largest_side():
        return on_the_processor(viewport, drawing, by)
    return GpuAccumulator(viewport, drawing, by=by)


def trial(make: MakeAccumulator) -> str:
    """What is wrong with adding many molecules to one pixel; nothing where it is empty."""
    view = Viewport(shape=(5, 7), pixel_nm=10.0)
    found = from_columns({"frame": np.zeros(_TRIAL), "x": [35.0] * _TRIAL, "y": [12.0] * _TRIAL})
    found = found.with_columns(z=np.full(_TRIAL, 0.5))
    expected = np.zeros((2, *view.shape), np.float32)
    expected[:, 1, 3] = _TRIAL, _TRIAL / 2
    for by in (None, "z"):
        try:
            picture = make(view, Drawing(mode=Mode.HISTOGRAM), by)
            picture.add(found)
            sums = picture.sums()
        except Exception as error:  # noqa: BLE001 - whatever a driver does, pictures are drawn
            return f"cannot add floats ({error})"
        if float(sums[0].sum()) != _TRIAL:
            return f"adds {_TRIAL} molecules up to {float(sums[0].sum()):g}"
        if not np.array_equal(sums, expected[: len(sums)]):
            return f"adds {_TRIAL} molecules up to {_TRIAL}, in another place"
    return ""
