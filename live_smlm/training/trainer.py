"""The loop: draw, look, compare, step; every so often judge and keep a checkpoint.

What is learnt is the lesson's business. A step's data depend on the seed and
the step's number alone, as does what torch draws in it, and the learning rate
on the step's share of all steps: so a training that was cut goes on as if it
had not been, on the same kind of machine to the last bit.
"""

import copy
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from live_smlm.core import InputError, require
from live_smlm.inference.bundle import BUNDLE
from live_smlm.inference.folder import WEIGHTS, Sealed
from live_smlm.inference.model import MODEL
from live_smlm.training import checkpoint
from live_smlm.training.ahead import Drawn, batches, held_out, on
from live_smlm.training.checkpoint import Standing
from live_smlm.training.lesson import HELD_OUT, Batch, Learnable, Recipe, as_used

_TRIAL_STEPS = 30
_OURS = ("architecture", "seed", "start")
"""What a training says beside what its lesson says."""
_STEPS_OF_A_SEED = 2**22


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What to train, and how long."""

    lesson: Learnable
    steps: int = 0
    """0: as many as `minutes` allow."""
    minutes: float = 0.0
    seed: int = 0
    check_every: int = 1000
    """Steps between two looks at the held-out batches; each keeps a checkpoint."""
    patience: int = 0
    """Looks without progress after which it ends early; 0: never."""
    start: Path | None = None
    """A bundle or model whose weights it begins with; None: from nothing."""
    device: str = "cpu"
    workers: int = 0
    """Processes that draw beside the training; 0: none."""

    def __post_init__(self) -> None:
        require(
            (self.steps > 0) != (self.minutes > 0),
            f"steps is {self.steps} and minutes {self.minutes:g}; give one of them, above 0",
        )
        require(self.check_every > 0, f"check_every is {self.check_every}; give at least 1")
        require(0 <= self.seed < HELD_OUT, f"seed is {self.seed}; give 0 to 2**40")
        for name in ("patience", "workers"):
            value = getattr(self, name)
            require(value >= 0, f"{name} is {value}; it must not be negative")
        require(
            self.device == "cpu" or torch.cuda.is_available(),
            f"device is {self.device!r} but torch finds no GPU; use --device cpu",
        )
        _check_described(self.lesson)

    def told(self) -> dict[str, Any]:
        """What makes this training this one: all but how long and where."""
        start = None if self.start is None else _started(self.start).hash
        told = dict(zip(_OURS, (self.lesson.name, self.seed, start), strict=True))
        return {**told, **self.lesson.describe()}


def _check_described(lesson: Learnable) -> None:
    """Refuse what a checkpoint cannot hold."""
    described = dict(lesson.describe())
    taken = sorted(set(described) & set(_OURS))
    require(
        not taken, f"lesson {lesson.name!r} describes {', '.join(taken)} itself; call it otherwise"
    )
    try:
        json.dumps(described, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"lesson {lesson.name!r} describes itself by what JSON does not know ({error}); give "
            "plain, finite values"
        ) from error


@dataclass(frozen=True, slots=True)
class Progress:
    """What is told at every look at the held-out batches."""

    step: int
    steps: int
    seconds: float
    loss: float
    """Of the training since the last look."""
    judged: Mapping[str, float]
    """What the lesson says of the held-out batches; `loss` is among it."""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """The end of a training."""

    network: nn.Module
    standing: Standing


def train(
    training: Training, folder: Path, tell: Callable[[Progress], None] = lambda _: None
) -> Trained:
    """Train from nothing, or from the checkpoint that lies in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    device = torch.device(training.device)
    torch.manual_seed(training.seed)
    network = training.lesson.network()
    if training.start is not None:
        _begin_with(network, training.start)
    network.to(device)
    recipe = training.lesson.recipe
    optimizer = torch.optim.AdamW(
        network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    told = training.told()
    standing = checkpoint.load(folder, told, network, optimizer)
    if standing is None:
        steps = training.steps or _steps_in(training, network)
        standing = Standing(0, steps, 0.0, math.inf, 0, told, training.minutes)
    else:
        standing = _continued(standing, training)
    run = _Run(training, network, optimizer, device, folder)
    return Trained(network, run.to_the_end(standing, tell))


def _continued(standing: Standing, training: Training) -> Standing:
    """With as many steps as are asked for now; minutes are those since the very beginning."""
    if training.steps:
        return replace(standing, steps=training.steps, minutes=0.0)
    if training.minutes == standing.minutes:
        return standing
    each = standing.seconds / standing.step
    steps = max(1, int(training.minutes * 60 / each))
    return replace(standing, steps=steps, minutes=training.minutes)


def _begin_with(network: nn.Module, folder: Path) -> None:
    """Take the weights of another; units may differ, the network soon finds its own."""
    begun = _started(folder)
    require(WEIGHTS in begun.files, f"{folder} holds no {WEIGHTS}; begin without it")
    try:
        network.load_state_dict(load_file(folder / WEIGHTS))
    except RuntimeError as error:
        raise InputError(
            f"{folder} has not the layers of this network; give one of the same architecture "
            "and options"
        ) from error


def _started(folder: Path) -> Sealed:
    """The bundle or model there."""
    return (MODEL if MODEL.lies_in(folder) else BUNDLE).read(folder)


@dataclass(frozen=True, slots=True)
class _Run:
    training: Training
    network: nn.Module
    optimizer: torch.optim.Optimizer
    device: torch.device
    folder: Path

    def to_the_end(self, standing: Standing, tell: Callable[[Progress], None]) -> Standing:
        begun, before = time.monotonic(), standing.seconds
        total, count = 0.0, 0
        plan = self.training
        if self._stuck(standing):
            return standing
        judging: list[Batch] = []
        with _drawn(plan, standing) as drawn:
            for step, batch in drawn:
                total += self._step(step, standing.steps, on(batch, self.device))
                count += 1
                done = step + 1
                if done % plan.check_every and done != standing.steps:
                    continue
                judging = judging or held_out(plan.lesson, plan.lesson.recipe.looks, self.device)
                judged = self._judged(judging, done)
                seconds = before + time.monotonic() - begun
                standing = replace(standing, step=done, seconds=seconds)
                if judged["loss"] < standing.best_loss:
                    standing = replace(standing, best_loss=judged["loss"], best_step=done)
                checkpoint.save(self.folder, standing, self.network, self.optimizer)
                tell(Progress(done, standing.steps, seconds, total / count, judged))
                total, count = 0.0, 0
                if self._stuck(standing):
                    break
        return standing

    def _judged(self, batches: list[Batch], step: int) -> Mapping[str, float]:
        lesson = self.training.lesson
        with as_used(self.network):
            judged = lesson.judge(self.network, batches)
        require("loss" in judged, f"lesson {lesson.name!r} judges without a loss; add `loss`")
        require(
            math.isfinite(judged["loss"]),
            f"training diverged before step {step}: the loss is {judged['loss']}; train with "
            "another seed in another folder",
        )
        return judged

    def _stuck(self, standing: Standing) -> bool:
        """Whether patience is at its end."""
        plan, waited = self.training, standing.step - standing.best_step
        return plan.patience > 0 and waited >= plan.patience * plan.check_every

    def _step(self, step: int, steps: int, batch: Batch) -> float:
        lesson = self.training.lesson
        for group in self.optimizer.param_groups:
            group["lr"] = _learning_rate(lesson.recipe, step, steps)
        torch.manual_seed(self.training.seed * _STEPS_OF_A_SEED + step)  # dropout, noise
        value = _loss(lesson, self.network, batch)
        self.optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call] # torch leaves it so
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), lesson.recipe.clip)
        self.optimizer.step()
        return float(value.detach())


