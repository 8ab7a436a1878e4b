"""The demo's scene of an engine, without a camera: a picture of what the engine makes of it.

    python bench/engine_scenes.py detect+spectral+mle two-colours.png density=0.12 --frames 4000

Left the summed frames, right the molecules. Further words change the scene's.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from live_smlm.cli.demo import picture
from live_smlm.cli.scenes import source, words_for
from live_smlm.config import read_config
from live_smlm.core import EngineContext, Localizations, concatenate
from live_smlm.engines import registry
from live_smlm.evaluate.score import score
from live_smlm.render.picture import save
from live_smlm.session.sources import opened

LEAST_PHOTONS = 300.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engine")
    parser.add_argument("out", type=Path)
    parser.add_argument("words", nargs="*", help="of the specimen, name=value")
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--scene-of", help="another engine's scene")
    said = parser.parse_args()
    scene = said.scene_of or said.engine
    own = dict(word.split("=", 1) for word in said.words)
    words = source(scene, {**own, "truth": "true", "frames": str(said.frames)})
    kept = [w for w in words.removeprefix("demo:").split(",") if not w.startswith("exposure_ms")]
    run = read_config(
        None, {"source": "simulated:" + ",".join(kept), "psf": words_for(scene).get("psf")}
    )
    with opened(run) as (frames, psf):
        camera = frames.info.camera
        total, found = np.zeros(camera.shape), []
        context = EngineContext(camera=camera, psf=psf)
        seconds = 0.0
        with registry.chain(said.engine).open(context) as localize, frames.open() as batches:
            for batch in batches:
                total += batch.pixels.sum(axis=0, dtype=np.float64)
                started = time.perf_counter()
                found.append(localize(batch))
                seconds += time.perf_counter() - started
        truth: list[Localizations] = frames.truth  # type: ignore[attr-defined] # simulated
    molecules, true = concatenate(found), concatenate(truth)
    (_, bottom), (_, right) = camera.view
    save(said.out, picture(total[:bottom, :right], molecules, camera.pixel_size_nm))
    print(f"{len(molecules)} molecules, {said.frames / seconds:.0f} frames per second")
    for name, value in score(molecules, true, min_photons=LEAST_PHOTONS).as_dict().items():
        print(f"{name:<24}{value}")


if __name__ == "__main__":
    main()
