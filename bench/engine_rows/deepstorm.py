"""Deep-STORM: dense frames to a picture that is sharper than what classical means give.

Test movies: 200 frames of 6.4 µm, molecules anywhere, anew in every frame, 3000 photons each, a
round Gaussian of 130 nm, 10 photons of background; the seeds are used nowhere else. Error is
the mean squared one over the truth's mean square; the truth is the count of molecules per fine
pixel, blurred by one fine pixel; the engine blurs its spikes by as much, and others may be drawn
as suits them best.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from live_smlm_deepstorm import DeepStorm
from live_smlm_deepstorm.lesson import RADIUS_NM
from scipy.ndimage import gaussian_filter, zoom

from engine_rows.row import Row
from live_smlm.core import (
    F64,
    AnyArray,
    CameraModel,
    EngineContext,
    FrameBatch,
    Localizations,
    Reconstruction,
    concatenate,
    empty,
)
from live_smlm.engines.gauss_mle import GaussMle
from live_smlm.evaluate.score import score
from live_smlm.physics.background import Background
from live_smlm.physics.blinking import Single
from live_smlm.physics.emitters import Brightness
from live_smlm.physics.psf.gaussian import GaussianPSF
from live_smlm.physics.simulator import Simulator
from live_smlm.physics.specimens import Uniform

CAMERA = CameraModel(shape=(64, 64), pixel_size_nm=100.0, read_noise_e=1.6)
PSF = GaussianPSF(130.0)
CONTEXT = EngineContext(camera=CAMERA, psf=PSF)
FRAMES = 200
SEED = 7_240_000
_BATCH = 50
_SPLATS_PX = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)


@dataclass(frozen=True, eq=False)
class Movie:
    """Frames and truth of one density."""

    batches: tuple[FrameBatch, ...]
    truth: Localizations

    def mean(self) -> F64:
        """The light of all frames, camera pixels."""
        sums = [CAMERA.photons(batch.pixels).sum(0, dtype=np.float64) for batch in self.batches]
        return np.asarray(sum(sums) / sum(map(len, self.batches)))


def movie(per_um2: float, frames: int) -> Movie:
    simulator = Simulator(
        camera=CAMERA,
        psf=PSF,
        specimen=Uniform(),
        blinking=Single(),
        brightness=Brightness(3000.0, 0.3),
        visible_per_um2=per_um2,
        background=Background(10.0),
        seed=SEED + int(per_um2),
    )
    parts = list(simulator.stream(frames, _BATCH))
    return Movie(tuple(batch for batch, _ in parts), concatenate([truth for _, truth in parts]))


def counted(molecules: Localizations, up: int) -> F64:
    """Molecules per fine pixel."""
    edges = [np.arange(n * up + 1) * CAMERA.pixel_size_nm / up for n in CAMERA.shape]
    return np.asarray(np.histogram2d(molecules.y, molecules.x, bins=edges)[0])


def error(picture: AnyArray, truth: F64, *, offset: bool = False) -> float:
    """With the scale that suits it best; and the offset, where it may have one."""
    terms = [picture.ravel(), np.ones(picture.size)] if offset else [picture.ravel()]
    table = np.stack(terms, axis=1).astype(np.float64)
    best = np.linalg.lstsq(table, truth.ravel(), rcond=None)[0]
    return float(((table @ best - truth.ravel()) ** 2).sum() / (truth**2).sum())


def error_of_mean(one: Movie, truth: F64, up: int) -> float:
    """Of the mean image, brought to the fine grid by cubic splines."""
    fine = zoom(one.mean(), up, order=3, mode="nearest", grid_mode=True)
    return error(fine, truth, offset=True)


def error_of_fit(one: Movie, truth: F64, up: int) -> float:
    """Of the molecules of gauss-mle, drawn as wide as suits them best."""
    with GaussMle().open(CONTEXT) as fit:
        spots = counted(concatenate([fit(batch) for batch in one.batches]), up)
    return min(error(gaussian_filter(spots, width), truth) for width in _SPLATS_PX)


def summed(folder: Path, one: Movie) -> Reconstruction:
    """The engine's whole picture, and all molecules that were read out of it."""
    found: list[Localizations] = []
    with DeepStorm(model=str(folder), peaks=True).open(CONTEXT) as engine:
        answers = [engine(batch) for batch in one.batches]
    whole = answers[0]
    for answer in answers[1:]:
        whole = whole.plus(answer)
    found = [answer.molecules or empty() for answer in answers]
    return Reconstruction(
        image=whole.image,
        pixel_size_nm=whole.pixel_size_nm,
        first_frame=whole.first_frame,
        last_frame=whole.last_frame,
        molecules=concatenate(found),
    )


def rows(trainings: Mapping[str, Sequence[Path]], *, quick: bool) -> list[Row]:
    frames = 20 if quick else FRAMES
    (folders,) = trainings.values()
    told: list[Row] = []
    for per_um2 in (3.0, 6.0):
        one = movie(per_um2, frames)
        answers = [summed(folder, one) for folder in folders]
        up = round(CAMERA.pixel_size_nm / answers[0].pixel_size_nm)
        truth = gaussian_filter(counted(one.truth, up), 1.0)
        errors = np.array([error(answer.image[0], truth) for answer in answers])
        what = f"{frames} frames of {per_um2:g} molecules per µm²: error of the sum"
        told.append(
            Row(
                engine="deepstorm",
                claim="dense frames become a super-resolved picture",
                test=f"{what} relative to that of the up-sampled mean image",
                measured=list(errors / error_of_mean(one, truth, up)),
                gate=0.6,
                sense="at most",
            )
        )
        if per_um2 > 5:
            told.append(
                Row(
                    engine="deepstorm",
                    claim="denser frames than fits of single molecules can take",
                    test=f"{what} relative to that of gauss-mle, drawn as suits it best",
                    measured=list(errors / error_of_fit(one, truth, up)),
                    gate=1.0,
                    sense="at most",
                )
            )
        else:
            told.append(
                Row(
                    engine="deepstorm",
                    claim="its spikes are molecules",
                    test=f"{frames} frames of {per_um2:g} per µm²: Jaccard of the peaks, "
                    f"{RADIUS_NM:g} nm",
                    measured=[
                        score(a.molecules or empty(), one.truth, radius_xy_nm=RADIUS_NM).jaccard
                        or 0.0
                        for a in answers
                    ],
                    gate=0.6,
                    sense="at least",
                )
            )
    return told
