"""What one camera count means: the map from ADU to photons.

Knows nothing of molecules. Photons are those that arrive at the camera;
electrons are quantum efficiency times photons, plus spurious charge.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from live_smlm.core.arrays import F32, AnyArray, RawPixels
from live_smlm.core.errors import require
from live_smlm.core.side import SideChannel, Span

MAP_FIELDS = ("offset_adu", "gain_e_per_adu", "read_noise_e")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CameraModel:
    """One camera's calibration; offset, gain and read noise are scalars or maps."""

    shape: tuple[int, int]
    """Rows, columns of the region read out."""
    pixel_size_nm: float
    """Pitch of the (square) pixels in the sample plane."""
    offset_adu: float | F32 = 100.0
    """Counts of a dark pixel."""
    gain_e_per_adu: float | F32 = 1.0
    """Electrons per count (after multiplication, for an EMCCD)."""
    read_noise_e: float | F32 = 0.0
    """Standard deviation in electrons (after multiplication, for an EMCCD)."""
    quantum_efficiency: float = 1.0
    em_gain: float = 1.0
    """Mean multiplication; above 1 the camera is an EMCCD."""
    spurious_e: float = 0.0
    """Clock-induced electrons per pixel and frame, before multiplication."""
    bits: int = 16
    """Counts saturate at 2**bits - 1."""
    serial: str | None = None
    roi_corner: tuple[int, int] = (0, 0)
    """Row, column on the chip of the region's first pixel."""
    side: SideChannel | None = None
    """Where every molecule is seen a second time, if somewhere."""

    def __post_init__(self) -> None:
        rows, columns = self.shape
        require(rows > 0 and columns > 0, f"camera shape is {self.shape}; both must be positive")
        require(
            np.isfinite(self.pixel_size_nm) and self.pixel_size_nm > 0,
            f"camera pixel_size_nm is {self.pixel_size_nm:g}; give nm above 0 (often 100-160)",
        )
        _check_positive("gain_e_per_adu", self.gain_e_per_adu)
        _check_not_negative("read_noise_e", self.read_noise_e)
        _check_not_negative("spurious_e", self.spurious_e)
        _check_finite("offset_adu", self.offset_adu)
        require(
            0 < self.quantum_efficiency <= 1,
            f"camera quantum_efficiency is {self.quantum_efficiency:g}; it must be in (0, 1]",
        )
        require(
            np.isfinite(self.em_gain) and self.em_gain >= 1,
            f"camera em_gain is {self.em_gain:g}; use 1 for a camera without multiplication",
        )
        require(1 <= self.bits <= 16, f"camera bits is {self.bits}; it must be 1 to 16")
        for name in MAP_FIELDS:
            self._adopt_map(name)
        if self.side is not None:
            self.side.view(self.shape)

    def _adopt_map(self, name: str) -> None:
        """Hold a private read-only float32 copy of a map, so that no one changes it later."""
        value = getattr(self, name)
        if np.ndim(value) == 0:
            object.__setattr__(self, name, float(value))
            return
        require(
            np.shape(value) == self.shape,
            f"camera {name} map is {'x'.join(map(str, np.shape(value)))} but the frames are "
            f"{self.shape[0]}x{self.shape[1]}; cut the map to the region that is read out",
        )
        held = np.array(value, dtype=np.float32)
        held.setflags(write=False)
        object.__setattr__(self, name, held)

    @property
    def is_emccd(self) -> bool:
        """Whether electrons are multiplied before they are read."""
        return self.em_gain > 1

    @property
    def excess_noise(self) -> float:
        """Variance of the multiplied signal over Poisson's: 2 for an EMCCD, else 1."""
        return 2.0 if self.is_emccd else 1.0

    @property
    def view(self) -> tuple[Span, Span]:
        """First and past-the-last rows and columns of where molecules are looked for."""
        rows, columns = self.shape
        return ((0, rows), (0, columns)) if self.side is None else self.side.view(self.shape)

    def photons(self, adu: RawPixels | AnyArray) -> F32:
        """Photons per pixel; not clipped, so noise may be negative.

        `adu` is (..., rows, columns).
        """
        self.check_frame(adu)
        electrons = (adu - np.float32(1) * self.offset_adu) * (self.gain_e_per_adu / self.em_gain)
        return np.asarray((electrons - self.spurious_e) / self.quantum_efficiency, dtype=np.float32)

    def read_variance_photons(self) -> F32:
        """Variance of the read noise, in photons², as a full (rows, columns) map."""
        sigma = np.asarray(self.read_noise_e) / (self.em_gain * self.quantum_efficiency)
        return np.ascontiguousarray(np.broadcast_to(sigma**2, self.shape), dtype=np.float32)

    def check_frame(self, adu: AnyArray) -> None:
        """Refuse frames of another shape or type than this camera's."""
        require(
            adu.shape[-2:] == self.shape,
            f"frame is {'x'.join(map(str, adu.shape[-2:]))} but the camera model is "
            f"{self.shape[0]}x{self.shape[1]}; give a model of the same region",
        )
        require(
            np.issubdtype(adu.dtype, np.integer) or np.issubdtype(adu.dtype, np.floating),
            f"frame dtype is {adu.dtype}; frames are uint8 or uint16",
        )

    def crop(self, row: int, column: int, rows: int, columns: int) -> "CameraModel":
        """The model of a region of this camera's region; it has the side channel whole or not."""
        require(
            row >= 0
            and column >= 0
            and row + rows <= self.shape[0]
            and column + columns <= self.shape[1],
            f"region {rows}x{columns} at ({row}, {column}) leaves the camera's "
            f"{self.shape[0]}x{self.shape[1]} pixels; choose one inside",
        )
        window = np.s_[row : row + rows, column : column + columns]
        cut = {n: v[window] for n in MAP_FIELDS if np.ndim(v := getattr(self, n)) == 2}
        corner = (self.roi_corner[0] + row, self.roi_corner[1] + column)
        side = self._side_in(row, column, rows, columns)
        return replace(self, shape=(rows, columns), roi_corner=corner, side=side, **cut)

    def _side_in(self, row: int, column: int, rows: int, columns: int) -> SideChannel | None:
        """The side channel of a region that cuts across it or leaves it out."""
        if self.side is None:
            return None
        (top, bottom), (left, right) = self.view
        if top <= row and row + rows <= bottom and left <= column and column + columns <= right:
            return None
        (first, stop), (start, end) = self.side.rows, self.side.columns
        lies_along = (first, stop) == (0, self.shape[0])
        down = (0, rows) if lies_along else (first - row, stop - row)
        across = (start - column, end - column) if lies_along else (0, columns)
        return replace(self.side, rows=down, columns=across)

    def evened(self, shape: tuple[int, int]) -> "CameraModel":
        """A camera of this kind with so many pixels, all alike: medians stand for maps."""
        medians = {name: float(np.median(getattr(self, name))) for name in MAP_FIELDS}
        bare = replace(self, **medians)  # type: ignore[arg-type] # each is one of its fields
        return replace(bare, shape=shape, roi_corner=(0, 0), serial=None, side=None)

    def describe(self) -> dict[str, object]:
        """Scalars as they are, maps by their median: for records and screens."""
        told: dict[str, object] = {
            f.name: float(np.median(v)) if isinstance(v := getattr(self, f.name), np.ndarray) else v
            for f in fields(self)
            if f.name != "side"
        }
        return told if self.side is None else {**told, "side": self.side.describe()}


def _check_finite(name: str, value: float | F32) -> None:
    bad = np.count_nonzero(~np.isfinite(value))
    require(
        bad == 0,
        f"camera {name} has {bad} values that are not finite; replace them (median of neighbours)",
    )


def _check_positive(name: str, value: float | F32) -> None:
    _check_finite(name, value)
    low = float(np.min(value))
    require(low > 0, f"camera {name} has the value {low:g}; it must be above 0")


def _check_not_negative(name: str, value: float | F32) -> None:
    _check_finite(name, value)
    low = float(np.min(value))
    require(low >= 0, f"camera {name} has the value {low:g}; it must not be negative")
