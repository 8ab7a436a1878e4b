"""The window where a graphics card draws; here the card is software, taken for one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from live_smlm.core import F32, Localizations, concatenate
from live_smlm.render import choose
from live_smlm.render.accumulator import CpuAccumulator
from live_smlm.testing.screen import seen, wait_for
from live_smlm.testing.told_run import ToldRun, lines
from live_smlm.view.taste import Taste

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from live_smlm.view.window import Window


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(choose.ENVIRONMENT, "card")


@contextmanager
def window_on(run: ToldRun, app: "QApplication") -> Iterator["Window"]:
    """A window of its own, for who draws is found out once."""
    from live_smlm.view.window import Window  # noqa: PLC0415 - Qt needs a display

    made = Window(lambda _where: run.join)
    made.setGeometry(0, 0, 1180, 760)
    made.show()
    made.choose(Taste())
    made.join("runs/a-run")
    try:
        yield made
    finally:
        made.leave_running()
        made.deleteLater()
        app.processEvents()


def told(window: "Window") -> tuple[str, str]:
    window.tell()
    number = window.strip._drawn_by
    return number._value.text(), number.toolTip()


def light(window: "Window") -> float:
    near = window.presenter.near
    return 0.0 if near is None else float(near.image.sum())


def by(window: "Window") -> str | None:
    near = window.presenter.near
    return None if near is None else near.look.by


def exactly(window: "Window", molecules: Localizations) -> F32:
    """The same picture by the reference."""
    near = window.presenter.near
    assert near is not None
    drawn = CpuAccumulator(near.viewport, near.look.drawing, by=near.look.by)
    drawn.add(molecules)
    return drawn.image()


def agrees(window: "Window", app: "QApplication", molecules: Localizations) -> None:
    """The window's picture comes to that of the processor."""

    def there() -> bool:
        near, hand = window.presenter.near, window.presenter.hand
        if near is None or hand is None or not near.complete:
            return False
        here = hand.sight.viewport(window.devicePixelRatioF())
        return near.viewport == here and near.molecules == len(molecules)

    wait_for(app, there, "all is drawn")
    near = window.presenter.near
    assert near is not None
    expected = exactly(window, molecules)
    assert np.abs(near.image - expected).max() <= 1e-3 * expected.max()
    assert near.image.sum() == pytest.approx(expected.sum(), rel=1e-3)


@pytest.mark.usefixtures("card")
def test_a_card_draws_the_processors_picture(app: "QApplication", drawn: list[str]) -> None:
    run = ToldRun()
    run.state()
    run.molecules(lines(200))
    with window_on(run, app) as window:
        wait_for(app, lambda: light(window) > 3990, "the picture is there")
        who, why = told(window)
        assert who == "card"
        assert why.endswith(" draws")
        # Finer than the field: all of it is drawn from the store.
        window.stage.steer(lambda hand: hand.wheeled(7))
        agrees(window, app, lines(200))
        assert seen(window.stage.surface).max() > 150
        run.molecules(lines(300))
        agrees(window, app, concatenate([lines(200), lines(300)]))
        window.choose(replace(window.presenter.taste, by="z"))
        wait_for(app, lambda: by(window) == "z", "colours tell z")
        agrees(window, app, concatenate([lines(200), lines(300)]))
        assert not drawn


@pytest.mark.usefixtures("card")
def test_a_card_that_breaks_down_leaves_nothing_out_and_nothing_twice(
    app: "QApplication", drawn: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from live_smlm.render.gpu import GpuAccumulator  # noqa: PLC0415 - vispy

    run = ToldRun()
    run.state()
    run.molecules(lines(200))
    with window_on(run, app) as window:
        wait_for(app, lambda: light(window) > 3990, "the picture is there")
        assert told(window)[0] == "card"
        window.stage.steer(lambda hand: hand.wheeled(7))
        agrees(window, app, lines(200))
        add = GpuAccumulator.add

        def break_down(card: GpuAccumulator, molecules: Localizations) -> None:
            add(card, molecules)
            raise RuntimeError("the context is lost")

        monkeypatch.setattr(GpuAccumulator, "add", break_down)
        run.molecules(lines(300))
        agrees(window, app, concatenate([lines(200), lines(300)]))
        assert told(window) == (
            "processor",
            "the processor draws: the graphics card failed (the context is lost)",
        )
        window.join("runs/another")
        wait_for(app, lambda: window.presenter.choice is not None, "it is known who draws")
        assert told(window)[0] == "processor"
        assert not drawn
