"""The charts of a run as a viewer holds them: whole, from excerpts that overlap.

Each state brings the newest points. Where one was missed, or the run has merged
neighbouring points, the whole is asked of the desk.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Columns = dict[str, list[float | None]]


@dataclass(slots=True)
class Charts:
    """All points so far, by name."""

    columns: Columns = field(default_factory=dict)
    """Lists of one length; replaced, never changed."""
    torn: bool = False
    """Whether points are missing."""
    _merges: int = 0

    def heard(self, excerpt: object) -> None:
        """Take the newest points."""
        if not isinstance(excerpt, Mapping):
            return
        first, merges, points = (excerpt.get(name) for name in ("first", "merges", "points"))
        if not isinstance(first, int) or not isinstance(points, Mapping):
            return
        have = len(next(iter(self.columns.values()), ()))
        self.torn = merges != self._merges or first > have
        if self.torn or first + len(points.get("frame", ())) <= have:
            return
        new = {name: values[have - first :] for name, values in points.items()}
        unknown: list[float | None] = [None] * len(new["frame"])
        self.columns = {
            name: [*self.columns.get(name, [None] * have), *new.get(name, unknown)]
            for name in dict.fromkeys((*self.columns, *new))
        }

    def fetched(self, values: Mapping[str, Any]) -> None:
        """Take all points."""
        points, merges = values.get("points"), values.get("merges")
        if isinstance(points, Mapping) and isinstance(merges, int):
            self.columns, self._merges, self.torn = dict(points), merges, False
