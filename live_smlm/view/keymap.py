"""Which keys a window knows."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from live_smlm.view.hand import Hand, Tool
from live_smlm.view.keys import Key
from live_smlm.view.taste import Taste

if TYPE_CHECKING:
    from live_smlm.view.window import Window

_GAMMAS = (0.4, 0.5, 0.7, 1.0, 1.5)
_STEP = 1.25


def keymap(window: "Window") -> tuple[Key, ...]:
    """All of them, in the order of the page that tells them."""
    return (*_sample(window), *_looks(window), *_run(window))


def _sample(window: "Window") -> tuple[Key, ...]:
    steer = window.stage.steer

    def move(down: int, right: int) -> Callable[[], None]:
        return lambda: steer(lambda hand: hand.stepped(down, right))

    group = "Where"
    return (
        Key(("Left",), "move left", move(0, -1), group, anywhere=False),
        Key(
            ("Right",),
            "move right",
            move(0, 1),
            group,
            anywhere=False,
        ),
        Key(("Up",), "move up", move(-1, 0), group, anywhere=False),
        Key(("Down",), "move down", move(1, 0), group, anywhere=False),
        Key(("+", "="), "closer", lambda: steer(lambda h: h.wheeled(2)), group),
        Key(("-",), "farther", lambda: steer(lambda h: h.wheeled(-2)), group),
        Key(("F", "Home"), "the whole field", lambda: steer(Hand.fitted), group),
        Key(("D",), "measure: distance and profile", _tool(window, Tool.MEASURE), group),
        Key(("R",), "mark a region", _tool(window, Tool.REGION), group),
        Key(("Z",), "zoom to the region", lambda: steer(Hand.closer), group),
        Key(("J",), "judge the region apart", window.beside.judge_region, group),
        Key(("Esc",), "no marks, plain hand", lambda: steer(Hand.cleared), group),
    )


def _looks(window: "Window") -> tuple[Key, ...]:
    def changed(change: Callable[[Taste], Taste]) -> None:
        window.choose(change(window.presenter.taste))

    group = "Looks"
    return (
        Key(("M",), "drawn as: next", lambda: changed(Taste.next_mode), group),
        Key(("C",), "colours tell: next", lambda: changed(Taste.next_by), group),
        Key(("L",), "colour map: next", lambda: changed(Taste.next_colormap), group),
        Key(("A",), "contrast automatic or by hand", window.controls.auto.toggle, group),
        Key(("]",), "brighter", lambda: window.dim(1 / _STEP), group),
        Key(("[",), "darker", lambda: window.dim(_STEP), group),
        Key(("G",), "gamma: next", lambda: changed(_next_gamma), group),
        Key(("X",), "crosshair on or off", lambda: changed(_crosshair), group),
        Key(("W",), "drift taken off or not", lambda: changed(_drift), group),
        Key(("T",), "panels on or off", lambda: _panels(window), group),
        Key(("F11",), "whole screen on or off", window.toggle_full, group),
    )


def _run(window: "Window") -> tuple[Key, ...]:
    group = "Run"
    return (
        Key(("Ctrl+N",), "settings of a new run", window.new_run, group),
        Key(("Ctrl+Return",), "start", window.start_typed, group),
        Key(("Ctrl+.",), "stop, everything is kept", window.header.stop.click, group),
        Key(("Ctrl+S",), "save the picture", window.header.save.click, group),
        Key(("F1", "?"), "these keys", window.show_keys, group),
    )


def _tool(window: "Window", tool: Tool) -> Callable[[], None]:
    return lambda: window.stage.steer(lambda hand: hand.with_tool(tool))


def _panels(window: "Window") -> None:
    if window.pages.currentWidget() is window.stage.surface:  # the form has none
        window.panels.toggle()


def _next_gamma(taste: Taste) -> Taste:
    above = [gamma for gamma in _GAMMAS if gamma > taste.tone.gamma + 1e-9]
    return replace(taste, tone=replace(taste.tone, gamma=above[0] if above else _GAMMAS[0]))


def _drift(taste: Taste) -> Taste:
    return replace(taste, drift=not taste.drift)


def _crosshair(taste: Taste) -> Taste:
    return replace(taste, crosshair=not taste.crosshair)
