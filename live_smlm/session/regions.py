"""Regions of interest in words, as configurations and windows say them.

    cell = 2000,1000,6000,5000; tip = 100,100 900,120 500,800

Four numbers are left, top, right and bottom; pairs are the corners x,y of a polygon.
"""

from live_smlm.core import InputError, require
from live_smlm.metrics.regions import Polygon, Rectangle, Region

_CURE = "write as 'cell = 2000,1000,6000,5000' (left, top, right, bottom, nm) or 'x,y x,y x,y'"
MOST = 50
_LONGEST = 40


def read_regions(text: str) -> dict[str, Region]:
    """The regions that a text says, by name; those without are numbered."""
    said = [part.strip() for part in text.split(";") if part.strip()]
    require(len(said) <= MOST, f"there are {len(said)} regions; give at most {MOST}")
    regions: dict[str, Region] = {}
    for number, part in enumerate(said, start=1):
        name, sign, shape = part.rpartition("=")
        name = name.strip() if sign else f"roi {number}"
        require(
            0 < len(name) <= _LONGEST,
            f"region {part!r} has a name of {len(name)} characters; give 1 to {_LONGEST}",
        )
        require(name not in regions, f"region {name!r} is named twice; name each once")
        regions[name] = _region(part, shape)
    return regions


def shape_words(region: Region) -> str:
    """A region without its name, as `read_regions` reads it."""
    if isinstance(region, Rectangle):
        sides = region.left_nm, region.top_nm, region.right_nm, region.bottom_nm
        return ",".join(f"{side:g}" for side in sides)
    return " ".join(f"{x:g},{y:g}" for y, x in region.corners_nm)


def _region(part: str, shape: str) -> Region:
    words = shape.split()
    try:
        numbers = [tuple(float(n) for n in word.split(",")) for word in words]
        if len(numbers) == 1:
            left, top, right, bottom = numbers[0]
            return Rectangle(top, left, bottom, right)
        return Polygon(tuple((y, x) for x, y in numbers))
    except InputError as error:
        raise InputError(f"region {part!r}: {error}") from None
    except ValueError:
        raise InputError(f"region {part!r} is not read; {_CURE}") from None
