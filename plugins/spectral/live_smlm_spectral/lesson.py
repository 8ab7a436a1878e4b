"""What the network of spectra learns: dyes from simulated second looks, one per molecule.

Each molecule has a frame of its own, drawn by the simulator's optics and read
by a simulated camera; some have a stranger's light in their spectrum. Spectra
are taken from the frames by what the engine takes them by.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from live_smlm.core import F32, I64, AnyArray, CameraModel, RoiBatch, SideChannel, require
from live_smlm.physics.dispersion import Spread, draw_side, side_channel, with_side
from live_smlm.physics.draw import draw
from live_smlm.physics.noise import expose
from live_smlm.physics.psf.gaussian import GaussianPSF
from live_smlm.physics.spectra import Dye, dyes
from live_smlm.training.lesson import About, Batch, Graph, Recipe
from live_smlm_spectral import given
from live_smlm_spectral.spectrum import Grid, spectra

ROI_PX = 13
_MOLECULES = 256
_REACH_PX = (25.0, 5.0)
"""How far a stranger may be, along columns and rows."""
_BLUE, _RED = 3.0, 2.0
"""Sigmas beyond a dye's peak and shoulder where hardly any of its light is left."""
_DIM = 500.0


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """Cut-outs of molecules whose dye is known."""

    rois: RoiBatch
    dye: I64
    photons: F32
    """In the side channel."""


