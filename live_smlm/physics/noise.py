"""The forward camera: from photons to counts, the inverse in the mean of `CameraModel.photons`.

Knows the order of the physics (detection, multiplication, reading, digitising)
and nothing of what the photons show.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from live_smlm.core import F32, AnyArray, CameraModel, RawPixels, require
from live_smlm.physics.jit import jit
from live_smlm.physics.sampling import gamma, normal, poisson, poisson_table


def expose(photons: AnyArray, camera: CameraModel, rng: np.random.Generator) -> RawPixels:
    """Frames as the camera would hand them out; uint8 up to 8 bits, else uint16.

    `photons` is (n, rows, columns), expected at the camera per pixel; what lies
    below zero (a spline PSF may undershoot) counts as darkness. Each frame takes
    one number from `rng`, so a movie is the same in whatever batches it is made.
    """
    require(
        photons.ndim == 3 and photons.shape[1:] == camera.shape,
        f"photons have shape {photons.shape}; give (frames, {camera.shape[0]}, {camera.shape[1]})",
    )
    light = np.ascontiguousarray(photons, dtype=np.float32).reshape(len(photons), -1)
    keys = rng.integers(0, 2**64, size=len(photons), dtype=np.uint64)
    counts = np.empty(light.shape, np.uint8 if camera.bits <= 8 else np.uint16)
    bad = _expose(
        light,
        keys,
        (camera.quantum_efficiency, camera.spurious_e, camera.em_gain, float(2**camera.bits - 1)),
        _by_pixel(camera.offset_adu),
        _by_pixel(camera.gain_e_per_adu),
        _by_pixel(camera.read_noise_e),
        poisson_table(),
        counts,
    )
    require(bad == 0, f"photons hold {bad} values that are not finite; give a number per pixel")
    return counts.reshape(photons.shape)


def _by_pixel(value: float | F32) -> F32:
    """A map, or one value for all pixels, as the kernel takes them: flat and read-only."""
    flat = np.asarray(value, dtype=np.float32).reshape(-1).view()
    flat.setflags(write=False)
    return flat


@jit
def _expose(
    light: F32,
    keys: NDArray[np.uint64],
    physics: tuple[float, float, float, float],
    offset: F32,
    gain: F32,
    read_noise: F32,
    table: AnyArray,
    counts: Any,
) -> int:
    """Fill `counts`; return how many pixels had no finite light. Maps of length 1 hold for all."""
    efficiency, spurious, em_gain, saturation = physics
    offset_step = int(offset.size > 1)
    gain_step = int(gain.size > 1)
    noise_step = int(read_noise.size > 1)
    bad = 0
    for frame in range(light.shape[0]):
        state = keys[frame : frame + 1].copy()
        for p in range(light.shape[1]):
            photons = light[frame, p]
            if not np.isfinite(photons):
                bad += 1
                continue
            electrons = poisson(efficiency * max(photons, 0.0) + spurious, table, state)
            if em_gain > 1.0 and electrons > 0.0:
                electrons = em_gain * gamma(electrons, state)
            electrons += read_noise[p * noise_step] * normal(state)
            adu = np.rint(electrons / gain[p * gain_step] + offset[p * offset_step])
            counts[frame, p] = np.int64(min(max(adu, 0.0), saturation))
    return bad


def scmos_camera(
    shape: tuple[int, int],
    pixel_size_nm: float,
    rng: np.random.Generator,
    *,
    offset_adu: float = 100.0,
    gain_e_per_adu: float = 0.46,
    read_noise_e: float = 1.0,
    quantum_efficiency: float = 0.82,
    hot_share: float = 0.01,
) -> CameraModel:
    """An sCMOS with maps like a real chip's.

    Each pixel's read noise scatters by 20 % (log-normal) around `read_noise_e`;
    `hot_share` of the pixels have a tail that reaches tens of electrons, as
    random telegraph noise gives. Gains scatter by 1 %; offsets by 1.5 counts
    and, since every column has its own amplifier, by another 0.7 per column.
    """
    require(0 <= hot_share <= 1, f"hot_share is {hot_share:g}; it is a share, 0 to 1")
    noise = read_noise_e * np.exp(0.2 * rng.standard_normal(shape))
    hot = rng.random(shape) < hot_share
    noise[hot] *= 1.5 + rng.pareto(2.0, int(hot.sum())).clip(max=30.0)
    columns = 0.7 * rng.standard_normal(shape[1])
    return CameraModel(
        shape=shape,
        pixel_size_nm=pixel_size_nm,
        offset_adu=(offset_adu + columns + 1.5 * rng.standard_normal(shape)).astype(np.float32),
        gain_e_per_adu=(gain_e_per_adu * (1 + 0.01 * rng.standard_normal(shape))).astype(
            np.float32
        ),
        read_noise_e=noise.astype(np.float32),
        quantum_efficiency=quantum_efficiency,
    )
