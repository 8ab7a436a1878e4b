"""Light that is not from single molecules: a level, smooth structure, slow bleaching."""

from dataclasses import dataclass

import numpy as np

from live_smlm.core import F32, F64, I64, require


@dataclass(frozen=True, slots=True)
class Background:
    """Photons per pixel and frame at the camera: level x (1 + amplitude x smooth) x bleaching."""

    level: float = 10.0
    """Mean over the field in the first frame."""
    amplitude: float = 0.0
    """Largest deviation from the level, relative; below 1."""
    scale_nm: float = 2000.0
    """Size of the structures."""
    bleach_frames: float | None = None
    """Frames until it has fallen to 1/e; None: never."""

    def __post_init__(self) -> None:
        require(
            bool(np.isfinite(self.level)) and self.level >= 0,
            f"background is {self.level:g}; give photons per pixel, 0 or more",
        )
        require(
            0 <= self.amplitude < 1,
            f"background amplitude is {self.amplitude:g}; give 0 (flat) to below 1",
        )
        require(
            bool(np.isfinite(self.scale_nm)) and self.scale_nm > 0,
            f"background scale_nm is {self.scale_nm:g}; it must be above 0",
        )
        require(
            self.bleach_frames is None or self.bleach_frames > 0,
            f"background bleach_frames is {self.bleach_frames}; give a number above 0",
        )

    def pattern(
        self, shape: tuple[int, int], pixel_size_nm: float, rng: np.random.Generator
    ) -> F32:
        """(rows, columns) photons in the first frame."""
        flat = np.full(shape, self.level)
        if self.amplitude > 0:
            flat *= 1 + self.amplitude * _smooth(shape, self.scale_nm / pixel_size_nm, rng)
        return flat.astype(np.float32)

    def fading(self, frame: I64) -> F32:
        """The factor by which it has bleached at each frame."""
        if self.bleach_frames is None:
            return np.ones(len(frame), np.float32)
        return np.exp(-np.asarray(frame) / self.bleach_frames).astype(np.float32)


def _smooth(shape: tuple[int, int], scale: float, rng: np.random.Generator) -> F64:
    """White noise blurred by a Gaussian of `scale` / 2 pixels; mean 0, largest deviation 1.

    The blur is periodic, so it is made on a field larger by a few widths and cut.
    """
    margin = int(np.ceil(2 * min(scale, max(shape))))
    rows, columns = shape[0] + margin, shape[1] + margin
    fy = np.fft.fftfreq(rows)[:, None]
    fx = np.fft.rfftfreq(columns)
    blur = np.exp(-0.5 * (np.pi * scale) ** 2 * (fy**2 + fx**2))
    noise = np.fft.rfft2(rng.standard_normal((rows, columns))) * blur
    smooth = np.fft.irfft2(noise, (rows, columns))[: shape[0], : shape[1]]
    smooth -= smooth.mean()
    largest = np.abs(smooth).max()
    return np.asarray(smooth / largest if largest > 0 else smooth)
