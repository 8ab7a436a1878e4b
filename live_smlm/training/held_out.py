"""How well a network does on movies it was not trained with, while it is trained.

The movies come from the scene itself, with a seed that training never takes:
they choose nothing but the threshold and the moment to stop.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch

from live_smlm.core import Localizations, from_columns
from live_smlm.evaluate.score import Score, score
from live_smlm.training.extraction import Extraction
from live_smlm.training.loss import labels, loss
from live_smlm.training.network import AnyNetwork, Scales, maps
from live_smlm.training.scene import SIDE, Batch, Scene, sample

SEED = 2**40
"""Training seeds lie below."""
THRESHOLDS = tuple(np.round(np.arange(0.2, 0.91, 0.05), 2))
_MOVIES, _FRAMES = 8, 8
_CROWDS = 4
"""Batches of the densest movies."""


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """The loss, the molecules and the truth of held-out movies."""

    loss: float
    found: Localizations
    """All that has any probability."""
    truth: Localizations
    min_photons: float

    def at(self, threshold: float) -> Score:
        """The score of the molecules at least so probable; dim ones do not count."""
        probable = self.found.axis("probability") >= threshold
        return score(self.found.where(probable), self.truth, min_photons=self.min_photons)

    def best_threshold(self) -> float:
        """The threshold with the best efficiency."""
        merits = [self.at(float(t)).efficiency for t in THRESHOLDS]
        best = np.argmax([-np.inf if merit is None else merit for merit in merits])
        return float(THRESHOLDS[best])


def held_out(
    network: AnyNetwork, scales: Scales, scene: Scene, batches: int, device: torch.device
) -> HeldOut:
    """Run the network, as it is now, over `batches` batches of held-out movies."""
    extraction = Extraction(scales, scene.axes).to(device)
    losses, found, truth = [], [], []
    halo = network.halo
    with _as_used(network):
        for step in range(batches):
            batch = sample(scene, SEED, step, movies=_MOVIES, frames=_FRAMES, halo=halo)
            answer = maps(network, torch.from_numpy(batch.frames).to(device)).float()
            known = labels(batch, scales, device, scene.axes)
            losses.append(float(loss(answer, known, network.recipe.weights)))
            molecules = extraction(answer)[0].cpu().numpy()
            first = step * _MOVIES * _FRAMES
            found.append(_found(molecules, first, scene))
            truth.append(_truth(batch, first, scene))
    columns = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
    known_columns = {name: np.concatenate([part[name] for part in truth]) for name in truth[0]}
    return HeldOut(
        loss=float(np.mean(losses)),
        found=from_columns(columns),
        truth=from_columns(known_columns),
        min_photons=scene.label_photons,
    )


def found_at_most(
    network: AnyNetwork, scales: Scales, scene: Scene, threshold: float, device: torch.device
) -> float:
    """Molecules found per um2 and frame where they are as dense and clear as the scene has them."""
    crowd = replace(
        scene,
        density_per_um2=(scene.density_per_um2[1],) * 2,
        photons=(scene.photons[1],) * 2,
        background=(scene.background[0],) * 2,
    )
    found = held_out(network, scales, crowd, _CROWDS, device).found
    frames_um2 = _CROWDS * _MOVIES * _FRAMES * (SIDE * scene.pixel_size_nm / 1000) ** 2
    return np.count_nonzero(found.axis("probability") >= threshold) / frames_um2


@contextmanager
def _as_used(network: AnyNetwork) -> Iterator[None]:
    """Without gradients, and with statistics as they are in use; as before afterwards."""
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        network.train(training)


def _found(molecules: np.ndarray, first: int, scene: Scene) -> dict[str, np.ndarray]:
    """Columns of (windows, tiles, slots, 10), light in effective counts."""
    window, tile, slot = np.nonzero(molecules[..., 0] > 0)
    f = molecules[window, tile, slot].T
    pixel = np.float32(scene.pixel_size_nm)
    columns = {"frame": window + first, "x": f[1] * pixel, "y": f[2] * pixel, "photons": f[4]}
    columns |= {"probability": f[0], "sigma_x": f[6] * pixel, "sigma_y": f[7] * pixel}
    return columns | ({"z": f[3], "sigma_z": f[8]} if scene.axes == 3 else {})


def _truth(batch: Batch, first: int, scene: Scene) -> dict[str, np.ndarray]:
    m, pixel = batch.molecule.T, np.float32(scene.pixel_size_nm)
    columns = {"frame": batch.window + first, "x": m[0] * pixel, "y": m[1] * pixel}
    return columns | {"photons": m[3]} | ({"z": m[2]} if scene.axes == 3 else {})
