"""The loop: draw, look, compare, step; every so often score and keep a checkpoint.

A step's data depend on the seed and the step's number alone and the learning
rate on the step's share of all steps, so a training that was cut goes on as if
it had not been, on the same kind of machine to the last bit.
"""

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors.torch import load_file

from live_smlm.core import InputError, require
from live_smlm.evaluate.score import Score
from live_smlm.inference.bundle import Bundle
from live_smlm.inference.folder import WEIGHTS
from live_smlm.training import checkpoint
from live_smlm.training.ahead import batches
from live_smlm.training.checkpoint import Standing
from live_smlm.training.held_out import held_out
from live_smlm.training.loss import labels, loss
from live_smlm.training.network import AnyNetwork, Recipe, Scales, build, maps
from live_smlm.training.scene import Batch, Scene

_TRIAL_STEPS = 30
_THRESHOLD = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What to train, and how long."""

    architecture: str
    scene: Scene
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    steps: int = 0
    """0: as many as `minutes` allow."""
    minutes: float = 0.0
    seed: int = 0
    movies: int = 4
    frames: int = 8
    """Core frames of a movie."""
    check_every: int = 1000
    """Steps between two looks at the held-out movies; each keeps a checkpoint."""
    patience: int = 0
    """Looks without progress after which it ends early; 0: never."""
    start: Path | None = None
    """A bundle whose weights it begins with; None: from nothing."""
    device: str = "cpu"
    workers: int = 0
    """Processes that draw movies beside the training; 0: none."""

    def __post_init__(self) -> None:
        require(
            (self.steps > 0) != (self.minutes > 0),
            f"steps is {self.steps} and minutes {self.minutes:g}; give one of them, above 0",
        )
        require(self.check_every > 0, f"check_every is {self.check_every}; give at least 1")
        require(0 <= self.seed < 2**40, f"seed is {self.seed}; give 0 to 2**40")
        for name in ("patience", "workers"):
            value = getattr(self, name)
            require(value >= 0, f"{name} is {value}; it must not be negative")
        require(
            self.device == "cpu" or torch.cuda.is_available(),
            f"device is {self.device!r} but torch finds no GPU; use --device cpu",
        )

    def told(self) -> dict[str, Any]:
        """What makes this training this one: all but how long and where."""
        names = ("architecture", "seed", "movies", "frames")
        told = {name: getattr(self, name) for name in names}
        told["start"] = None if self.start is None else Bundle.load(self.start).hash
        return {**told, "options": dict(self.options), "scene": dict(self.scene.describe())}


@dataclass(frozen=True, slots=True)
class Progress:
    """What is told at every look at the held-out movies."""

    step: int
    steps: int
    seconds: float
    loss: float
    """Of the training since the last look."""
    held_out_loss: float
    score: Score


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """The end of a training."""

    network: AnyNetwork
    scales: Scales
    standing: Standing


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


def train(
    training: Training, folder: Path, tell: Callable[[Progress], None] = lambda _: None
) -> Trained:
    """Train from nothing, or from the checkpoint that lies in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    device = torch.device(training.device)
    scales = scales_of(training.scene)
    torch.manual_seed(training.seed)
    network: AnyNetwork = build(training.architecture, scales, training.options)
    if training.start is not None:
        _begin_with(network, training.start)
    network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload] # torch takes it
    recipe = network.recipe
    optimizer = torch.optim.AdamW(
        network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    told = training.told()
    standing = checkpoint.load(folder, told, network, optimizer)
    if standing is None:
        steps = training.steps or _steps_in(training, network, scales)
        standing = Standing(0, steps, 0.0, math.inf, 0, told, training.minutes)
    else:
        standing = _continued(standing, training)
    run = _Run(training, network, scales, optimizer, device, folder)
    return Trained(network, scales, run.to_the_end(standing, tell))


def _continued(standing: Standing, training: Training) -> Standing:
    """With as many steps as are asked for now; minutes are those since the very beginning."""
    if training.steps:
        return replace(standing, steps=training.steps, minutes=0.0)
    if training.minutes == standing.minutes:
        return standing
    each = standing.seconds / standing.step
    steps = max(1, int(training.minutes * 60 / each))
    return replace(standing, steps=steps, minutes=training.minutes)


def _begin_with(network: AnyNetwork, folder: Path) -> None:
    """Take the weights of a bundle; units may differ, the network soon finds its own."""
    weights = load_file(Bundle.load(folder).folder / WEIGHTS)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(
            f"bundle {folder} has not the layers of this network; give one of the same "
            "architecture and options"
        ) from error


@dataclass(frozen=True, slots=True)
class _Run:
    training: Training
    network: AnyNetwork
    scales: Scales
    optimizer: torch.optim.Optimizer
    device: torch.device
    folder: Path

    def to_the_end(self, standing: Standing, tell: Callable[[Progress], None]) -> Standing:
        begun, before = time.monotonic(), standing.seconds
        total, count = 0.0, 0
        plan = self.training
        if self._stuck(standing):
            return standing
        with _drawn(plan, self.network, standing) as movies:
            for step, batch in movies:
                total += self._step(step, standing.steps, batch)
                count += 1
                done = step + 1
                if done % plan.check_every and done != standing.steps:
                    continue
                look = held_out(self.network, self.scales, plan.scene, 8, self.device)
                require(
                    math.isfinite(look.loss),
                    f"training diverged before step {done}: the loss is {look.loss}; train with "
                    "another seed in another folder",
                )
                seconds = before + time.monotonic() - begun
                standing = replace(standing, step=done, seconds=seconds)
                if look.loss < standing.best_loss:
                    standing = replace(standing, best_loss=look.loss, best_step=done)
                checkpoint.save(self.folder, standing, self.network, self.optimizer)
                score = look.at(_THRESHOLD)
                tell(Progress(done, standing.steps, seconds, total / count, look.loss, score))
                total, count = 0.0, 0
                if self._stuck(standing):
                    break
        return standing

    def _stuck(self, standing: Standing) -> bool:
        """Whether patience is at its end."""
        plan, waited = self.training, standing.step - standing.best_step
        return plan.patience > 0 and waited >= plan.patience * plan.check_every

    def _step(self, step: int, steps: int, batch: Batch) -> float:
        recipe = self.network.recipe
        for group in self.optimizer.param_groups:
            group["lr"] = _learning_rate(recipe, step, steps)
        value = _loss(self.network, self.scales, batch, self.device, self.training.scene.axes)
        self.optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call] # torch leaves it so
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), recipe.clip)
        self.optimizer.step()
        return float(value.detach())


