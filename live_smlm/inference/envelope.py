"""What a network was trained for, and whether a camera and a PSF are like it.

Light is in effective counts, the scale that networks see: counts whose
variance equals their mean whatever the camera (see `fitting.counts`). PSFs
are compared by the images they make, so kinds may differ as long as the
pictures agree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from live_smlm.core import F64, PSF, CameraModel, require
from live_smlm.fitting.counts import count_scale

PIXEL_TOLERANCE = 0.02
"""By which share a pixel may be off the trained sizes: less than the PSF's tolerance."""
WIDTH_TOLERANCE = 0.05
"""By which share a PSF's width may be off."""
IMAGE_PER_WIDTH = float(np.sqrt(2.0))
"""Relative difference (L2) of two Gaussian images per relative difference of their widths."""
NOISE_TOLERANCE = 0.10
"""By which share the noise of the darkest trained background may be off."""
_Z_OVERLAP = 0.8
"""The share of the trained range of z that the PSF must know."""
_Z_BEYOND = 0.1
"""How far beyond, in trained ranges, the PSF may go on."""
_Z_STEPS = 9
Range = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Ranges, lowest to highest, that the training data covered."""

    pixel_size_nm: Range
    z_nm: Range
    density_per_um2: Range
    """Molecules that shine in one frame."""
    photons: Range
    """Effective counts per molecule and frame."""
    background: Range
    """Effective counts per pixel."""
    read_noise: Range
    """Standard deviation in effective counts, spurious charge included."""
    psf: Mapping[str, object]
    """What `PSF.describe` gave."""
    found_per_um2: float | None = None
    """What the network finds where molecules are as dense as that: neighbours hide each other."""

    def __post_init__(self) -> None:
        for name, (low, high) in self.ranges().items():
            require(
                bool(np.isfinite([low, high]).all()) and low <= high,
                f"envelope {name} is [{low:g}, {high:g}]; give finite numbers, the lower first",
            )
        for name in ("pixel_size_nm", "photons"):
            low = getattr(self, name)[0]
            require(low > 0, f"envelope {name} begins at {low:g}; it must be above 0")
        for name in ("density_per_um2", "background", "read_noise"):
            low = getattr(self, name)[0]
            require(low >= 0, f"envelope {name} begins at {low:g}; it must not be negative")
        require(
            self.found_per_um2 is None or self.found_per_um2 > 0,
            f"envelope found_per_um2 is {self.found_per_um2}; it must be above 0",
        )
        require("kind" in self.psf, "envelope psf has no kind; write what PSF.describe() gives")

    def ranges(self) -> dict[str, Range]:
        """All ranges by name."""
        return {
            "pixel_size_nm": self.pixel_size_nm,
            "z_nm": self.z_nm,
            "density_per_um2": self.density_per_um2,
            "photons": self.photons,
            "background": self.background,
            "read_noise": self.read_noise,
        }

    def describe(self) -> dict[str, object]:
        """As it stands in a manifest."""
        found = {} if self.found_per_um2 is None else {"found_per_um2": self.found_per_um2}
        return {**{k: list(v) for k, v in self.ranges().items()}, **found, "psf": dict(self.psf)}

    def spec_ranges(self) -> Mapping[str, Range]:
        """For `EngineSpec.envelope`, which knows no camera: light is in effective counts.

        Density is what will be seen of it: as found.
        """
        low, high = self.density_per_um2
        most = high if self.found_per_um2 is None else min(high, self.found_per_um2)
        return MappingProxyType(
            {
                "pixel_size_nm": self.pixel_size_nm,
                "z_nm": self.z_nm,
                "density_per_um2": (min(low, most), most),
                "photon_counts": self.photons,
                "background_counts": self.background,
            }
        )

    def misfit(self, camera: CameraModel, psf: PSF | None, trained: PSF) -> str | None:
        """What differs from the training, in one line; None if the network may be used.

        `trained` is the PSF that `psf` of this envelope describes. Without a
        PSF nobody contradicts the trained one.
        """
        ranges = {**self.spec_ranges(), "read_noise": self.read_noise}
        reason = camera_misfit(ranges, camera)
        if reason is None and psf is not None:
            reason = psf_misfit(psf, trained, self.z_nm, camera.pixel_size_nm)
        return reason


def camera_misfit(ranges: Mapping[str, Range], camera: CameraModel) -> str | None:
    """What differs from the training; of `spec_ranges` and `read_noise`, those that are there."""
    reason = None
    if "pixel_size_nm" in ranges:
        reason = _pixel_misfit(ranges["pixel_size_nm"], camera.pixel_size_nm)
    if reason is None and "read_noise" in ranges:
        darkest = ranges.get("background_counts", (0.0, 0.0))[0]
        reason = _noise_misfit(ranges["read_noise"], darkest, camera)
    return reason


def hull(envelopes: Sequence[Envelope]) -> Mapping[str, Range]:
    """`Envelope.spec_ranges` that hold all of the envelopes; nothing of none."""
    ranges: dict[str, Range] = {}
    for envelope in envelopes:
        for name, (low, high) in envelope.spec_ranges().items():
            other = ranges.get(name, (low, high))
            ranges[name] = min(low, other[0]), max(high, other[1])
    return MappingProxyType(ranges)


def photon_ranges(ranges: Mapping[str, Range], camera: CameraModel) -> dict[str, Range]:
    """`Envelope.spec_ranges` with the light in this camera's photons: `photons`, `background`."""
    per_count = camera.excess_noise / camera.quantum_efficiency
    named = {"photon_counts": "photons", "background_counts": "background"}
    return {
        named.get(name, name): (low * per_count, high * per_count) if name in named else (low, high)
        for name, (low, high) in ranges.items()
    }


