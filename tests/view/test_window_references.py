"""What the window looks like, against pictures of it that were looked at and kept.

    xvfb-run -a -s '-screen 0 1920x1080x24' python tests/view/test_window_references.py

makes the pictures in `references/` anew; look at each before it is kept. They are a quarter as
wide and as high as the window, so that another machine's letters make little difference.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from live_smlm.core import AnyArray, drift_curve
from live_smlm.render import png
from live_smlm.testing.browser import pixels
from live_smlm.testing.screen import Hands, light, opened, seen, spend, wait_for
from live_smlm.testing.told_quality import LASER, QUALITY
from live_smlm.testing.told_run import ToldRun, lines
from live_smlm.transport.viewing import Event
from live_smlm.view.taste import Taste

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication, QWidget

    from live_smlm.view.window import Window

KEPT = Path(__file__).with_name("references")
SIZE = (1366, 768)
SMALLER = 4
MOST_RMS = 4.0
"""Of 255."""
MOST_BYTES = 60_000
PANELS = {"looks": slice(0, 63), "picture": slice(63, 254), "beside": slice(254, 341)}
"""Columns of a small picture: each is compared by itself."""
SERIES = {
    "frame": [100.0 * n for n in range(1, 11)],
    "molecules_per_frame": [10.0, 14.0, 12.0, 13.0, 12.5, 12.0, 11.0, 11.5, 11.0, 10.5],
    "photons": [900.0, 950.0, 940.0, 935.0, 930.0, 925.0, 930.0, 920.0, 915.0, 910.0],
}
ALARM = {"name": "width", "value": 1.15, "low": None, "high": 1.06, "unit": "", "cure": "focus"}


def plain(window: "Window") -> None:
    window.choose(Taste())


def by_depth(window: "Window") -> None:
    window.choose(replace(Taste(), by="z", value_range=(0.0, 400.0)))


def closer(window: "Window") -> None:
    window.choose(Taste())
    window.stage.steer(lambda hand: hand.wheeled(8.0, (300.0, 240.0)))


VIEWS: dict[str, Callable[["Window"], None]] = {
    "plain": plain,
    "by-depth": by_depth,
    "closer": closer,
}


@contextmanager
def shown(app: "QApplication") -> Iterator["Window"]:
    """A window on a run that is always the same."""
    run = ToldRun()
    run.molecules(lines(1200, at_nm=5000))
    trust = {"verdict": "alarm", "alarms": [ALARM], "shadow": ""}
    run.state(series=SERIES, trust=trust, quality=QUALITY, laser=LASER)
    run.drift(drift_curve([0, 500, 1000], [0, -20, -30], [0, 4, 12]))
    run.say(lambda sink: sink.event(Event("alarm", "width is 1.15", 1e9)))
    run.frame(7, lines(2000, count=12))
    with opened(app, lambda _where: run.join) as window:
        window.setGeometry(0, 0, *SIZE)
        Hands(app).do("mousemove", SIZE[0] + 100, SIZE[1] + 100)  # no crosshair
        window.join("runs/a-run")
        wait_for(app, lambda: light(window) > 3900, "the picture is there")
        yield window


def view_of(app: "QApplication", window: "Window", name: str) -> AnyArray:
    """The window in few pixels, once what is wanted is drawn."""
    VIEWS[name](window)

    def drawn() -> bool:
        near = window.presenter.near
        return (
            near is not None
            and near.complete
            and (near.look, near.viewport) == window.presenter.wanted
            and not window.presenter.redrawing
            and window.presenter.hand is not None
            and window.presenter.hand.pointer is None
        )

    wait_for(app, drawn, f"{name} is drawn")
    spend(app, 1.2)  # minimap and charts come once a second
    window.tick()
    window.tell()
    window._chart()
    spend(app, 0.2)
    assert seen(window.stage.surface).max() > 150  # it is not black
    return smaller(window)


def smaller(widget: "QWidget") -> AnyArray:
    whole = seen(widget).astype(np.float32)
    rows, columns = (side // SMALLER for side in whole.shape[:2])
    cut = whole[: rows * SMALLER, : columns * SMALLER]
    blocks = cut.reshape(rows, SMALLER, columns, SMALLER, 3)
    return np.asarray(np.rint(blocks.mean(axis=(1, 3))), np.uint8)


def rms(one: AnyArray, other: AnyArray) -> float:
    """Of the panel that differs most."""
    square = (one.astype(float) - other.astype(float)) ** 2
    return max(float(np.sqrt(square[:, panel].mean())) for panel in PANELS.values())


def test_the_window_looks_as_it_did(app: "QApplication", drawn: list[str]) -> None:
    now = {}
    with shown(app) as window:
        for name in VIEWS:
            window.stage.steer(lambda hand: replace(hand.fitted(), pointer=None))
            now[name] = view_of(app, window, name)
    kept = {name: pixels((KEPT / f"{name}.png").read_bytes()) for name in VIEWS}
    assert {n: p.shape for n, p in now.items()} == {n: p.shape for n, p in kept.items()}
    apart = {name: rms(now[name], kept[name]) for name in VIEWS}
    assert max(apart.values()) < MOST_RMS, apart
    for one, other in combinations(VIEWS, 2):  # what is allowed tells them apart
        assert rms(kept[one], kept[other]) > MOST_RMS
    assert not drawn


@pytest.mark.parametrize("name", VIEWS)
def test_kept_pictures_are_small(name: str) -> None:
    assert (KEPT / f"{name}.png").stat().st_size <= MOST_BYTES


def make() -> None:
    """Keep what the window looks like now."""
    from live_smlm.view.app import application  # noqa: PLC0415 - Qt needs a display

    app = application()
    KEPT.mkdir(exist_ok=True)
    with shown(app) as window:
        for name in VIEWS:
            window.stage.steer(lambda hand: replace(hand.fitted(), pointer=None))
            (KEPT / f"{name}.png").write_bytes(png.encoded(view_of(app, window, name)))


if __name__ == "__main__":
    make()
