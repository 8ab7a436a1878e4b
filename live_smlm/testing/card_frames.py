"""How true and how fast a graphics card draws, without a screen: for benches.

The whole of what a window does is done in a frame: molecules that are due come into the
store, the card adds them up, the picture is read back, shaded and drawn.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import numpy as np

from live_smlm.core import F32, Localizations, from_columns
from live_smlm.render.accumulator import CpuAccumulator, Drawing, Mode
from live_smlm.render.choose import ENVIRONMENT, choose, is_software
from live_smlm.render.colour import shades
from live_smlm.render.gpu import GpuAccumulator, headless
from live_smlm.render.layer import Picture
from live_smlm.render.layers import Canvas
from live_smlm.render.look import Look
from live_smlm.render.viewport import Rect, Viewport
from live_smlm.view.sight import fitted
from live_smlm.view.tone import Shading, Tone, limits

FIELD_NM = 40_960.0
SCREEN = (800, 1000)
MOST_DIFFERENCE = 1e-3
LEAST_FRAMES_S = 60.0
PLATFORMS = ("", "device", "surfaceless")
"""Of EGL; drivers differ in which of them they know."""
_LEAST = 3
"""Frames from which a rate is taken, however slow they are."""
STEP_S = 0.006
"""Of a frame's time for molecules, as in a window."""
_GROUND = (0.05, 0.05, 0.06)
Row = dict[str, Any]


def molecules(count: int, seed: int) -> Localizations:
    """Along some rings."""
    rng = np.random.default_rng(seed)
    angle, ring = rng.uniform(0, 2 * np.pi, count), rng.integers(1, 20, count)
    radius = ring * 1000 + rng.normal(0, 15, count)
    place = FIELD_NM / 2 + radius * np.cos(angle), FIELD_NM / 2 + radius * np.sin(angle)
    sigma = 20 * np.exp(rng.normal(0, 0.35, count))
    columns = {"frame": np.full(count, seed), "x": place[0], "y": place[1], "z": 50.0 * ring}
    return from_columns({**columns, "sigma_x": sigma, "sigma_y": sigma})


