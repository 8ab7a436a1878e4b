"""A super-resolved image, or an increment of one."""

from dataclasses import dataclass

from live_smlm.core.arrays import F32
from live_smlm.core.errors import require

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

    def __post_init__(self) -> None:
        require(
            self.image.ndim == CHANNEL_IMAGE_DIMENSIONS,
            f"Reconstruction image has shape {self.image.shape}; give (channels, rows, columns)",
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
