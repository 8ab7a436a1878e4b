"""A super-resolved image, or an increment of one."""

from dataclasses import dataclass

import numpy as np

from live_smlm.core.arrays import F32
from live_smlm.core.errors import require
from live_smlm.core.localizations import Localizations

CHANNEL_IMAGE_DIMENSIONS = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reconstruction:
    """Molecules (or light) per pixel on a regular grid."""

    image: F32
    """(channels, rows, columns)."""
    pixel_size_nm: float
    origin_nm: tuple[float, float] = (0.0, 0.0)
    """y, x of the outer corner of pixel (0, 0)."""
    first_frame: int
    last_frame: int
    predicted: bool = False
    """Drawn by a generative network rather than counted."""
    channels: tuple[str, ...] = ()
    """Names of the image's channels; none where there is nothing to tell."""
    molecules: Localizations | None = None
    """What was read out of it, by those who do."""

    def __post_init__(self) -> None:
        require(
            self.image.ndim == CHANNEL_IMAGE_DIMENSIONS,
            f"Reconstruction image has shape {self.image.shape}; give (channels, rows, columns)",
        )
        require(
            len(self.channels) in (0, len(self.image)),
            f"Reconstruction names {len(self.channels)} channels and has {len(self.image)}; "
            "name each, or none",
        )
        require(
            self.pixel_size_nm > 0,
            f"Reconstruction pixel_size_nm is {self.pixel_size_nm}; it must be above 0",
        )
        require(
            self.first_frame <= self.last_frame,
            f"Reconstruction covers frames {self.first_frame} to {self.last_frame}; "
            "the first must not come after the last",
        )

    def plus(self, more: "Reconstruction") -> "Reconstruction":
        """With an increment of later frames added; molecules are not kept."""
        same = ("pixel_size_nm", "origin_nm", "channels", "predicted")
        differing = [name for name in same if getattr(self, name) != getattr(more, name)]
        require(
            not differing and self.image.shape == more.image.shape,
            f"Reconstructions to be added differ in {', '.join(differing) or 'shape'}; "
            "an engine gives increments on one grid",
        )
        return Reconstruction(
            image=np.add(self.image, more.image, dtype=np.float32),
            pixel_size_nm=self.pixel_size_nm,
            origin_nm=self.origin_nm,
            first_frame=min(self.first_frame, more.first_frame),
            last_frame=max(self.last_frame, more.last_frame),
            predicted=self.predicted,
            channels=self.channels,
        )