def _loss(
    network: AnyNetwork, scales: Scales, batch: Batch, device: torch.device, axes: int
) -> torch.Tensor:
    with _short_floats(device):
        answer = maps(network, torch.from_numpy(batch.frames).to(device))
    return loss(answer.float(), labels(batch, scales, device, axes), network.recipe.weights)


def _learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """A short rise, then half a cosine."""
    rise = min(1.0, (step + 1) / recipe.warm_up)
    return recipe.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * step / steps))


def _short_floats(device: torch.device) -> AbstractContextManager[None]:
    """16-bit arithmetic where the device has it; else it would be slower than 32 bits."""
    able = device.type == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()  # noqa: SLF001 - the only way to ask
    return torch.autocast(device.type, torch.bfloat16, enabled=able)


def _drawn(
    plan: Training, network: AnyNetwork, standing: Standing
) -> AbstractContextManager[Iterator[tuple[int, Batch]]]:
    steps = range(standing.step, standing.steps)
    shape = (plan.movies, plan.frames, network.halo)
    return batches(plan.scene, plan.seed, steps, plan.workers, shape)


def _steps_in(plan: Training, network: AnyNetwork, scales: Scales) -> int:
    """How many steps fit the minutes, by a short trial of a copy."""
    trial = copy.deepcopy(network)
    device = next(trial.parameters()).device
    began = 0.0
    standing = Standing(0, _TRIAL_STEPS, 0.0, math.inf, 0, {})
    with _drawn(plan, network, standing) as movies:
        for step, batch in movies:
            # The first steps compile and allocate.
            began = time.monotonic() if step == _TRIAL_STEPS // 3 else began
            _loss(trial, scales, batch, device, plan.scene.axes).backward()  # type: ignore[no-untyped-call] # as above
    each = (time.monotonic() - began) / (_TRIAL_STEPS - _TRIAL_STEPS // 3)
    return max(1, int(plan.minutes * 60 / each))
