"""Engines side by side on the standard sets: means over seeds, and what is asked of our own.

Pure: rows in, numbers and gates out. Knows the demands on the flagship; must
not know how an engine is opened or a table is printed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import hypot, inf, isfinite, nan, sqrt
from types import MappingProxyType

import numpy as np

from live_smlm.evaluate.precision import Estimate
from live_smlm.evaluate.standard import Values

FLAGSHIP, BASELINE = "glint", "gauss-mle"
RIVALS = ("decode", "liteloc")
LEAD = 15.0
"""Points of efficiency by which the flagship is ahead of the baseline at high density."""
CLOSEST = MappingProxyType({"x": 1.15, "y": 1.15, "z": 1.25})
"""std/CRLB of isolated molecules at most."""
HONEST = 0.1
"""How far the pulls' standard deviation may be from 1."""
MOST_MACS = 60_000.0
"""Multiply-adds per pixel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One engine on one movie."""

    engine: str
    """As it was asked for, options included."""
    set_name: str
    seed: int
    frames: int
    seconds: float
    values: Values

    @property
    def kind(self) -> tuple[str, str]:
        """PSF, and density (`low`, `high`) or light (`pulse`, `blink`)."""
        psf, kind, *_ = self.set_name.split("/")
        return psf, kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A demand, and by how much each set meets it; below 0 is missed."""

    name: str
    margins: Mapping[str, float]
    """Minus infinity where the value is not defined or the set not served."""

    @property
    def missed(self) -> tuple[str, ...]:
        """The sets that miss it."""
        return tuple(name for name, margin in self.margins.items() if not margin >= 0)

    @property
    def least(self) -> tuple[str, float]:
        """The set with the least margin."""
        return min(self.margins.items(), key=lambda item: item[1])


def mean(values: Iterable[float | None]) -> Estimate | None:
    """Mean with its standard error (NaN of one value); None if any value is not defined."""
    known = list(values)
    if not known or any(v is None or not isfinite(v) for v in known):
        return None
    array = np.array(known, np.float64)
    error = float(array.std(ddof=1)) / sqrt(len(array)) if len(array) > 1 else nan
    return Estimate(float(array.mean()), error)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of all engines on all movies."""

    rows: Sequence[Row]
    macs: Mapping[str, float | None]
    """Multiply-adds per pixel by engine, most over the sets; None where it is no network."""

    @property
    def engines(self) -> tuple[str, ...]:
        """In the order they were asked for."""
        return tuple(self.macs)

    def sets(self, *kinds: str) -> tuple[str, ...]:
        """Names of the sets of some densities or lights, in order."""
        return tuple(dict.fromkeys(r.set_name for r in self.rows if r.kind[1] in kinds))

    def of(self, engine: str, set_name: str) -> list[Row]:
        """The movies of a set."""
        return [r for r in self.rows if (r.engine, r.set_name) == (engine, set_name)]

    def mean(self, engine: str, set_name: str, value: str) -> Estimate | None:
        """Mean over the movies of a set."""
        return mean(r.values.get(value) for r in self.of(engine, set_name))

    def overall(self, engine: str, kind: tuple[str, str], value: str) -> Estimate | None:
        """Mean over signals and cameras, its error from the scatter between seeds."""
        seeds: dict[int, list[float | None]] = {}
        for r in self.rows:
            if r.engine == engine and r.kind == kind:
                seeds.setdefault(r.seed, []).append(r.values.get(value))
        means = [mean(values) for values in seeds.values()]
        return mean(None if m is None else m.value for m in means)

    def speed(self, engine: str, sets: Sequence[str]) -> float | None:
        """Frames per second, over all movies of the sets."""
        rows = [r for r in self.rows if r.engine == engine and r.set_name in sets]
        seconds = sum(r.seconds for r in rows)
        return sum(r.frames for r in rows) / seconds if seconds > 0 else None

    def relative_speed(self, engine: str, sets: Sequence[str]) -> float | None:
        """The same over the baseline's in this run."""
        base = self._named(BASELINE)
        own, other = (e and self.speed(e, sets) for e in (engine, base))
        return own / other if own and other else None

    def gates(self) -> list[Gate]:
        """What is asked of the flagship, as far as the engines and sets were run."""
        flagship = self._named(FLAGSHIP)
        if flagship is None:
            return []
        gates = [self._ahead(flagship, rival, 0.0, ("low", "high")) for rival in RIVALS]
        gates.append(self._ahead(flagship, BASELINE, LEAD, ("high",)))
        for axis, limit in CLOSEST.items():
            name = f"std/CRLB {axis} of isolated molecules at most {limit:g}"
            gates.append(self._limited(flagship, name, axis, _below(limit), ("pulse", "blink")))
        pulls = f"within {1 - HONEST:g} to {1 + HONEST:g}"
        for axis in "xyz":
            name = f"pull std {axis} {pulls}"
            gates.append(
                self._limited(flagship, name, f"pull_std_{axis}", _honest, ("low", "high"))
            )
            name = f"pull std {axis} of isolated molecules {pulls}"
            gates.append(self._limited(flagship, name, f"pull {axis}", _honest, ("pulse", "blink")))
        if (macs := self.macs[flagship]) is not None:
            name = f"multiply-adds per pixel at most {MOST_MACS:g}"
            gates.append(Gate(name=name, margins={"all": MOST_MACS - macs}))
        return [gate for gate in gates if gate.margins]

    def _named(self, name: str) -> str | None:
        """The engine of that name: plain, or else with whatever options."""
        ours = sorted(e for e in self.engines if e.split(":")[0] == name)
        return ours[0] if ours else None

    def _ahead(self, flagship: str, other: str, lead: float, kinds: tuple[str, ...]) -> Gate:
        """Efficiency against another engine; without a lead, the error bars count for us.

        A set that the other serves and the flagship does not is missed.
        """
        margins = {}
        rival = self._named(other)
        for name in self.sets(*kinds):
            if rival is None or not self.of(rival, name):
                continue
            ours, theirs = (self.mean(e, name, "efficiency") for e in (flagship, rival))
            if theirs is None:
                margins[name] = inf
            elif ours is None:
                margins[name] = -inf
            else:
                bar = hypot(ours.standard_error, theirs.standard_error)
                allowed = lead if lead or not isfinite(bar) else -bar
                margins[name] = ours.value - theirs.value - allowed
        demand = f"at least {lead:g} above" if lead else "at least that of"
        return Gate(name=f"efficiency {demand} {other}", margins=margins)

    def _limited(
        self,
        engine: str,
        name: str,
        value: str,
        margin: Callable[[float], float],
        kinds: tuple[str, ...],
    ) -> Gate:
        """A value of each set that has it."""
        margins = {}
        for set_name in self.sets(*kinds):
            rows = self.of(engine, set_name)
            if any(value in r.values for r in rows):
                estimate = self.mean(engine, set_name, value)
                margins[set_name] = -inf if estimate is None else margin(estimate.value)
        return Gate(name=name, margins=margins)


def _below(limit: float) -> Callable[[float], float]:
    return lambda value: limit - value


def _honest(value: float) -> float:
    return HONEST - abs(value - 1)
