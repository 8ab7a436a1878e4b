"""What Deep-STORM learns: pictures in which every molecule is a spike.

Frames come from the movies of a scene. Label and answer are compared after both
were blurred by one fine pixel, and the answer shall be sparse; both terms weigh
as published.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody knows

from live_smlm.core import AnyArray, concatenate, from_columns, require
from live_smlm.evaluate.score import Score, score
from live_smlm.training.lesson import About, Batch, Graph, Recipe
from live_smlm.training.molecules import scales_of
from live_smlm.training.molecules_bundle import envelope
from live_smlm.training.scene import SIDE, Scene, sample
from live_smlm_deepstorm.network import PER_MOLECULE, Network, Picture
from live_smlm_deepstorm.peaks import peaks

RADIUS_NM = 100.0
"""Within which a peak is a molecule."""
_LABEL = 2 * PER_MOLECULE
_KERNEL = 7
_LEAST = tuple(0.1 * k for k in range(1, 10))
"""Molecules in a spot from which it may count; the best is chosen."""
_EXAMPLE = 16, 64
"""Frames at once, and their side, where nothing else is known."""


@dataclass(frozen=True, slots=True)
class Form:
    """How fine the grid is, and how wide the network."""

    up: int
    widths: tuple[int, int, int, int]


FORMS: Mapping[str, Form] = MappingProxyType(
    {"light": Form(4, (16, 32, 64, 128)), "full": Form(8, (32, 64, 128, 512))}
)


@dataclass(frozen=True, kw_only=True, eq=False)
class DeepStorm:
    """Frames of a scene to spikes."""

    scene: Scene
    form: Literal["light", "full"] = "light"
    """The published one is full: a grid 8 times as fine, 1.4 M weights."""
    movies: int = 4
    frames: int = 4
    """Of a movie."""

    name = "deepstorm"
    recipe = Recipe(learning_rate=2e-3, weight_decay=1e-4, clip=10.0)

    def __post_init__(self) -> None:
        require(self.form in FORMS, f"form is {self.form!r}; give {' or '.join(FORMS)}")
        for name in ("movies", "frames"):
            value = getattr(self, name)
            require(value > 0, f"{name} is {value}; give at least 1")
        require(self.scene.axes == 2, "deepstorm tells no z; give --z-range-nm 0")

    @property
    def _up(self) -> int:
        return FORMS[self.form].up

    def describe(self) -> Mapping[str, Any]:
        """See `lesson.Lesson`."""
        told = {name: getattr(self, name) for name in ("form", "movies", "frames")}
        return {**told, "scene": dict(self.scene.describe())}

    def network(self) -> nn.Module:
        """See `lesson.Lesson`."""
        scales = scales_of(self.scene)
        made = Network(self._up, FORMS[self.form].widths, scales.offset, scales.scale)
        return made.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return] # torch takes it

    def draw(self, seed: int, step: int) -> Mapping[str, AnyArray]:
        """See `lesson.Lesson`."""
        shape = {"movies": self.movies, "frames": self.frames, "halo": (0, 0)}
        batch = sample(self.scene, seed, step, **shape)  # type: ignore[arg-type] # as it wants them
        return {
            "frames": batch.frames.reshape(-1, SIDE, SIDE),
            "window": batch.window[batch.labelled],
            "place": batch.molecule[batch.labelled, :2],
        }

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """See `lesson.Lesson`."""
        answer = network(batch["frames"])
        with torch.autocast(answer.device.type, enabled=False):
            return _unlikeness(answer.float(), self._spikes(batch))

    def _spikes(self, batch: Batch) -> Tensor:
        """(n, rows, columns): how many molecules are in each fine pixel."""
        frames, side = batch["frames"], SIDE * self._up
        place = (batch["place"] * self._up).long().clamp(max=side - 1)
        where = (batch["window"] * side + place[:, 1]) * side + place[:, 0]
        flat = torch.zeros(len(frames) * side * side, device=frames.device)
        flat.index_add_(0, where, torch.ones(len(where), device=frames.device))
        return flat.reshape(-1, side, side)

    def judge(self, network: nn.Module, batches: Sequence[Batch]) -> Mapping[str, float]:
        """See `lesson.Lesson`."""
        loss = float(np.mean([float(self.loss(network, batch)) for batch in batches]))
        _, best = self._best(network, batches)
        rmse = np.nan if best.rmse_lateral_nm is None else best.rmse_lateral_nm
        return {"loss": loss, "Jaccard": best.jaccard or 0.0, "RMSE nm": rmse}

    def _best(self, network: nn.Module, batches: Sequence[Batch]) -> tuple[float, Score]:
        """From how much on a spot shall count, and how good the molecules are then."""
        picture = Picture(network)
        pixel_nm = self.scene.pixel_size_nm
        found, true = [], []
        for k, batch in enumerate(batches):
            pictures = picture(batch["frames"]).cpu().numpy()
            first = k * len(pictures)
            number = first + np.arange(len(pictures))
            found.append(peaks(pictures, number, self._up, pixel_nm, _LEAST[0]))
            place = batch["place"].cpu().numpy() * pixel_nm
            frame = first + batch["window"].cpu().numpy()
            true.append(from_columns({"frame": frame, "x": place[:, 0], "y": place[:, 1]}))
        spots, truth = concatenate(found), concatenate(true)
        mass = spots.probability
        assert mass is not None  # noqa: S101 - peaks() tells it
        scores = [
            (least, score(spots.where(mass >= least), truth, radius_xy_nm=RADIUS_NM))
            for least in _LEAST
        ]
        return max(scores, key=lambda one: one[1].jaccard or 0.0)

    def graphs(self, network: nn.Module) -> Mapping[str, Graph]:
        """See `lesson.Lesson`."""
        frames, side = _EXAMPLE
        axes = {0: "n", 1: "rows", 2: "columns"}
        return {
            "picture": Graph(
                module=Picture(network).eval(),
                inputs={"frames": torch.zeros(frames, side, side)},
                outputs=("picture",),
                open_axes={
                    "frames": axes,
                    "picture": {0: "n", 1: "fine_rows", 2: "fine_columns"},
                },
            )
        }

    def about(self, network: nn.Module, batches: Sequence[Batch]) -> About:
        """See `lesson.Lesson`."""
        scene = self.scene
        least, best = self._best(network, batches)
        rmse = best.rmse_lateral_nm or RADIUS_NM
        trained = envelope(scene)
        return About(
            details={
                "up": self._up,
                "form": self.form,
                "least": round(least, 3),
                "sigma_nm": round(rmse / 2**0.5, 3),
            },
            envelope={**trained.spec_ranges(), "read_noise": trained.read_noise},
            psf=scene.psf,
            weights=self.form == "light",
        )


def _unlikeness(answer: Tensor, spikes: Tensor) -> Tensor:
    """The published loss."""
    kernel = _gaussian(answer)
    ours = F.conv2d(answer.unsqueeze(1), 2 * kernel, padding=_KERNEL // 2)
    theirs = F.conv2d(spikes.unsqueeze(1), _LABEL * kernel, padding=_KERNEL // 2)
    return F.mse_loss(ours, theirs) + answer.abs().mean()


def _gaussian(like: Tensor) -> Tensor:
    """7x7, one fine pixel wide, sums to one."""
    at = torch.arange(_KERNEL, device=like.device, dtype=like.dtype) - _KERNEL // 2
    line = torch.exp(-0.5 * at**2)
    line = line / line.sum()
    return (line[:, None] * line)[None, None]
