"""Beads of Micro-Manager's demo camera, through the source and the default engine.

    python bench/beads_camera.py [--places 60]

The camera draws Gaussian beads without noise; their places come from the C
library's `rand`, seeded by the tile, so the truth is exact (GNU's library only:
others have another `rand`). One pixel of the camera, 1 um of the stage, is
called 100 nm. Prints the score over many places of the stage, the error of
isolated beads, and a stage move of known size as the beads tell it.
"""

import argparse
import ctypes
import platform
import sys
from itertools import pairwise
from typing import cast

import numpy as np

from live_smlm.core import (
    F64,
    CameraModel,
    EngineContext,
    FrameBatch,
    Localizations,
    RawPixels,
    concatenate,
    from_columns,
)
from live_smlm.engines import registry
from live_smlm.evaluate.matching import match
from live_smlm.evaluate.score import score
from live_smlm.physics.psf.gaussian import GaussianPSF
from live_smlm.sources.micromanager import MicroManagerSource, connected
from live_smlm.sources.mm_settings import MicroManager

SIDE = 512
TILE_UM = 512.0
PIXEL_NM = 100.0
DENSITY = 10
"""Beads per tile, the camera's lowest."""
SIGMA_PX = 1.3
BRIGHTNESS = 8.0
"""Peaks are 255 times this, times 0.8 to 1.2: far below 2**16."""
STEP_UM = 0.015
"""The stage stands at whole steps only."""
MOVES_UM = (0.0, 0.375, 1.005, -2.625)
"""Where the stage stands along x, one after the other; along y twice as far the other way."""
ISOLATED_NM = 2000.0
SETTLED_FRAMES = 3
RAND_MAX = 2**31 - 1


def beads(x_um: float, y_um: float) -> F64:
    """Pixel places (n, 2) of the beads that a frame at this stage position shows."""
    libc = ctypes.CDLL(None)
    corner = np.array([x_um, y_um]) - SIDE / 2
    low, high = (np.floor(c / TILE_UM).astype(int) for c in (corner - 100, corner + SIDE + 100))
    places = []
    for tile_y in range(low[1], high[1] + 1):
        for tile_x in range(low[0], high[0] + 1):
            libc.srand(ctypes.c_uint((tile_x * 73856093) ^ (tile_y * 19349663)))
            drawn = np.array([libc.rand() for _ in range(4 * DENSITY)]) / RAND_MAX
            places.append(
                np.array([tile_x, tile_y]) * TILE_UM + drawn.reshape(-1, 4)[:, :2] * TILE_UM
            )
    # The camera counts from the centre of its first pixel.
    seen = np.concatenate(places) - corner + 0.5
    return seen[((seen >= 0) & (seen < SIDE)).all(axis=1)]


def truth(places: list[tuple[float, float]]) -> Localizations:
    tables = []
    for frame, (x_um, y_um) in enumerate(places):
        seen = beads(x_um, y_um) * PIXEL_NM
        columns = {"frame": np.full(len(seen), frame), "x": seen[:, 0], "y": seen[:, 1]}
        tables.append(from_columns(columns))
    return concatenate(tables)


def photograph(source: MicroManagerSource, places: list[tuple[float, float]]) -> FrameBatch:
    """One streamed frame per place, taken once the stage stands there."""
    frames: list[RawPixels] = []
    with source.open() as stream:
        for x_um, y_um in places:
            source.move(x_um, y_um)
            for k, batch in enumerate(stream):
                if k == SETTLED_FRAMES + round(source.status().fill * 1000):
                    frames.append(batch.pixels[-1])
                    break
    status = source.status()
    print(f"{source.info.name}: {status.frames} frames streamed, {status.lost} lost")
    pixels: RawPixels = np.empty((len(frames), SIDE, SIDE), np.uint16)
    np.stack(frames, out=pixels)
    return FrameBatch(pixels, np.arange(len(pixels)), np.full(len(pixels), np.nan))


