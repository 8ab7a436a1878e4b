"""How well a network of frames does on movies it was not trained with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from live_smlm.core import AnyArray, Localizations, from_columns
from live_smlm.evaluate.score import Score, score
from live_smlm.training.extraction import Extraction
from live_smlm.training.lesson import Batch
from live_smlm.training.loss import labels, loss
from live_smlm.training.network import Scales, maps
from live_smlm.training.scene import Scene

THRESHOLDS = tuple(np.round(np.arange(0.2, 0.91, 0.05), 2))


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


def held_out(network: Any, scales: Scales, scene: Scene, batches: Sequence[Batch]) -> HeldOut:
    """Run the network, which is in use, over batches of movies of the scene."""
    losses, found, truth = [], [], []
    first = 0
    for batch in batches:
        frames = batch["frames"]
        extraction = Extraction(scales, scene.axes).to(frames.device)
        answer = maps(network, frames).float()
        known = labels(batch, scales, scene.axes)
        losses.append(float(loss(answer, known, network.recipe.weights)))
        found.append(_found(extraction(answer)[0].cpu().numpy(), first, scene))
        truth.append(_truth(batch, first, scene))
        first += len(answer)
    columns = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
    known_columns = {name: np.concatenate([part[name] for part in truth]) for name in truth[0]}
    return HeldOut(
        loss=float(np.mean(losses)),
        found=from_columns(columns),
        truth=from_columns(known_columns),
        min_photons=scene.label_photons,
    )


def _found(molecules: AnyArray, first: int, scene: Scene) -> dict[str, AnyArray]:
    """Columns of (windows, tiles, slots, 10), light in effective counts."""
    window, tile, slot = np.nonzero(molecules[..., 0] > 0)
    f = molecules[window, tile, slot].T
    pixel = np.float32(scene.pixel_size_nm)
    columns = {"frame": window + first, "x": f[1] * pixel, "y": f[2] * pixel, "photons": f[4]}
    columns |= {"probability": f[0], "sigma_x": f[6] * pixel, "sigma_y": f[7] * pixel}
    return columns | ({"z": f[3], "sigma_z": f[8]} if scene.axes == 3 else {})


def _truth(batch: Batch, first: int, scene: Scene) -> dict[str, AnyArray]:
    m, pixel = batch["molecule"].cpu().numpy().T, np.float32(scene.pixel_size_nm)
    frame = batch["window"].cpu().numpy() + first
    columns = {"frame": frame, "x": m[0] * pixel, "y": m[1] * pixel}
    return columns | {"photons": m[3]} | ({"z": m[2]} if scene.axes == 3 else {})
