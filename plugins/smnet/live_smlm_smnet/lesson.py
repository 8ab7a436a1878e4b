"""What smNet learns: places, light and aberrations of single molecules, by the bound's measure.

Fields have an objective with random aberrations, and molecules that share it.
Images come from a stock that is drawn once; each step chooses from it, mirrors
it (which turns aberrations into others), and gives it light and noise anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import huber_loss

from live_smlm.core import F32, F64, AnyArray, require
from live_smlm.fitting.counts import count_scale
from live_smlm.physics.psf.pupil import PupilPSF
from live_smlm.physics.psf.zernike import coefficients, order
from live_smlm.training.lesson import HELD_OUT, About, Batch, Graph, Recipe
from live_smlm.training.scene import Scene
from live_smlm_smnet.draws import SHIFT_PX, between, bound_of, line, mirrored_sign
from live_smlm_smnet.network import FEATURES, SmNet, agreed
from live_smlm_smnet.optics import Optics
from live_smlm_smnet.parts import Look, Place, Whole, by_rows, meant
from live_smlm_smnet.shared import scaled

_FIELDS, _MOLECULES = 4, 16
"""In a batch, and in a field."""
_HELD_OUT_FIELDS = 64
_TOGETHER = (1, 1, 2, 4, 16)
"""How many molecules tell the aberrations together; one is drawn in each step."""
_OUTLIER = 6.0
"""Errors beyond so many bounds count linearly."""
_FINE_RAD, _COARSE = 0.06, 4.0
"""Errors of aberrations are counted in units of the first, linearly beyond so many of them."""
_Z_SLACK = 1.2
NAMES = ("x", "y", "photons", "background", "z")


@dataclass(frozen=True, slots=True, eq=False)
class Stock:
    """Images and their slopes, by field and molecule; in cut-outs larger by the shifts."""

    images: F32
    """(4, fields, molecules, side, side), light's shares; slopes per nm."""
    place: F64
    """(fields, molecules, 3) px from the middle, z in nm."""
    aberrations: F64
    """(fields, modes) rad."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Cut-outs whose molecules are known; field after field."""

    counts: F32
    """(n, size, size)"""
    truth: F64
    """(n, 5) by `NAMES`: px from the middle, counts, nm."""
    bound: F64
    """(n, 5) the smallest standard errors where the PSF is known."""
    aberrations: F64
    """(n, modes)"""


