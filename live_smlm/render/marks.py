"""What is written into a finished picture: numbers with units, and what its colours mean."""

import numpy as np
from numpy.typing import NDArray

from live_smlm.core import require
from live_smlm.render.colour import SHADES, Rgb

_WHITE = 255
_ENLARGED = 2
_GAP = 1
LETTER_ROWS = 5 * _ENLARGED
_BAR_ROWS = 8
MARGIN = 12

_GLYPHS = {
    "0": "### #.# #.# #.# ###",
    "1": ".#. ##. .#. .#. ###",
    "2": "### ..# ### #.. ###",
    "3": "### ..# ### ..# ###",
    "4": "#.# #.# ### ..# ..#",
    "5": "### #.. ### ..# ###",
    "6": "### #.. ### #.# ###",
    "7": "### ..# ..# .#. .#.",
    "8": "### #.# ### #.# ###",
    "9": "### #.# ### ..# ###",
    ".": ". . . . #",
    "-": "... ... ### ... ...",
    "+": "... .#. ### .#. ...",
    "e": "... ### ### #.. ###",
    "n": "... ##. #.# #.# #.#",
    "m": "..... ####. #.#.# #.#.# #.#.#",
    "µ": "... #.# #.# ### #..",
    " ": ".. .. .. .. ..",
}


def length_words(length_nm: float) -> str:
    """Such as 500 nm or 2 µm."""
    return f"{length_nm / 1000:g} µm" if length_nm >= 1000 else f"{length_nm:g} nm"


def lettering(text: str) -> NDArray[np.bool_]:
    """Which pixels are lit, (rows, columns); digits, signs and units only."""
    unknown = set(text) - _GLYPHS.keys()
    require(not unknown, f"{text!r} cannot be written; leave out {''.join(sorted(unknown))!r}")
    parts: list[NDArray[np.bool_]] = []
    for letter in text:
        rows = _GLYPHS[letter].split()
        parts.append(np.array([[dot == "#" for dot in row] for row in rows]))
        parts.append(np.zeros((len(rows), _GAP), np.bool_))
    small = np.concatenate(parts[:-1], axis=1)
    return np.asarray(small.repeat(_ENLARGED, 0).repeat(_ENLARGED, 1))


def write(picture: Rgb, text: str, *, bottom: int, middle: int) -> None:
    """Put white letters above row `bottom`, around column `middle`, pushed inside where needed.

    Text that has no room is left out.
    """
    lit = lettering(text)
    rows, columns = lit.shape
    if bottom - rows < 0 or columns > picture.shape[1]:
        return
    left = min(max(middle - columns // 2, 0), picture.shape[1] - columns)
    picture[bottom - rows : bottom, left : left + columns][lit] = _WHITE


def with_colour_bar(picture: Rgb, shades: Rgb, span: tuple[float, float]) -> Rgb:
    """The picture with its colours in the lower left corner, and what the ends of them mean.

    A picture without room for it stays as it is.
    """
    ends = [lettering(f"{end:.3g}").shape[1] for end in span]
    length = max(picture.shape[1] // 4, sum(ends) + 2 * _ENLARGED * 4)
    if length + MARGIN > picture.shape[1] // 2 or picture.shape[0] < 4 * MARGIN:
        return picture
    marked = picture.copy()
    steps = np.rint(np.linspace(0, SHADES - 1, length)).astype(np.intp)
    top = picture.shape[0] - MARGIN - _BAR_ROWS
    marked[top : top + _BAR_ROWS, MARGIN : MARGIN + length] = shades[steps]
    above = top - 2 * _ENLARGED
    write(marked, f"{span[0]:.3g}", bottom=above, middle=MARGIN + ends[0] // 2)
    write(marked, f"{span[1]:.3g}", bottom=above, middle=MARGIN + length - (ends[1] + 1) // 2)
    return marked
