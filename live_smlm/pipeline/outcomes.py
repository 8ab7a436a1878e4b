"""What the hub passes on: chunks that came back, frames settled without, and events."""

import time
from dataclasses import dataclass
from typing import TypeAlias

from live_smlm.core import F64, I64, Localizations
from live_smlm.pipeline.dispatcher import Chunk, Settled


@dataclass(frozen=True, slots=True, kw_only=True)
class Localized:
    """A chunk that came back, with the camera's numbers of its core frames."""

    first: int
    count: int
    index: I64
    molecules: Localizations
    latency_s: F64
    """From the frame's arrival in the ring to the lane's answer."""
    answered_s: float
    """When that was, on this machine's clock."""
    fallback: bool


@dataclass(frozen=True, slots=True)
class Event:
    """Something an operator would want to know."""

    what: str
    detail: str


@dataclass(frozen=True, slots=True)
class Finished:
    """No more frames will be settled."""


Outcome: TypeAlias = Localized | Settled | Event | Finished


def localized(chunk: Chunk, molecules: Localizations, index: I64, latency_s: F64) -> Localized:
    """A chunk and its molecules, answered now."""
    return Localized(
        first=chunk.first,
        count=chunk.count,
        index=index,
        molecules=molecules,
        latency_s=latency_s,
        answered_s=time.monotonic(),
        fallback=chunk.fallback,
    )