def _loss(lesson: Learnable, network: nn.Module, batch: Batch) -> Tensor:
    with _short_floats(next(network.parameters()).device, lesson.recipe):
        return lesson.loss(network, batch)


def _learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """A short rise, then half a cosine."""
    rise = min(1.0, (step + 1) / recipe.warm_up)
    return recipe.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * step / steps))


def _short_floats(device: torch.device, recipe: Recipe) -> AbstractContextManager[None]:
    """16-bit arithmetic where the device has it; else it would be slower than 32 bits."""
    able = device.type == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()  # noqa: SLF001 - the only way to ask
    return torch.autocast(device.type, torch.bfloat16, enabled=able and recipe.short_floats)


def _drawn(
    plan: Training, standing: Standing
) -> AbstractContextManager[Iterator[tuple[int, Drawn]]]:
    return batches(plan.lesson, plan.seed, range(standing.step, standing.steps), plan.workers)


def _steps_in(plan: Training, network: nn.Module) -> int:
    """How many steps fit the minutes, by a short trial of a copy."""
    trial = copy.deepcopy(network)
    device = next(trial.parameters()).device
    began = 0.0
    with _drawn(plan, Standing(0, _TRIAL_STEPS, 0.0, math.inf, 0, {})) as drawn:
        for step, batch in drawn:
            # The first steps compile and allocate.
            began = time.monotonic() if step == _TRIAL_STEPS // 3 else began
            _loss(plan.lesson, trial, on(batch, device)).backward()  # type: ignore[no-untyped-call] # as above
    each = (time.monotonic() - began) / (_TRIAL_STEPS - _TRIAL_STEPS // 3)
    return max(1, int(plan.minutes * 60 / each))
