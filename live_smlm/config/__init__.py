"""What users write, checked and turned into what it means."""

from live_smlm.config.run import RunConfig, example, read_config
from live_smlm.config.words import (
    CAMERA_HELP,
    PSF_HELP,
    CameraSpec,
    camera_model,
    camera_spec,
    chip_model,
    drift,
    image_shape,
    psf,
)

__all__ = [
    "CAMERA_HELP",
    "PSF_HELP",
    "CameraSpec",
    "RunConfig",
    "camera_model",
    "camera_spec",
    "chip_model",
    "drift",
    "example",
    "image_shape",
    "psf",
    "read_config",
]