def psf_misfit(psf: PSF, trained: PSF, z_nm: Range, pixel_size_nm: float) -> str | None:
    """How the images of two PSFs differ, where it is more than a width that is 5 % off."""
    beyond = _range_misfit(psf.z_range_nm, trained.z_range_nm, z_nm)
    if beyond is not None:
        return beyond
    low, high = psf.z_range_nm or z_nm
    if trained.z_range_nm is not None:
        low, high = max(low, z_nm[0]), min(high, z_nm[1])
    z = np.linspace(low, high, _Z_STEPS)  # all of the PSF's where the training knew one image only
    off = image_difference(psf, trained, z, pixel_size_nm) / IMAGE_PER_WIDTH
    if off <= WIDTH_TOLERANCE:
        return None
    return (
        f"the {psf.name} PSF is not the {trained.name} PSF of the training: their images differ "
        f"like widths {100 * off:.0f} % apart, {100 * WIDTH_TOLERANCE:.0f} % is allowed"
        f"{_differing(psf.describe(), trained.describe())}"
    )


def image_difference(psf: PSF, other: PSF, z_nm: F64, pixel_size_nm: float) -> float:
    """L2 norm of the difference of images over that of `other`'s, all z together."""
    reach = max(psf.extent_nm, other.extent_nm)
    side = 2 * int(np.ceil(reach / pixel_size_nm)) + 1
    centre = np.full(len(z_nm), side * pixel_size_nm / 2)
    ours, theirs = (
        p.images(centre, centre, z_nm, (side, side), pixel_size_nm).value for p in (psf, other)
    )
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))


def _pixel_misfit(trained: Range, pixel_size_nm: float) -> str | None:
    low, high = trained[0] * (1 - PIXEL_TOLERANCE), trained[1] * (1 + PIXEL_TOLERANCE)
    if low <= pixel_size_nm <= high:
        return None
    return f"the camera's pixels are {pixel_size_nm:g} nm, trained were {_said(trained)} nm"


def _noise_misfit(trained: Range, background: float, camera: CameraModel) -> str | None:
    """Read noise matters as far as it changes the noise of the darkest background."""
    variance = float(np.median(count_scale(camera).extra))
    low, high = (
        np.sqrt((background + variance) / max(background + read**2, 1e-12)) for read in trained
    )
    if high <= 1 + NOISE_TOLERANCE and low >= 1 - NOISE_TOLERANCE:
        return None
    return (
        f"the camera's read noise is {variance**0.5:.2g} effective counts, trained were "
        f"{_said(trained)}"
    )


def _range_misfit(given: Range | None, trained: Range | None, z_nm: Range) -> str | None:
    """Whether the PSF speaks of the z that the network knows, and of little else."""
    if trained is None or given is None:
        return None  # the images decide
    length = z_nm[1] - z_nm[0]
    low, high = min(trained[0], z_nm[0]), max(trained[1], z_nm[1])
    slack = _Z_BEYOND * length
    common = min(given[1], z_nm[1]) - max(given[0], z_nm[0])
    if common >= _Z_OVERLAP * length and given[0] >= low - slack and given[1] <= high + slack:
        return None
    return f"the PSF ranges over z {_said(given)} nm, trained was {_said(z_nm)} nm"


def _differing(ours: Mapping[str, object], theirs: Mapping[str, object]) -> str:
    """The parameters that differ, where the kinds are the same."""
    if ours.get("kind") != theirs.get("kind"):
        return ""
    differing = [
        f"{name} is {ours[name]!r}, trained was {value!r}"
        for name, value in theirs.items()
        if name in ours and ours[name] != value and name != "sha256"
    ]
    return f" ({'; '.join(differing)})" if differing else ""


def _said(values: Range) -> str:
    low, high = values
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