@dataclass(frozen=True, kw_only=True)
class Spectral:
    """Dyes told apart by their whole spectra; see the engine of the same name."""

    dyes: str = "two"
    """Names with / between them, or two."""
    pixel_size_nm: float = 100.0
    sigma_nm: float = 130.0
    """Of the PSF."""
    middle_nm: float = 695.0
    nm_per_px: float = 5.0
    photons_low: float = 150.0
    photons_high: float = 6000.0
    """Of a molecule in the side channel; and as many in the image."""
    background_low: float = 2.0
    background_high: float = 20.0
    read_noise_e: float = 1.6
    strangers: float = 0.2
    """Share of the molecules with another's light in their side channel."""
    width: int = 128
    """Of the first hidden layer; the second is half as wide."""

    name = "spectral"
    recipe = Recipe(learning_rate=2e-3, short_floats=False, warm_up=50, looks=16)

    def __post_init__(self) -> None:
        require(len(self.kinds) > 1, f"spectral dyes is {self.dyes!r}; one needs no telling apart")
        require(
            0 <= self.strangers <= 1,
            f"spectral strangers is {self.strangers:g}; give a share, 0 to 1",
        )
        for low, high, what in (
            (self.photons_low, self.photons_high, "photons"),
            (self.background_low, self.background_high, "background"),
        ):
            require(0 < low <= high, f"spectral {what} is {low:g} to {high:g}; give low, then high")

    @property
    def kinds(self) -> tuple[Dye, ...]:
        """The dyes."""
        return dyes(self.dyes)

    @property
    def camera(self) -> CameraModel:
        """For one molecule: a cut-out, and beside it what the side channel shows."""
        return CameraModel(
            shape=with_side((ROI_PX, ROI_PX)),
            pixel_size_nm=self.pixel_size_nm,
            read_noise_e=self.read_noise_e,
            side=self.side,
        )

    @property
    def side(self) -> SideChannel:
        """Of that camera."""
        side = side_channel(with_side((ROI_PX, ROI_PX)))
        return replace(side, middle_nm=self.middle_nm, nm_per_px=self.nm_per_px)

    @property
    def grid(self) -> Grid:
        """As fine as the camera's pixels, as wide as its side channel but for its ends."""
        blue = min(dye.peak_nm - _BLUE * dye.blue_nm for dye in self.kinds)
        red = max(
            dye.peak_nm + dye.shoulder_nm + _RED * dye.shoulder_sigma_nm for dye in self.kinds
        )
        step = abs(self.nm_per_px)
        count = self.side.width - 4
        return Grid(
            first_nm=self.middle_nm - step * (count // 2),
            step_nm=step,
            count=count,
            light_nm=(blue, red),
        )

    def describe(self) -> dict[str, Any]:
        """See `Lesson`."""
        return dict(vars(self))

    def network(self) -> nn.Module:
        """Two hidden layers on a spectrum."""
        wide, narrow = self.width, self.width // 2
        return nn.Sequential(
            nn.Linear(self.grid.count + 2, wide),
            nn.ReLU(),
            nn.Linear(wide, narrow),
            nn.ReLU(),
            nn.Linear(narrow, len(self.kinds)),
        )

    def looks(self, rng: np.random.Generator, photons: tuple[float, float]) -> Looks:
        """Molecules of random dyes, places and backgrounds, with as much light as that."""
        n, camera, psf, side = _MOLECULES, self.camera, GaussianPSF(self.sigma_nm), self.side
        light = np.empty((n, *camera.shape), np.float32)
        light[:] = _between(rng, n, self.background_low, self.background_high)[:, None, None]
        bright = _between(rng, n, *photons)
        place = np.zeros((n, 3))
        place[:, :2] = camera.pixel_size_nm * (ROI_PX / 2 + rng.uniform(-1, 1, (n, 2)))
        draw(light[:, :, :ROI_PX], psf, camera.pixel_size_nm, np.arange(n), place, bright)
        near = np.flatnonzero(rng.random(n) < self.strangers)
        away = rng.uniform(-1, 1, (len(near), 2)) * _REACH_PX * np.float64(camera.pixel_size_nm)
        strange = place[near] + np.column_stack([away, np.zeros(len(near))])
        image = np.concatenate([np.arange(n), near])
        dye = rng.integers(len(self.kinds), size=len(image))
        own = np.array([kind.spread_nm for kind in self.kinds])
        draw_side(
            light,
            camera,
            psf,
            Spread(self.kinds, side),
            image,
            np.concatenate([place, strange]),
            np.concatenate([bright, _between(rng, len(near), *photons)]),
            dye,
            own[dye] * rng.standard_normal(len(image)),
        )
        seen = camera.photons(expose(light, camera, rng))
        first = side.step_px[1] + ROI_PX // 2 - side.width // 2
        zero = np.zeros(n, np.int32)
        rois = RoiBatch(
            seen[:, :, :ROI_PX],
            np.arange(n),
            zero,
            zero,
            side=seen[:, :, first : first + side.width],
        )
        return Looks(rois, dye[:n], bright.astype(np.float32))

    def spectra_of(self, rois: RoiBatch) -> F32:
        """What the network is given of them."""
        return given(spectra(rois, self.side, self.grid, self.sigma_nm / self.pixel_size_nm))

    def draw(self, seed: int, step: int) -> dict[str, AnyArray]:
        """See `Lesson`."""
        rng = np.random.default_rng(np.random.SeedSequence([seed, step]))
        looks = self.looks(rng, (self.photons_low, self.photons_high))
        return {"spectra": self.spectra_of(looks.rois), "dye": looks.dye, "photons": looks.photons}

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """See `Lesson`."""
        return cross_entropy(network(batch["spectra"]), batch["dye"])

    def judge(self, network: nn.Module, batches: Sequence[Batch]) -> Mapping[str, float]:
        """See `Lesson`."""
        scores = torch.cat([network(batch["spectra"]) for batch in batches])
        dye, photons = (torch.cat([b[name] for b in batches]) for name in ("dye", "photons"))
        right = (scores.argmax(dim=1) == dye).float()
        dim = photons < _DIM
        return {
            "loss": float(cross_entropy(scores, dye)),
            "right %": 100 * float(right.mean()),
            f"right % below {_DIM:.0f} photons": 100 * float(right[dim].mean()),
        }

    def graphs(self, network: nn.Module) -> Mapping[str, Graph]:
        """See `Lesson`."""
        return {
            "dye": Graph(
                module=nn.Sequential(network, nn.Softmax(dim=1)),
                inputs={"spectra": torch.zeros(_MOLECULES, self.grid.count + 2)},
                outputs=("probability",),
                open_axes={"spectra": {0: "n"}, "probability": {0: "n"}},
            )
        }

    def about(self, network: nn.Module, batches: Sequence[Batch]) -> About:
        """See `Lesson`."""
        del network, batches
        grid = {name: getattr(self.grid, name) for name in Grid.__dataclass_fields__}
        return About(
            details={
                "dyes": [dye.name for dye in self.kinds],
                "grid": grid,
                "nm_per_px": abs(self.nm_per_px),
                "sigma_nm": self.sigma_nm,
            },
        )


def _between(rng: np.random.Generator, count: int, low: float, high: float) -> np.ndarray[Any, Any]:
    """Numbers whose logarithms are uniform."""
    return np.exp(rng.uniform(np.log(low), np.log(high), count))