def localize(batch: FrameBatch, camera: CameraModel) -> Localizations:
    context = EngineContext(camera=camera, psf=GaussianPSF(SIGMA_PX * PIXEL_NM))
    with registry.chain(registry.DEFAULT).open(context) as engine:
        return cast("Localizations", engine(batch))


def isolated(found: Localizations, true: Localizations) -> tuple[float, int]:
    """RMSE per axis of beads whose next neighbour is far away, and how many there are."""
    pairs = match(found, true)
    alone = np.ones(len(true), bool)
    for frame in np.unique(true.frame):
        rows = np.flatnonzero(true.frame == frame)
        apart = np.hypot(*(np.subtract.outer(a, a) for a in (true.x[rows], true.y[rows])))
        np.fill_diagonal(apart, np.inf)
        alone[rows] = apart.min(axis=1) > ISOLATED_NM
    kept = alone[pairs.truth]
    off = [
        (getattr(found, axis)[pairs.found] - getattr(true, axis)[pairs.truth])[kept]
        for axis in "xy"
    ]
    return float(np.sqrt(np.mean(np.concatenate(off) ** 2))), int(kept.sum())


def moved(found: Localizations, first: int) -> list[tuple[F64, F64]]:
    """Told and true moves in nm between successive frames from `first` on, x and y."""
    told = []
    for k, (before, after) in enumerate(pairwise(MOVES_UM)):
        one, other = (found.where(found.frame == first + k + i) for i in (0, 1))
        true = -PIXEL_NM * (after - before) * np.array([1.0, -2.0])
        apart = [np.subtract.outer(getattr(other, a), getattr(one, a)) for a in "xy"]
        near = np.hypot(apart[0] - true[0], apart[1] - true[1]) < PIXEL_NM
        told.append((np.array([np.median(a[near]) for a in apart]), true))
    return told


def middle(tile: int) -> float:
    """Of a tile, in um, as near as the stage comes."""
    return round((tile + 0.5) * TILE_UM / STEP_UM) * STEP_UM


def main() -> int:
    parser = argparse.ArgumentParser(description="beads of the demo camera against their truth")
    parser.add_argument("--places", type=int, default=60, help="tiles to visit")
    if platform.libc_ver()[0] != "glibc":
        print("the truth needs GNU's C library; nothing to do here")
        return 0
    tiles = parser.parse_args().places
    places = [(middle(k % 8), middle(k // 8)) for k in range(tiles)]
    places += [(places[0][0] + step, places[0][1] - 2 * step) for step in MOVES_UM]
    settings = MicroManager(
        exposure_ms=5.0,
        buffer_mb=64,
        properties={
            "Camera.Mode": "Fluorescent Beads",
            "Camera.BeadDensity": DENSITY,
            "Camera.BeadSize": SIGMA_PX,
            "Camera.BeadBrightness": BRIGHTNESS,
            "XY.Velocity": 1e6,
        },
    )
    camera = CameraModel(shape=(SIDE, SIDE), pixel_size_nm=PIXEL_NM, offset_adu=0.0)
    with connected(settings, camera) as source:
        batch = photograph(source, places)
    print(f"brightest pixel {batch.pixels.max()}")
    found, true = localize(batch, camera), truth(places)
    tile, expected = (t.where(t.frame < tiles) for t in (found, true))
    scored = score(tile, expected)
    rmse, count = isolated(tile, expected)
    print(
        f"{len(expected)} beads in {tiles} frames: Jaccard {scored.jaccard:.4f}, "
        f"precision {scored.precision:.4f}, recall {scored.recall:.4f}"
    )
    print(f"{count} isolated beads: RMSE {rmse:.2f} nm per axis")
    worst = 0.0
    for told, real in moved(found, tiles):
        worst = max(worst, float(np.abs(told - real).max()))
        print(f"stage move {real} nm, told {np.round(told, 2)}")
    good = (scored.jaccard or 0) >= 0.95 and rmse <= 5.0 and worst <= 2.0
    print("gate (Jaccard >= 0.95, RMSE <= 5 nm, move within 2 nm):", "met" if good else "MISSED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
