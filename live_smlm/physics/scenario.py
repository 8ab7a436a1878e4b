"""A simulation in the words of the command line: one field per option of `live-smlm simulate`.

Knows how those few words become a full `Simulator`; who needs more composes one.
"""

from dataclasses import dataclass

from live_smlm.core import PSF, CameraModel, require
from live_smlm.physics.background import Background
from live_smlm.physics.blinking import BLINKINGS, Blinking
from live_smlm.physics.drift import Drift, NoDrift
from live_smlm.physics.emitters import Brightness
from live_smlm.physics.field import check_number
from live_smlm.physics.simulator import Simulator
from live_smlm.physics.specimens import SPECIMENS, Specimen
from live_smlm.physics.spectra import Dye, dyes

_POOL_PER_VISIBLE = 300.0
_FLAT = ("siemens", "lines")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scenario:
    """What to simulate; every field has the option's name."""

    camera: CameraModel
    """Its shape is `--size`, its pixel size `--pixel-nm`."""
    psf: PSF
    density: float = 0.1
    """Molecules visible per µm² and frame."""
    photons: float = 1000.0
    """Mean that arrives at the camera from a molecule that is on for a whole frame."""
    photons_spread: float = 0.0
    """Sigma of the log-normal between molecules; 0: all the same."""
    background: float = 10.0
    """Photons per pixel and frame."""
    background_amplitude: float = 0.0
    """Largest deviation from it, relative, below 1: smooth structure of `background_scale_nm`."""
    background_scale_nm: float = 2000.0
    specimen: str = "uniform"
    blinking: str = "single"
    on_frames: float = 3.0
    """Mean length of a blink; not for `single`."""
    bleaching: float | None = None
    """Frames in which the pool falls to 1 / e without being seen; for `four-state`."""
    z_range_nm: float = 0.0
    """Half range: molecules lie between minus and plus this."""
    drift: Drift = NoDrift()  # noqa: RUF009 - frozen and empty, so it may be shared
    seed: int = 0
    frame_interval_s: float = 0.02
    dyes: str | None = None
    """Names with / between them: each labels a specimen of its own, and shines in the camera's
    side channel, too."""

    def __post_init__(self) -> None:
        check_number("density", self.density, at_least=0)
        check_number("z_range_nm", self.z_range_nm, at_least=0)
        check_number("on_frames", self.on_frames, above=0)
        for option, kinds in (("specimen", SPECIMENS), ("blinking", BLINKINGS)):
            name = getattr(self, option)
            require(name in kinds, f"{option} is {name!r}; choose one of {', '.join(kinds)}")
        require(
            self.bleaching is None or self.blinking == "four-state",
            f"bleaching is {self.bleaching} but {self.blinking} blinking has no pool; "
            "take four-state",
        )
        require(
            self.z_range_nm == 0 or self.psf.z_range_nm is not None,
            f"z_range_nm is {self.z_range_nm:g} but the {self.psf.name} psf says nothing about z; "
            "leave it at 0 or take another psf",
        )

    def simulator(self) -> Simulator:
        """The microscope that does this; refuses what cannot be simulated."""
        return Simulator(
            camera=self.camera,
            psf=self.psf,
            specimen=self._specimen(),
            blinking=self._blinking(),
            brightness=Brightness(self.photons, self.photons_spread),
            visible_per_um2=self.density,
            background=Background(
                self.background, self.background_amplitude, self.background_scale_nm
            ),
            drift=self.drift,
            seed=self.seed,
            frame_interval_s=self.frame_interval_s,
            dyes=self._dyes(),
        )

    def _dyes(self) -> tuple[Dye, ...]:
        return () if self.dyes is None else dyes(self.dyes)

    def _blinking(self) -> Blinking:
        kind = BLINKINGS[self.blinking]
        if self.blinking == "four-state":
            return kind(on_frames=self.on_frames, fade_frames=self.bleaching)
        return kind() if self.blinking == "single" else kind(on_frames=self.on_frames)

    def _specimen(self) -> Specimen:
        """Single-frame molecules of `uniform` and `grid` all shine; else few of many do."""
        kind = SPECIMENS[self.specimen]
        labels = self.density * (1.0 if self.blinking == "single" else _POOL_PER_VISIBLE)
        if self.specimen == "uniform":
            return kind(density_per_um2=labels, z_half_nm=self.z_range_nm)
        if self.specimen == "grid":
            require(labels > 0, "density is 0; a grid needs molecules, so give it above 0")
            return kind(spacing_nm=1000 / labels**0.5, z_half_nm=self.z_range_nm)
        flat = kind()
        if self.specimen in _FLAT:
            return flat
        return kind(z_half_nm=max(0.0, self.z_range_nm - flat.z_reach_nm))
