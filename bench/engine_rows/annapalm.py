"""ANNA-PALM: few molecules show the structure, nothing is drawn where nothing is, doubt is told.

Test pictures are the house's filaments (5.12 µm, eight curves, 500 molecules per µm, found
with an error of 20 nm), of which 2 % have been seen; the seeds are used nowhere else.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from live_smlm_annapalm import AnnaPalm
from live_smlm_annapalm.pairs import PIXEL_NM, drawn, histogram, seen
from scipy.ndimage import distance_transform_edt, gaussian_filter

from engine_rows.row import Row
from live_smlm.core import F32, F64, CameraModel, EngineContext, Reconstruction
from live_smlm.physics.field import Field
from live_smlm.physics.structures import Filaments

SIDE = 256
SHARE = 0.02
PICTURES = 16
FIRST_SEED = 7_110_000
NEAR_NM = 50.0
POINTS_PER_UM2 = (5.0, 10.0, 16.0, 25.0)
"""Filaments of which 2 % are seen show 15 molecules per µm²."""
SIGMAS_PX = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 10.0)
FACTORS = (0.6, 0.8, 1.0, 1.25, 1.6)
_AROUND_NM = 100.0
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
Predict = Callable[[F32], F32]


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture of the test."""

    counts: F32
    dense: F32

    @property
    def brightest(self) -> float:
        """The range of values that MS-SSIM compares in."""
        return float(self.dense.max())


def sample(seed: int) -> Sample:
    rng = np.random.default_rng(seed)
    extent = SIDE * PIXEL_NM + 2 * _AROUND_NM
    found = seen(rng, Filaments().positions(rng, Field(extent, extent))) - _AROUND_NM
    few = found[rng.random(len(found)) < SHARE]
    return Sample(histogram(few, (SIDE, SIDE)), drawn(found, (SIDE, SIDE)))


def ms_ssim(one: F32, other: F32, brightest: float) -> float:
    """Wang et al. (2003), five scales, written apart from the one that networks learn by."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    c1, c2 = (0.01 * brightest) ** 2, (0.03 * brightest) ** 2
    product = 1.0
    for scale, weight in enumerate(_WEIGHTS):
        ma, mb = _window(a), _window(b)
        joint = 2 * (_window(a * b) - ma * mb) + c2
        contrast = joint / (_window(a * a) - ma**2 + _window(b * b) - mb**2 + c2)
        whole = (2 * ma * mb + c1) / (ma**2 + mb**2 + c1) * contrast
        last = scale == len(_WEIGHTS) - 1
        product *= max(float((whole if last else contrast).mean()), 1e-6) ** weight
        a, b = _halved(a), _halved(b)
    return product


def _window(values: F64) -> F64:
    smooth = gaussian_filter(values, 1.5, radius=5)
    return np.asarray(smooth[5:-5, 5:-5])


def _halved(values: F64) -> F64:
    rows, columns = values.shape
    return np.asarray(values.reshape(rows // 2, 2, columns // 2, 2).mean((1, 3)))


def best_blurred(one: Sample) -> float:
    """MS-SSIM of the sparse picture with the blur and the brightness that suit it best."""
    best = 0.0
    for sigma in SIGMAS_PX:
        smooth = gaussian_filter(one.counts, sigma)
        scale = float((smooth * one.dense).sum() / (smooth**2).sum())
        for factor in FACTORS:
            picture = np.float32(scale * factor) * smooth
            best = max(best, ms_ssim(picture, one.dense, one.brightest))
    return best


def outside(picture: F32, places: F32) -> tuple[float, float]:
    """Predicted intensity farther than 50 nm from any molecule, and all of it."""
    far = distance_transform_edt(places == 0) * PIXEL_NM > NEAR_NM
    return float(picture[far].sum()), float(picture.sum())


def points(seed: int, per_um2: float) -> F32:
    rng = np.random.default_rng(seed)
    extent = SIDE * PIXEL_NM
    return histogram(
        rng.uniform(0, extent, (rng.poisson(per_um2 * extent**2 * 1e-6), 2)), (SIDE, SIDE)
    )


@dataclass(frozen=True)
class Measured:
    """Of one model."""

    gain: float
    blank: float
    stray: float
    correlation: float


def measure(predict: Predict, pictures: int) -> Measured:
    gains, rs, light = [], [], []
    for k in range(pictures):
        one = sample(FIRST_SEED + k)
        picture, error = predict(one.counts)
        like = ms_ssim(picture, one.dense, one.brightest)
        gains.append(like - best_blurred(one))
        rs.append(np.corrcoef(error.ravel(), np.abs(picture - one.dense).ravel())[0, 1])
        light.append(float(picture.sum()))
    blank = float(predict(np.zeros((SIDE, SIDE), np.float32))[0].sum())
    strays = []
    for number, per_um2 in enumerate(POINTS_PER_UM2):
        of = [points(FIRST_SEED + 1000 * (number + 1) + k, per_um2) for k in range(pictures)]
        away, whole = np.sum([outside(predict(places)[0], places) for places in of], axis=0)
        strays.append(away / whole if whole else 1.0)  # who draws no points has joined none
    return Measured(
        float(np.mean(gains)), blank / float(np.mean(light)), max(strays), float(np.mean(rs))
    )


def measure_model(folder: Path, pictures: int) -> Measured:
    camera = CameraModel(shape=(52, 52), pixel_size_nm=100.0)
    with AnnaPalm(model=str(folder)).open(EngineContext(camera=camera)) as engine:

        def predict(counts: F32) -> F32:
            asked = Reconstruction(
                image=counts[None], pixel_size_nm=PIXEL_NM, first_frame=0, last_frame=0
            )
            return engine(asked).image

        return measure(predict, pictures)


def rows(trainings: Mapping[str, Sequence[Path]], *, quick: bool) -> list[Row]:
    pictures = 2 if quick else PICTURES
    (folders,) = trainings.values()
    of = [measure_model(folder, pictures) for folder in folders]
    few = f"{pictures} pictures of filaments, 2 % of the molecules seen"
    return [
        Row(
            engine="annapalm",
            claim="few molecules suffice to draw the structure",
            test=f"{few}: MS-SSIM above that of the best blurred sparse picture (of each)",
            measured=[one.gain for one in of],
            gate=0.1,
            sense="at least",
        ),
        Row(
            engine="annapalm",
            claim="where nothing is, nothing is drawn",
            test="a blank picture: intensity, relative to that of the filaments",
            measured=[one.blank for one in of],
            gate=0.05,
            sense="at most",
        ),
        Row(
            engine="annapalm",
            claim="points are not joined to structures",
            test="molecules anywhere, worst of "
            + ", ".join(f"{n:g}" for n in POINTS_PER_UM2)
            + " per µm²: share of the predicted intensity farther than 50 nm from all of them",
            measured=[one.stray for one in of],
            gate=0.05,
            sense="at most",
        ),
        Row(
            engine="annapalm",
            claim="the error map tells where the prediction is wrong",
            test=f"{few}: correlation with |prediction - all molecules|",
            measured=[one.correlation for one in of],
            gate=0.3,
            sense="at least",
        ),
    ]
