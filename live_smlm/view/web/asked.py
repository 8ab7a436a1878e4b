"""What a page asks for, read from the words of its request; what is no sense is refused."""

import math
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from live_smlm.core import InputError, require
from live_smlm.render.accumulator import Drawing, Mode
from live_smlm.render.colour import COLORMAPS
from live_smlm.render.viewport import Viewport
from live_smlm.view.ranges import range_of
from live_smlm.view.sight import FINEST_NM
from live_smlm.view.taste import BY, MODES, Taste
from live_smlm.view.tone import Tone

MOST_PIXELS = 2**21
"""Of one picture; a larger screen gets coarser pixels."""
_MOST_SIDE = 20_000
_COARSEST_NM = 1e6
_FARTHEST_NM = 1e9
_NAMES = ("viewer", "rows", "columns", "y", "x", "nm", "mode", "by", "map", "contrast")
_VIEWER = re.compile(r"[0-9a-f]{8,32}")


@dataclass(frozen=True, slots=True)
class Asked:
    """A picture that somebody wants to see."""

    viewer: str
    """A name that the page gave itself."""
    viewport: Viewport
    taste: Taste


def read(query: str) -> Asked:
    """The picture that the part of an address after `?` asks for."""
    words = _words(query)
    require(
        _VIEWER.fullmatch(words["viewer"]) is not None,
        f"viewer is {_short(words['viewer'])}; give 8 to 32 digits of 0 to f",
    )
    shape = _whole(words, "rows"), _whole(words, "columns")
    pixel_nm = _number(words, "nm", FINEST_NM, _COARSEST_NM)
    y, x = (_number(words, name, -_FARTHEST_NM, _FARTHEST_NM) for name in ("y", "x"))
    mode, by, colours = words["mode"], words["by"], words["map"]
    require(mode in MODES, f"mode is {_short(mode)}; give {', '.join(MODES)}")
    require(by in BY, f"by is {_short(by)}; give {', '.join(BY)}")
    require(colours in COLORMAPS, f"map is {_short(colours)}; give {', '.join(COLORMAPS)}")
    tone = Tone(fixed=_contrast(words["contrast"]))
    taste = Taste(drawing=Drawing(mode=Mode(mode)), by=BY[by], tone=tone).with_colormap(colours)
    return Asked(words["viewer"], affordable(shape, pixel_nm, (y, x)), taste)


def affordable(shape: tuple[int, int], pixel_nm: float, origin_nm: tuple[float, float]) -> Viewport:
    """The same part of the sample, in coarser pixels where there are too many."""
    factor = max(1.0, math.sqrt(math.prod(shape) / MOST_PIXELS))
    rows, columns = (max(1, int(side / factor)) for side in shape)
    return Viewport(
        shape=(rows, min(columns, MOST_PIXELS // rows)),
        pixel_nm=pixel_nm * factor,
        origin_nm=origin_nm,
    )


def _words(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            query,
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=len(_NAMES),
        )
    except ValueError as error:
        raise InputError(f"the question is not understood: {_short(str(error))}") from error
    words = dict(pairs)
    for name in _NAMES:
        require(name in words, f"{name} is missing; ask for {', '.join(_NAMES)}")
    require(
        len(words) == len(pairs) == len(_NAMES),
        f"ask for {', '.join(_NAMES)} once each, and for nothing else",
    )
    return words


def _whole(words: dict[str, str], name: str) -> int:
    said = words[name]
    number = int(said) if said.isascii() and said.isdigit() and len(said) < 10 else 0
    require(1 <= number <= _MOST_SIDE, f"{name} is {_short(said)}; give 1 to {_MOST_SIDE}")
    return number


def _number(words: dict[str, str], name: str, least: float, most: float) -> float:
    try:
        number = float(words[name])
    except ValueError:
        number = math.nan
    require(
        least <= number <= most,
        f"{name} is {_short(words[name])}; give {least:g} to {most:g} nm",
    )
    return number


def _contrast(said: str) -> tuple[float, float] | None:
    """Molecules per µm² of the darkest and the brightest shade; None follows what is seen."""
    span = range_of(said)
    if span is None:
        return None
    low, high = max(span[0], 0.0), span[1]
    require(
        low < high < math.inf,
        f"contrast is {_short(said)}; give both ends, such as 0 to 5000, or nothing",
    )
    return low, high


def _short(said: str) -> str:
    return ascii(said[:40])
