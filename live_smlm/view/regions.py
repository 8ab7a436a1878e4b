"""Regions that a run judges apart: as words for the run, and as outlines for the picture.

A run tells each as `left,top,right,bottom` or as the corners `x,y x,y x,y`, nm; it takes
the whole list anew.
"""

from collections.abc import Mapping

from live_smlm.view.measure import Region
from live_smlm.view.news import News
from live_smlm.view.sight import Place


def with_region(news: News, region: Region) -> str:
    """All that are judged already, and one more."""
    told = _told(news)
    top, left = region.top_left
    height, width = region.sides_nm
    sides = left, top, left + width, top + height
    number = next(n for n in range(1, len(told) + 2) if f"roi {n}" not in told)
    words = ",".join(f"{side:.1f}" for side in sides)
    return "; ".join(
        f"{name} = {shape}" for name, shape in [*told.items(), (f"roi {number}", words)]
    )


def outlines(news: News) -> dict[str, tuple[Place, ...]]:
    """Corners of each, (y, x) nm; what cannot be read is left out."""
    found = {}
    for name, shape in _told(news).items():
        try:
            found[name] = _corners(shape)
        except ValueError:
            continue
    return found


def _told(news: News) -> Mapping[str, str]:
    places = (news.numbers.get("quality") or {}).get("places") or {}
    return {str(name): str(shape) for name, shape in places.items()}


def _corners(shape: str) -> tuple[Place, ...]:
    parts = [[float(number) for number in part.split(",")] for part in shape.split()]
    if len(parts) == 1:
        left, top, right, bottom = parts[0]
        return (top, left), (top, right), (bottom, right), (bottom, left)
    return tuple((y, x) for x, y in parts)
