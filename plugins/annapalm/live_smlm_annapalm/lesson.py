"""What ANNA-PALM learns: from few molecules of filaments, the picture of all of them.

Generator and critic are two parts of one network, so that the house's trainer
serves them as it serves any other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from live_smlm.core import AnyArray, require
from live_smlm.training.lesson import About, Batch, Graph, Recipe
from live_smlm_annapalm import pairs
from live_smlm_annapalm.likeness import COARSEST, WINDOW, ms_ssim
from live_smlm_annapalm.network import MARGIN_PX, STRIDE, Both, Drawn
from live_smlm_annapalm.objective import BRIGHTEST, Weights, objective, unlikeness

_EXAMPLE_PX = 256


@dataclass(frozen=True, kw_only=True)
class AnnaPalm:
    """Sparse and dense pictures of simulated filaments; no scene is needed."""

    width: int = 16
    """Of the generator's first layer; published 64."""
    side: int = 192
    """Pixels along a picture."""
    pictures: int = 2
    """Of a batch."""
    least_share: float = 0.012
    most_share: float = 0.04
    """Of the molecules seen, in most of the pictures."""
    adversary: float = 0.5
    """Weight of the critic; likeness has 50."""

    name = "annapalm"
    recipe = Recipe(learning_rate=1e-3, weight_decay=1e-4, clip=20.0, looks=16)

    def __post_init__(self) -> None:
        require(1 <= self.width <= 64, f"width is {self.width}; give 1 to 64, as published 64")
        least = COARSEST * WINDOW
        require(
            self.side >= least and self.side % STRIDE == 0,
            f"side is {self.side}; give a multiple of {STRIDE}, at least {least}",
        )
        require(self.pictures > 0, f"pictures is {self.pictures}; give at least 1")
        require(
            0 < self.least_share <= self.most_share <= 1,
            f"least_share is {self.least_share:g}, most_share {self.most_share:g}; give shares "
            "above 0 and up to 1, the lower first",
        )
        require(self.adversary >= 0, f"adversary is {self.adversary:g}; give 0 or more")

    def describe(self) -> Mapping[str, Any]:
        """See `lesson.Lesson`."""
        names = ("width", "side", "pictures", "least_share", "most_share", "adversary")
        return {name: getattr(self, name) for name in names}

    def network(self) -> nn.Module:
        """See `lesson.Lesson`."""
        made = Both(self.width)
        return made.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return] # torch takes it

    def draw(self, seed: int, step: int) -> Mapping[str, AnyArray]:
        """See `lesson.Lesson`."""
        rng = np.random.default_rng(np.random.SeedSequence([seed, step]))
        share = self.least_share, self.most_share
        drawn = [pairs.training_pair(rng, self.side, share) for _ in range(self.pictures)]
        return {
            "counts": np.stack([pair.counts for pair in drawn])[:, None],
            "dense": np.stack([pair.dense for pair in drawn])[:, None],
        }

    def loss(self, network: Any, batch: Batch) -> Tensor:
        """See `lesson.Lesson`."""
        weights = Weights(adversary=self.adversary)
        return objective(
            network.generator, network.critic, batch["counts"], batch["dense"], weights
        )

    def judge(self, network: Any, batches: Sequence[Batch]) -> Mapping[str, float]:
        """See `lesson.Lesson`; without the critic, whose word means nothing on its own."""
        losses, likes, agreed = [], [], []
        for batch in batches:
            dense = batch["dense"]
            picture, error = network.generator(batch["counts"]).split(1, 1)
            losses.append(float(unlikeness(picture, dense)))
            likes.append(float(ms_ssim(picture, dense, BRIGHTEST).mean()))
            agreed.append(_correlation(error, (picture - dense).abs()))
        return {
            "loss": float(np.mean(losses)),
            "MS-SSIM": float(np.mean(likes)),
            "error r": float(np.mean(agreed)),
        }

    def graphs(self, network: Any) -> Mapping[str, Graph]:
        """See `lesson.Lesson`."""
        example = torch.zeros(1, 1, _EXAMPLE_PX, _EXAMPLE_PX)
        return {
            "picture": Graph(
                module=Drawn(network.generator),
                inputs={"counts": example},
                outputs=("pictures",),
                open_axes={name: {2: "rows", 3: "columns"} for name in ("counts", "pictures")},
            )
        }

    def about(self, network: nn.Module, batches: Sequence[Batch]) -> About:  # noqa: ARG002 - nothing is to be chosen
        """See `lesson.Lesson`."""
        details = {
            "pixel_nm": pairs.PIXEL_NM,
            "error_nm": pairs.ERROR_NM,
            "stride": STRIDE,
            "margin_px": MARGIN_PX,
        }
        return About(details=details, weights=False)


def _correlation(one: Tensor, other: Tensor) -> float:
    """Pearson's, over all pixels; 0 where one of them is flat."""
    r = torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1]
    return float(r.nan_to_num())
