"""What the two networks are told: LSGAN, likeness and the error of one's own picture.

One number for both, so that one optimizer serves: the critic's part sees the
generator's picture cut off from it, the generator's part a critic that stands
still.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from live_smlm_annapalm.likeness import ms_ssim

BRIGHTEST = 2.0
"""Range of values for MS-SSIM, in filaments."""
_LIKE, _APART = 0.84, 0.16


@dataclass(frozen=True, slots=True)
class Weights:
    """Of the parts of the objective."""

    adversary: float = 1.0
    likeness: float = 50.0
    error: float = 10.0


def objective(
    generator: nn.Module, critic: nn.Module, counts: Tensor, dense: Tensor, weights: Weights
) -> Tensor:
    """The sum of all parts."""
    answer = generator(counts)
    with torch.autocast(counts.device.type, enabled=False):
        answer = answer.float()
        picture, error = answer[:, :1], answer[:, 1:]
        like = unlikeness(picture, dense)
        off = (picture.detach() - dense).abs()
        mistaken = nn.functional.mse_loss(error, off)
    still = {name: value.detach() for name, value in critic.named_parameters()}
    fooled = functional_call(critic, still, (counts, picture))
    real, fake = critic(counts, dense), critic(counts, picture.detach())
    total: Tensor = (
        weights.adversary * ((fooled.float() - 1) ** 2).mean()
        + ((real.float() - 1) ** 2).mean()
        + (fake.float() ** 2).mean()
        + weights.likeness * like
        + weights.error * mistaken
    )
    return total


def unlikeness(picture: Tensor, dense: Tensor) -> Tensor:
    """MS-SSIM and L1, weighed as by Zhao et al. (2017)."""
    like = ms_ssim(picture, dense, BRIGHTEST).mean()
    return _LIKE * (1 - like) + _APART * (picture - dense).abs().mean()
