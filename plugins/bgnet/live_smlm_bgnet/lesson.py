"""What the network of backgrounds learns: molecules on structured light, drawn anew in each step.

The structure is noise of many spatial frequencies: random lattices, each twice
as fine as the one before, between whose knots light changes smoothly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from live_smlm.core import F32, F64, AnyArray, require
from live_smlm.fitting.counts import count_scale
from live_smlm.physics.noise import expose
from live_smlm.training.lesson import About, Batch, Graph, Recipe
from live_smlm.training.scene import Scene
from live_smlm_bgnet.network import UNet
from live_smlm_bgnet.scaled import POOLED, scaled

_ROIS = 64
_OFF_PX = 1.0
"""A detector is off by so much; cut-outs that an edge moved (a share of `_MOVED`) by more."""
_MOVED = 0.1
_FADING = (0.3, 0.8)
"""Weight of each finer lattice by that of the one before."""


@dataclass(frozen=True, slots=True, eq=False)
class Lit:
    """Cut-outs whose background is known, all in photons."""

    photons: F32
    background: F32
    place: F64
    """(n, 3) x, y, z in nm from the cut-out's corner."""
    light: F64
    """(n,) of the molecule."""


@dataclass(frozen=True, kw_only=True)
class BgNet:
    """Structured backgrounds under the scene's PSF."""

    scene: Scene
    width: int = 16
    """Channels of the finest level."""
    largest_px: int = 21
    """Cut-outs are of all odd sizes between the PSF's and this."""
    structure: float = 5.0
    """Structure is up to so many times as bright as the scene's background."""
    coarsest_nm: float = 2000.0
    """Distance of the knots of the coarsest lattice, and of the finest."""
    finest_nm: float = 500.0

    name = "bgnet"
    recipe = Recipe(learning_rate=2e-3, looks=8)

    def __post_init__(self) -> None:
        require(
            0 < self.finest_nm <= self.coarsest_nm,
            f"bgnet knots are {self.finest_nm:g} to {self.coarsest_nm:g} nm apart; give the finest "
            "above 0, the coarsest not below it",
        )
        require(self.structure >= 0, f"bgnet structure is {self.structure:g}; give 0 or more")
        require(self.width >= 1, f"bgnet width is {self.width}; give 1 channel or more")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of cut-outs, pixels."""
        least = 2 * int(self.scene.psf.extent_nm / self.scene.pixel_size_nm) + 1
        return tuple(range(least, max(least, self.largest_px) + 1, 2))

    def describe(self) -> dict[str, Any]:
        """See `Lesson`."""
        return {**vars(self), "scene": dict(self.scene.describe())}

    def network(self) -> nn.Module:
        """See `Lesson`."""
        return UNet(self.width)

    def rois(self, rng: np.random.Generator, size: int, count: int) -> Lit:
        """Cut-outs of one camera of the scene, as its frames would show them."""
        scene, pixel = self.scene, self.scene.pixel_size_nm
        level = _between(rng, count, scene.background)
        high = self.structure * rng.random(count) * level
        shape = structures(rng, count, size, self.coarsest_nm / pixel, self.finest_nm / pixel)
        background = level[:, None, None] + high[:, None, None] * shape
        off = rng.uniform(-_OFF_PX, _OFF_PX, (count, 2))
        moved = rng.random(count) < _MOVED
        off[moved] = rng.uniform(-size / 2, size / 2, (int(moved.sum()), 2))
        place = np.column_stack([pixel * (size / 2 + off), rng.uniform(*scene.z_nm, count)])
        light = _between(rng, count, scene.photons)
        x, y, z = place.T
        image = scene.drawn.images(x, y, z, (size, size), pixel).value
        camera = scene.cameras[rng.integers(len(scene.cameras))].evened((size, size))
        seen = expose(background + light[:, None, None] * image, camera, rng)
        return Lit(camera.photons(seen), background.astype(np.float32), place, light)

    def draw(self, seed: int, step: int) -> dict[str, AnyArray]:
        """See `Lesson`."""
        rng = np.random.default_rng(np.random.SeedSequence([seed, step]))
        lit = self.rois(rng, int(rng.choice(self.sizes)), _ROIS)
        share = np.float32(self._share)
        given = scaled(lit.photons * share)
        wanted = (lit.background * share - given.level[:, None, None]) / given.noise[:, None, None]
        return {"rois": given.images, "background": wanted[:, None], "noise": given.noise}

    @property
    def _share(self) -> float:
        """Effective counts per photon: those of the first camera, as the others' hardly differ."""
        return count_scale(self.scene.cameras[0].evened((1, 1))).per_photon

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """See `Lesson`; in units of the noise."""
        return (_error(network, batch) ** 2).mean()

    def judge(self, network: nn.Module, batches: Sequence[Batch]) -> Mapping[str, float]:
        """See `Lesson`; beside the error that a constant makes, the best there is."""
        squares, ours, flat = [], [], []
        for batch in batches:
            error, noise = _error(network, batch), batch["noise"][:, None, None, None]
            wanted = batch["background"]
            level = wanted.mean(dim=(2, 3), keepdim=True)
            squares.append((error**2).mean())
            ours.append(((noise * error) ** 2).mean())
            flat.append(((noise * (wanted - level)) ** 2).mean())
        loss, rmse, best = (torch.stack(values).mean() for values in (squares, ours, flat))
        return {
            "loss": float(loss),
            "RMSE counts": float(rmse.sqrt()),
            "RMSE of the best constant counts": float(best.sqrt()),
        }

    def graphs(self, network: nn.Module) -> Mapping[str, Graph]:
        """See `Lesson`."""
        side = self.sizes[0] + -self.sizes[0] % POOLED
        axes = {0: "n", 2: "side", 3: "side"}
        return {
            "background": Graph(
                module=network,
                inputs={"rois": torch.zeros(_ROIS, 1, side, side)},
                outputs=("background",),
                open_axes={"rois": axes, "background": axes},
            )
        }

    def about(self, network: nn.Module, batches: Sequence[Batch]) -> About:
        """See `Lesson`."""
        del network, batches
        scene = self.scene
        low, high = scene.effective(scene.background)
        return About(
            details={"sizes_px": [self.sizes[0], self.sizes[-1]]},
            envelope={
                "pixel_size_nm": (scene.pixel_size_nm, scene.pixel_size_nm),
                "z_nm": scene.z_nm,
                "photon_counts": scene.effective(scene.photons),
                "background_counts": (low, high * (1 + self.structure)),
            },
            psf=scene.psf,
        )


