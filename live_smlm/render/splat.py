"""A whole field as a `Reconstruction`: each molecule a Gaussian that sums to one."""

import numpy as np

from live_smlm.core import Localizations, Reconstruction
from live_smlm.render.accumulator import CpuAccumulator, Drawing, Mode
from live_smlm.render.viewport import covering


def splat(
    molecules: Localizations,
    field_nm: tuple[float, float],
    pixel_nm: float,
    precision_nm: float | None = None,
) -> Reconstruction:
    """Draw molecules over a field of (height, width) nm from the origin.

    Each is as wide as its own sigma_x, sigma_y, or as `precision_nm`.
    """
    drawing = Drawing()
    if precision_nm is not None:
        drawing = Drawing(mode=Mode.GAUSSIAN, width_nm=precision_nm)
    picture = CpuAccumulator(covering(field_nm, pixel_nm), drawing)
    picture.add(molecules)
    frames = molecules.frame if len(molecules) else np.zeros(1, np.int64)
    return Reconstruction(
        image=picture.image()[np.newaxis],
        pixel_size_nm=pixel_nm,
        first_frame=int(frames.min()),
        last_frame=int(frames.max()),
    )
