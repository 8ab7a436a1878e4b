"""Every kind of engine live in the demo camera: rates, ledger, and a picture of the window.

    xvfb-run -a -s '-screen 0 1920x1080x24' python bench/engine_shots.py --out FOLDER

Each engine is one option of `live-smlm demo`, which gives it a scene in which it makes
sense. Pictures are refused when they are black; `--json FILE` keeps rates and ledgers.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from screenshots import Camera

from live_smlm.cli import usual
from live_smlm.cli.scenes import source, words_for
from live_smlm.cli.view import joining
from live_smlm.config import RunConfig
from live_smlm.view.app import application
from live_smlm.view.window import Window

Show = Callable[[Window], None]


@dataclass(frozen=True, slots=True)
class Case:
    """One engine, and what is to be seen of it."""

    option: str
    """Of `live-smlm demo`."""
    shots: dict[str, Show]
    engine: str = usual.DEMO
    predict: str | None = None


def layer(words: str) -> Show:
    """A picture of an engine, alone."""

    def show(window: Window) -> None:
        window.tell()  # what there is at the end
        window.beside.layers.which.setCurrentText(words)
        if window.beside.layers.which.currentText() != words:
            raise SystemExit(f"there is no layer {words!r}")
        window.beside.layers.share.setValue(100)

    return show


def plain(window: Window) -> None:
    """Molecules as they are."""
    window.choose(replace(window.presenter.taste, by=None))


def by_depth(window: Window) -> None:
    """Molecules by z."""
    window.choose(replace(window.presenter.taste, by="z", value_range=(-400.0, 400.0)))


def by_dye(window: Window) -> None:
    """Molecules by dye."""
    taste = replace(window.presenter.taste, by="channel", value_range=(0.0, 1.0))
    window.choose(taste.with_colormap("duo"))


CASES = {
    "deepstorm": Case(
        "--engine deepstorm", {"deepstorm": layer("deepstorm: molecules")}, "deepstorm"
    ),
    "bgnet": Case("--engine detect+bgnet+mle", {"bgnet": by_depth}, "detect+bgnet+mle"),
    "smnet": Case("--engine smnet", {"smnet": by_depth}, "smnet"),
    "spectral": Case("--engine detect+spectral+mle", {"spectral": by_dye}, "detect+spectral+mle"),
    "annapalm": Case(
        "--predict annapalm",
        {"prediction": layer("annapalm: prediction"), "error": layer("annapalm: error")},
        predict="annapalm",
    ),
}


def shown(camera: Camera, case: Case, folder: Path, seconds: float) -> dict[str, Any]:
    """Run it, take the pictures at the end, and tell how it went."""
    window = camera.window
    plain(window)
    scene = words_for(case.engine)
    config = RunConfig(
        source=source(case.engine, {"seed": "1"}),
        psf=scene.get("psf"),
        engine=case.engine,
        predict=case.predict,
        seconds=seconds,
        out=str(folder),
    )
    camera.follow(config, pictured=case.engine != "deepstorm")
    camera.until(lambda: not camera.live)
    for name, show in case.shots.items():
        show(window)
        camera.spend(2.0)
        camera.take(name)
    window.beside.layers.which.setCurrentIndex(0)
    numbers = window.presenter.news.numbers
    counts = ("captured", "localized", "deferred", "shed", "lost", "molecules")
    told = {"option": case.option, **{name: numbers[name] for name in counts}}
    told |= {"frames_s": round(numbers["frames_s"], 1), "shape": numbers["shape"]}
    told["p99_ms"] = numbers["latency_ms"]["p99"]
    window.presenter.leave()
    return told


def main(given: Sequence[str] | None = None) -> int:
    """One after the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", action="append", choices=list(CASES), help="these only")
    parser.add_argument("--out", type=Path, default=Path("bench/pictures"))
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--size", default="1366x768")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args(given)
    width, height = map(int, asked.size.split("x"))
    application()
    window = Window(joining)
    window.resize(width, height)
    window.show()
    camera, rows = Camera(window, asked.out), []
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.engine or CASES:
            rows.append(shown(camera, CASES[name], Path(folder) / name, asked.seconds))
            print(json.dumps(rows[-1]), flush=True)
    window.leave_running()
    if asked.json is not None:
        asked.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
