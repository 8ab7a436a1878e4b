import math

import numpy as np
import torch
from torch import Tensor

from live_smlm.training.loss import Labels, loss
from live_smlm.training.network import LossWeights

SIDE = 16


def some_maps(n: int = 3, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    maps = torch.randn(n, 10, SIDE, SIDE, dtype=torch.float64)
    maps[:, 0] -= 3
    maps[:, 1] = maps[:, 1].abs()
    maps[:, 5:9] = maps[:, 5:9].abs() * 0.3 + 0.1
    return maps


def some_labels(seed: int = 0) -> Labels:
    generator = torch.Generator().manual_seed(seed)
    target = torch.rand(7, 4, generator=generator, dtype=torch.float64)
    target[:, 1:3] *= SIDE
    window = torch.tensor([0, 0, 0, 1, 1, 2, 2])
    background = torch.rand(3, SIDE, SIDE, generator=generator, dtype=torch.float64)
    return Labels(window, target, background)


def by_hand(maps: Tensor, truth: Labels) -> float:
    """The published formula, over every pixel, in plain numbers."""
    total = 0.0
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for n, m in enumerate(maps.numpy()):
        p = 1 / (1 + np.exp(-m[0]))
        mine = truth.target[truth.window == n].numpy()
        mean, variance = p.sum(), (p * (1 - p)).sum() + 1e-3
        surprise = 0.5 * ((len(mine) - mean) ** 2 / variance + math.log(2 * math.pi * variance))
        total += max(len(mine), 1) * surprise
        for photons, x, y, z in mine:
            place = [photons - m[1], x - columns - 0.5 - m[2], y - rows - 0.5 - m[3], z - m[4]]
            density = np.ones((SIDE, SIDE))
            for axis, (difference, sigma) in enumerate(zip(place, m[5:9], strict=True)):
                assert axis < 4
                density *= np.exp(-0.5 * (difference / sigma) ** 2)
                density /= sigma * math.sqrt(2 * math.pi)
            total -= math.log((p / p.sum() * density).sum())
        total += ((m[9] - truth.background[n].numpy()) ** 2).sum()
    return total / len(maps)


def test_the_loss_is_the_published_formula() -> None:
    maps, truth = some_maps(), some_labels()
    assert np.isclose(float(loss(maps, truth, LossWeights())), by_hand(maps, truth), rtol=1e-6)


def test_of_the_plane_z_is_not_asked() -> None:
    maps, truth = some_maps(), some_labels()
    flat = Labels(truth.window, truth.target, truth.background, axes=2)
    other = maps.clone()
    other[:, 4] += 1.0
    other[:, 8] *= 0.01
    assert torch.equal(loss(maps, flat, LossWeights()), loss(other, flat, LossWeights()))
    assert not torch.equal(loss(maps, truth, LossWeights()), loss(other, truth, LossWeights()))


def test_the_order_of_molecules_does_not_matter() -> None:
    maps, truth = some_maps(), some_labels()
    order = torch.tensor([6, 2, 4, 0, 1, 5, 3])
    turned = Labels(truth.window[order], truth.target[order], truth.background)
    assert torch.isclose(loss(maps, truth, LossWeights()), loss(maps, turned, LossWeights()))


def described(truth: Labels, sigma: float, shift: float = 0.0) -> Tensor:
    """Maps that say just what is there, but for a shift along x."""
    maps = torch.zeros(3, 10, SIDE, SIDE, dtype=torch.float64)
    maps[:, 0] = -12.0
    maps[:, 5:9] = sigma
    maps[:, 9] = truth.background
    for window, (photons, x, y, z) in zip(truth.window, truth.target, strict=True):
        row, column = int(y), int(x)
        maps[window, 0, row, column] = 12.0
        place = torch.tensor([photons, x - column - 0.5 + shift, y - row - 0.5, z])
        maps[window, 1:5, row, column] = place.double()
    return maps


def test_the_truth_is_better_than_what_is_beside_it() -> None:
    truth = some_labels()
    right = loss(described(truth, 0.1), truth, LossWeights())
    assert right < loss(described(truth, 0.1, shift=0.1), truth, LossWeights())
    assert right < loss(described(truth, 0.3), truth, LossWeights())


def test_an_honest_sigma_is_the_best_one() -> None:
    truth = some_labels()
    merits = {
        s: float(loss(described(truth, s, shift=0.2), truth, LossWeights()))
        for s in (0.05, 0.1, 0.4)
    }
    assert min(merits, key=lambda s: merits[s]) == 0.1  # 0.2 along one of four dimensions


def test_gradients_are_finite_where_nothing_is_there() -> None:
    maps = some_maps().requires_grad_()
    none = Labels(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 4), torch.zeros(3, SIDE, SIDE))
    loss(maps, none, LossWeights(presence=1.0)).backward()  # type: ignore[no-untyped-call]
    assert maps.grad is not None
    assert torch.isfinite(maps.grad).all()


def test_presence_is_the_cross_entropy_of_every_pixel() -> None:
    maps, truth = some_maps(), some_labels()
    only = LossWeights(count=0.0, locate=0.0, background=0.0, presence=1.0)
    p = torch.sigmoid(maps[:, 0])
    present = torch.zeros_like(p)
    for window, (_, x, y, _) in zip(truth.window, truth.target, strict=True):
        present[window, int(y), int(x)] = 1
    entropy = -(present * p.log() + (1 - present) * (1 - p).log()).sum() / 3
    assert torch.isclose(loss(maps, truth, only), entropy)
