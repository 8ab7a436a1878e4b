"""Whether two ways of running one network give the same molecules.

Asked on frames drawn from what the bundle was trained for, so that nobody
needs data to trust a lower precision.
"""

from dataclasses import dataclass

import numpy as np

from live_smlm.core import I64, CameraModel, Localizations, RawPixels, require
from live_smlm.evaluate.matching import match
from live_smlm.inference.bundle import Bundle
from live_smlm.inference.manifest import Manifest
from live_smlm.inference.runtime import Opened, Peaks

LEAST_JACCARD = 0.99
MOST_RMS_NM = 2.0
_FRAMES = 64
_SIDE_PX = 64
_FRAMES_LIT = 3
_OFFSET_ADU = 100.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of two tables of the same frames."""

    molecules: int
    """Of the reference."""
    jaccard: float
    rms_nm: float
    """Lateral, per axis, over the pairs."""

    @property
    def close(self) -> bool:
        """Whether the one may stand for the other."""
        return self.jaccard >= LEAST_JACCARD and self.rms_nm <= MOST_RMS_NM

    def __str__(self) -> str:
        return (
            f"{self.molecules} molecules, Jaccard {self.jaccard:.4f} (least {LEAST_JACCARD}), "
            f"positions {self.rms_nm:.2f} nm rms apart (most {MOST_RMS_NM:g})"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Frames like those of the training, context included."""

    camera: CameraModel
    pixels: RawPixels
    index: I64


def sample(bundle: Bundle, seed: int = 0) -> Sample:
    """Molecules that shine for some frames, in the middle of the envelope's ranges."""
    envelope = bundle.manifest.envelope
    rng = np.random.default_rng(seed)
    camera = CameraModel(
        shape=(_SIDE_PX, _SIDE_PX),
        pixel_size_nm=_middle(envelope.pixel_size_nm),
        offset_adu=_OFFSET_ADU,
        read_noise_e=float(np.mean(envelope.read_noise)),
    )
    size_nm = _SIDE_PX * camera.pixel_size_nm
    n = _FRAMES + sum(bundle.manifest.halo)
    expected = np.full((n, *camera.shape), _middle(envelope.background))
    born = rng.poisson(_middle(envelope.density_per_um2) * (size_nm / 1000) ** 2 * n / _FRAMES_LIT)
    x, y = rng.uniform(0, size_nm, (2, born))
    z = rng.uniform(*envelope.z_nm, born)
    images = bundle.psf().images(x, y, z, camera.shape, camera.pixel_size_nm).value
    first = rng.integers(1 - _FRAMES_LIT, n, born)
    for image, begin in zip(images, first, strict=True):
        expected[max(0, begin) : begin + _FRAMES_LIT] += _middle(envelope.photons) * image
    adu = rng.poisson(expected) + rng.normal(0, camera.read_noise_e, expected.shape)
    pixels = np.clip(np.rint(adu + _OFFSET_ADU), 0, 2**camera.bits - 1).astype(np.uint16)
    return Sample(camera, pixels, np.arange(n))


def agreement(ours: Opened, reference: Opened, bundle: Bundle, on: Sample) -> Agreement:
    """Of two sessions opened for the sample's camera."""
    found, wanted = (
        _table(one(on.pixels, on.index), bundle.manifest, on.camera) for one in (ours, reference)
    )
    pairs = match(found, wanted, radius_xy_nm=on.camera.pixel_size_nm)
    either = len(found) + len(wanted) - len(pairs)
    off = [pairs.errors(found, wanted, axis) for axis in ("x", "y")]
    rms = float(np.sqrt(np.mean(np.square(off)))) if len(pairs) else 0.0
    return Agreement(len(wanted), len(pairs) / either if either else 1.0, rms)


def check_agreement(ours: Opened, reference: Opened, bundle: Bundle, on: Sample) -> None:
    """Refuse with the numbers where they disagree."""
    found = agreement(ours, reference, bundle, on)
    require(
        found.close,
        f"{ours.identity} does not agree with {reference.identity} on model "
        f"{bundle.manifest.name!r}: {found}; say precision=fp32",
    )


def _middle(values: tuple[float, float]) -> float:
    """Geometric, where it can be: ranges of light span decades."""
    low, high = values
    return float(np.sqrt(low * high)) if low > 0 else (low + high) / 2


def _table(peaks: Peaks, manifest: Manifest, camera: CameraModel) -> Localizations:
    x, y = (peaks.column(name) * np.float32(camera.pixel_size_nm) for name in ("x", "y"))
    z = peaks.column("z") if manifest.axes == 3 else None
    return Localizations(frame=peaks.frame, x=x, y=y, z=z)
