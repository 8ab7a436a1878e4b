"""The lesson of every network of frames: find the molecules in movies of a scene.

The networks themselves are named in the group `live_smlm.networks`; what they
have in common is here: movies, the published loss, scores.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from live_smlm.core import AnyArray, require
from live_smlm.training import scene as scenes
from live_smlm.training.held_out import held_out
from live_smlm.training.lesson import HELD_OUT, Batch
from live_smlm.training.loss import labels, loss
from live_smlm.training.network import Recipe, Scales, build, maps
from live_smlm.training.scene import Scene

_JUDGED = 8, 8
"""Movies and core frames of a batch that judges."""
_THRESHOLD = 0.5
"""Probability from which a molecule counts while a network is trained."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Molecules:
    """Of one network, in one scene."""

    architecture: str
    scene: Scene
    options: Mapping[str, Any] = field(default_factory=dict)
    """The network's."""
    movies: int = 4
    frames: int = 8
    """Core frames of a movie."""
    scales: Scales = field(init=False)
    halo: tuple[int, int] = field(init=False)
    recipe: Recipe = field(init=False)
    """The network's own."""

    def __post_init__(self) -> None:
        for name in ("movies", "frames"):
            value = getattr(self, name)
            require(value > 0, f"{name} is {value}; give at least 1")
        object.__setattr__(self, "scales", scales_of(self.scene))
        with torch.random.fork_rng(devices=[]):
            network = build(self.architecture, self.scales, self.options)
        object.__setattr__(self, "halo", network.halo)
        object.__setattr__(self, "recipe", network.recipe)

    @property
    def name(self) -> str:
        """The network's."""
        return self.architecture

    def describe(self) -> Mapping[str, Any]:
        """See `lesson.Learnable`."""
        told = {"movies": self.movies, "frames": self.frames, "options": dict(self.options)}
        return {**told, "scene": dict(self.scene.describe())}

    def network(self) -> nn.Module:
        """See `lesson.Learnable`."""
        made: nn.Module = build(self.architecture, self.scales, self.options)
        return made.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return] # torch takes it

    def draw(self, seed: int, step: int) -> Mapping[str, AnyArray]:
        """See `lesson.Learnable`."""
        movies, frames = _JUDGED if seed == HELD_OUT else (self.movies, self.frames)
        batch = scenes.sample(self.scene, seed, step, movies=movies, frames=frames, halo=self.halo)
        return {name: getattr(batch, name) for name in type(batch).__slots__}

    def loss(self, network: Any, batch: Batch) -> Tensor:
        """See `lesson.Learnable`."""
        frames = batch["frames"]
        answer = maps(network, frames)
        with torch.autocast(frames.device.type, enabled=False):
            known = labels(batch, self.scales, self.scene.axes)
            return loss(answer.float(), known, self.recipe.weights)

    def judge(self, network: Any, batches: Sequence[Batch]) -> Mapping[str, float]:
        """See `lesson.Learnable`."""
        look = held_out(network, self.scales, self.scene, batches)
        score = look.at(_THRESHOLD)
        told = {"Jaccard": score.jaccard, "RMSE nm": score.rmse_lateral_nm}
        if self.scene.axes == 3:
            told["axial RMSE nm"] = score.rmse_axial_nm
        known = {name: math.nan if value is None else value for name, value in told.items()}
        return {"loss": look.loss, **known}


def scales_of(scene: Scene) -> Scales:
    """Units in which everything that a scene holds is around 1."""
    photons, background = scene.effective(scene.photons), scene.effective(scene.background)
    deepest = max(abs(scene.z_nm[0]), abs(scene.z_nm[1]))
    middle = math.sqrt(photons[0] * photons[1])
    level = math.sqrt(background[0] * background[1])
    return Scales(
        photons=middle,
        z_nm=deepest if scene.axes == 3 else 1.0,
        background=background[1],
        offset=level,
        scale=middle / 20 + level,
        brightest=photons[1] * math.exp(3 * scene.spread) / middle,
    )
