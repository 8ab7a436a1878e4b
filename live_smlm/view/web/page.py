"""The page as one file that needs nothing else: markup, looks, script and the window's colours."""

import base64
import functools
import hashlib
import json
from importlib import resources

from live_smlm.render.colour import COLORMAPS, Rgb, shades, value_shades
from live_smlm.view import theme
from live_smlm.view.taste import BY, MODES, TITLES, Taste

_STOPS = 16


@functools.cache
def whole() -> bytes:
    """The page."""
    text = _file("page.html")
    for name, part in (("style", _style()), ("script", _script())):
        text = text.replace(f"<!-- {name} -->", f"<{name}>{part}</{name}>")
    return text.encode()


@functools.cache
def policy() -> str:
    """What a browser may load and run for the page: its own two parts, and nothing else."""
    return (
        f"default-src 'none'; style-src {_hash(_style())}; script-src {_hash(_script())}; "
        "img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


@functools.cache
def _style() -> str:
    colours = {
        "ground": theme.GROUND,
        "panel": theme.PANEL,
        "raised": theme.RAISED,
        "edge": theme.EDGE,
        "text": theme.TEXT,
        "faint": theme.FAINT,
        "accent": theme.ACCENT,
        "mark": theme.MARK,
        **{grade.value: colour for grade, colour in theme.GRADES.items()},
    }
    named = " ".join(f"--{name}: {colour};" for name, colour in colours.items())
    return f":root {{ {named} }}\n{_file('page.css')}"


@functools.cache
def _script() -> str:
    usual = Taste()
    known = {
        "modes": [mode.value for mode in MODES],
        "by": dict(BY),
        "titles": {str(by): title for by, title in TITLES.items()},
        "maps": {name: [_stops(shades(name)), _stops(value_shades(name))] for name in COLORMAPS},
        "usual": {
            "mode": usual.drawing.mode.value,
            "by": "counts",
            "maps": [usual.count_map, usual.value_map],
        },
    }
    parts = "\n".join(map(_file, ("page.js", "telling.js", "hands.js")))
    return f'"use strict";\nconst KNOWN = {json.dumps(known)};\n{parts}'


def _stops(colours: Rgb) -> list[str]:
    """A few of the colours, evenly, as a browser writes them."""
    last = len(colours) - 1
    chosen = (colours[round(i * last / _STOPS)] for i in range(_STOPS + 1))
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in chosen]


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