@dataclass(frozen=True, kw_only=True)
class SmNetLesson:
    """Molecules under a pupil PSF, whose aberrations may be any."""

    scene: Scene
    width: int = 16
    """Channels of the first convolution; those of the last are four times as many."""
    roi_px: int = 17
    aberrations_rad: float = 0.0
    """Fields have up to so much (rms) on top of the PSF's own; 0: the PSF is known."""
    modes: str = "5/6/7/8/11"
    """Noll's indices of what aberrations are made of."""
    told: bool = True
    """Whether the network tells them, too."""
    fields: int = 1200
    """In the stock of images that the training draws from."""

    name = "smnet"
    recipe = Recipe(learning_rate=2e-3, clip=5.0, short_floats=False, looks=8)

    def __post_init__(self) -> None:
        require(
            isinstance(self.scene.psf, PupilPSF),
            f"smnet learns pupil PSFs, not {self.scene.psf.name}; give --psf pupil:…",
        )
        require(
            self.roi_px >= 9 and self.roi_px % 2 == 1,
            f"smnet roi_px is {self.roi_px}; give an odd number from 9 on",
        )
        require(
            0 <= self.aberrations_rad <= 3,
            f"smnet aberrations_rad is {self.aberrations_rad:g}; give 0 to 3",
        )
        require(self.fields >= 1, f"smnet fields is {self.fields}; give 1 or more")
        _ = self.indices

    @property
    def indices(self) -> tuple[int, ...]:
        """Of the aberrations that fields have; none where the PSF is known."""
        if self.aberrations_rad == 0:
            return ()
        found = tuple(int(part) for part in self.modes.split("/") if part.isdigit())
        require(
            "/".join(map(str, found)) == self.modes and all(order(mode) for mode in found),
            f"smnet modes is {self.modes!r}; give Noll's indices with / between them",
        )
        return found

    @property
    def usual_rad(self) -> float:
        """Of one mode, rms over fields."""
        return self.aberrations_rad / float(np.sqrt(3 * max(1, len(self.indices))))

    @property
    def reach_nm(self) -> tuple[float, float]:
        """Depths of the molecules in training: a little beyond those asked for."""
        (low, high), psf = self.scene.z_nm, cast("PupilPSF", self.scene.psf)
        middle, half = (low + high) / 2, (high - low) / 2
        return max(psf.z_min_nm, middle - _Z_SLACK * half), min(
            psf.z_max_nm, middle + _Z_SLACK * half
        )

    def describe(self) -> dict[str, Any]:
        """See `Lesson`."""
        return {**vars(self), "scene": dict(self.scene.describe())}

    def network(self) -> nn.Module:
        """See `Lesson`."""
        return SmNet(self.width, self.roi_px, len(self.indices) if self.told else 0)

    def stock(
        self, seed: int, fields: int, strength: tuple[float, float], z_nm: tuple[float, float]
    ) -> Stock:
        """Fields of molecules with aberrations of so much, rad rms."""
        rng = np.random.default_rng(np.random.SeedSequence([seed, fields]))
        pixel, side = self.scene.pixel_size_nm, self.roi_px + 2 * SHIFT_PX
        optics = Optics(cast("PupilPSF", self.scene.psf), pixel, self.indices)
        direction = rng.standard_normal((fields, len(self.indices)))
        direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-9)
        aberrations = direction * rng.uniform(*strength, (fields, 1))
        n = fields * _MOLECULES
        place = np.column_stack([rng.uniform(-0.5, 0.5, (n, 2)), rng.uniform(*z_nm, n)])
        at = place * [pixel, pixel, 1] + [side * pixel / 2, side * pixel / 2, 0]
        images = optics.images(at, np.repeat(aberrations, _MOLECULES, 0), side)
        shape = (fields, _MOLECULES)
        return Stock(images.reshape(4, *shape, side, side), place.reshape(*shape, 3), aberrations)

    def seen(self, rng: np.random.Generator, stock: Stock, fields: int) -> Seen:
        """Cut-outs of so many fields of the stock, with light and noise of their own."""
        field = np.repeat(rng.integers(len(stock.aberrations), size=fields), _MOLECULES)
        n = len(field)
        molecule = rng.integers(_MOLECULES, size=n)
        mirrored = rng.choice([-1, 1], (2, fields))
        mirrored[np.logical_not(self._symmetric)] = 1
        side_x, side_y = np.repeat(mirrored, _MOLECULES, axis=1)
        shift = rng.integers(-SHIFT_PX, SHIFT_PX + 1, (2, n))
        row, column = (
            line(self.roi_px, s, flip) for s, flip in zip(shift, (side_y, side_x), strict=True)
        )
        chosen = stock.images[
            :, field[:, None, None], molecule[:, None, None], row[:, :, None], column[:, None, :]
        ]
        place = stock.place[field, molecule]
        x, y = (
            flip * (at - s)
            for at, s, flip in zip(place.T[:2], shift[::-1], (side_x, side_y), strict=True)
        )
        photons, background = (
            between(rng, n, self.scene.effective(limits))
            for limits in (self.scene.photons, self.scene.background)
        )
        mean = photons[:, None, None] * chosen[0] + background[:, None, None]
        scale = count_scale(self.scene.cameras[rng.integers(len(self.scene.cameras))])
        extra = float(np.median(scale.extra))
        noise = extra**0.5 * rng.standard_normal(mean.shape)
        counts = (rng.poisson(np.maximum(mean, 0)) + noise).astype(np.float32)
        signs = [
            np.where(side_x < 0, mirrored_sign(mode, "x"), 1)
            * np.where(side_y < 0, mirrored_sign(mode, "y"), 1)
            for mode in self.indices
        ]
        aberrations = stock.aberrations[field] * np.array(signs).reshape(-1, n).T
        bound = bound_of(chosen, photons, mean + extra, self.scene.pixel_size_nm)
        truth = np.column_stack([x, y, photons, background, place[:, 2]])
        return Seen(counts, truth, bound, aberrations)

    @property
    def _symmetric(self) -> list[bool]:
        """Whether the PSF's own aberrations stay as they are when x is mirrored, or y."""
        own = coefficients(cast("PupilPSF", self.scene.psf).zernike)
        return [all(mirrored_sign(m, axis) > 0 for m, a in own.items() if a) for axis in "xy"]

    def draw(self, seed: int, step: int) -> dict[str, AnyArray]:
        """See `Lesson`."""
        rng = np.random.default_rng(np.random.SeedSequence([seed, step]))
        seen = self.seen(rng, _stock(self, seed), _FIELDS)
        images, brightest = scaled(seen.counts)
        return {
            "rois": images,
            "brightest": brightest,
            "truth": seen.truth.astype(np.float32),
            "bound": seen.bound.astype(np.float32),
            "aberrations": seen.aberrations.astype(np.float32),
            "together": rng.choice(_TOGETHER, size=1),
        }

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """See `Lesson`: errors in units of the bound; of the aberrations, and how sure they are."""
        net = cast("SmNet", network)
        together = int(batch["together"][0])
        errors, told, width = self._errors(net, batch, together)
        total = huber_loss(errors, torch.zeros_like(errors), delta=_OUTLIER)
        if net.modes:
            off = told - batch["aberrations"]
            fine = off / _FINE_RAD
            total = total + huber_loss(fine, torch.zeros_like(fine), delta=_COARSE)
            total = total + (0.5 * (off.detach() / width) ** 2 + width.log()).mean()
        return total

    def _errors(self, network: SmNet, batch: Batch, together: int) -> tuple[Tensor, Tensor, Tensor]:
        """(n, 5) in bounds where so many molecules agree on aberrations; and what each tells."""
        features, told, width = network.look(batch["rois"])
        known, doubt = told, width
        if network.modes:
            known, doubt = agreed(told, width, self.usual_rad, together)
        values = meant(network.place(features, known, doubt), batch["brightest"])
        return (values - batch["truth"]) / batch["bound"], told, width

    def judge(self, network: nn.Module, batches: Sequence[Batch]) -> Mapping[str, float]:
        """See `Lesson`; molecules of a field together, where they tell its aberrations."""
        net = cast("SmNet", network)
        parts = [self._errors(net, batch, _MOLECULES) for batch in batches]
        errors = torch.cat([part[0] for part in parts])
        bound = torch.cat([batch["bound"] for batch in batches])
        inner = errors.clamp(-50, 50)
        scores = {
            "loss": float(huber_loss(errors, torch.zeros_like(errors), delta=_OUTLIER)),
            **{f"{n} std/bound": float(inner[:, NAMES.index(n)].std()) for n in ("x", "y", "z")},
            "z RMSE nm": float((errors * bound)[:, NAMES.index("z")].square().mean().sqrt()),
        }
        if net.modes:
            true = torch.cat([batch["aberrations"] for batch in batches])
            off = torch.cat([part[1] for part in parts]) - true
            scores["aberration RMSE rad"] = float(off.square().mean().sqrt())
        return scores

    def graphs(self, network: nn.Module) -> Mapping[str, Graph]:
        """See `Lesson`."""
        net = cast("SmNet", network)
        n, modes = _FIELDS * _MOLECULES, net.modes
        images = torch.zeros(n, 1, self.roi_px, self.roi_px)
        if not modes:
            return {"molecules": by_rows(Whole(net), {"rois": images}, ("values",))}
        known = {"aberrations": torch.zeros(n, modes), "width": torch.ones(n, modes)}
        features = {"features": torch.zeros(n, FEATURES)}
        return {
            "look": by_rows(Look(net), {"rois": images}, ("features", "aberrations", "width")),
            "place": by_rows(Place(net), {**features, **known}, ("values",)),
        }

    def about(self, network: nn.Module, batches: Sequence[Batch]) -> About:
        """See `Lesson`."""
        del batches
        scene, net = self.scene, cast("SmNet", network)
        return About(
            details={
                "roi_px": self.roi_px,
                "modes": list(self.indices) if net.modes else [],
                "usual_rad": self.usual_rad,
                "aberrations_rad": self.aberrations_rad,
                "reach_nm": list(self.reach_nm),
            },
            envelope={
                "pixel_size_nm": (scene.pixel_size_nm, scene.pixel_size_nm),
                "z_nm": scene.z_nm,
                "photon_counts": scene.effective(scene.photons),
                "background_counts": scene.effective(scene.background),
            },
            psf=scene.psf,
        )


@lru_cache(maxsize=2)
def _stock(lesson: SmNetLesson, seed: int) -> Stock:
    """The images of a training, or those that judge."""
    fields = _HELD_OUT_FIELDS if seed == HELD_OUT else lesson.fields
    return lesson.stock(seed, fields, (0.0, lesson.aberrations_rad), lesson.reach_nm)
