"""The loss: the molecules' likelihood under the mixture of Gaussians that the maps describe.

The published form (Speiser et al., Nat Methods 2021): every pixel offers a
Gaussian over photons, x, y, z with its own sigmas, weighted by its probability;
beside it stand the likelihood of the number of molecules, and the background's
squared error. A molecule far from a pixel is no concern of it, so the mixture
is taken over the pixels around each molecule; all others would add nothing.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name everybody knows

from live_smlm.training.lesson import Batch
from live_smlm.training.network import BACKGROUND, LOGIT, SIGMAS, LossWeights, Scales

REACH = 3
"""Pixels on each side of a molecule's own that may claim it."""
_NEVER = -1e4
"""The logarithm of a probability that is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """A batch's truth as tensors, in the units of the maps."""

    window: Tensor
    target: Tensor
    """(molecules, 4): photons, x, y, z; x and y in px."""
    background: Tensor
    axes: int = 3
    """2: of z nothing is asked, so that no sigma shrinks around a constant."""


def labels(batch: Batch, scales: Scales, axes: int) -> Labels:
    """The molecules that should be found, in the maps' order and units.

    The batch is a `scene.Batch` by its fields' names.
    """
    target = batch["molecule"][batch["labelled"]][:, [3, 0, 1, 2]]
    target[:, 0] /= scales.photons
    target[:, 3] /= scales.z_nm
    background = batch["background"] / scales.background
    return Labels(batch["window"][batch["labelled"]], target, background, axes)


def loss(maps: Tensor, truth: Labels, weights: LossWeights) -> Tensor:
    """A number per window on average; `maps` is (windows, 10, h, w) in 32 bits."""
    n = len(maps)
    count = torch.bincount(truth.window, minlength=n).to(maps.dtype)
    probability = torch.sigmoid(maps[:, LOGIT])
    total = weights.count * _count_loss(probability, count).mean()
    if len(truth.window):
        total = total + weights.locate * _mixture_loss(maps, probability, truth) / n
    if weights.background:
        squares = (maps[:, BACKGROUND] - truth.background).square()
        total = total + weights.background * squares.sum((1, 2)).mean()
    if weights.presence:
        present = F.binary_cross_entropy_with_logits(
            maps[:, LOGIT], _presence(truth, maps), reduction="sum"
        )
        total = total + weights.presence * present / n
    return total


def _count_loss(probability: Tensor, count: Tensor) -> Tensor:
    """Minus log likelihood of the number of molecules, once per molecule."""
    mean = probability.sum((1, 2))
    variance = (probability * (1 - probability)).sum((1, 2)) + 1e-3
    surprise = 0.5 * ((count - mean).square() / variance + torch.log(2 * math.pi * variance))
    return count.clamp(min=1.0) * surprise


def _mixture_loss(maps: Tensor, probability: Tensor, truth: Labels) -> Tensor:
    """Minus log likelihood of the molecules, summed."""
    rows, columns = maps.shape[2:]
    reach = torch.arange(-REACH, REACH + 1, device=maps.device)
    row = truth.target[:, 2].floor().long()[:, None, None] + reach[:, None]
    column = truth.target[:, 1].floor().long()[:, None, None] + reach
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    flat = row.clamp(0, rows - 1) * columns + column.clamp(0, columns - 1)
    flat = (flat + truth.window[:, None, None] * (rows * columns)).flatten()
    near = maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])[flat]
    near = near.reshape(*inside.shape, -1)
    offset = truth.target[:, None, None, :].expand(*inside.shape, 4).clone()
    offset[..., 1] -= column + 0.5
    offset[..., 2] -= row + 0.5
    sigma = near[..., SIGMAS]
    surprise = 0.5 * ((offset - near[..., 1:5]) / sigma).square() + sigma.log()
    surprise = surprise[..., : truth.axes + 1]  # photons, x, y and perhaps z
    share = F.logsigmoid(near[..., LOGIT])
    share = share - probability.sum((1, 2)).clamp(min=1e-6).log()[truth.window][:, None, None]
    likelihood = (share - surprise.sum(-1)).masked_fill(~inside, _NEVER)
    likelihood = torch.logsumexp(likelihood.flatten(1), 1)
    likelihood = likelihood - 0.5 * (truth.axes + 1) * math.log(2 * math.pi)
    return -likelihood.sum()


def _presence(truth: Labels, maps: Tensor) -> Tensor:
    """1 in the pixels that hold a molecule."""
    present = torch.zeros_like(maps[:, LOGIT])
    row, column = truth.target[:, 2].floor().long(), truth.target[:, 1].floor().long()
    present[truth.window, row, column] = 1.0
    return present