def structures(
    rng: np.random.Generator, count: int, size: int, coarsest_px: float, finest_px: float
) -> F64:
    """(count, size, size) smooth noise of many spatial frequencies, each from 0 to 1."""
    total = np.zeros((count, size, size))
    fading = rng.uniform(*_FADING, (count, 1, 1))
    spacing, weight = coarsest_px, np.ones((count, 1, 1))
    while spacing >= finest_px * 0.99:
        total += weight * _lattice(rng, count, size, spacing)
        spacing, weight = spacing / 2, weight * fading
    low, high = (f(total, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
    return np.asarray((total - low) / np.maximum(high - low, 1e-9))


def _lattice(rng: np.random.Generator, count: int, size: int, spacing: float) -> F64:
    """(count, size, size) between random knots that far apart."""
    knots = int(np.ceil(size / spacing)) + 2
    rows, columns = (_weights(rng, count, size, spacing, knots) for _ in "yx")
    return np.asarray(rows @ rng.random((count, knots, knots)) @ columns.transpose(0, 2, 1))


def _weights(rng: np.random.Generator, count: int, size: int, spacing: float, knots: int) -> F64:
    """(count, size, knots) how much each pixel has of each knot along one axis."""
    at = np.arange(size) / spacing + rng.random((count, 1))
    share = at - np.floor(at)
    smooth = share**2 * (3 - 2 * share)
    left = np.floor(at).astype(np.int64)[:, :, None] == np.arange(knots)
    return np.asarray(left * (1 - smooth[:, :, None]) + np.roll(left, 1, 2) * smooth[:, :, None])


def _error(network: nn.Module, batch: Batch) -> Tensor:
    """What it says beside what is, without the rows and columns that were added."""
    wanted = batch["background"]
    side = wanted.shape[-1]
    told: Tensor = network(batch["rois"])[:, :, :side, :side]
    return told.float() - wanted


def _between(rng: np.random.Generator, count: int, limits: tuple[float, float]) -> F64:
    """Numbers whose logarithms are uniform."""
    low, high = np.log(limits)
    return np.asarray(np.exp(rng.uniform(low, high, count)))
