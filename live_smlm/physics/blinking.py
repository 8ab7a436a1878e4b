"""Photophysics: which molecule is on in which frame, and for how much of it.

Knows time and identity; nothing of where a molecule is or how bright. Each
model is a small description with `start`, which gives a process that goes
through the run frame by frame, at the laser power of the moment (1 is the
power at which the asked-for number of molecules is visible).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Protocol

import numpy as np

from live_smlm.core import F64, I64, require

On = tuple[I64, F64]
"""Identities of the molecules that are on in a frame, and the fraction of it that they are."""


class BlinkingProcess(Protocol):
    """One run of a photophysical model."""

    def step(self, laser_power: float = 1.0) -> On:
        """Advance by one frame."""


class Blinking(Protocol):
    """A photophysical model."""

    @property
    def name(self) -> str:
        """As `--blinking` names it."""

    def start(self, visible: float, pool: int | None, rng: np.random.Generator) -> BlinkingProcess:
        """A run in which `visible` molecules per frame are seen on average at power 1.

        `pool` is the number of molecules there are; None where it has no end.
        """


def check_power(laser_power: float) -> None:
    """Refuse a laser power that no laser has."""
    require(
        bool(np.isfinite(laser_power)) and laser_power >= 0,
        f"laser_power is {laser_power:g}; give 0 or more (1 is nominal)",
    )


def _check_on_frames(name: str, value: float) -> None:
    require(
        bool(np.isfinite(value)) and 0.05 <= value <= 1e6,
        f"{name} is {value:g}; give a mean duration between 0.05 and 1e6 frames",
    )


@dataclass(frozen=True, slots=True)
class Single:
    """Every molecule is on for exactly one whole frame: for tests of localizers."""

    name: ClassVar[str] = "single"

    def start(self, visible: float, pool: int | None, rng: np.random.Generator) -> "OneFrame":
        """See `Blinking`; identities are those of the pool, or running numbers without one."""
        require(
            pool is None or visible <= pool,
            f"{visible:g} molecules are to be visible per frame but the specimen has {pool}; "
            "lower the density or label more",
        )
        return OneFrame(visible, pool, rng)


@dataclass(slots=True)
class OneFrame:
    """A run of `Single`: every molecule of the pool by chance, each frame anew."""

    visible: float
    pool: int | None
    rng: np.random.Generator
    next_id: int = 0

    def step(self, laser_power: float = 1.0) -> On:
        """See `BlinkingProcess`. A pool cannot show more than all its molecules."""
        check_power(laser_power)
        expected = self.visible * laser_power
        if self.pool is None:
            count = int(self.rng.poisson(expected))
            ids = np.arange(self.next_id, self.next_id + count)
            self.next_id += count
        elif self.pool == 0:
            ids = np.zeros(0, np.int64)
        else:
            count = int(self.rng.binomial(self.pool, min(1.0, expected / self.pool)))
            ids = np.sort(self.rng.choice(self.pool, count, replace=False, shuffle=False))
        return ids.astype(np.int64), np.ones(len(ids))


@dataclass(frozen=True, slots=True)
class Exponential:
    """Activations at random times, on-times exponential; the pool has no end.

    The first and the last frame of a molecule are fractions, and a molecule with
    mean on-time T is seen in T + 1 frames on average.
    """

    on_frames: float = 3.0

    name: ClassVar[str] = "exponential"

    def __post_init__(self) -> None:
        _check_on_frames("on_frames", self.on_frames)

    def start(
        self,
        visible: float,
        pool: int | None,  # noqa: ARG002 - a site may be activated again and again
        rng: np.random.Generator,
    ) -> "Activations":
        """See `Blinking`; identities are running numbers in the order of activation.

        The run starts in the steady state: molecules may be on already.
        """
        return Activations(visible / (self.on_frames + 1), self.on_frames, rng)


class Activations:
    """A run of `Exponential`."""

    def __init__(self, rate: float, on_frames: float, rng: np.random.Generator) -> None:
        self._rate, self._on_frames, self._rng = rate, on_frames, rng
        already_on = int(rng.poisson(rate * on_frames))
        self._ids = np.arange(already_on, dtype=np.int64)
        self._left = rng.exponential(on_frames, already_on)
        self._next_id = already_on

    def step(self, laser_power: float = 1.0) -> On:
        """See `BlinkingProcess`; the power acts on the rate of activation."""
        check_power(laser_power)
        count = int(self._rng.poisson(self._rate * laser_power))
        start = self._rng.random(count)
        new_ids = np.arange(self._next_id, self._next_id + count, dtype=np.int64)
        self._next_id += count
        ids = np.concatenate([self._ids, new_ids])
        begin = np.concatenate([np.zeros(len(self._ids)), start])
        end = np.concatenate([self._left, start + self._rng.exponential(self._on_frames, count)])
        stays = end > 1.0
        self._ids, self._left = ids[stays], end[stays] - 1.0
        return ids, np.minimum(end, 1.0) - begin


@dataclass(frozen=True, slots=True)
class FourState:
    """Off -> on <-> dark, on -> bleached; a finite pool that runs out.

    The laser activates molecules that are off at a rate proportional to its
    power. A blink ends in the dark state or, with probability 1 / `blinks`, in
    bleaching; so a molecule blinks `blinks` times on average. With `fade_frames`
    molecules that are off bleach, too, whatever the laser's power.
    """

    on_frames: float = 3.0
    """Mean length of one blink."""
    dark_frames: float = 2.5
    """Mean time in the dark between two blinks."""
    blinks: float = 2.0
    fade_frames: float | None = None
    """The pool falls to 1 / e in so many frames without having been seen; None: it does not."""

    name: ClassVar[str] = "four-state"

    def __post_init__(self) -> None:
        require(
            self.fade_frames is None or (np.isfinite(self.fade_frames) and self.fade_frames >= 1),
            f"fade_frames is {self.fade_frames}; give 1 or more frames, or none",
        )
        _check_on_frames("on_frames", self.on_frames)
        _check_on_frames("dark_frames", self.dark_frames)
        require(
            1 <= self.blinks <= 1e4,
            f"blinks is {self.blinks:g}; give the mean blinks per molecule, 1 to 10000",
        )

    @property
    def visible_frames(self) -> float:
        """Frames in which a molecule is on for some time, on average over its life."""
        wakes_in_frame = -np.expm1(-1.0 / self.dark_frames)
        dark = (self.blinks - 1) * self.dark_frames
        return float(1 + self.blinks * self.on_frames + dark * wakes_in_frame)

    def start(self, visible: float, pool: int | None, rng: np.random.Generator) -> "FourStateRun":
        """See `Blinking`; identities are those of the pool.

        The run starts as if the laser had been on for long but had used nothing
        of the pool: with as many molecules on and dark as keep the balance.
        """
        require(pool is not None, "four-state blinking needs a finite pool; give its size")
        return FourStateRun(self, visible / self.visible_frames, pool or 0, rng)


class FourStateRun:
    """A run of `FourState`; the cost of a step goes with the active molecules, not the pool."""

    def __init__(
        self, model: FourState, activations: float, pool: int, rng: np.random.Generator
    ) -> None:
        on = activations * model.blinks * model.on_frames
        dark = activations * (model.blinks - 1) * model.dark_frames
        require(
            on + dark + activations <= pool / 2,
            f"{activations * model.visible_frames:g} molecules are to be visible per frame but "
            f"the pool has {pool}, too few to last; lower the density or label more",
        )
        self._model, self._rng = model, rng
        self._rate = activations / pool if pool else 0.0
        self._order = rng.permutation(pool).astype(np.int64)
        """The pool in the order of its activation."""
        on_count, dark_count = int(rng.poisson(on)), int(rng.poisson(dark))
        self._used = min(pool, on_count + dark_count)
        self._ids = self._order[: self._used]
        self._is_on = np.arange(self._used) < on_count
        self._left = self._durations(self._is_on)
        self._bleached = 0

    @property
    def off(self) -> int:
        """Molecules that were never on yet."""
        return len(self._order) - self._used

    @property
    def bleached(self) -> int:
        """Molecules that will never be on again."""
        return self._bleached

    def step(self, laser_power: float = 1.0) -> On:
        """See `BlinkingProcess`; the power acts on the rate of activation."""
        check_power(laser_power)
        self._fade()
        new_ids, start = self._activate(self._rate * laser_power)
        is_new = np.ones(len(new_ids), np.bool_)
        ids = np.concatenate([self._ids, new_ids])
        is_on = np.concatenate([self._is_on, is_new])
        begin = np.concatenate([np.zeros(len(self._ids)), start])
        end = np.concatenate([self._left, start + self._durations(is_new)])
        fraction, alive = self._live_one_frame(is_on, begin, end)
        self._bleached += int(np.count_nonzero(~alive))
        self._ids, self._is_on, self._left = ids[alive], is_on[alive], end[alive] - 1.0
        seen = fraction > 0
        return ids[seen], fraction[seen]

    def _fade(self) -> None:
        """Molecules that were never on are lost: the next of the shuffled pool."""
        if self._model.fade_frames is not None:
            lost = int(self._rng.binomial(self.off, -np.expm1(-1 / self._model.fade_frames)))
            self._used += lost
            self._bleached += lost

    def _activate(self, rate: float) -> On:
        """Molecules that come on in this frame, and when: the next of the shuffled pool."""
        share = -np.expm1(-rate)
        count = int(self._rng.binomial(self.off, share))
        ids = self._order[self._used : self._used + count]
        self._used += count
        u = self._rng.random(count)
        return ids, -np.log1p(-u * share) / rate if rate > 0 else u

    def _durations(self, is_on: np.typing.NDArray[np.bool_]) -> F64:
        """How long each stays in its state."""
        mean = np.where(is_on, self._model.on_frames, self._model.dark_frames)
        return np.asarray(self._rng.standard_exponential(len(is_on)) * mean)

    def _live_one_frame(
        self, is_on: np.typing.NDArray[np.bool_], begin: F64, end: F64
    ) -> tuple[F64, np.typing.NDArray[np.bool_]]:
        """Move states and their ends past the frame, in place; fraction on, and who is alive."""
        fraction = np.zeros(len(end))
        alive = np.ones(len(end), np.bool_)
        turning = np.arange(len(end))
        while True:
            lit = turning[is_on[turning]]
            fraction[lit] += np.minimum(end[lit], 1.0) - begin[lit]
            turning = turning[end[turning] <= 1.0]
            if len(turning) == 0:
                return fraction, alive
            bleaches = is_on[turning] & (self._rng.random(len(turning)) * self._model.blinks < 1.0)
            alive[turning[bleaches]] = False
            turning = turning[~bleaches]
            is_on[turning] = ~is_on[turning]
            begin[turning] = end[turning]
            end[turning] += self._durations(is_on[turning])


BLINKINGS: Mapping[str, Callable[..., Blinking]] = MappingProxyType(
    {kind.name: kind for kind in (Single, Exponential, FourState)}
)
"""The models by name."""
