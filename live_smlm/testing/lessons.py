"""Lessons that are learnt in a second, and how a test makes them known as a plugin would."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from live_smlm.core import AnyArray
from live_smlm.testing.distribution import lay_out
from live_smlm.training.lesson import GROUP, HELD_OUT, About, Batch, Graph, Recipe
from live_smlm.training.scene import Scene


@dataclass(frozen=True, kw_only=True)
class Sums:
    """The sum of a row of noisy numbers.

    Its network has all that a resumed training can get wrong: running
    statistics and dropout.
    """

    width: int = 8
    noise: float = 0.1

    name = "sums"
    recipe = Recipe(learning_rate=0.02, warm_up=5, looks=2)

    def describe(self) -> Mapping[str, Any]:
        """See `lesson.Learnable`."""
        return {"width": self.width, "noise": self.noise}

    def network(self) -> nn.Module:
        """See `lesson.Learnable`."""
        return nn.Sequential(
            nn.Linear(4, self.width),
            nn.BatchNorm1d(self.width),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(self.width, 1),
        )

    def draw(self, seed: int, step: int) -> Mapping[str, AnyArray]:
        """See `lesson.Learnable`."""
        rng = np.random.default_rng((seed, step))
        rows = rng.normal(size=(64 if seed == HELD_OUT else 16, 4)).astype(np.float32)
        noise = self.noise * rng.normal(size=len(rows))
        return {"rows": rows, "sums": (rows.sum(1) + noise).astype(np.float32)}

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """See `lesson.Learnable`."""
        squares: Tensor = (network(batch["rows"])[:, 0] - batch["sums"]).square()
        return squares.mean()

    def judge(self, network: nn.Module, batches: Sequence[Batch]) -> Mapping[str, float]:
        """See `lesson.Learnable`."""
        loss = float(np.mean([float(self.loss(network, batch)) for batch in batches]))
        return {"loss": loss, "RMSE counts": loss**0.5}

    def graphs(self, network: nn.Module) -> Mapping[str, Graph]:
        """See `lesson.Lesson`."""
        graph = Graph(
            module=network,
            inputs={"rows": torch.rand(6, 4)},
            outputs=("sums",),
            open_axes={"rows": {0: "n"}, "sums": {0: "n"}},
        )
        return {"sums": graph}

    def about(self, network: nn.Module, batches: Sequence[Batch]) -> About:
        """See `lesson.Lesson`."""
        spread = self.judge(network, batches)["RMSE counts"]
        return About(details={"terms": [1, 2, 3, 4], "spread": spread}, envelope={"z_nm": (-5, 5)})


@dataclass(frozen=True, kw_only=True)
class Scenic(Sums):
    """The same, in a scene that it does not look at."""

    scene: Scene

    name = "scenic"

    def about(self, network: nn.Module, batches: Sequence[Batch]) -> About:
        """See `lesson.Lesson`."""
        del network, batches
        pixel = self.scene.pixel_size_nm
        envelope = {"pixel_size_nm": (pixel, pixel), "z_nm": self.scene.z_nm}
        return About(envelope=envelope, psf=self.scene.psf, weights=False)


def install_lessons(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Let them be known by their names, as a plugin's are."""
    lay_out(folder, __name__, None, {GROUP: {"sums": "Sums", "scenic": "Scenic"}})
    patch.syspath_prepend(folder)
