"""Pictures of engines as a viewer follows them: the one that is looked at, when it has changed."""

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
    _told: dict[str, int] = field(default_factory=dict)
    _have: tuple[str, int] = ("", 0)
    _fetched_s: float = -EVERY_S

    def heard(self, said: object) -> None:
        """Take the versions that the run tells."""
        if isinstance(said, Mapping):
            versions = {name: _version(one) for name, one in said.items()}
            self._told = {str(name): version for name, version in versions.items() if version}

    def missing(self) -> str | None:
        """What is to be fetched now, if anything."""
        lacking = self.lacking
        return lacking if time.monotonic() - self._fetched_s >= EVERY_S else None

    @property
    def lacking(self) -> str | None:
        """What is looked at and has changed."""
        name, have = self.wanted, self._have
        known = have[1] if have[0] == name else 0
        return name if self._told.get(name, 0) > known else None

    def fetched(self, name: str, version: int) -> None:
        """It came."""
        self._have, self._fetched_s = (name, version), time.monotonic()

    def forgo(self, name: str) -> None:
        """The run will not give it."""
        self._told.pop(name, None)


def _version(one: Any) -> int:
    version = one.get("version") if isinstance(one, Mapping) else None
    return version if isinstance(version, int) else 0
