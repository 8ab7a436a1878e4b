"""Pictures of the window: a run at start, middle and end, z in colours, a filament, an alarm.

    xvfb-run -a -s '-screen 0 1920x1080x24' python bench/screenshots.py --out FOLDER

Four runs with the simulated specimen in Micro-Manager's demo camera: one in depth, one
whose background is beyond what the engine was made for, one that is to end when it is
enough, and one whose density is kept by the laser. Each picture is refused when it is
black. On a slow machine take more seconds; the pictures are taken at shares of the time.
"""

import argparse
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from live_smlm.cli.view import joining
from live_smlm.config import RunConfig
from live_smlm.testing.screen import seen
from live_smlm.view.app import application
from live_smlm.view.hand import Hand
from live_smlm.view.launch import launch
from live_smlm.view.news import Phase
from live_smlm.view.window import Window

_PSF = "astigmatic:sx0_nm=130,sy0_nm=130,gx_nm=250,gy_nm=-250,d_nm=400"
_PATIENCE_S = 600.0
_NEAR_S = 8.0
"""To go, in a picture of a run that is nearly enough."""
_LEAST_LIGHT = 100
"""Brightest pixel of a picture that is not black."""


@dataclass
class Camera:
    """Takes pictures of a window while it lives on."""

    window: Window
    out: Path

    def spend(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > end)

    def until(self, there: Callable[[], bool]) -> None:
        end = time.monotonic() + _PATIENCE_S
        app = application()
        while not there():
            app.processEvents()
            time.sleep(0.005)
            if time.monotonic() > end:
                raise SystemExit(f"waited {_PATIENCE_S:g} s in vain; is the machine too busy?")

    def take(self, name: str) -> None:
        self.spend(1.5)
        self.window.tick()
        self.window.tell()  # on a busy machine its timers may be late
        if seen(self.window.stage.surface).max() < _LEAST_LIGHT:
            raise SystemExit(f"{name}: the picture is black")
        path = self.out / f"window-{name}.png"
        self.save(path)
        print(path, self.window.presenter.news.counts)

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not self.window.grab().save(str(path)):
            raise SystemExit(f"{path} cannot be written")

    @property
    def elapsed_s(self) -> float:
        return float(self.window.presenter.news.numbers.get("elapsed_s") or 0.0)

    @property
    def live(self) -> bool:
        return self.window.presenter.news.phase not in {Phase.ENDED, Phase.SILENT}

    def follow(self, config: RunConfig, *, pictured: bool = True) -> None:
        """Join a run that is started; with `pictured`, wait for its first molecules."""
        launched = launch(config, datetime.now().astimezone())
        self.until(lambda: launched.ready or launched.failure() is not None)
        if launched.failure() is not None:
            raise SystemExit(launched.failure())
        self.window.join(str(launched.folder))
        presenter = self.window.presenter
        self.until(lambda: not pictured or presenter.near is not None)
        self.until(lambda: presenter.news.phase in {Phase.RUNNING, Phase.ENDED})


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--out", type=Path, default=Path("bench/pictures"))
    asked.add_argument("--seconds", type=float, default=60.0)
    asked.add_argument("--size", default="1366x768")
    given = asked.parse_args()
    width, height = map(int, given.size.split("x"))
    application()
    window = Window(joining)
    window.resize(width, height)
    window.show()
    camera = Camera(window, given.out)
    with tempfile.TemporaryDirectory() as folder:
        _form(camera)
        _depth(camera, Path(folder) / "filaments", given.seconds)
        _alarm(camera, Path(folder) / "bright", given.seconds)
        _enough(camera, Path(folder) / "enough")
        _laser(camera, Path(folder) / "laser")
        window.leave_running()


def _form(camera: Camera) -> None:
    camera.spend(0.5)
    camera.save(camera.out / "window-form.png")


