"""Saving the picture: what is asked for is written once all of it is drawn.

A picture that is being drawn anew lacks molecules; it is waited for, but not
for ever, and what was written without some of them says so.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from live_smlm.render.layer import Picture
from live_smlm.view.export import export_words
from live_smlm.view.presenter import Presenter

PATIENCE_S = 20.0
"""After which a picture is written as far as it is drawn."""


@dataclass(slots=True)
class Saving:
    """One picture at a time."""

    presenter: Presenter
    told: Callable[[str], None]
    """How it goes, in words."""
    failed: Callable[[str], None]
    """Why there is no file."""
    _path: Path | None = None
    _until_s: float = 0.0

    def ask(self, path: Path) -> None:
        """Write the picture that is wanted now into this file, at once if it is there."""
        self._path, self._until_s = path, time.monotonic() + PATIENCE_S
        if not self.look():
            self.told(f"{path} is saved once the picture is drawn")

    def look(self) -> bool:
        """Write what was asked for, if it is drawn; whether nothing is waited for."""
        path, picture = self._path, self.presenter.near
        if path is None:
            return True
        late = time.monotonic() >= self._until_s
        if picture is not None and not self._drawn(picture) and not late:
            return False
        self._write(path, picture)
        return True

    def hurry(self) -> None:
        """Write what was asked for as far as it is drawn, for it will soon be gone."""
        self._until_s = 0.0
        self.look()

    def _drawn(self, picture: Picture) -> bool:
        presenter = self.presenter
        wanted = presenter.wanted == (picture.look, picture.viewport)
        return picture.complete and wanted and not presenter.redrawing

    def _write(self, path: Path, picture: Picture | None) -> None:
        self._path = None
        done, words = export_words(path, picture, self.presenter.shading)
        if done and picture is not None and not self._drawn(picture):
            words += "; it was still being drawn: some molecules are missing, or it is coarser"
        (self.told if done else self.failed)(words)
