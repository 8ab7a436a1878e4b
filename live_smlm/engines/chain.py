"""Engines laid end to end; a chain is itself an engine."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from live_smlm.core import (
    DeviceKind,
    Engine,
    EngineContext,
    EngineSpec,
    described,
    envelope_in,
    require,
)

AnyEngine = Engine[Any, Any]
Envelope = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Chain:
    """The composition of its engines, left to right; their arrows meet."""

    engines: Sequence[AnyEngine]

    def __post_init__(self) -> None:
        require(bool(self.engines), "engine chain is empty; name at least one engine")
        for left, right in pairwise(engine.spec for engine in self.engines):
            require(
                left.produces is right.consumes,
                f"engine {right.name!r} consumes {right.consumes.__name__}, but {left.name!r} "
                f"before it produces {left.produces.__name__}; put an engine between them",
            )

    @property
    def spec(self) -> EngineSpec:
        """One name, one arrow; the devices and the envelope that all of the engines share."""
        specs = [engine.spec for engine in self.engines]
        devices: tuple[DeviceKind, ...] = specs[0].devices
        for spec in specs[1:]:
            devices = tuple(d for d in devices if d in spec.devices)
        return EngineSpec(
            name="+".join(spec.name for spec in specs),
            consumes=specs[0].consumes,
            produces=specs[-1].produces,
            devices=devices,
            needs=tuple(dict.fromkeys(module for spec in specs for module in spec.needs)),
            halo=specs[0].halo,
            pixel_size_nm=specs[0].pixel_size_nm,
            envelope=_common([spec.envelope for spec in specs]),
        )

    def envelope_in(self, context: EngineContext) -> Envelope:
        """What all of the engines were made for, as they would be opened there."""
        return _common([envelope_in(engine, context) for engine in self.engines])

    def describe(self, context: EngineContext) -> Mapping[str, object]:
        """What its engines would open there, by their names."""
        told = {engine.spec.name: described(engine, context) for engine in self.engines}
        return {name: what for name, what in told.items() if what}

    def unsupported(self, context: EngineContext) -> str | None:
        """The first reason that any of the engines gives."""
        reasons = (engine.unsupported(context) for engine in self.engines)
        return next((reason for reason in reasons if reason is not None), None)

    @contextmanager
    def open(self, context: EngineContext) -> Iterator[Callable[[Any], Any]]:
        """Open every engine and yield their composition."""
        with ExitStack() as stack:
            steps = [stack.enter_context(engine.open(context)) for engine in self.engines]

            def process(item: Any) -> Any:
                for step in steps:
                    item = step(item)
                return item

            yield process


def _common(envelopes: Sequence[Envelope]) -> Envelope:
    """What lies in all envelopes that say something of it."""
    common: dict[str, tuple[float, float]] = {}
    for envelope in envelopes:
        for name, (low, high) in envelope.items():
            lowest, highest = common.get(name, (low, high))
            common[name] = max(low, lowest), min(high, highest)
    return common
