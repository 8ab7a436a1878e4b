"""Pictures of the engines of pictures: `python bench/image_engines.py`.

What Deep-STORM makes of dense frames of filaments, beside the mean frame, a fit of single
molecules and the truth; and what ANNA-PALM predicts of filaments from 2 % of their molecules,
with the error that it expects and the one that it makes. Writes `bench/pictures/deepstorm.png`
and `annapalm.png`, or into the folder `--out`.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
from engine_rows import annapalm, deepstorm
from live_smlm_annapalm import AnnaPalm
from live_smlm_annapalm.pairs import PIXEL_NM
from live_smlm_deepstorm import DeepStorm
from matplotlib import pyplot as plt
from scipy.ndimage import gaussian_filter

from live_smlm.core import AnyArray, EngineContext, Reconstruction, concatenate
from live_smlm.engines.gauss_mle import GaussMle
from live_smlm.physics.background import Background
from live_smlm.physics.blinking import Single
from live_smlm.physics.emitters import Brightness
from live_smlm.physics.simulator import Simulator
from live_smlm.physics.structures import Filaments

PICTURES = Path(__file__).with_name("pictures")
_SEED = 7_230_000
_BRIGHT = 99.7
"""Percentile that is white."""
_DPI = 110
Panels = Mapping[str, tuple[AnyArray, float]]
"""What is written above, the picture, and its white; 0: its own."""


def dense_frames() -> Panels:
    """Three molecules per µm² and frame, on filaments."""
    simulator = Simulator(
        camera=deepstorm.CAMERA,
        psf=deepstorm.PSF,
        specimen=Filaments(),
        blinking=Single(),
        brightness=Brightness(3000.0, 0.3),
        visible_per_um2=3.0,
        background=Background(10.0),
        seed=_SEED,
    )
    parts = list(simulator.stream(500, 50))
    movie = deepstorm.Movie(tuple(b for b, _ in parts), concatenate([t for _, t in parts]))
    with GaussMle().open(deepstorm.CONTEXT) as fit:
        fitted = concatenate([fit(batch) for batch in movie.batches])
    with DeepStorm().open(deepstorm.CONTEXT) as engine:
        sums = [engine(batch).image[0] for batch in movie.batches]
    return {
        "one of 500 frames": (movie.batches[0].pixels[0], 0),
        "mean of all": (movie.mean(), 0),
        "gauss-mle": (gaussian_filter(deepstorm.counted(fitted, 4), 1.0), 0),
        "Deep-STORM, summed": (np.sum(sums, axis=0), 0),
        "truth": (gaussian_filter(deepstorm.counted(movie.truth, 4), 1.0), 0),
    }


def few_molecules() -> Panels:
    """Two in a hundred, of filaments."""
    one = annapalm.sample(_SEED)
    asked = Reconstruction(
        image=one.counts[None], pixel_size_nm=PIXEL_NM, first_frame=0, last_frame=0
    )
    with AnnaPalm().open(EngineContext(camera=deepstorm.CAMERA)) as engine:
        prediction, error = engine(asked).image
    white, doubt = float(np.percentile(one.dense, _BRIGHT)), 0.6
    return {
        f"{one.counts.sum():.0f} molecules, 2 %": (gaussian_filter(one.counts, 1.0), 0),
        "predicted": (prediction, white),
        "all molecules": (one.dense, white),
        "error expected": (error, doubt),
        "error made": (np.abs(prediction - one.dense), doubt),
    }


def draw(panels: Panels, path: Path) -> None:
    """Side by side, one scale of brightness each."""
    figure, axes = plt.subplots(1, len(panels), figsize=(3 * len(panels), 3.3))
    for axis, (name, (image, white)) in zip(axes, panels.items(), strict=True):
        low = float(np.percentile(image, 1)) if image.dtype.kind == "u" or not white else 0.0
        high = white or float(np.percentile(image, _BRIGHT))
        axis.imshow(image, cmap="inferno", vmin=low, vmax=high, interpolation="nearest")
        axis.set_title(name, fontsize=10)
        axis.set_axis_off()
    figure.tight_layout()
    figure.savefig(path, dpi=_DPI)
    plt.close(figure)


def main() -> None:
    """Draw both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=PICTURES)
    out = parser.parse_args().out
    mpl.use("agg")
    draw(dense_frames(), out / "deepstorm.png")
    draw(few_molecules(), out / "annapalm.png")


if __name__ == "__main__":
    main()
