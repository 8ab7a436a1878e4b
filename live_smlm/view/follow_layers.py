"""Pictures of engines as a viewer follows them: the one that is looked at, when it has changed.

At the end of a run all of them: later there is nobody to ask.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

EVERY_S = 1.0
"""Between two fetches of a picture, at least: it may be large."""


@dataclass(slots=True)
class Layers:
    """What the run has, and what came; `wanted` may be set from any thread."""

    wanted: str = ""
    """The name of the one that is looked at; none where it is empty."""
    ended: bool = False
    """Whether the run has."""
    _told: dict[str, int] = field(default_factory=dict)
    _have: dict[str, int] = field(default_factory=dict)
    _fetched_s: float = -EVERY_S

    def heard(self, said: object) -> None:
        """Take the versions that the run tells."""
        if isinstance(said, Mapping):
            versions = {name: _version(one) for name, one in said.items()}
            self._told = {str(name): version for name, version in versions.items() if version}

    def missing(self) -> str | None:
        """What is to be fetched now, if anything."""
        rested = self.ended or time.monotonic() - self._fetched_s >= EVERY_S
        return self.lacking if rested else None

    @property
    def lacking(self) -> str | None:
        """One that is to be had and has changed."""
        names = self._told if self.ended else (self.wanted,)
        changed = (n for n in names if self._told.get(n, 0) > self._have.get(n, 0))
        return next(changed, None)

    def fetched(self, name: str, version: int) -> None:
        """It came."""
        self._have[name], self._fetched_s = version, time.monotonic()

    def forgo(self, name: str) -> None:
        """The run will not give it."""
        self._told.pop(name, None)


def _version(one: Any) -> int:
    version = one.get("version") if isinstance(one, Mapping) else None
    return version if isinstance(version, int) else 0