def use_a_card() -> str:
    """Choose the platform of EGL on which a card answers, for this process; who answers there.

    Each is tried in a process of its own, since a driver is loaded but once.
    """
    code = "from live_smlm.render.gpu import *\nwith headless(): print(renderer())"
    answers = {}
    for platform in PLATFORMS:
        environment = {**os.environ, "EGL_PLATFORM": platform}
        environment.pop("DISPLAY", None)
        command = [sys.executable, "-c", code]
        answer = subprocess.run(  # noqa: S603 - ourselves
            command, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        if answer.returncode == 0:
            answers[platform] = answer.stdout.strip()
    best = sorted(answers, key=lambda platform: is_software(answers[platform]))
    if not best:
        sys.exit("no platform of EGL gives an OpenGL context here; is there libEGL.so.1?")
    os.environ.pop("DISPLAY", None)
    os.environ["EGL_PLATFORM"] = best[0]
    return answers[best[0]]


def compared(count: int) -> list[Row]:
    """The card's pictures beside the processor's: farthest pixel, and sums."""
    found = molecules(count, 0)
    corner = FIELD_NM / 2 - 10_000, FIELD_NM / 2 - 10_000
    rows = []
    with headless():
        for mode, by, pixel_nm in product(Mode, (None, "z"), (20.0, 5.0)):
            view = Viewport(shape=SCREEN, pixel_nm=pixel_nm, origin_nm=corner)
            drawing, pictures, times = Drawing(mode=mode), [], []
            for make in (CpuAccumulator, GpuAccumulator):
                picture = make(view, drawing, by=by)
                picture.add(found.where(slice(1000)))  # whatever is made once is made before
                picture.reset()
                began = time.perf_counter()
                picture.add(found)
                pictures.append(picture.sums())
                times.append(round(1e3 * (time.perf_counter() - began), 1))
            far = max(_difference(*planes) for planes in zip(*pictures, strict=True))
            kept = float(pictures[1].sum(dtype=float) / pictures[0].sum(dtype=float))
            row: Row = {"mode": str(mode), "by": by, "pixel_nm": pixel_nm, "difference": far}
            ok = far <= MOST_DIFFERENCE and abs(kept - 1) <= MOST_DIFFERENCE
            row |= {"sum": round(kept, 7), "processor_ms": times[0], "card_ms": times[1]}
            rows.append({**row, "ok": ok})
    return rows


def _difference(ours: F32, theirs: F32) -> float:
    """Of the pixel that differs most, as a share of the brightest."""
    return float(f"{np.abs(theirs - ours).max() / ours.max():.2e}")


def frames(seconds: float, per_s: float, mode: Mode, *, panned: bool) -> Row:
    """Frames drawn in a second while molecules pour in, as fast as they can be."""
    from vispy import gloo  # noqa: PLC0415 - looks for a driver when imported

    batches = [molecules(round(per_s / 100), seed) for seed in range(20)]
    with shown() as screen:
        choice = choose()
        sight = fitted((FIELD_NM, FIELD_NM), SCREEN)
        screen.node.look(sight)
        look, whole = Look(drawing=Drawing(mode=mode)), Rect(0.0, 0.0, FIELD_NM, FIELD_NM)
        own_thread = not choice.by_card
        with Canvas(look, field=whole, make=choice.make, own_thread=own_thread) as canvas:
            canvas.ask(viewport=sight.viewport(1.0))
            ended, added, began = list[float](), 0, time.perf_counter()
            # The first second warms up.
            while (now := time.perf_counter() - began) < seconds + 1 or len(ended) < _LEAST:
                while added < 100 * now:
                    canvas.add(batches[added % len(batches)])
                    added += 1
                if panned:
                    sight = sight.panned((0.0, 8.0 if now % 2 < 1 else -8.0))
                    canvas.ask(viewport=sight.viewport(1.0))
                if not own_thread:
                    canvas.step(STEP_S)
                screen.show(canvas)
                screen.node.look(sight)
                screen.canvas.events.draw(region=None)
                gloo.gl.glFinish()
                if now > 1:
                    ended.append(time.perf_counter())
            brightest = int(gloo.read_pixels((0, 0, *SCREEN[::-1]))[..., :3].max())
            behind = len(canvas.store) - screen.molecules
    rate, gaps = (len(ended) - 1) / (ended[-1] - ended[0]), np.diff(ended)
    row: Row = {"mode": str(mode), "panned": panned, "molecules_s": per_s, "by": choice.why}
    row |= {"frames_s": round(rate, 1), "p95_ms": round(1e3 * float(np.percentile(gaps, 95)), 1)}
    row |= {
        "behind": behind,
        "brightest": brightest,
        "pictures_s": round(screen.pictures / seconds, 1),
    }
    ok = rate >= LEAST_FRAMES_S and behind < per_s / 2 and brightest > 100
    return {**row, "ok": ok}


class Screen:
    """What a window draws a picture with."""

    def __init__(self, canvas: Any, node: Any) -> None:
        self.canvas, self.node = canvas, node
        self.pictures = self.molecules = 0
        self._near: Picture | None = None

    def show(self, pictures: Canvas) -> None:
        """Upload what is new."""
        near = pictures.picture()
        if near is None or near is self._near:
            return
        if self._near is None:
            self.node.upload("far", pictures.overview())
        self.pictures, self.molecules, self._near = self.pictures + 1, near.molecules, near
        self.node.upload("near", near)
        if self.pictures % 8 == 1:  # as often as a window looks at the brightness
            bright = limits(near.image, near.viewport.pixel_nm, Tone())
            self.node.shade(Shading(shades("inferno"), bright, Tone().gamma))


@contextmanager
def shown() -> Iterator[Screen]:
    """A canvas of a screen's size."""
    from vispy.scene import SceneCanvas  # noqa: PLC0415 - as above

    from live_smlm.view.visual import PictureNode  # noqa: PLC0415 - as above

    with headless(SceneCanvas, SCREEN[::-1]) as canvas:
        yield Screen(canvas, PictureNode(_GROUND, parent=canvas.scene))


def card_rows(seconds: float, *, double: bool) -> list[Row]:
    """All of it, the renderer's name first; as a double software draws, and few molecules."""
    count, per_s = (2000, 1e4) if double else (10**6, 1e6)
    if double:
        os.environ[ENVIRONMENT] = "card"
    rows: list[Row] = [{"drawn by": use_a_card()}]
    rows += compared(count)
    for mode, panned in product((Mode.HISTOGRAM, Mode.PRECISION), (False, True)):
        rows.append(frames(seconds, per_s, mode, panned=panned))
    return rows