def _depth(camera: Camera, folder: Path, seconds: float) -> None:
    window = camera.window
    camera.follow(
        RunConfig(
            source="demo:seed=1,z_range_nm=350,density=0.1,exposure_ms=20",
            psf=_PSF,
            engine="gauss-mle",
            seconds=seconds,
            out=str(folder),
        )
    )
    camera.until(lambda: camera.elapsed_s > 0.1 * seconds)
    camera.take("start")
    camera.until(lambda: camera.elapsed_s > 0.5 * seconds)
    camera.take("middle")
    camera.until(lambda: not camera.live)
    camera.take("end")
    window.choose(replace(window.presenter.taste, by="z"))
    camera.take("z")
    window.stage.steer(_one_filament(window))
    camera.take("filament")
    window.presenter.leave()


def _one_filament(window: Window) -> Callable[[Hand], Hand]:
    """Close to where most molecules are."""
    near = window.presenter.near
    assert near is not None  # noqa: S101 - a picture has just been taken of it
    blocks = near.image[: near.image.shape[0] // 16 * 16, : near.image.shape[1] // 16 * 16]
    coarse = blocks.reshape(blocks.shape[0] // 16, 16, -1, 16).sum(axis=(1, 3))
    row, column = np.unravel_index(int(coarse.argmax()), coarse.shape)
    y, x = (
        origin + (16 * n + 8) * near.viewport.pixel_nm
        for origin, n in zip(near.viewport.origin_nm, (row, column), strict=True)
    )
    half_nm = 700.0

    def close(hand: Hand) -> Hand:
        sight = hand.sight.over((y - half_nm, x - half_nm), (y + half_nm, x + half_nm))
        return replace(hand, sight=sight, pointer=None)

    return close


def _alarm(camera: Camera, folder: Path, seconds: float) -> None:
    window = camera.window
    window.choose(replace(window.presenter.taste, by=None))
    camera.follow(
        RunConfig(
            source="demo:seed=2,background=36,exposure_ms=50",
            engine="glint",
            seconds=seconds,
            out=str(folder),
        )
    )
    camera.until(lambda: bool(window.presenter.news.doubts) or not camera.live)
    camera.spend(2.0)
    if not window.presenter.news.doubts:
        raise SystemExit("no alarm was raised")
    window.panels.docks["Events"].raise_()
    camera.take("alarm")
    window.presenter.link.stop("the pictures are taken")
    camera.until(lambda: not camera.live)


def _enough(camera: Camera, folder: Path) -> None:
    """A run near the end that its rule brings about."""
    window = camera.window
    config = RunConfig(
        source="demo:seed=1,density=0.4,exposure_ms=20,size=128x128",
        engine="gauss-mle",
        seconds=60.0,
        stop="frc < 60 nm or time > 40 s",
        out=str(folder),
    )
    camera.follow(config)
    window.panels.docks["Enough?"].raise_()
    camera.until(lambda: _seconds_left(window) < _NEAR_S or not camera.live)
    camera.take("enough")
    camera.until(lambda: not camera.live)
    camera.take("ended")


def _laser(camera: Camera, folder: Path) -> None:
    """The light that keeps a density of molecules."""
    window = camera.window
    config = RunConfig(
        source="demo:seed=1,density=0.4,exposure_ms=20,size=128x128",
        engine="gauss-mle",
        seconds=15.0,
        laser="Laser.Voltage:set_point_per_um2=0.25,highest=10",
        out=str(folder),
    )
    camera.follow(config)
    camera.until(lambda: camera.elapsed_s > 10 or not camera.live)
    window.panels.docks["Laser"].raise_()
    camera.take("laser")
    camera.until(lambda: not camera.live)


def _seconds_left(window: Window) -> float:
    """Until the rule holds, as the run expects it."""
    quality = window.presenter.news.numbers.get("quality") or {}
    left = (quality.get("left_s") or {}).get("value")
    return math.inf if left is None else float(left)


if __name__ == "__main__":
    main()
